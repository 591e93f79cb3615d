"""The outcomes of a call that changes something (docs/reliability.md, Outcomes).

`api` returns them and `applying` acts on them. Calls that are known not to have happened have been retried before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .model import LiveWebhook


class FailureCode(StrEnum):
    """Why an action is not done, under a name that never changes: the `code` of a result in the JSON output."""

    # The call was not made.
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    PREVENT_DELETE = "prevent_delete"
    UNMANAGED_SECRET = "unmanaged_secret"
    ID_GONE = "id_gone"
    STAGED_UNREADABLE = "staged_unreadable"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"

    # The API refused it.
    KEY_REFUSED = "key_refused"
    NOT_FOUND = "not_found"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    GONE = "gone"
    STILL_LIVE = "still_live"
    NO_UPDATE = "no_update"
    NO_DELETE = "no_delete"

    # It may have happened.
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    SERVER_ERROR = "server_error"
    CONFLICT = "conflict"
    REDIRECT = "redirect"
    RESPONSE_INVALID = "response_invalid"
    NOT_THE_API = "not_the_api"

    # A create whose outcome the live list did not tell, or a delete whose outcome a read did not tell.
    UNRESOLVED = "unresolved"
    NOT_FOUND_YET = "not_found_yet"
    AMBIGUOUS = "ambiguous"
    NAME_IN_USE = "name_in_use"
    OUTSIDE_WINDOW = "outside_window"
    LIST_FAILED = "list_failed"
    NO_LIST = "no_list"

    # It happened in the wrong place.
    WRONG_WORKSPACE = "wrong_workspace"


NOT_SENT = (FailureCode.INTERRUPTED, FailureCode.STOPPED)
"""Codes of a `Failed` that was not sent because the run ends."""

FAILS_UNLESS_LIVE = (FailureCode.CONFLICT, FailureCode.REDIRECT, FailureCode.NOT_THE_API)
"""Codes of an `Unknown` that most likely means "not done", so that a create has failed if the live list does not show it.

A 409 may be about the webhook that the call made, a 303 may point to it, and a firewall may block the response to a
request that it let through.
"""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """2xx with a webhook in it. `live` is None only for a delete."""

    live: LiveWebhook | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The call is known to have changed nothing.

    `status` is the HTTP status, or None if no byte of the request was sent. `stops_run`: no other call can succeed either,
    because the key was refused (401, 403) or the certificate is not trusted. `unreachable`: the server was never reached.
    """

    code: FailureCode
    message: str
    status: int | None = None
    stops_run: bool = False
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The call may have happened: timeout, broken connection, 5xx, 3xx, 408, 409, or an unusable 2xx.

    `status` is the HTTP status, or None if none came or an earlier attempt of the same call is in doubt too.
    """

    code: FailureCode
    message: str
    status: int | None = None


Outcome = Succeeded | Failed | Unknown


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A create that succeeded, but in another workspace than the recorded one."""

    live: LiveWebhook
    message: str
    code: FailureCode = FailureCode.WRONG_WORKSPACE


@dataclass(frozen=True, slots=True)
class TestDelivery:
    """What a receiver did with a test delivery that SendKit signed.

    `status` is the receiver's, None for no answer. `duration_s` is the time of the whole call, as seen from here. `error` says
    why nothing was delivered, if it is not the receiver.
    """

    __test__ = False

    name: str
    webhook_id: str
    delivered: bool = False
    status: int | None = None
    duration_s: float = 0.0
    error: str | None = None
