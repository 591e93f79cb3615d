"""What is shown cannot hide, and cannot be taken for a command of a CI runner."""

from __future__ import annotations

import json
import shlex
import subprocess
import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st

from sendkit_sync.core.diagnostics import inert, inert_json, printable
from sendkit_sync.core.quoting import shell_name, yaml_name

HIDDEN = {
    "a line break": "\n",
    "a carriage return": "\r",
    "an escape": "\x1b",
    "a C1 control": "\x9b",
    "the end of a bidirectional text": "\u202c",
    "right to left": "\u202e",
    "an isolate": "\u2066",
    "an Arabic mark": "\u061c",
    "a zero-width space": "\u200b",
    "a joiner": "\u200d",
    "a soft hyphen": "\xad",
    "a byte-order mark": "\ufeff",
    "a Hangul filler": "\u3164",
    "a half-width filler": "\uffa0",
    "a choseong filler": "\u115f",
    "a grapheme joiner": "\u034f",
    "a variation selector": "\ufe0f",
    "one of the supplement": "\U000e0101",
    "a tag": "\U000e0041",
    "a blank of Braille": "\u2800",
    "a line separator": "\u2028",
    "a no-break space": "\xa0",
}
COMMANDS = [
    "##[error]x",
    "a ##[group]",
    "##vso[task.setvariable x]y",
    "###[x]",
    "::error::x",
    "  ::add-mask::x",
    "\t::stop-commands::t",
]


def obeyed(text: str) -> bool:
    """Tell whether a runner finds a command in `text`, as GitHub's and Azure's read it."""
    return any(line.lstrip().startswith("::") or "##[" in line or "##vso[" in line for line in text.splitlines())


@pytest.mark.parametrize("char", HIDDEN.values(), ids=HIDDEN)
def test_what_nobody_sees_is_escaped(char: str):
    for shown in (printable(f"a{char}b"), inert(f"a{char}b") if char not in "\n\xa0" else "ab"):
        assert char not in shown
        assert shown.isprintable()
    value = {"a": f"a{char}b"}
    assert char not in inert_json(json.dumps(value, ensure_ascii=False)) or char == "\xa0"
    assert json.loads(inert_json(json.dumps(value, ensure_ascii=False))) == value


@pytest.mark.parametrize("text", COMMANDS)
def test_nothing_commands_a_runner(text: str):
    assert obeyed(text)
    assert not obeyed(printable(text))
    assert not obeyed(inert(f"first\n{text}\nlast"))
    value = {text: text}
    assert not obeyed(inert_json(json.dumps(value, indent=2)))
    assert json.loads(inert_json(json.dumps(value, indent=2))) == value


@running(deadline=None)
@given(st.text(st.characters() | st.sampled_from(":#[]\n\r\u2028 v")))
def test_of_no_text_a_command_is_left(text: str):
    assert not obeyed(printable(text, 1000))
    assert not obeyed(inert(text))
    assert printable(printable(text, 10_000), 10_000) == printable(text, 10_000)
    assert inert(inert(text)) == inert(text)


@running(deadline=None)
@given(st.text())
def test_all_that_is_left_has_a_shape(text: str):
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in printable(text, 1000))


def test_what_the_output_itself_is_made_of_stays():
    text = '\x1b[32m+ create "Zo\u00eb \U0001f600"\x1b[0m\n\tC::D # x\n'
    assert inert(text) == text
    assert printable("C::D #[x] Zo\u00eb \U0001f600 \u05d0 \u4e2d") == "C::D #[x] Zo\u00eb \U0001f600 \u05d0 \u4e2d"


@pytest.mark.parametrize("name", [*COMMANDS, "a\u3164b", "a\u202eb", "it's ##[x]", "C::D"])
def test_a_name_to_paste_is_inert_and_stays_the_name(name: str):
    for word in (shell_name(name), yaml_name(name)):
        assert not obeyed(word)
        assert word.isprintable()
    said = subprocess.run(
        ["bash", "-c", f"printf %s {shell_name(name)}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert said.stdout.decode() == name
    assert yaml.safe_load(yaml_name(name)) == name
    assert shell_name("C::D") == shlex.quote("C::D")
