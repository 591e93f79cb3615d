"""Config files as an attacker or a tired colleague writes them: whatever is in them, they end in lines about places."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sendkit_sync.config import load_config
from sendkit_sync.config.yaml_events import Refused, read_yaml
from sendkit_sync.core.errors import ConfigError
from sendkit_sync.render.problems import problems_github, problems_json, problems_text

HERE = Path(__file__).parent
SAMPLES = [path.read_bytes() for path in sorted((HERE.parent.parent.parent / "sample-config").rglob("*.yaml"))]
HEAD = "version: 1\nwebhooks:\n"
HOOK = "  - name: n{0}\n    url: https://a.example/{0}\n    events: [email.sent]\n"
CANARY = "canary-secret-of-a-config"
PIECES = [
    *(b"{}[]:,-?*&!|>'\"%@`#\t\n\r \0\\"),
    *"\ufeff\u2028\u202e\x85\x1b😀é".encode(),
]
HUGE = {
    "a number of 200,000 digits": "version: " + "9" * 200_000 + "\nwebhooks: []\n",
    "100,000 unknown events": HEAD + HOOK.format(1).replace("email.sent", ",".join(f"e{i}" for i in range(100_000))),
    "100,000 unknown keys": "".join(f"k{i}: 1\n" for i in range(100_000)),
    "10,000 secrets that are not set": HEAD + "".join(HOOK.format(i) + f"    secret: ${{S{i}}}\n" for i in range(10_000)),
    "10,000 of one name": HEAD + HOOK.format(1) * 10_000,
    "an unknown key in each of 10,000": HEAD + "".join(HOOK.format(i) + f"    foo{i}: 1\n" for i in range(10_000)),
    "5,000,000 characters in one name": HEAD + HOOK.format("x" * 5_000_000),
    "30,000 open braces": "{" * 30_000,
    "30,000 open lists": "- " * 30_000,
    "30,000 open keys": "? " * 30_000,
    "20,000 merges": "version: 1\nwebhooks: []\nx: &x {a: 1}\ny: {<<: [" + ",".join(["*x"] * 20_000) + "]}\n",
}


def problems_of(path: Path, **env: str) -> tuple[int, str]:
    """Return how many problems the file has, and all that is printed of them, in each form."""
    try:
        found = load_config([str(path)], env).warnings
    except ConfigError as error:
        found = error.diagnostics
    text = problems_text(found, colour=False, excerpts=True)
    for line in problems_text(found, colour=False, excerpts=False).splitlines():
        assert re.match(r".*:\d+:\d+: (error|warning): ", line), line
    return len(found), text + problems_github(found) + problems_json(found)


@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    sample=st.sampled_from(SAMPLES),
    edits=st.lists(
        st.tuples(st.integers(0, 2000), st.integers(0, 40), st.lists(st.sampled_from(PIECES), max_size=4)), max_size=6
    ),
)
def test_an_edited_file_is_read_or_ends_in_lines_of_printable_text(tmp_path: Path, sample: bytes, edits: Any):
    data = bytearray(sample)
    for start, count, put in edits:
        data[start : start + count] = bytes(put)
    path = tmp_path / "webhooks.yaml"
    path.write_bytes(data)
    _, said = problems_of(path)
    assert all(line.isprintable() for line in said.split("\n"))


@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=400))
@example(b"\xff\xfe")
@example(b"? ")
@example(b"- - -\n - *")
def test_any_bytes_at_all_end_in_lines(tmp_path: Path, data: bytes):
    path = tmp_path / "webhooks.yaml"
    path.write_bytes(data)
    count, _ = problems_of(path)
    assert count


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.integers(0, 400),
    st.integers(0, 30),
    st.lists(st.sampled_from(PIECES), max_size=3),
    st.sampled_from(["secret: {}", "secret: '{}'", "'secret': \"{}\"", "secret: |\n      {}", "secret: [{}]", "secert: {}"]),
)
def test_a_secret_in_a_broken_file_is_never_shown(tmp_path: Path, start: int, count: int, put: list[int], form: str):
    line = form.format(CANARY)
    text = bytearray((HEAD + HOOK.format(1) + f"    {line}\n" + HOOK.format(2) + "    bad: 1\n").encode())
    at = text.index(line.encode())
    # The key and its secret stay whole: what is around them is what goes wrong.
    if start >= at:
        start += len(line)
    elif start + count > at:
        count = at - start
    text[start : start + count] = bytes(put)
    path = tmp_path / "webhooks.yaml"
    path.write_bytes(text)
    assert CANARY not in problems_of(path)[1]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ 0", max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=500, deadline=None)
@given(JSON, st.sampled_from([None, 2]))
def test_json_is_read_as_what_it_means(data: object, indent: int | None):
    assert read_yaml(json.dumps(data, indent=indent, ensure_ascii=False).encode()).root == data


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE.keys())
def test_a_huge_file_ends_in_at_most_a_thousand_lines_of_bounded_length(tmp_path: Path, text: str):
    path = tmp_path / "webhooks.yaml"
    path.write_text(text)
    count, said = problems_of(path)
    assert count <= 1001
    assert max(map(len, said.splitlines()), default=0) < 1000


def test_reading_deeply_nested_flow_stops_at_the_limit():
    with pytest.raises(Refused, match="nested deeper"):
        read_yaml(b"[" * 1000 + b"]" * 1000)


def test_no_special_file_makes_it_wait_or_fail_otherwise(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "gone.yaml").symlink_to("nothing")
    (tmp_path / "folder.yaml").mkdir()
    for name, said in {
        "pipe.yaml": "the file is empty",
        "loop.yaml": "cannot be read",
        "gone.yaml": "No such file",
        "folder.yaml": "contains no *.yaml",
        "a\0b": "cannot be read",
        "/dev/zero": "larger than 64 MiB",
    }.items():
        assert said in problems_of(tmp_path / name)[1]


def test_a_pipe_that_is_written_to_is_a_file_as_any():
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m sendkit_sync validate -c <(sleep 0.2; printf 'version: 1\\nwebhooks: []\\n')"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "0 webhooks: valid.\n"), done.stderr
