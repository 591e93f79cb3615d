"""Writes docs/reference.md from the code: commands, flags, configuration, environment, exit codes, formats.

Usage: python docs/generate.py [--check]
"""

from __future__ import annotations

import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from sendkit_sync.app import metrics  # noqa: E402
from sendkit_sync.app.outcome import document  # noqa: E402
from sendkit_sync.applying.results import Report, Status  # noqa: E402
from sendkit_sync.cli.flags import Option  # noqa: E402
from sendkit_sync.cli.main import COMMANDS, cli  # noqa: E402
from sendkit_sync.core.errors import MEANINGS, ErrorCode  # noqa: E402

PAGE = HOME / "docs" / "reference.md"
WIDTH = 100
HEAD = """\
# Reference

Generated from the code by `make docs`. Scripts may rely on everything on this page.
"""
ENVIRONMENT = {
    "SENDKIT_API_KEY": "The API key. A workspace key begins with `sk_`, a platform key with `sk_user_`.",
    "SENDKIT_API_URL": "API base URL, unless `--api-url` is given.",
    "SENDKIT_WORKSPACE_ID": "The workspace to use with a platform key, if the config names none.",
    "SENDKIT_VAR_<NAME>": "The value of `${NAME}` in the config, in any field but `secret`.",
    "SENDKIT_SECRET_<NAME>": "The value of `secret: ${NAME}` in the config.",
    "SENDKIT_SYNC_<FLAG>": "Sets a flag of every command that has it and accepts the value, if the tables above name it. "
    "A flag on the command line wins.",
    "SENDKIT_SYNC_<COMMAND>_<FLAG>": "Sets a flag of one command, for example `SENDKIT_SYNC_SECRET_EXPORT_FORMAT`. Wins over "
    "`SENDKIT_SYNC_<FLAG>`. A repeatable flag takes one value per line.",
    "SOPS_AGE_KEY": "The age identity (private key) that decrypts recorded secrets.",
    "SOPS_AGE_KEY_FILE": "A file with one or several age identities, used in addition.",
    "SOPS_AGE_KEY_CMD": "A command that prints one or several age identities, used in addition; run without a shell.",
    "PGHOST": "The PostgreSQL server of a `postgresql:///` state; `PGPASSWORD` and the other variables of libpq work too.",
    "PGSSLMODE": "How the PostgreSQL server is verified: `verify-full` (default) or `verify-ca`, except on loopback.",
    "AWS_ENDPOINT_URL_S3": "The server of an `s3://` state. The usual `AWS_` variables hold region and credentials.",
    "AWS_ENDPOINT_URL": "The same, if `AWS_ENDPOINT_URL_S3` is not set.",
    "AZURE_STORAGE_ENDPOINT": "The server of an `az://` state. `AZURE_STORAGE_` variables hold account and credentials.",
    "CI": "If set, `apply` refuses an unencrypted state that git would commit.",
    "FORCE_COLOR": "If set, colors text even where it goes to a file or a pipe.",
    "NO_COLOR": "If set, turns off colors on a terminal.",
    "GITHUB_ENV": "The file that `secret export --format github-actions` appends to without `--output`.",
    "GITHUB_STEP_SUMMARY": "The file that `plan --step-summary` appends to.",
}
"""The environment variables that the tool reads; a test compares them with the code."""

