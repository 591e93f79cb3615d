"""Finds out whether secrets in clear stand where a commit takes them along: in a git work tree that does not ignore them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..config import Config
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError
from ..core.model import State
from ..core.store_address import is_url
from .context import Context

FILES = ("", ".journal", ".backup", ".tmp", ".backup.tmp")
"""What is added to the name of the state for each file that holds secrets; the last two stay after a kill only."""

NEEDED = ("PATH", "HOME", "XDG_CONFIG_HOME", "LD_LIBRARY_PATH")
"""The variables that git is given: none of those that hold secrets, or point it at another repository."""

TIMEOUT_S = 10.0
WHAT = "the state holds secrets in clear, and stands in a git work tree that does not ignore it"
DOUBT = "the state holds secrets in clear, and stands in a git work tree; git could not be asked whether it ignores it"
STILL_CLEAR = "secrets that were recorded before `encryption` stand in the state in clear"
IGNORE = "keep the state on storage that outlives the runner and add its name with * behind it to .gitignore."


def warn_of_git(context: Context, config: Config, state: State | None) -> None:
    """Warn where a commit would take secrets along."""
    _warn(context, config, state, holds_clear(config, state) and taken_by_git(config.state_path, context.environment))


def refuse_for_git(context: Context, config: Config, state: State | None) -> None:
    """Raise `RefusedError` where a commit would take secrets along and `CI` is set; else warn of it."""
    taken = holds_clear(config, state) and taken_by_git(config.state_path, context.environment)
    if taken and _in_ci(context.environment):
        raise RefusedError(ErrorCode.SECRETS_IN_GIT, WHAT, where=config.state_path, hint=_hint(config))
    _warn(context, config, state, taken)


def _warn(context: Context, config: Config, state: State | None, taken: bool | None) -> None:
    if taken is not False:
        context.warn(WHAT if taken else DOUBT, _hint(config))
    elif config.recipients and holds_clear(config, state):
        context.warn(STILL_CLEAR, "Seal them: sendkit-sync state encrypt")


def _hint(config: Config) -> str:
    seal = "Run `sendkit-sync state encrypt`" if config.recipients else "Seal them with `encryption` in the config"
    return f"{seal}, or {IGNORE}"


def holds_clear(config: Config, state: State | None) -> bool:
    """Tell whether the state holds secrets in clear, or will hold some after an apply of `config`."""
    kept = list(state.secrets()) if state is not None else []
    if any(secret.clear is not None for secret in kept):
        return True
    # Beside sealed ones nothing is written in clear: such an apply is refused.
    return bool(config.webhooks) and not config.recipients and not kept


def warn_of_exported(context: Context, path: str) -> None:
    """Warn where a commit would take along a file of secrets that was just written."""
    if taken_by_git(path, context.environment, ends=("",)):
        context.warn(f"{printable(path)} holds secrets, and git would take it along: add it to .gitignore")


def taken_by_git(path: str, environment: Mapping[str, str], *, ends: Sequence[str] = FILES) -> bool | None:
    """Tell whether `git add` takes a file whose name is `path` with one of `ends`; None where git cannot be asked."""
    if is_url(path):
        return False
    real = Path(os.path.realpath(path))
    if not any((folder / ".git").exists() for folder in real.parents):
        return False
    import subprocess

    names = [real.name + end for end in ends]
    # In a container the tree often belongs to another user, and git refuses it; with these flags nothing of its own runs.
    flags = ["safe.directory=*", "core.fsmonitor=false", "protocol.allow=never"]
    try:
        done = subprocess.run(
            ["git", *(word for one in flags for word in ("-c", one)), "check-ignore", "-z", "--stdin"],
            input="".join(f"./{name}\0" for name in names).encode(errors="surrogateescape"),
            cwd=real.parent,
            env={name: environment[name] for name in NEEDED if name in environment},
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # 0 and 1 tell how many are ignored; anything else that git does not answer. What is tracked is not ignored.
    return done.stdout.count(b"\0") < len(names) if done.returncode in (0, 1) else None


def _in_ci(environment: Mapping[str, str]) -> bool:
    return environment.get("CI", "").lower() not in ("", "0", "false")
