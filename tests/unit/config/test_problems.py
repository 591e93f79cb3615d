"""Every problem that a config can have, brought about, with its line: where it is, what is wrong, what would be right.

Run with UPDATE_MESSAGES=1 (and `-n 0`) to write the lines anew, and read the difference before it is committed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sendkit_sync.config import load_config
from sendkit_sync.core.errors import ConfigError
from support.message_sites import problems

TABLE = Path(__file__).parent / "problems.txt"
LONGEST = 200
HEAD = "version: 1\nwebhooks:\n"
ONE = '  - {name: A, url: "https://a.example.com", events: [email.sent]}\n'


def entry(**fields: str) -> str:
    all_fields = {"name": "A", "url": '"https://a.example.com"', "events": "[email.sent]"} | fields
    return "  - {" + ", ".join(f"{key}: {value}" for key, value in all_fields.items()) + "}\n"


FILES: dict[str, str | bytes | dict[str, str]] = {
    "empty": "",
    "not UTF-8": b"version: 1\n# \xff\n",
    "a control character": "version: 1\n# \x01\n",
    "a tab": "version: 1\n\twebhooks: []\n",
    "a bracket": "version: [\n",
    "two documents": "version: 1\n---\nversion: 1\n",
    "a tag": "version: !!int 1\n",
    "an alias of nothing": "version: *x\n",
    "an alias of itself": "version: &x [*x]\n",
    "an alias bomb": "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"{two}: &{two} [{', '.join([f'*{one}'] * 10)}]\n" for one, two in zip("abcdefg", "bcdefgh", strict=True)),
    "a key that is a list": "? [a]\n: 1\n",
    "a key twice": "version: 1\nversion: 1\n",
    "a merge of text": HEAD + "  - {<<: x}\n",
    "two merges": HEAD + "  - {<<: {name: A}, <<: {name: B}}\n",
    "30,000 levels": "[" * 30_000,
    "a list": "- 1\n",
    "no webhooks": "version: 1\n",
    "an unknown key": "version: 1\nwebhook: []\nwebhooks: []\n",
    "wrong kinds": 'version: "1"\nwebhooks: [1, {name: 1, url: [], events: {}, retryAttempts: "3"}]\n',
    "wrong values": "version: 2\ngenerateSecret: me\nwebhooks:\n" + entry(retryAttempts="-1", name='""'),
    "a lone field": HEAD + "  - {name: A}\n",
    "the same event twice": HEAD + entry(events="[email.sent, email.sent]"),
    "the same event twice by a variable": HEAD + entry(events='[email.sent, "${E}"]'),
    "a misspelt event": HEAD + entry(events="[email.sentt]"),
    "an event of control characters": HEAD + entry(events='["a\\a"]'),
    "an age recipient that is none": HEAD + ONE + "encryption: {age: {recipients: [age2x]}}\n",
    "a name of spaces": HEAD + entry(name='"  "'),
    "a name with a line break": HEAD + entry(name='"A\\nB"'),
    "a name twice": HEAD + ONE + ONE,
    "a url of another kind": HEAD + entry(url="ftp://a.example.com"),
    "a url without a host": HEAD + entry(url="'https://'"),
    "a url with a space": HEAD + entry(url='"https://a b"'),
    "a url that is none": HEAD + entry(url='"https://[a"'),
    "a url with a password": HEAD + entry(url='"https://u:p@a.example.com"'),
    "a url with a token": HEAD + entry(url='"https://a.example.com/x?a=1&api_token=some-length"'),
    "a url with a user": HEAD + entry(url='"https://some-length@a.example.com"'),
    "a url whose host is not ASCII": HEAD + entry(url='"https://\u0430.example.com"'),
    "a url with a backslash": HEAD + entry(url="'https://a.example.com\\@b.example.com'"),
    "a variable without braces": HEAD + entry(url='"https://$CRM_HOST/x"', events="[$EVENT]"),
    "numbers that are not usual": HEAD + entry(retryAttempts="11", timeoutMs="999"),
    "an indented key": HEAD + '  - name: A\n      url: "https://a.example.com"\n',
    "a missing space": HEAD + '  - name: A\n    url:"https://a.example.com"\n    events: [email.sent]\n',
    "a name with an invisible character": HEAD + ONE + entry(name='"A\u200b"', url='"https://b.example.com"'),
    "a url in clear": HEAD + entry(url='"http://a.example.com"'),
    "a url and events twice": HEAD + ONE + entry(name="B"),
    "a variable that is not set": HEAD + entry(url='"https://${HOST}"'),
    "a variable that is none": HEAD + entry(url='"https://${1}"'),
    "a secret that is not set": HEAD + entry(secret='"${S}"'),
    "a secret in the file": HEAD + entry(secret="a-secret-of-some-length"),
    "a short secret": HEAD + entry(secret='"${SHORT}"'),
    "a blank secret": HEAD + entry(secret='"${BLANK}"'),
    "a secret with a line break": HEAD + entry(secret='"${BROKEN}"'),
    "a secret with spaces": HEAD + entry(secret='"${SPACES}"'),
    "a secret in quotes": HEAD + entry(secret='"${QUOTES}"'),
    "a secret that is not UTF-8": HEAD + entry(secret='"${BYTES}"'),
    "a secret with a default": HEAD + entry(secret='"${S:-x}"'),
    "a workspace of nothing": "workspace: ' '\n" + HEAD + ONE,
    "two workspaces": {"a.yaml": "workspace: w1\n" + HEAD + ONE, "b.yaml": "workspace: w2\n" + HEAD},
    "two encryptions": {
        "a.yaml": HEAD + ONE + "encryption: {age: {recipients: [age1x]}}\n",
        "b.yaml": HEAD.replace("webhooks:", "webhooks: []") + "encryption: {age: {recipients: [age1y]}}\n",
    },
    "two folders": {"a/x.yaml": HEAD + ONE, "b/x.yaml": HEAD + entry(name="B")},
    "a rename of an entry": HEAD + ONE + entry(name="B", renamedFrom="A"),
    "two renames of one": HEAD + entry(renamedFrom="Old") + entry(name="B", renamedFrom="Old"),
    "an API address that is none": "apiUrl: http://api.example.com\n" + HEAD + ONE,
    "a secret kept elsewhere, and not": HEAD + entry(secret='"${S}"', exportAs="A", manageSecret="false"),
    "a variable name that is none": HEAD + entry(exportAs="1A"),
    "a variable name twice": HEAD + entry(exportAs="A") + entry(name="B", url='"https://b.example.com"', exportAs="A"),
    "an id twice": HEAD + entry(id="A1") + entry(name="B", url='"https://b.example.com"', id="A1"),
    "an id that is none": HEAD + entry(id='"a/b"'),
    "a flag that is none": HEAD + entry(preventDelete='"yes"', ignoreChanges="[name]"),
    "a folder of nothing": {"folder/x.txt": ""},
    "no file": {},
    "a pattern of nothing": {},
    "a device": {},
    "shared keys alone": {"a.yaml": "version: 1\n", "b.yaml": "version: 1\n"},
    "too large": HEAD + ONE,
}
UNREACHED = {"schema.py: {...} is not valid"}
"""What is said of a rule that the schema does not have yet."""

ENVIRONMENT = {
    "SENDKIT_VAR_E": "email.sent",
    "SENDKIT_SECRET_SHORT": "x",
    "SENDKIT_SECRET_BLANK": " ",
    "SENDKIT_SECRET_BROKEN": "a-secret-of-some-length\n",
    "SENDKIT_SECRET_SPACES": " a-secret-of-some-length",
    "SENDKIT_SECRET_QUOTES": "'a-secret-of-some-length'",
    "SENDKIT_SECRET_BYTES": "\udcff" * 20,
}


def prepare(case: str) -> list[str]:
    """Write the files of a case, and return the paths to load."""
    files = FILES[case]
    for name, text in (files if isinstance(files, dict) else {"webhooks.yaml": files}).items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    if case == "too large":
        os.truncate("webhooks.yaml", (64 << 20) + 1)
    paths = {"a folder of nothing": ["folder"], "no file": ["webhooks.yaml"], "two folders": ["a", "b"]}
    paths |= {"a pattern of nothing": ["*.yaml"], "a device": ["/dev/null"]}
    return paths.get(case, sorted(files) if isinstance(files, dict) else ["webhooks.yaml"])


def lines_of(paths: list[str]) -> list[str]:
    try:
        found = load_config(paths, ENVIRONMENT).warnings
    except ConfigError as error:
        found = error.diagnostics
    return [str(one) for one in found]


def table() -> dict[str, list[str]]:
    blocks = TABLE.read_text(encoding="utf-8").strip("\n").split("\n\n") if TABLE.exists() else []
    return {block.splitlines()[0]: [line.removeprefix("    ") for line in block.splitlines()[1:]] for block in blocks}


@pytest.mark.parametrize("case", FILES)
def test_a_problem_says_where_it_is_and_what_is_wrong(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    lines = lines_of(prepare(case))
    if os.environ.get("UPDATE_MESSAGES") == "1":
        known = table() | {case: lines}
        blocks = ["\n".join([name, *(f"    {line}" for line in known[name])]) for name in FILES if name in known]
        TABLE.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    assert lines == table()[case]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[^:]+:\d+:\d+: (error|warning): .+", line)
        assert len(line) <= LONGEST
        assert "some-length" not in line


def test_every_problem_has_its_line():
    said = [line.partition(": ")[2].partition(": ")[2] for lines in table().values() for line in lines]
    patterns = {place: ".*".join(map(re.escape, place.partition(": ")[2].split("{...}"))) for place in problems() - UNREACHED}
    unsaid = [place for place, pattern in patterns.items() if not any(re.match(pattern, line) for line in said)]
    assert unsaid == []
    assert list(table()) == list(FILES)
