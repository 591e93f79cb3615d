"""`init`: writes a starter config, and files for CI and schedulers."""

from __future__ import annotations

import click

from ...app.context import Context
from ...app.init import InitRequest, init
from ..options import as_command, repeatable, switch, value
from ..output.messages import show_done

PLACES = {
    "github": "Add a GitHub Actions workflow: plan on pull requests, apply on main. Needs --recipient.",
    "gitlab": "Add a GitLab CI pipeline: plan on merge requests, apply on the default branch. Needs --recipient.",
    "pre-commit": "Add a pre-commit hook that validates the config.",
    "kubernetes": "Add a Kubernetes CronJob, with a volume for the state unless --store is given.",
    "systemd": "Add a systemd service and timer.",
}
STORE_HELP = "Keep the state in a store, not in a file: postgresql://, s3://, gs:// or az://. Nothing is committed back then."


@as_command(
    "init",
    click.argument("folder", default=".", required=False),
    *(switch(f"--{place}", text) for place, text in PLACES.items()),
    repeatable("--recipient", "recipients", "AGE1...", "Encrypt secrets for this age public key."),
    value("--store", "URL", STORE_HELP),
)
def command(_: Context, /, folder: str, recipients: tuple[str, ...], store: str | None, **places: bool) -> None:
    """Create a starter config and, on request, CI or scheduler files.

    Writes to FOLDER, by default the current one. Existing files are never overwritten.
    """
    request = InitRequest(folder, recipients, tuple(place for place, chosen in places.items() if chosen), store)
    for file in init(request):
        show_done(f"{'written' if file.written else 'left as it is'}: {file.path}\n")
        for line in file.advice:
            show_done(f"  {line}\n")
