"""Finds out whether secrets in clear stand where a commit takes them along: in a git work tree that does not ignore them."""

from __future__ import annotations

import os
from pathlib import Path

from ..config import Config
from ..errors import RefusedError
from ..model import State
from .messages import say

FILES = ("", ".journal", ".backup")
"""What is added to the name of the state for each file that holds secrets."""

TIMEOUT_S = 10.0
WHAT = "the state holds secrets in clear, and stands in a git work tree that does not ignore it"
HINT = (
    "Seal them with `encryption` in the config, or keep the state on storage that outlives the runner and add its name with * "
    "behind it to .gitignore."
)


def warn_of_git(config: Config, state: State | None, path: str) -> None:
    """Print a warning where a commit would take secrets along."""
    if holds_clear(config, state) and taken_by_git(path):
        say(f"warning: {WHAT}\n  {HINT}")


def refuse_for_git(config: Config, state: State | None, path: str) -> None:
    """Raise `RefusedError` where a commit would take secrets along and `CI` is set; else warn of it."""
    if not _in_ci():
        warn_of_git(config, state, path)
    elif holds_clear(config, state) and taken_by_git(path):
        raise RefusedError(WHAT, where=path, hint=HINT)


def holds_clear(config: Config, state: State | None) -> bool:
    """Tell whether the state holds secrets in clear, or will hold some after an apply of `config`."""
    if config.webhooks and not config.recipients:
        return True
    return state is not None and any(secret.clear is not None for secret in state.secrets())


def taken_by_git(path: str) -> bool:
    """Tell whether `git add` takes a file of the state at `path`; False also where git cannot be asked."""
    real = Path(os.path.realpath(path))
    if not any((folder / ".git").exists() for folder in real.parents):
        return False
    import subprocess

    # A hook or an alias may have set GIT_DIR and the like for another repository.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    names = [real.name + end for end in FILES]
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "check-ignore", "-z", "--stdin"],
            input="".join(f"./{name}\0" for name in names).encode(errors="surrogateescape"),
            cwd=real.parent,
            env=clean,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # 0 and 1 tell how many are ignored; anything else that git does not answer. What is tracked is not ignored.
    return done.returncode in (0, 1) and done.stdout.count(b"\0") < len(names)


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
