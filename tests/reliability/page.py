"""The parts of docs/reliability.md that are written by programs, each between two comments."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "reliability.md"


def _part(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", re.DOTALL)


def read(name: str) -> str:
    """Return the part of that name."""
    found = _part(name).search(PAGE.read_text(encoding="utf-8"))
    assert found is not None, f"{PAGE} has no part {name}"
    return found[0]


def write(name: str, text: str) -> None:
    """Put `text` in the place of the part of that name."""
    PAGE.write_text(_part(name).sub(lambda _: text, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
