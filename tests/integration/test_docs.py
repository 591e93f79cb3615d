"""What the README, the docs and the samples say is true: commands, flags, configs and output."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import click
import pytest
from pyrage import x25519

from sendkit_sync.cli.main import COMMANDS, cli
from sendkit_sync.config import load_config
from sendkit_sync.core.errors import ExitCode
from sendkit_sync.simulator import Fault
from support.workspace import Workspace

REPOSITORY = Path(__file__).parent.parent.parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
WIDTH = 100
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def command_of(words: list[str]) -> click.Command:
    found: click.Command = cli
    context = click.Context(cli)
    for word in words:
        if isinstance(found, click.Group) and found.get_command(context, word) is not None:
            found = found.get_command(context, word)  # type: ignore[assignment]
    return found


def flags_of(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts} | {"--help"}


def all_flags() -> set[str]:
    found = flags_of(cli) | {"--version"}
    for name in COMMANDS:
        command = command_of([name])
        found |= flags_of(command)
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                found |= flags_of(inner)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_flag_in_the_text_exists(page: Path):
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^ *\$ sendkit-sync (.+)$", text, re.MULTILINE) + re.findall(r"`sendkit-sync ([^`]+)`", text)
    for line in lines:
        words = line.split("#")[0].split()
        names = [word for word in words if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
        assert not names or names[0] in COMMANDS, line
        known = flags_of(cli) | flags_of(command_of(names))
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0].rstrip(",") in known, line
    for flag in re.findall(r"`(--[a-z-]+)`", text):
        assert flag in all_flags(), flag


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_command_says(name: str):
    first, _, _ = inspect.cleandoc(command_of([name]).help or "").partition("\n\n")
    assert first.replace("\n", " ") == COMMANDS[name]


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.+?)```", README, re.DOTALL))
def test_every_config_in_the_readme_is_valid(block: str, tmp_path: Path):
    whole = block if "webhooks:" in block else "version: 1\nwebhooks: []\n" + block
    whole = whole.replace("age1...", str(x25519.Identity.generate().to_public()))
    (tmp_path / "webhooks.yaml").write_text(whole, encoding="utf-8")
    config = load_config([str(tmp_path / "webhooks.yaml")], {"SENDKIT_SECRET_CRM_SECRET": "a-secret-of-some-length"})
    assert config.webhooks or config.recipients
    assert config.warnings == ()


def test_the_output_in_the_readme_is_real(workspace: Workspace):
    workspace.write(re.findall(r"```yaml\n(.+?)```", README, re.DOTALL)[0])
    (session,) = re.findall(r"```console\n(\$ sendkit-sync validate.+?)```", README, re.DOTALL)
    for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        line, _, expected = step.partition("\n")
        if line.startswith("sendkit-sync apply"):
            shown = workspace.apply().stdout.splitlines()[-1]
            assert shown in expected
        elif line.startswith("sendkit-sync"):
            assert workspace.run(*line.split()[1:]).stdout.strip() == expected.strip()


def test_the_tutorial_works_step_by_step(workspace: Workspace):
    page = (REPOSITORY / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (fault,) = re.findall(r'simulator --fault "(.+)"', page)
    workspace.simulator.add_fault(Fault.parse(fault))
    (workspace.folder / "webhooks.yaml").unlink()
    for language, block in re.findall(r"^```(yaml|console)\n(.+?)^```", page, re.DOTALL | re.MULTILINE):
        if language == "yaml":
            workspace.write(block)
            continue
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            if command == "rm sendkit.state.json":
                (workspace.folder / "sendkit.state.json").unlink()
            elif command.startswith("sendkit-sync"):
                yes = ["--yes"] if re.search("apply$| retire ", command) else []
                done = workspace.run(*shlex.split(command)[1:], *yes)
                shown = [line for line in without_ids(expected) if line != "..." and "[y/N]" not in line]
                assert set(shown) <= set(without_ids(done.stdout)), command
    assert sorted(live["name"] for live in workspace.simulator.webhooks()) == ["Analytics", "CRM Sync"]


def without_ids(text: str) -> list[str]:
    """Return the lines of `text` with a placeholder for each id and secret."""
    return re.sub(r"\b(?:[0-9a-f]{64}|[0-9a-f]{24})\b", "HEX", text).splitlines()


def test_every_exit_code_is_in_the_readme():
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert listed == {int(code) for code in ExitCode}


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are linked by, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8")):
        place = page.parent / target if target else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_wraps_at_one_width(page: Path):
    prose = re.sub(r"^ *```.+?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert [line for line in prose.splitlines() if len(line) > WIDTH and not line.startswith("|")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_table_has_a_head_and_rows(page: Path):
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(encoding="utf-8"), re.MULTILINE):
        lines = table.splitlines()
        assert len(lines) > 2, table
        assert set(lines[1]) <= set("|-: "), table


def test_a_conflict_that_made_the_webhook_keeps_its_secret(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, when="after", kind="status", status=409))
    workspace.apply()
    workspace.check_each_made_once("CRM Sync", "Analytics")
