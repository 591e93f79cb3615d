"""Every error that the tool can raise, brought about, with its text: what happened, to what, what to do now.

Run with UPDATE_MESSAGES=1 (and `-n 0`) to write the texts anew, and read the difference before it is committed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sendkit_sync.core.errors import ConfigError, ErrorCode, SyncError
from support.bench import Bench
from support.message_causes import CAUSES
from support.message_sites import sites

TABLE = Path(__file__).parent / "messages.txt"
LINES_AT_MOST = 4
LONGEST_LINE = 240


def texts() -> dict[str, str]:
    """Return the table: the key of a cause to its text. A key begins a line, its text is indented."""
    found: dict[str, str] = {}
    for block in TABLE.read_text(encoding="utf-8").split("\n\n") if TABLE.exists() else []:
        key, _, text = block.strip("\n").partition("\n")
        found[key] = re.sub("^    ", "", text, flags=re.MULTILINE) + "\n"
    return found


def write(key: str, text: str) -> None:
    table = texts() | {key: text}
    blocks = [
        f"{key}\n" + re.sub("^", "    ", table[key].rstrip("\n"), flags=re.MULTILINE) for key in sorted(table) if key in CAUSES
    ]
    TABLE.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def code_of(key: str) -> str:
    return key.partition("/")[0]


def test_every_code_has_a_cause_and_a_text():
    assert {code_of(key) for key in CAUSES} == set(ErrorCode), "a code without a cause in message_causes.py"
    assert set(texts()) == set(CAUSES), (
        "write the texts anew: UPDATE_MESSAGES=1 .venv/bin/pytest -n 0 tests/integration/test_messages.py"
    )


@pytest.mark.parametrize(("code", "template"), sorted(sites()))
def test_every_error_that_the_code_makes_is_brought_about(code: str, template: str):
    pattern = ".*".join(map(re.escape, template.split("{...}")))
    shown = [text for key, text in texts().items() if code_of(key) == code]
    assert any(re.search(pattern, text, re.DOTALL) for text in shown), "an error without its cause in message_causes.py"


@pytest.mark.parametrize("key", CAUSES)
def test_a_message_says_what_happened_and_what_to_do(key: str, bench: Bench):
    with pytest.raises(SyncError) as caught:
        CAUSES[key](bench)
    error = caught.value
    assert error.code == code_of(key)
    text = bench.message(error)
    if os.environ.get("UPDATE_MESSAGES") == "1":
        write(key, text)
    assert text == texts()[key]
    assert error.hint or isinstance(error, ConfigError), "what is to be done now?"
    lines = text.splitlines()
    assert len(lines) <= LINES_AT_MOST
    assert max(map(len, lines)) <= LONGEST_LINE
    assert "sk_key" not in text
    assert "Traceback" not in text
