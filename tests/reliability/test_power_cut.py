"""The power may go at any moment: what was synced by then is enough to know every webhook and its secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sendkit_sync.core import failpoints
from sendkit_sync.core.errors import StateInvalidError
from sendkit_sync.core.model import Secret, State
from sendkit_sync.simulator import Simulator
from sendkit_sync.state import read_state
from support.fake_disk import FakeDisk
from support.runs import Runs, config_of

STATE = "sendkit.state.json"


class Cuts:
    """Looks, after each step of an apply, at all that a power cut could leave of the state; `lost` tells what it misses."""

    def __init__(self, runs: Runs, spare: Path, patch: pytest.MonkeyPatch) -> None:
        self._runs = runs
        self._spare = spare
        self.count = 0
        self.lost: list[str] = []
        self._fake_disk = FakeDisk(runs.folder, patch, self.check)
        patch.setattr(failpoints, "hook", lambda name: self.check())

    def check(self) -> None:
        live = self._runs.simulator.webhooks()
        for image in self._fake_disk.images():
            self.count += 1
            for path in self._spare.iterdir():
                path.unlink()
            for name, content in image.items():
                (self._spare / name).write_bytes(content)
            try:
                state = read_state(str(self._spare / STATE)) or State("", 0, "")
            except StateInvalidError as error:
                self.lost.append(str(error))
            else:
                self.lost += [webhook["name"] for webhook in live if not is_known(state, webhook)]


def is_known(state: State, webhook: dict[str, Any]) -> bool:
    """Tell whether a live webhook is recorded or unresolved, and its secret is there."""
    secret = Secret(webhook["secret"])
    named = webhook["_id"] in state.recorded_ids() or webhook["name"] in state.unresolved()
    return named and any(kept.matches(secret) for kept in state.secrets())


def test_a_power_cut_at_any_moment_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Simulator() as simulator:
        folder, spare = tmp_path / "job", tmp_path / "spare"
        folder.mkdir()
        spare.mkdir()
        runs = Runs(folder, simulator, ["Anna", "Berta"])
        cuts = Cuts(runs, spare, monkeypatch)
        assert runs.apply_here("--parallelism", "1") == 0
        runs.write(config_of(["Anna", "Carla"]) + "    secret: a-supplied-secret-of-some-length\n")
        assert runs.apply_here("--parallelism", "1", "--prune") == 0
        runs.check_each_made_once("Anna", "Carla")
        assert cuts.lost == []
        assert cuts.count > 300
