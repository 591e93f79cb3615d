"""Where age identities come from: the same places as for SOPS."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..core.decryption import NO_IDENTITY
from ..core.errors import ErrorCode, SecretUnreadableError

KEY, KEY_FILE, KEY_COMMAND = "SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD"
COMMAND_TIMEOUT_S = 60.0
"""How long the command may take; it may ask the user to touch a key or to unlock a password store."""


def identity_texts(environment: Mapping[str, str]) -> list[str]:
    """Return the texts that hold identities: of all three variables, or if none is set, of SOPS' default key file.

    Raises `SecretUnreadableError` if a file or a command that is named yields nothing that can be read.
    """
    texts = [environment[KEY]] if environment.get(KEY) else []
    if path := environment.get(KEY_FILE):
        texts.append(_file(path))
    if command := environment.get(KEY_COMMAND):
        texts.append(_output(command, environment))
    default = _default_file(environment) if not texts else None
    if default is not None and default.is_file():
        texts.append(_file(str(default)))
    return texts


def _default_file(environment: Mapping[str, str]) -> Path | None:
    place = Path("sops", "age", "keys.txt")
    if sys.platform == "win32":
        return Path(environment["APPDATA"]) / place if environment.get("APPDATA") else None
    if environment.get("XDG_CONFIG_HOME"):
        return Path(environment["XDG_CONFIG_HOME"]) / place
    if not environment.get("HOME"):
        return None
    return Path(environment["HOME"]) / ("Library/Application Support" if sys.platform == "darwin" else ".config") / place


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadableError(
            ErrorCode.IDENTITY_UNREADABLE, "the identity file cannot be read", where=path, hint=NO_IDENTITY
        ) from error


def _output(command: str, environment: Mapping[str, str]) -> str:
    """Run a command without a shell and return what it prints. Its error output goes to the user."""
    reason = None
    try:
        done = subprocess.run(
            shlex.split(command), env=dict(environment), stdout=subprocess.PIPE, check=False, timeout=COMMAND_TIMEOUT_S
        )
        if done.returncode == 0:
            return done.stdout.decode("utf-8-sig")
        reason = f"it ended with exit code {done.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"it took more than {COMMAND_TIMEOUT_S:.0f} s"
    except (OSError, ValueError, IndexError) as error:  # UnicodeDecodeError and shlex's error are ValueErrors
        reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
    raise SecretUnreadableError(
        ErrorCode.IDENTITY_UNREADABLE, f"the command in {KEY_COMMAND} yields no identity: {reason}", hint=NO_IDENTITY
    )
