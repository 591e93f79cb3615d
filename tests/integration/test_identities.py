"""Where the identity that reads secrets comes from: the places that SOPS knows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from support.age_keys import IDENTITY, OTHER, encrypted_config
from support.workspace import Workspace


@pytest.fixture
def encrypted(workspace: Workspace) -> Workspace:
    workspace.write(encrypted_config())
    assert workspace.apply().returncode == 0
    return workspace


def secret(workspace: Workspace, **environment: str) -> str:
    done = workspace.run("secret", "get", "CRM Sync", **environment)
    assert done.returncode == 0, done.stderr
    workspace.outputs.clear()
    return done.stdout.strip()


def live(workspace: Workspace) -> str:
    return next(str(one["secret"]) for one in workspace.simulator.webhooks() if one["name"] == "CRM Sync")


@pytest.mark.parametrize("place", ["XDG_CONFIG_HOME", "HOME"])
def test_the_default_key_file_of_sops_is_read(encrypted: Workspace, place: str, tmp_path: Path):
    folder = tmp_path / "home" / ("" if place == "XDG_CONFIG_HOME" else ".config") / "sops" / "age"
    folder.mkdir(parents=True)
    (folder / "keys.txt").write_text(f"# mine\n{IDENTITY}\n", encoding="utf-8")
    unset = {"XDG_CONFIG_HOME": ""} if place == "HOME" else {}
    assert secret(encrypted, **unset, **{place: str(tmp_path / "home")}) == live(encrypted)


def test_a_variable_replaces_the_default_file(encrypted: Workspace, tmp_path: Path):
    folder = tmp_path / "sops" / "age"
    folder.mkdir(parents=True)
    (folder / "keys.txt").write_text(f"{IDENTITY}\n", encoding="utf-8")
    done = encrypted.run("secret", "get", "CRM Sync", XDG_CONFIG_HOME=str(tmp_path), SOPS_AGE_KEY=str(OTHER))
    assert done.returncode == 1
    assert "cannot decrypt" in done.stderr


def test_a_command_prints_the_identity(encrypted: Workspace, tmp_path: Path):
    script = tmp_path / "a key.py"
    script.write_text(f"import sys\nassert sys.argv[1] == 'two words'\nprint('# comment')\nprint('{IDENTITY}')\n")
    assert secret(encrypted, SOPS_AGE_KEY_CMD=f"{sys.executable} '{script}' 'two words'") == live(encrypted)


def test_all_that_are_set_are_read(encrypted: Workspace, tmp_path: Path):
    script = tmp_path / "key.py"
    script.write_text(f"print('{IDENTITY}')\n")
    assert secret(encrypted, SOPS_AGE_KEY=str(OTHER), SOPS_AGE_KEY_CMD=f"{sys.executable} {script}") == live(encrypted)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("no-such-program-here", "No such file"),
        ("false", "it ended with exit code 1"),
        ("'open", "ValueError"),
        (" ", "IndexError"),
        ("printf '\\377'", "UnicodeDecodeError"),
    ],
)
def test_a_command_that_yields_nothing_is_an_error_and_shows_no_output(encrypted: Workspace, command: str, reason: str):
    done = encrypted.run("secret", "get", "CRM Sync", SOPS_AGE_KEY_CMD=command)
    assert done.returncode == 1
    assert f"the command in SOPS_AGE_KEY_CMD yields no identity: {reason}" in done.stderr


def test_a_state_is_listed_with_a_head_and_as_json(workspace: Workspace):
    assert workspace.apply().returncode == 0
    assert workspace.run("secret", "stage", "Analytics").returncode == 0
    lines = workspace.run("state", "list").stdout.splitlines()
    assert lines[0].split() == ["ID", "STATUS", "SECRET", "NAME"]
    assert [line.split()[2] for line in lines[1:]] == ["staged", "recorded"]
    found = json.loads(workspace.run("state", "list", "--format", "json").stdout)
    assert [(row["name"], row["secret"]) for row in found["webhooks"]] == [("Analytics", "staged"), ("CRM Sync", "recorded")]
    workspace.check_nothing_shown()


def test_colors_are_forced_by_a_variable(workspace: Workspace):
    assert "\x1b[" not in workspace.run("plan").stdout
    assert "\x1b[" in workspace.run("plan", FORCE_COLOR="1").stdout
    assert "\x1b[" not in workspace.run("plan", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_a_scheduled_run_without_warnings_prints_one_line_and_nothing_else(workspace: Workspace):
    workspace.write("version: 1\nwebhooks:\n  - {name: A, url: 'http://a.example.com/', events: [email.unknown]}\n")
    loud = workspace.run("reconcile")
    assert "warning" in loud.stderr
    quiet = workspace.run("reconcile", "--quiet-warnings")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert len(quiet.stdout.splitlines()) == 1
