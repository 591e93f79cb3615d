"""The error classes. Each error says what happened, where, and what to do next, and has an exit code.

SyncError                       1  something failed or was refused
  UsageError                   64  wrong usage, or no terminal and no --yes
    MissingExtraError          64  a feature needs a package that is not installed
  InvalidError                 65  invalid input
    ConfigError                65  the config files, with all diagnostics
    StateInvalidError          65  the snapshot or the journal
    StateAddressError          65  the path or URL of a state
    StateMovedError            65  the state has moved to another store, or is about to
    PlanFileError              65  a saved plan
  ApiUnreachableError          69  the API cannot be reached; nothing was changed
  StateIOError                 74  the state cannot be read or written
    JournalGoneError           74  the journal was deleted during the run
    FencedError                74  another run holds the lease; nothing was overwritten
  LockedError                  75  another run holds the lock
  KeyRefusedError              77  the API key is missing or was refused
  RefusedError                  1  a limit, a stale plan, a declined question
  SecretUnreadableError         1  an encrypted secret that no identity can decrypt
  ApiError                      1  the API did not answer a read as expected
    NoEndpointError             1  the server has no such endpoint (404, 405, 501)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import ClassVar

from .diagnostics import Diagnostic, printable
from .extras import installing

LONGEST = 4096


class ExitCode(IntEnum):
    """The exit codes. Scripts may rely on them."""

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
    ExitCode.USAGE: "wrong usage; also: no terminal and no `--yes`",
    ExitCode.INVALID: "invalid configuration, state or plan file",
    ExitCode.LOCKED: "another run holds the lock",
    ExitCode.STATE_IO: "the state cannot be read or written",
    ExitCode.KEY_REFUSED: "the API key is missing or was refused",
    ExitCode.UNREACHABLE: "the API cannot be reached; nothing was changed",
    ExitCode.FAILED: "something failed, was refused, or stayed unresolved",
    ExitCode.CHANGES_PENDING: "changes are pending (`plan --detailed-exitcode` only)",
    ExitCode.DONE: "done",
}
"""What each exit code means. If several fit a run, the first one here is used."""


class ErrorCode(StrEnum):
    """What went wrong, as a stable code. Scripts may rely on it, and the tests of messages use it as their key."""

    # The command line and the environment
    UNKNOWN_COMMAND = "unknown_command"
    VARIABLE_MISSING = "variable_missing"
    EXTRA_MISSING = "extra_missing"
    NO_TERMINAL = "no_terminal"
    DECLINED = "declined"
    IMPORT_ARGUMENTS = "import_arguments"
    RESOLVE_ARGUMENTS = "resolve_arguments"
    STAGE_ARGUMENTS = "stage_arguments"
    ID_INVALID = "id_invalid"
    PLAN_OPTIONS_CONFLICT = "plan_options_conflict"
    TARGET_MATCHES_NOTHING = "target_matches_nothing"
    FAULT_INVALID = "fault_invalid"
    NOT_IN_A_JOB = "not_in_a_job"
    STDOUT_NOT_MASKED = "stdout_not_masked"
    OUTPUT_LOST = "output_lost"
    OUTPUT_EXISTS = "output_exists"

    # The address, the key, the workspace
    ADDRESS_INVALID = "address_invalid"
    API_KEY_MISSING = "api_key_missing"
    API_KEY_UNREADABLE = "api_key_unreadable"
    API_KEY_INVALID = "api_key_invalid"
    API_KEY_REFUSED = "api_key_refused"
    WORKSPACE_MISSING = "workspace_missing"
    WORKSPACE_INVALID = "workspace_invalid"
    WORKSPACE_CONFLICT = "workspace_conflict"
    WORKSPACE_MISMATCH = "workspace_mismatch"
    API_MISMATCH = "api_mismatch"

    # The API
    API_UNREACHABLE = "api_unreachable"
    API_ERROR = "api_error"
    PROTOCOL_ERROR = "protocol_error"
    NO_ENDPOINT = "no_endpoint"
    NOT_THE_API = "not_the_api"
    NO_LIST = "no_list"
    LIST_NOT_FOUND = "list_not_found"
    LIST_GONE = "list_gone"
    NO_TEST_ENDPOINT = "no_test_endpoint"
    TRIGGER_URL_INVALID = "trigger_url_invalid"
    INPUT_TOO_LARGE = "input_too_large"
    TEST_ARGUMENTS = "test_arguments"
    TEST_UNANSWERED = "test_unanswered"
    RUN_STOPPED = "run_stopped"
    GONE_IN_SENDKIT = "gone_in_sendkit"
    NOT_LIVE = "not_live"

    # The configuration
    CONFIG_INVALID = "config_invalid"
    SECRET_MISSING = "secret_missing"
    NOT_IN_CONFIG = "not_in_config"
    RECIPIENT_INVALID = "recipient_invalid"
    ENCRYPTION_REQUIRED = "encryption_required"
    NO_ENCRYPTION = "no_encryption"

    # Plans and limits
    PLAN_UNREADABLE = "plan_unreadable"
    PLAN_INVALID = "plan_invalid"
    PLAN_VERSION = "plan_version"
    PLAN_STALE = "plan_stale"
    PLAN_NOT_WRITTEN = "plan_not_written"
    PLAN_OVERWRITES_FILE = "plan_overwrites_file"
    PLAN_NOT_REVIEWED = "plan_not_reviewed"
    LIMITS_EXCEEDED = "limits_exceeded"
    TOO_MANY_CHANGES = "too_many_changes"

    # Records
    NOTHING_RECORDED = "nothing_recorded"
    NOT_RECORDED = "not_recorded"
    NAME_RECORDED = "name_recorded"
    ID_DIFFERS = "id_differs"
    ID_RECORDED = "id_recorded"
    ID_RECORDED_TWICE = "id_recorded_twice"
    CREATE_UNRESOLVED = "create_unresolved"
    NOT_UNRESOLVED = "not_unresolved"
    UPDATE_UNANSWERED = "update_unanswered"

    # Secrets
    SECRET_RECORDED = "secret_recorded"
    SECRET_STAGED = "secret_staged"
    SECRET_NOT_STAGED = "secret_not_staged"
    SECRET_IN_DOUBT = "secret_in_doubt"
    SECRET_NOT_RECORDED = "secret_not_recorded"
    SECRET_FROM_CONFIG = "secret_from_config"
    SECRET_UNMANAGED = "secret_unmanaged"
    SECRET_INVALID = "secret_invalid"
    SECRET_UNREADABLE = "secret_unreadable"
    SECRETS_IN_CLEAR = "secrets_in_clear"
    SECRET_TAMPERED = "secret_tampered"
    IDENTITY_INVALID = "identity_invalid"
    IDENTITY_UNREADABLE = "identity_unreadable"
    IDENTITY_MISMATCH = "identity_mismatch"
    EXPORT_NAME_TAKEN = "export_name_taken"
    EXPORT_NAME_INVALID = "export_name_invalid"

    # The state
    STATE_LOCKED = "state_locked"
    LOCK_NOT_OURS = "lock_not_ours"
    STATE_FENCED = "state_fenced"
    STATE_ADDRESS_INVALID = "state_address_invalid"
    STATE_ADDRESS_HOLDS_CREDENTIAL = "state_address_holds_credential"
    STORE_FAILED = "store_failed"
    STORE_OBJECT_MISSING = "store_object_missing"
    LEASE_ENDED = "lease_ended"
    STATE_MOVED = "state_moved"
    STATE_MOVING = "state_moving"
    NO_MOVE = "no_move"
    DESTINATION_IN_USE = "destination_in_use"
    NO_LEASE = "no_lease"
    SAME_STORE = "same_store"
    SERVER_SECRETS_NEED_A_FILE = "server_secrets_need_a_file"
    RESEND_TOO_SOON = "resend_too_soon"
    STATE_EMPTY = "state_empty"
    STATE_CONFLICT_MARKERS = "state_conflict_markers"
    MERGE_CONFLICT = "merge_conflict"
    STATE_NOT_JSON = "state_not_json"
    STATE_VALUE_INVALID = "state_value_invalid"
    STATE_VERSION = "state_version"
    STATE_KEEPS_CHANGING = "state_keeps_changing"
    STATE_FOLDER_MISSING = "state_folder_missing"
    STATE_WRITE_FAILED = "state_write_failed"
    SNAPSHOT_MISSING = "snapshot_missing"
    JOURNAL_DAMAGED = "journal_damaged"
    JOURNAL_DELETED = "journal_deleted"
    JOURNAL_MISMATCH = "journal_mismatch"
    JOURNAL_VERSION = "journal_version"

    # Files
    FILE_IO = "file_io"
    FILE_NOT_WRITTEN = "file_not_written"
    OUTPUT_NOT_A_FILE = "output_not_a_file"
    SECRETS_UNREADABLE = "secrets_unreadable"
    SECRETS_NOT_WRITTEN = "secrets_not_written"
    METRICS_NOT_WRITTEN = "metrics_not_written"
    SUMMARY_NOT_WRITTEN = "summary_not_written"
    SIMULATOR_FAILED = "simulator_failed"

    # Git and the forge
    SECRETS_IN_GIT = "secrets_in_git"
    STATE_IGNORED_BY_GIT = "state_ignored_by_git"
    STATE_NOT_COMMITTED = "state_not_committed"
    STATE_RACED = "state_raced"
    STATE_GONE = "state_gone"
    STATE_PUSH_REFUSED = "state_push_refused"
    GIT_FAILED = "git_failed"
    STATE_OUTSIDE_WORK_TREE = "state_outside_work_tree"
    NO_WORK_TREE = "no_work_tree"
    FORGE_UNREACHABLE = "forge_unreachable"
    FORGE_ERROR = "forge_error"
    FORGE_BAD_ANSWER = "forge_bad_answer"


class SyncError(Exception):
    """The root of all errors that this project raises on purpose.

    `code` is stable, `what` says what happened, `where` names the file or address, and `hint` says what to do next. All
    texts are printable and contain no secret.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, code: ErrorCode, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.code = code
        self.what = printable(what, LONGEST)
        self.where = None if where is None else printable(where, LONGEST)
        self.hint = None if hint is None else printable(hint, LONGEST)
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class UsageError(SyncError):
    """The command line is wrong or incomplete."""

    exit_code = ExitCode.USAGE


