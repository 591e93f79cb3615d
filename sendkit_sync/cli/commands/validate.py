"""`validate`: checks the config files."""

from __future__ import annotations

import sys

import click

from ...core.errors import ConfigError, ExitCode
from ...core.redaction import REDACTOR
from ...render.problems import problems_github, problems_json, problems_text
from ..options import config_flag, flag
from ..wiring import Context, read_config


@click.command("validate")
@config_flag
@flag("--strict", is_flag=True, help="Fail on warnings too.")
@flag("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", help="Output format.")
@click.pass_obj
def command(context: Context, configs: tuple[str, ...], strict: bool, form: str) -> int:
    """Check the config files. Needs no API key and no network."""
    count = 0
    try:
        config = read_config(configs, "")  # whatever the state is called
        found, code = config.warnings, ExitCode.INVALID if strict and config.warnings else ExitCode.DONE
        count = len(config.webhooks)
    except ConfigError as error:
        found, code = error.diagnostics, ExitCode.INVALID
    if form == "json":
        text = problems_json(found)
    elif form == "github":
        text = problems_github(found)
    else:
        text = problems_text(found, colour=context.colour, excerpts=sys.stdout.isatty())
        if code is ExitCode.DONE:
            text += f"{count} webhook{'' if count == 1 else 's'}: valid.\n"
    click.echo(REDACTOR.clean(text), nl=False)
    return code
