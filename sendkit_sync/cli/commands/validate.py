"""`validate`: checks the config files."""

from __future__ import annotations

import sys

from ...app.context import Context, Source
from ...app.validate import validate
from ...core.errors import ExitCode
from ...core.redaction import REDACTOR
from ...render.problems import problems_github, problems_json, problems_text
from ..options import CONFIG, as_command, choice, colour, switch
from ..output.streams import show

FORM = choice("text", "json", "github", default="text")


@as_command("validate", CONFIG, switch("--strict", "Fail on warnings too."), FORM)
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
