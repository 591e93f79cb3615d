"""`validate`: checks the config files."""

from __future__ import annotations

import sys

import click

from ...app.context import Context, Source
from ...app.validate import validate
from ...core.errors import ExitCode
from ...core.redaction import REDACTOR
from ...render.problems import problems_github, problems_json, problems_text
from ..flags import flag
from ..options import as_command, colour, config_flag, use_case
from ..output.streams import show


@as_command("validate")
@config_flag
@flag("--strict", is_flag=True, help="Fail on warnings too.")
@flag("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", help="Output format.")
@use_case
def command(context: Context, /, source: Source, strict: bool, form: str) -> int:
    """Check the config files. Needs no API key and no network."""
    result = validate(context, source.configs)
    found = result.diagnostics
    code = ExitCode.DONE if result.valid and not (strict and found) else ExitCode.INVALID
    if form == "json":
        text = problems_json(found)
    elif form == "github":
        text = problems_github(found)
    else:
        text = problems_text(found, colour=colour(), excerpts=sys.stdout.isatty())
        if code is ExitCode.DONE:
            text += f"{result.webhooks} webhook{'' if result.webhooks == 1 else 's'}: valid.\n"
    text = REDACTOR.clean(text)
    show(text.encode() if form == "github" else text)  # commands of the runner, which are to work
    return code