class MissingExtraError(UsageError):
    """A feature needs an extra that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(ErrorCode.EXTRA_MISSING, f"{feature} needs the extra `{extra}`", hint=installing(extra))
        self.extra = extra


class InvalidError(SyncError):
    """The config, the state or a plan file is invalid."""

    exit_code = ExitCode.INVALID


class ConfigError(InvalidError):
    """The config files are invalid. `diagnostics` holds every problem, in order."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(ErrorCode.CONFIG_INVALID, "the configuration is not valid")
        self.diagnostics = tuple(diagnostics)


class StateInvalidError(InvalidError):
    """The snapshot or the journal is damaged, truncated, foreign or of a newer version. Nothing was overwritten."""


class StateAddressError(InvalidError):
    """The address of a state is not the URL of a known store, or it contains a credential."""


class StateMovedError(InvalidError):
    """The state has moved to another store, or is on its way there; nothing was overwritten."""


class PlanFileError(InvalidError):
    """A saved plan is damaged or of a newer version."""


class ApiUnreachableError(SyncError):
    """The API cannot be reached. Nothing was changed."""

    exit_code = ExitCode.UNREACHABLE


class StateIOError(SyncError):
    """The state cannot be read or written."""

    exit_code = ExitCode.STATE_IO


class JournalGoneError(StateIOError):
    """The journal was deleted during the run. Another run may be active."""


class FencedError(StateIOError):
    """Another process took over the lease or replaced the state. This run writes and sends nothing more."""


class LockedError(SyncError):
    """Another run holds the lock. `holder` describes it, if known."""

    exit_code = ExitCode.LOCKED

    def __init__(self, what: str, *, where: str, holder: str | None, hint: str | None = None) -> None:
        super().__init__(ErrorCode.STATE_LOCKED, what, where=where, hint=hint)
        self.holder = holder


class KeyRefusedError(SyncError):
    """The API key is missing or was refused."""

    exit_code = ExitCode.KEY_REFUSED


class RefusedError(SyncError):
    """The run was refused as a whole: by a limit, a stale plan or a declined question."""


class SecretUnreadableError(SyncError):
    """No identity can decrypt a secret, or the encrypted value belongs to another webhook."""


class ApiError(SyncError):
    """The API did not answer a read as expected. `status` is the HTTP status, if there was one."""

    def __init__(
        self, code: ErrorCode, what: str, *, status: int | None = None, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(code, what, where=where, hint=hint)
        self.status = status


class NoEndpointError(ApiError):
    """The server has no such endpoint. It answered 404, 405 or 501."""