COMMANDS_INTRO = """\
`sendkit-sync [GLOBAL FLAGS] COMMAND [FLAGS]`. Results go to stdout, everything else to stderr. Durations are written `500ms`,
`10s`, `2m` or `1h`. The global flags are:
"""
ENVIRONMENT_OUTRO = """\
The proxy variables (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) work as they do in `requests`. The first of `REQUESTS_CA_BUNDLE`,
`CURL_CA_BUNDLE` and `SSL_CERT_FILE` that is set names the file of CA certificates to trust.
"""
EXIT_CODES_INTRO = "If several fit, the first one in this table is used."
ERROR_CODES_INTRO = """\
The `code` of an `error` event in the JSON log. Codes are never renamed; later versions may add some.
"""
FORMATS_INTRO = "The formats are JSON Schemas. The installed package has them too."
DOCUMENTS_INTRO = """\
Within version 1, a JSON document may gain fields and never loses any. The same input always gives the same bytes. No output
holds a secret.
"""
CONFIGURATION_INTRO = """\
The keys of a config file, from [webhooks.schema.json](../schemas/webhooks.schema.json). `webhooks[]` stands for each entry.
Keys that begin with `x-` are yours, at the top level and in entries: anchors, owners, notes.
"""
LOG_INTRO = """\
With `--log-format json`, stderr holds one JSON object per line and nothing else. Each has `ts` (UTC), `level`, `logger`,
`event` and `run_id`, which is the same for all lines of a run. The first four events come from `reconcile`.
"""
METRICS_INTRO = """\
`reconcile --metrics-file FILE` replaces FILE atomically, with mode 0644. Every metric has the labels `workspace` (empty until
the workspace is known) and `state` (the path or URL of the state), and those listed here. Metrics with the label `webhook` are
written with `--metrics-per-webhook` only. A value that the run did not get to know is left out.
"""


def _wrapped(text: str) -> str:
    """Return a paragraph in lines of the width of the docs."""
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that can be run, with its full name, in the order of the help page."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", subcommand) for inner, subcommand in command.commands.items())
        else:
            yield name, command


def options(command: click.Command) -> list[click.Option]:
    """Return the flags of a command, in the order of its help page."""
    return [parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden]


def _cell(text: str) -> str:
    parts = text.replace("|", "\\|").split("`")  # what stands between backquotes is shown as it is
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))


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


def _variables(name: str, option: click.Option) -> str:
    """Return the variables of a flag; its own is left out where one sets the flag of every command."""
    own, *others = option.variables(tuple(name.split())) if isinstance(option, Option) else [""]
    return ", ".join(f"`{variable}`" for variable in ([own, *others] if not name else others or [own]) if variable)


