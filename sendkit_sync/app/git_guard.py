"""Detects secrets in clear that a commit would include: in a git work tree that does not ignore them."""

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
"""Suffixes of the files of a state that contain secrets. The last two exist only after a killed run."""

NEEDED = ("PATH", "HOME", "XDG_CONFIG_HOME", "LD_LIBRARY_PATH")
"""The variables that git gets: none that holds a secret or points to another repository."""

TIMEOUT_S = 10.0
WHAT = "the state contains secrets in clear and is in a git work tree that does not ignore it"
DOUBT = "the state contains secrets in clear and is in a git work tree; git could not be asked whether it is ignored"
IGNORE = "keep the state on storage that outlives the runner, and add its name followed by * to .gitignore."


def warn_of_git(context: Context, config: Config, state: State | None) -> None:
    """Warn if a commit would include secrets."""
    _warn(context, config, holds_clear(config, state) and taken_by_git(config.state_path, context.environment))


def refuse_for_git(context: Context, config: Config, state: State | None) -> None:
    """Raise `RefusedError` if a commit may include secrets and `CI` is set; otherwise only warn."""
    taken = holds_clear(config, state) and taken_by_git(config.state_path, context.environment)
    if taken is not False and _in_ci(context.environment):
        # Also if git could not be asked: a crafted .gitignore takes it longer than it may take.
        what = WHAT if taken else DOUBT
        raise RefusedError(ErrorCode.SECRETS_IN_GIT, what, where=config.state_path, hint=_hint(config))
    _warn(context, config, taken)


def _warn(context: Context, config: Config, taken: bool | None) -> None:
    if taken is not False:
        context.warn(WHAT if taken else DOUBT, _hint(config))


def _hint(config: Config) -> str:
    encrypt = "Run `sendkit-sync state encrypt`" if config.recipients else "Encrypt them with `encryption` in the config"
    return f"{encrypt}, or {IGNORE}"


def holds_clear(config: Config, state: State | None) -> bool:
    """Return whether the state contains secrets in clear, or will after an apply of `config`."""
    kept = list(state.secrets()) if state is not None else []
    if any(secret.clear is not None for secret in kept):
        return True
    # Next to encrypted secrets nothing is written in clear: such an apply is refused.
    return bool(config.webhooks) and not config.recipients and not kept


def warn_of_exported(context: Context, path: str) -> None:
    """Warn if a commit would include a file of secrets that was just written."""
    if taken_by_git(path, context.environment, ends=("",)) is not False:
        context.warn(f"{printable(path)} contains secrets, and git may commit it; add it to .gitignore")


def taken_by_git(path: str, environment: Mapping[str, str], *, ends: Sequence[str] = FILES) -> bool | None:
    """Return whether `git add` includes a file named `path` plus one of `ends`; None if git cannot be asked."""
    if is_url(path):
        return False
    real = Path(os.path.realpath(path))
    if not any((folder / ".git").exists() for folder in real.parents):
        return False
    import subprocess

    names = [real.name + end for end in ends]
    # In a container the tree often belongs to another user, which git refuses. With these flags, git runs nothing from it.
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
    # With exit code 0 or 1 the output lists the ignored files; otherwise git failed. A tracked file is not ignored.
    return done.stdout.count(b"\0") < len(names) if done.returncode in (0, 1) else None


def _in_ci(environment: Mapping[str, str]) -> bool:
    return environment.get("CI", "").lower() not in ("", "0", "false")
