"""What the suite did, counted: each process appends a line to the file in SOAK_FIGURES, and this script sums them up."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path


def note(**counts: int) -> None:
    """Add to the figures, where somebody wants them."""
    place = os.environ.get("SOAK_FIGURES")
    if place:
        with Path(place).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(counts) + "\n")


def total(place: str) -> Counter[str]:
    """Return the sums over all lines of a file of figures."""
    sums: Counter[str] = Counter()
    for line in Path(place).read_text(encoding="utf-8").splitlines():
        sums.update(json.loads(line))
    return sums


if __name__ == "__main__":
    for name, count in sorted(total(sys.argv[1]).items()):
        print(f"{name.replace('_', ' '):28} {count}")
