"""What a call that changes something came to; the rows of the table "Exactly once" as types.

`api` makes them and `applying` acts on them. Everything that is sure not to have happened and worth another try
was tried again before an answer is given.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import Live


@dataclass(frozen=True, slots=True)
class Answered:
    """2xx with a webhook in it. `live` is None only for a delete."""

    live: Live | None


@dataclass(frozen=True, slots=True)
class NotDone:
    """The call changed nothing, for sure.

    `status` is the HTTP status, or None where no byte of the request was sent. `stops_run` tells that no other
    call can fare better: a refused key (401, 403), a certificate that does not fit. `unreachable` tells that the
    server was never reached.
    """

    code: str
    message: str
    status: int | None = None
    stops_run: bool = False
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The call may or may not have happened: a timeout, a cut, a 5xx, 408, 409, a 2xx that makes no sense.

    `status` is the HTTP status where one came.
    """

    code: str
    message: str
    status: int | None = None


Answer = Answered | NotDone | Unknown
