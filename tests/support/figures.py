"""What the suite did, counted: each process appends a line to the file that SOAK_FIGURES names."""

from __future__ import annotations

import json
import os
from pathlib import Path

SEED = int(os.environ.get("SOAK_SEED", "20261124"))
"""What all chance in the long runs comes from."""


def note(**counts: int) -> None:
    """Add to the figures, where somebody wants them."""
    place = os.environ.get("SOAK_FIGURES")
    if place:
        with Path(place).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(counts) + "\n")
