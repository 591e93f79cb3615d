"""The variables that set flags: of one command, or of all that have the flag and accept the value."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendkit_sync.cli.main import run
from support.bench import CRM, bench_in


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with bench_in(tmp_path, monkeypatch) as bench:
        yield bench


def test_a_shared_value_is_for_the_commands_that_accept_it(bench, capsys):
    bench.set(SENDKIT_SYNC_FORMAT="markdown")
    assert run(["validate"]) == 0
    assert capsys.readouterr().out == "1 webhook: valid.\n"
    assert run(["plan"]) == 0
    assert capsys.readouterr().out.startswith("**Plan: 1 to create")


def test_a_value_that_no_command_accepts_is_wrong_usage(bench, capsys):
    bench.set(SENDKIT_SYNC_FORMAT="xml")
    assert run(["validate"]) == 64
    assert "SENDKIT_SYNC_FORMAT" in capsys.readouterr().err


def test_the_variable_of_a_command_goes_before_the_shared_one(bench, capsys):
    bench.set(SENDKIT_SYNC_FORMAT="text", SENDKIT_SYNC_VALIDATE_FORMAT="json")
    assert run(["validate"]) == 0
    assert capsys.readouterr().out.startswith("{")


def test_a_repeatable_flag_is_split_at_lines_and_never_at_spaces(bench, capsys):
    bench.write(CRM.replace("name: CRM", "name: Old CRM"))
    bench.set(SENDKIT_SYNC_TARGET="Old *\n")
    assert run(["plan"]) == 0
    bench.set(SENDKIT_SYNC_TARGET="Old CRM\nNew")
    assert run(["plan"]) == 64
    assert '"New"' in capsys.readouterr().err


def test_global_flags_work_after_the_command(bench, capsys):
    assert run(["plan", "--log-format", "json", "--target", "none"]) == 64
    assert capsys.readouterr().err.startswith("{")


def test_an_apply_with_nothing_to_do_needs_no_terminal(bench):
    bench.apply()
    assert run(["apply", "--settle", "0s"]) == 0