def _flags(name: str, command: click.Command) -> str:
    rows = []
    for option in options(command):
        names = ", ".join(option.opts + option.secondary_opts)
        cells = (f"`{names}{_value(option)}`", option.help or "", _default(option), _variables(name, option))
        rows.append("| " + " | ".join(_cell(cell) if cell[:1] != "`" else cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "| Flag | Meaning | Default | Variable |\n| --- | --- | --- | --- |\n" + "".join(rows) if rows else ""


def _usage(name: str, command: click.Command) -> str:
    arguments = [one.make_metavar(click.Context(command)) for one in command.params if isinstance(one, click.Argument)]
    return " ".join(["sendkit-sync", name, "[FLAGS]", *arguments])


def _command(name: str, command: click.Command) -> str:
    text = "\n".join(map(_wrapped, inspect.cleandoc(command.help or "").split("\n\n")))
    return f"\n### {name}\n\n`{_usage(name, command)}`\n\n{text}\n{_flags(name, command)}"


def _schemas() -> Iterator[str]:
    for path in sorted((HOME / "schemas").glob("*.schema.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        yield f"| [{path.name}](../schemas/{path.name}) | {_cell(document.get('description') or document['title'])} |\n"


def _documents() -> str:
    summary = document(Report(()))["summary"]
    assert isinstance(summary, dict)
    counts, statuses = ", ".join(f"`{key}`" for key in summary), ", ".join(f"`{status}`" for status in Status)
    return (
        f"\n{_wrapped(DOCUMENTS_INTRO)}\n"
        "| Command | `--format` | Output |\n| --- | --- | --- |\n"
        "| `validate` | `text` | `FILE:LINE:COLUMN: error: MESSAGE`, one problem per line |\n"
        "| | `json` | a document of validate.schema.json |\n"
        "| | `github` | workflow commands, which GitHub shows as annotations |\n"
        "| `plan` | `text` | for a terminal |\n"
        "| | `json` | a document of plan.schema.json |\n"
        "| | `markdown` | for a comment; cut to 65,536 characters, details before summaries, with a note that it is cut |\n"
        "| | `html` | one page without scripts and without external resources |\n"
        "| `status` | `text` | a table |\n"
        "| | `json` | a document of status.schema.json |\n"
        "| | `html` | one page without scripts and without external resources, which a browser reads again each minute |\n"
        "| `apply` | `text` | the plan, then one line about what was done |\n"
        f"| | `json` | a document of apply.schema.json: `summary` with {counts}; "
        f"`results`, each with a `status` ({statuses}) |\n"
    )


EVENTS = {
    "run_started": "`command`, `dry_run`",
    "planned": "Number of each action: `create`, `update`, `adopt`, `delete`, `forget`; `unchanged`, `drifted`, `unresolved`",
    "action": "Result of one action: `action`, `name`, `id`, `status`; also `code` and `message` if it is not `done`",
    "run_finished": "`exit_code`, `duration_s`; as far as known, how many webhooks are `desired`, `in_sync`, `drifted`, "
    "`unresolved`, `secret_missing` or `inactive`, and how many changes were `created`, `updated` or `failed`",
    "warning": "`message`",
    "error": "`message`, `exit_code`; also `code` for the errors listed under [Error codes](#error-codes)",
    "step": "`message`; `action`, `name` and `status` if it is about one action; only with `-v`",
    "request": "`message`: one API call and its response; only with `-vv`",
    "note": "`message`: any other information",
}
"""The events of `--log-format json`; a test compares it with the code."""


def _log() -> str:
    rows = "".join(f"| `{name}` | {text} |\n" for name, text in EVENTS.items())
    return f"\n## Log events\n\n{_wrapped(LOG_INTRO)}\n| `event` | Other fields |\n| --- | --- |\n{rows}"


def _metrics() -> str:
    rows = ""
    for metric in metrics.METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        kind = "counter" if metric.counter else "gauge"
        rows += f"| `{metrics.PREFIX}{metric.name}` | {kind} | {labels} | {metric.text} |\n"
    return f"\n## Metrics\n\n{_wrapped(METRICS_INTRO)}\n| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n{rows}"


def _keys(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a row for each key below `schema`, in the order of the schema."""
    for key, about in schema.get("properties", {}).items():
        name = f"{prefix}{key}"
        default = about.get("default", "")
        cells = (
            f"`{name}`" + ("" if key in schema.get("required", ()) else ", optional"),
            _cell(about["description"]),
            f"`{default}`" if isinstance(default, str | int) and default != "" else "",
        )
        yield f"| {' | '.join(cells)} |\n"
        yield from _keys(about, f"{name}.")
        yield from _keys(about.get("items", {}), f"{name}[].")


def _configuration() -> str:
    schema = json.loads((HOME / "schemas" / "webhooks.schema.json").read_text(encoding="utf-8"))
    rows = "".join(_keys(schema))
    return f"\n## Configuration\n\n{_wrapped(CONFIGURATION_INTRO)}\n| Key | Meaning | Default |\n| --- | --- | --- |\n{rows}"


def _codes() -> str:
    codes = ", ".join(f"`{code}`" for code in sorted(ErrorCode))
    return f"\n## Error codes\n\n{_wrapped(ERROR_CODES_INTRO)}\n{_wrapped(codes)}"


def page() -> str:
    """Return the whole reference."""
    parts = [HEAD, "\n## Commands\n\n", _wrapped(COMMANDS_INTRO), "\n", _flags("", cli)]
    parts += [_command(name, command) for name, command in commands()]
    parts += [_configuration(), "\n## Environment variables\n\n| Variable | Meaning |\n| --- | --- |\n"]
    parts += [f"| `{name}` | {_cell(text)} |\n" for name, text in ENVIRONMENT.items()]
    parts += [
        "\n",
        _wrapped(ENVIRONMENT_OUTRO),
        f"\n## Exit codes\n\n{EXIT_CODES_INTRO}\n\n| Code | Meaning |\n| --- | --- |\n",
    ]
    parts += [f"| {int(code)} | {_cell(text)} |\n" for code, text in MEANINGS.items()]
    parts += [_codes(), f"\n## Formats\n\n{FORMATS_INTRO}\n\n| Schema | What it describes |\n| --- | --- |\n"]
    return "".join([*parts, *_schemas(), _documents(), _log(), _metrics()])


def main() -> int:
    """Write the page; with --check, only report by the exit code whether it is up to date."""
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
