"""`init`: writes a starter config, and files for CI and schedulers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from ...core.errors import ErrorCode, SyncError, UsageError
from ...core.schemas import schema
from ...version import __version__
from ..options import flag

TEMPLATES = Path(__file__).parent.parent.parent / "templates"
RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
PLACES = {
    "github": {".github/workflows/sendkit-sync.yml": "github.yml"},
    "gitlab": {".gitlab-ci.yml": "gitlab.yml"},
    "pre_commit": {".pre-commit-config.yaml": "pre-commit.yaml"},
    "kubernetes": {"kubernetes/sendkit-sync.yaml": "kubernetes.yaml"},
    "systemd": {f"systemd/sendkit-sync.{kind}": f"sendkit-sync.{kind}" for kind in ("service", "timer")},
}
"""For each flag the files that it writes, and the template of each."""

IGNORED_CLEAR = "sendkit.state.json*\n"
IGNORED_SEALED = "sendkit.state.json.backup\nsendkit.state.json.lock\n"


@click.command("init")
@click.argument("folder", default=".", required=False)
@flag("--github", is_flag=True, help="Add a GitHub Actions workflow: plan on pull requests, apply on main. Needs --recipient.")
@flag(
    "--gitlab",
    is_flag=True,
    help="Add a GitLab CI pipeline: plan on merge requests, apply on the default branch. Needs --recipient.",
)
@flag("--pre-commit", is_flag=True, help="Add a pre-commit hook that validates the config.")
@flag("--kubernetes", is_flag=True, help="Add a Kubernetes CronJob with a volume for the state.")
@flag("--systemd", is_flag=True, help="Add a systemd service and timer.")
@flag(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="AGE1...",
    help="Encrypt secrets for this age public key. Can be repeated.",
)
def command(folder: str, recipients: tuple[str, ...], **places: bool) -> None:
    """Create a starter config and, on request, CI or scheduler files.

    Writes to FOLDER, by default the current one. Existing files are never overwritten.
    """
    if any(RECIPIENT.fullmatch(recipient) is None for recipient in recipients):
        raise UsageError(
            ErrorCode.RECIPIENT_INVALID,
            "a recipient is no age public key",
            hint="It begins with age1; age-keygen makes a pair.",
        )
    if (places["github"] or places["gitlab"]) and not recipients:
        raise UsageError(
            ErrorCode.ENCRYPTION_REQUIRED,
            "the pipeline commits the state, so its secrets must be sealed",
            hint="Pass --recipient AGE1... with your age public key; age-keygen makes a pair.",
        )
    for path, text in _files(recipients, [name for name, wanted in places.items() if wanted]).items():
        _write(Path(folder), path, text)


def _files(recipients: tuple[str, ...], places: list[str]) -> dict[str, str]:
    """Return the text of each file by its path."""
    import json

    encrypted = "".join(f"      - {recipient}\n" for recipient in recipients)
    encryption = f"encryption:\n  age:\n    recipients:\n{encrypted}" if encrypted else ""
    values = {"encryption": encryption, "version": __version__}
    files = {
        "webhooks.yaml": _filled("webhooks.yaml", values),
        "webhooks.schema.json": json.dumps(schema("webhooks"), indent=2, ensure_ascii=False) + "\n",
        ".gitignore": IGNORED_SEALED if encrypted else IGNORED_CLEAR,
    }
    for place in places:
        for path, template in PLACES[place].items():
            files[path] = _filled(template, values)
    return files


def _filled(name: str, values: dict[str, str]) -> str:
    """Return a template with its `@@name@@` filled in."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    return re.sub(r"@@(\w+)@@", lambda found: values[found[1]], text)


def _write(folder: Path, path: str, text: str) -> None:
    target = folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            click.echo(f"left as it is: {target}")
            for line in _advice(path, text, target.read_text(encoding="utf-8", errors="replace")):
                click.echo(f"  {line}")
            return
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise SyncError(
            ErrorCode.FILE_NOT_WRITTEN,
            f"cannot be written: {error.strerror}",
            where=str(target),
            hint="Mend that and run init again: what is there stays.",
        ) from error
    click.echo(f"written: {target}")


def _advice(path: str, text: str, there: str) -> Iterator[str]:
    """Yield what to change in a file that stays as it is, so that it fits to the others."""
    if path == ".gitignore":
        lines = set(there.split())
        missing = [line for line in text.split() if line not in lines]
        if missing:
            yield f"add to it: {', '.join(missing)}"
        if text == IGNORED_SEALED and IGNORED_CLEAR.strip() in lines:
            yield f"take out of it: {IGNORED_CLEAR.strip()}, for the pipeline commits the state"
    elif path == "webhooks.yaml":
        missing = [recipient for recipient in re.findall(RECIPIENT, text) if recipient not in there]
        if missing:
            yield f"add to it: encryption: {{age: {{recipients: [{', '.join(missing)}]}}}}"
    elif path == "webhooks.schema.json" and text != there:
        yield "it differs from this version's: remove it, and run init again"
