"""Every error that the tool can raise, brought about, with its text: what happened, to what, what to do now.

Run with UPDATE_MESSAGES=1 (and `-n 0`) to write the texts anew, and read the difference before it is committed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sendkit_sync.core.errors import ConfigError, SyncError
from support.bench import Bench
from support.message_causes import CAUSES
from support.message_sites import sites

TABLE = Path(__file__).parent / "messages.txt"
LINES_AT_MOST = 4
LONGEST_LINE = 240


def texts() -> dict[str, str]:
    """Return the table: the place to its text. A place begins a line, its text is indented."""
    found: dict[str, str] = {}
    for block in TABLE.read_text(encoding="utf-8").split("\n\n") if TABLE.exists() else []:
        place, _, text = block.strip("\n").partition("\n")
        found[place] = re.sub("^    ", "", text, flags=re.MULTILINE) + "\n"
    return found


def write(place: str, text: str) -> None:
    table = texts() | {place: text}
    blocks = [
        f"{place}\n" + re.sub("^", "    ", table[place].rstrip("\n"), flags=re.MULTILINE)
        for place in sorted(table)
        if place in CAUSES
    ]
    TABLE.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def test_every_error_has_its_row():
    assert set(CAUSES) == sites(), "an error without its row in message_causes.py, or a row without its error"
    assert set(texts()) == set(CAUSES), (
        "write the texts anew: UPDATE_MESSAGES=1 .venv/bin/pytest -n 0 tests/integration/test_messages.py"
    )


@pytest.mark.parametrize("place", CAUSES)
def test_a_message_says_what_happened_and_what_to_do(place: str, bench: Bench):
    with pytest.raises(SyncError) as caught:
        CAUSES[place](bench)
    error = caught.value
    check_place(place, caught)
    text = bench.message(error)
    if os.environ.get("UPDATE_MESSAGES") == "1":
        write(place, text)
    assert text == texts()[place]
    assert error.hint or isinstance(error, ConfigError), "what is to be done now?"
    lines = text.splitlines()
    assert len(lines) <= LINES_AT_MOST
    assert max(map(len, lines)) <= LONGEST_LINE
    assert "sk_key" not in text
    assert "Traceback" not in text


def check_place(place: str, caught: pytest.ExceptionInfo[SyncError]) -> None:
    """Assert that the error comes from that place: its module, its class, its text."""
    module, maker, template = re.fullmatch(r"(\S+) (\w+): (.*)", place).groups()  # type: ignore[union-attr]
    if module != "cli/opened.py":  # it makes errors that others raise
        assert any(str(frame.path).endswith(f"sendkit_sync/{module}") for frame in caught.traceback)
    if maker[0].isupper():
        assert type(caught.value).__name__ == maker
    if maker not in ("MissingExtraError", "ConfigError"):
        assert re.search(".*".join(map(re.escape, template.split("{...}"))), caught.value.what, re.DOTALL)
