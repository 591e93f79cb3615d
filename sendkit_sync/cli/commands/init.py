"""`init`: writes a starter config, and files for CI and schedulers."""

from __future__ import annotations

import click

from ...app.init import InitRequest, init
from ..flags import flag
from ..options import as_command
from ..output.streams import tell


@as_command("init")
@click.argument("folder", default=".", required=False)
@flag("--github", is_flag=True, help="Add a GitHub Actions workflow: plan on pull requests, apply on main. Needs --recipient.")
@flag(
    "--gitlab",
    is_flag=True,
    help="Add a GitLab CI pipeline: plan on merge requests, apply on the default branch. Needs --recipient.",
)
@flag("--pre-commit", is_flag=True, help="Add a pre-commit hook that validates the config.")
@flag("--kubernetes", is_flag=True, help="Add a Kubernetes CronJob, with a volume for the state unless --store is given.")
@flag("--systemd", is_flag=True, help="Add a systemd service and timer.")
@flag(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="AGE1...",
    help="Encrypt secrets for this age public key. Can be repeated.",
)
@flag(
    "--store",
    metavar="URL",
    help="Keep the state in a store instead of a file: postgresql://, s3://, gs:// or az://. Nothing is committed back then.",
)
def command(folder: str, recipients: tuple[str, ...], store: str | None, **places: bool) -> None:
    """Create a starter config and, on request, CI or scheduler files.

    Writes to FOLDER, by default the current one. Existing files are never overwritten.
    """
    request = InitRequest(folder, recipients, tuple(place for place, chosen in places.items() if chosen), store)
    for file in init(request):
        tell(f"{'written' if file.written else 'left as it is'}: {file.path}\n")
        for line in file.advice:
            tell(f"  {line}\n")
