"""The tree of errors: each says what happened, where, and what to try, and has its exit code.

SyncError                       1  something failed or was refused
  UsageError                   64  wrong flags, or no terminal and no --yes
    MissingExtraError          64  a feature needs a package that is not installed
  InvalidError                 65  something that was read is not valid
    ConfigError                65  the config files, with all their diagnostics
    StateInvalidError          65  the snapshot or the journal
    PlanFileError              65  a saved plan
  ApiUnreachableError          69  the API cannot be reached, nothing was changed
  StateIOError                 74  the state cannot be read or written
    JournalGoneError           74  the journal was deleted while a run wrote to it
  LockedError                  75  another run holds the lock
  KeyRefusedError              77  the API key is missing or was refused
  RefusedError                  1  a limit, a stale plan, a "no"
  SecretUnreadableError         1  a sealed secret, and no identity that opens it
  ApiError                      1  the API answered a read with something else than asked for
    NoEndpointError             1  the server has no such endpoint (404, 405, 501)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import ClassVar

from .diagnostics import Diagnostic


class ExitCode(IntEnum):
    """The exit codes of the command, part of its contract."""

    DONE = 0
    FAILED = 1
    CHANGES_PENDING = 2
    USAGE = 64
    INVALID = 65
    UNREACHABLE = 69
    STATE_IO = 74
    LOCKED = 75
    KEY_REFUSED = 77
    INTERRUPTED = 130


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.INTERRUPTED: "interrupted by a signal",
    ExitCode.USAGE: "wrong usage; also no terminal and no `--yes`",
    ExitCode.INVALID: "invalid configuration, state or plan file",
    ExitCode.LOCKED: "another run holds the lock",
    ExitCode.STATE_IO: "the state cannot be read or written",
    ExitCode.KEY_REFUSED: "the key is missing or was refused",
    ExitCode.UNREACHABLE: "the API cannot be reached, nothing was changed",
    ExitCode.FAILED: "something failed, was refused, or stayed unresolved",
    ExitCode.CHANGES_PENDING: "changes are pending (`plan --detailed-exitcode` only)",
    ExitCode.DONE: "done",
}
"""What each exit code means; the first that fits is the one of a run."""


class SyncError(Exception):
    """The root of all errors that this project raises on purpose.

    `what` says what happened, `where` names the file or address it happened to, `hint` what to try next. All
    three are printable text without secrets.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class UsageError(SyncError):
    """The command line cannot be carried out as it is."""

    exit_code = ExitCode.USAGE


class MissingExtraError(UsageError):
    """A feature needs a package of an extra that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra `{extra}`", hint=f"Install it: pip install 'sendkit-sync[{extra}]'")
        self.extra = extra


class InvalidError(SyncError):
    """Something that was read is not valid."""

    exit_code = ExitCode.INVALID


class ConfigError(InvalidError):
    """The config files are not valid; `diagnostics` holds every problem, in order."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("the configuration is not valid")
        self.diagnostics = tuple(diagnostics)


class StateInvalidError(InvalidError):
    """The snapshot or the journal is damaged, cut, foreign, or of a newer version; nothing was overwritten."""


class PlanFileError(InvalidError):
    """A saved plan cannot be used: it is damaged or of a newer version."""


class ApiUnreachableError(SyncError):
    """The API cannot be reached, and nothing was changed."""

    exit_code = ExitCode.UNREACHABLE


class StateIOError(SyncError):
    """The state cannot be read or written."""

    exit_code = ExitCode.STATE_IO


class JournalGoneError(StateIOError):
    """Somebody deleted the journal while the run wrote to it: another run may be under way."""


class LockedError(SyncError):
    """Another run holds the lock; `holder` says who, as far as it is known."""

    exit_code = ExitCode.LOCKED

    def __init__(self, what: str, *, where: str, holder: str | None, hint: str | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.holder = holder


class KeyRefusedError(SyncError):
    """The API key is missing, or the API refused it."""

    exit_code = ExitCode.KEY_REFUSED


class RefusedError(SyncError):
    """The run was refused as a whole: a limit, a stale plan, a "no"."""


class SecretUnreadableError(SyncError):
    """A secret is sealed and no identity opens it, or its seal belongs to another webhook."""


class ApiError(SyncError):
    """The API answered a read with something else than was asked for; `status` is its HTTP status, if any."""

    def __init__(self, what: str, *, status: int | None = None, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status


class NoEndpointError(ApiError):
    """The server has no such endpoint: it answered 404, 405 or 501."""
