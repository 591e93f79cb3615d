"""docs/reference.md is what the code says, and the code says something about all there is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from sendkit_sync.cli.main import cli, run
from sendkit_sync.cli.output.logs import KINDS
from sendkit_sync.core.errors import MEANINGS, ExitCode
from support.workspace import TWO

REPOSITORY = Path(__file__).parent.parent.parent
_SPEC = importlib.util.spec_from_file_location("generate", REPOSITORY / "docs" / "generate.py")
assert _SPEC is not None
assert _SPEC.loader is not None
generate = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(generate)
COMMANDS = dict(generate.commands())


def test_the_reference_is_up_to_date():
    assert generate.PAGE.read_text(encoding="utf-8") == generate.page(), "write it anew: python docs/generate.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_flag_has_help(name: str):
    command = COMMANDS[name]
    assert command.help, name
    for option in generate.options(command):
        assert option.help, f"{name} {option.opts}"
        assert option.variables(tuple(name.split())), f"{name} {option.opts}: no variable"
    assert name.split(maxsplit=1)[0] in generate.page()


def test_every_global_flag_has_help():
    assert all(option.help for option in generate.options(cli))


def test_one_flag_says_the_same_everywhere():
    said: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for option in generate.options(command):
            said.setdefault(option.opts[-1], set()).add(type(option.type).__name__)
    assert {flag: kinds for flag, kinds in said.items() if len(kinds) > 1} == {}


def test_every_exit_code_has_a_meaning():
    assert set(MEANINGS) == set(ExitCode)
    assert list(MEANINGS)[-1] is ExitCode.DONE


def test_every_variable_that_the_code_reads_is_listed():
    text = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "sendkit_sync").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\"(\w+)\"", text)) | set(re.findall(r"^VARIABLE = \"(\w+)\"", text, re.M))
    assert read
    assert read <= set(generate.ENVIRONMENT)


def test_every_event_is_listed():
    text = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "sendkit_sync" / "cli").rglob("*.py"))
    assert set(re.findall(r"\bevent\(\s*\"(\w+)\"", text)) | {"warning", *KINDS.values()} == set(generate.EVENTS)


class TestStepSummary:
    def test_it_is_appended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "webhooks.yaml").write_text(TWO, encoding="utf-8")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
        (tmp_path / "summary.md").write_text("before\n", encoding="utf-8")
        assert run(["plan", "--step-summary", "--format", "markdown"]) == 0
        shown = capsys.readouterr().out
        assert "**Plan: 2 to create" in shown
        assert (tmp_path / "summary.md").read_text(encoding="utf-8") == f"before\n\n{shown}"

    def test_two_in_one_job_are_two_pages(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "webhooks.yaml").write_text(TWO, encoding="utf-8")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
        assert (run(["plan", "--step-summary"]), run(["plan", "--step-summary"])) == (0, 0)
        text = (tmp_path / "summary.md").read_text(encoding="utf-8")
        html = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
        assert html.count("<strong>Plan: 2 to create") == 2

    @pytest.mark.parametrize(("named", "code"), [(None, ExitCode.USAGE), ("no/such/folder", ExitCode.STATE_IO)])
    def test_where_it_cannot_be_that_is_said(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        named: str | None,
        code: int,
    ):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "webhooks.yaml").write_text(TWO, encoding="utf-8")
        monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
        if named is not None:
            monkeypatch.setenv("GITHUB_STEP_SUMMARY", named)
        assert run(["plan", "--step-summary"]) == code
        assert "step" in capsys.readouterr().err
