"""Writes docs/reference.md from the code: commands, flags, environment, exit codes, formats.

Usage: python docs/generate.py [--check]
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from sendkit_sync.app import metrics  # noqa: E402
from sendkit_sync.applying.results import Report, Status  # noqa: E402
from sendkit_sync.cli.main import COMMANDS, cli  # noqa: E402
from sendkit_sync.cli.outcome import document  # noqa: E402
from sendkit_sync.core.errors import MEANINGS  # noqa: E402

PAGE = HOME / "docs" / "reference.md"
HEAD = """\
# Reference

Written from the code by `make docs`; scripts may rely on what stands here. Results go to stdout, all else to stderr.
"""
ENVIRONMENT = {
    "SENDKIT_API_KEY": "The API key. A workspace key begins with `sk_`, a platform key with `sk_user_`.",
    "SENDKIT_API_URL": "Address of the API, where `--api-url` is not given.",
    "SENDKIT_WORKSPACE_ID": "The workspace, for a platform key without `workspace` in the config.",
    "SENDKIT_VAR_<NAME>": "What `${NAME}` in a field of the config stands for.",
    "SENDKIT_SECRET_<NAME>": "What `secret: ${NAME}` in the config stands for.",
    "SENDKIT_SYNC_<FLAG>": "Any flag, as the tables below name it; a flag that is given goes before it.",
    "SOPS_AGE_KEY": "The age identity that opens sealed secrets.",
    "SOPS_AGE_KEY_FILE": "A file with the identity, where `SOPS_AGE_KEY` is not set.",
    "CI": "Where it is set, `apply` refuses a state in clear that git would take along.",
    "NO_COLOR": "No colours on a terminal.",
    "GITHUB_ENV": "The file that `secret export --format github-actions` appends to, without `--output`.",
    "GITHUB_STEP_SUMMARY": "The file that `plan --step-summary` appends to.",
}
"""What the tool reads besides the flags; a test compares it with the code."""

DURATIONS = "Durations are written `500ms`, `10s`, `2m`, `1h`."


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with its whole name, in the order of the help page."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def options(command: click.Command) -> list[click.Option]:
    """Return the flags of a command, in the order of its help page."""
    return [parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _value(option: click.Option) -> str:
    if option.is_flag or option.count:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + "|".join(map(str, option.type.choices))
    if isinstance(option.type, click.IntRange):
        return " " + (option.metavar or f"{option.type.min}..{'' if option.type.max is None else option.type.max}")
    return " " + (option.metavar or option.type.name.upper())


def _default(option: click.Option) -> str:
    default = option.default
    return f"`{default}`" if isinstance(default, (str, int, float)) and not option.is_flag and not option.count else ""


def _variables(option: click.Option) -> str:
    names = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or [])
    return ", ".join(f"`{name}`" for name in names)


def _flags(command: click.Command) -> str:
    rows = []
    for option in options(command):
        names = ", ".join(option.opts + option.secondary_opts)
        cells = (f"`{names}{_value(option)}`", option.help or "", _default(option), _variables(option))
        rows.append("| " + " | ".join(_cell(cell) if cell[:1] != "`" else cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "| Flag | Meaning | Default | Variable |\n| --- | --- | --- | --- |\n" + "".join(rows) if rows else ""


def _usage(name: str, command: click.Command) -> str:
    arguments = [one.make_metavar(click.Context(command)) for one in command.params if isinstance(one, click.Argument)]
    return " ".join(["sendkit-sync", name, "[FLAGS]", *arguments])


def _command(name: str, command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "")
    return f"\n### {name}\n\n`{_usage(name, command)}`\n\n{text}\n\n{_flags(command)}"


def _schemas() -> Iterator[str]:
    for path in sorted((HOME / "schemas").glob("*.schema.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        yield f"| [{path.name}](../schemas/{path.name}) | {_cell(document.get('description') or document['title'])} |\n"


def _documents() -> str:
    summary = document(Report(()))["summary"]
    assert isinstance(summary, dict)
    counts, statuses = ", ".join(f"`{key}`" for key in summary), ", ".join(f"`{status}`" for status in Status)
    return (
        "\nA document gains fields in a version 1.x, and loses none.\n\n"
        "| Command | `--format` | What it prints |\n| --- | --- | --- |\n"
        "| `validate` | `text` | `FILE:LINE:COLUMN: error: MESSAGE`, one a line |\n"
        "| | `json` | a document of validate.schema.json |\n"
        "| | `github` | workflow commands, which become annotations |\n"
        "| `plan` | `text` | for a terminal |\n"
        "| | `json` | a document of plan.schema.json |\n"
        "| | `markdown` | for a comment: at most 65,536 characters; details are cut before summaries, and it says so |\n"
        "| | `html` | one page that loads nothing and runs nothing |\n"
        "| `apply` | `text` | the plan, then one line of what was done |\n"
        f"| | `json` | a document of apply.schema.json: `summary` with {counts}; "
        f"`results`, each with a `status` ({statuses}) |\n"
        "\nThe same input gives the same bytes. None of these holds a secret.\n"
    )


EVENTS = {
    "run_started": "`command`, `dry_run`",
    "planned": "How many of each action: `create`, `update`, `adopt`, `delete`, `forget`; `unchanged`, `drifted`, `unresolved`",
    "action": "What became of one action: `action`, `name`, `id`, `status`; `code` and `message` where it is not done",
    "run_finished": "`exit_code`, `duration_s`, and the figures that the metrics show too",
    "warning": "`message`",
    "error": "`message`, `exit_code`",
    "step": "`message`, and where it is about one action `action`, `name`, `status`; with `-v`",
    "request": "`message`: one call and its answer; with `-vv`",
    "note": "`message`: anything else that is worth a line",
}
"""The events of `--log-format json`; a test compares it with the code."""


def _log() -> str:
    rows = "".join(f"| `{name}` | {text} |\n" for name, text in EVENTS.items())
    return (
        "\n## Log\n\nWith `--log-format json`, stderr holds one JSON object a line and nothing else. Each has `ts` (UTC), "
        "`level`, `logger`, `event` and `run_id`, which is the same in all lines of a run. The first four events are those of "
        "`reconcile`.\n\n| `event` | Its other fields |\n| --- | --- |\n" + rows
    )


def _metrics() -> str:
    figures = {**metrics.RUN, **metrics.FIGURES, **metrics.CALLS}
    rows = "".join(f"| `{metrics.PREFIX}{name}` | {text} |\n" for name, text in figures.items())
    return (
        "\n## Metrics\n\n`reconcile --metrics-file FILE` replaces FILE in one step, mode 0644; all are gauges. What a run did "
        f"not come to know is left out.\n\n| Metric | Meaning |\n| --- | --- |\n{rows}"
    )


def page() -> str:
    """Return the whole reference."""
    parts = [HEAD, "\n## Commands\n\n`sendkit-sync [GLOBAL FLAGS] COMMAND [FLAGS]`. ", DURATIONS, "\n\n", _flags(cli)]
    parts += [_command(name, command) for name, command in commands()]
    parts += ["\n## Environment\n\n| Variable | Meaning |\n| --- | --- |\n"]
    parts += [f"| `{name}` | {_cell(text)} |\n" for name, text in ENVIRONMENT.items()]
    parts += ["\nProxies (`HTTPS_PROXY`, `NO_PROXY`) and CA bundles (`REQUESTS_CA_BUNDLE`) work as in `requests`.\n"]
    parts += ["\n## Exit codes\n\nThe first that fits:\n\n| Code | Meaning |\n| --- | --- |\n"]
    parts += [f"| {int(code)} | {_cell(text)} |\n" for code, text in MEANINGS.items()]
    parts += ["\n## Formats\n\nEach is a JSON schema, and is in the installed package too.\n\n| Schema | What it describes |\n"]
    parts += ["| --- | --- |\n", *_schemas()]
    return "".join([*parts, _documents(), _log(), _metrics()])


def main() -> int:
    """Write the page; with --check only tell whether it is up to date."""
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
