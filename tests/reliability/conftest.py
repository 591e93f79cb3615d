"""Fixtures that several modules of the reliability suite use."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendkit_sync.simulator import Simulator
from support.runs import Runs


@pytest.fixture
def runs(tmp_path: Path, simulator: Simulator) -> Runs:
    """Return applies of a config of one webhook, Anna."""
    return Runs(tmp_path, simulator, ["Anna"])
