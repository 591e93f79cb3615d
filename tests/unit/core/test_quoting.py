"""Names within commands that messages tell people to paste."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from sendkit_sync.core.quoting import resolve_command, shell_name, yaml_name

NAMES = [
    "CRM",
    "CRM Sync",
    'Quote "x"',
    "Apostrophe 'y'",
    "Dollar $HOME ${X} `id`",
    "back\\slash",
    "-dash",
    "\U0001f680 rocket",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family's \\ one",
    "\u202eturned",
    "long " * 200 + "end",
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("name", NAMES)
def test_a_pasted_name_reaches_the_command_whole(name: str) -> None:
    word = shell_name(name)
    script = 'arg() { [ "$1" = -- ] && shift; printf %s "$1"; }; arg ' + word
    ran = subprocess.run(
        ["bash", "-c", script], check=True, capture_output=True, timeout=30, env={"LC_ALL": "C.UTF-8", "HOME": "/x"}
    )
    assert ran.stdout.decode() == name
    assert word.isprintable()


def test_flags_go_before_a_name_that_looks_like_one() -> None:
    assert resolve_command("Anna") == "sendkit-sync state resolve Anna --id ID"
    assert resolve_command("-dash", "5") == "sendkit-sync state resolve --id 5 -- -dash"


@pytest.mark.parametrize("name", [*NAMES[:-1], "no", "10", "a: b # c", "[x]"])
def test_a_pasted_former_name_is_that_name_in_yaml(name: str) -> None:
    assert yaml.safe_load(f"renamedFrom: {yaml_name(name)}") == {"renamedFrom": name}
