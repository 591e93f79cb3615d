"""Completion in bash, zsh and fish, asked as the shells' own scripts ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendkit_sync.cli import main
from support.bench import CRM, bench_in

SHELLS = ("bash", "zsh", "fish")


def complete(shell: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that the shell gets for the last word of `line`."""
    words = line.split(" ")
    monkeypatch.setenv("_SENDKIT_SYNC_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words) - 1))
    with pytest.raises(SystemExit) as left:
        main.run([])
    shown = capsys.readouterr()
    assert left.value.code == 0
    assert shown.err == ""
    return shown.out.splitlines()


APPLY_HELP = main.COMMANDS["apply"]
IN_SHELL = {"bash": ["plain,apply"], "zsh": ["plain", "apply", APPLY_HELP], "fish": [f"plain,apply\t{APPLY_HELP}"]}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_is_completed(shell: str, monkeypatch, capsys):
    assert complete(shell, "sendkit-sync ap", monkeypatch, capsys) == IN_SHELL[shell]


def test_all_commands_are_offered(monkeypatch, capsys):
    offered = complete("bash", "sendkit-sync ", monkeypatch, capsys)
    assert offered == [f"plain,{name}" for name in main.COMMANDS]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("sendkit-sync --log", "--log-format"),
        ("sendkit-sync apply --par", "--parallelism"),
        ("sendkit-sync -v plan --format mark", "markdown"),
        ("sendkit-sync state res", "resolve"),
        ("sendkit-sync state resolve --not", "--not-created"),
    ],
)
def test_flags_values_and_commands_below_are_completed(shell: str, line: str, wanted: str, monkeypatch, capsys):
    offered = "\n".join(complete(shell, line, monkeypatch, capsys))
    assert wanted in offered.replace("\t", "\n").replace("plain,", "").splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script(shell: str, monkeypatch, capsys):
    monkeypatch.setenv("_SENDKIT_SYNC_COMPLETE", f"{shell}_source")
    with pytest.raises(SystemExit) as left:
        main.run([])
    shown = capsys.readouterr()
    assert left.value.code == 0
    assert f"_SENDKIT_SYNC_COMPLETE={shell}_complete" in shown.out
    assert shown.err == ""


IN_STATE = {"bash": r"plain,CRM\ Sync", "zsh": "CRM Sync", "fish": "plain,CRM Sync"}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", ["secret get C", "secret export --only C", "state show C", "test C", "import C"])
def test_the_names_of_webhooks_are_completed(shell: str, line: str, tmp_path: Path, monkeypatch, capsys):
    with bench_in(tmp_path, monkeypatch) as bench:
        bench.write(CRM.replace("CRM,", "CRM Sync,"))
        bench.apply()
        capsys.readouterr()
        assert IN_STATE[shell] in complete(shell, f"sendkit-sync {line}", monkeypatch, capsys)


def test_where_nothing_can_be_read_no_name_is_offered(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "".join(complete("bash", "sendkit-sync secret get C", monkeypatch, capsys)) == ""
    assert "".join(complete("bash", "sendkit-sync import C", monkeypatch, capsys)) == ""
