"""The steps of a job, as commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ..app.context import Context, Source
from ..app.saved_plan import load
from ..app.wiring import state_path_of
from ..cli.main import run
from ..cli.options import CONFIG, STATE
from ..cli.output.messages import show_done
from ..core.errors import ErrorCode, RefusedError, UsageError
from ..core.ports import Forge
from .github import GitHub
from .gitlab import GitLab
from .record import record as record_state
from .record import take as take_state
from .review import body, needs_review, shows


def forge_of(environment: dict[str, str]) -> Forge:
    """Return the forge that this job runs on."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return GitHub(environment)
    if environment.get("GITLAB_CI") == "true":
        return GitLab(environment)
    raise UsageError(
        ErrorCode.NOT_IN_A_JOB,
        "this step only runs in a job on GitHub or GitLab",
        hint="It needs GITHUB_ACTIONS or GITLAB_CI to be true.",
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def steps() -> None:
    """Steps of a job on GitHub or GitLab."""


@steps.command()
@CONFIG
@STATE
def take(configs: tuple[str, ...], state_path: str | None) -> None:
    """Take the branch's last state, and find out whether it can be committed back."""
    path = state_path_of(Context(), Source(configs, state_path))
    show_done(take_state(path, forge_of(dict(os.environ)).branch) + "\n")


@steps.command()
def record() -> None:
    """Commit the state and any journal back to the branch."""
    show_done(record_state() + "\n")


@steps.command()
@click.argument("plan_file", metavar="PLAN")
@click.argument("markdown_file", metavar="MARKDOWN")
def comment(plan_file: str, markdown_file: str) -> None:
    """Show the plan in the one comment on the pull request, which is made or updated."""
    forge = forge_of(dict(os.environ))
    text = body(load(plan_file), forge.proposed, Path(markdown_file).read_text(encoding="utf-8"))
    show_done(forge.comment(text) + "\n")


@steps.command()
@click.argument("plan_file", metavar="PLAN")
def reviewed(plan_file: str) -> None:
    """Refuse a plan that is not the one that the merged pull request showed."""
    plan = load(plan_file)
    if not needs_review(plan):
        show_done("The plan has no changes: nothing was to be reviewed.\n")
        return
    request = forge_of(dict(os.environ)).merged()
    if request is None:
        raise RefusedError(ErrorCode.PLAN_NOT_REVIEWED, "no merged pull request of this repository made this commit", hint=HINT)
    if not request.comments:
        what = f"{request.name} has no plan that this job's token commented"
        raise RefusedError(ErrorCode.PLAN_NOT_REVIEWED, what, hint=HINT)
    if not any(shows(text, plan, request.commit) for text in request.comments):
        what = f"the plan is not the one that {request.name} showed for its last commit"
        raise RefusedError(ErrorCode.PLAN_NOT_REVIEWED, what, hint=HINT)
    show_done(f"The plan is the one that {request.name} showed.\n")


HINT = "Nothing was changed. Look at the plan of this job; to apply it as it is, start the job by hand."


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], steps))
