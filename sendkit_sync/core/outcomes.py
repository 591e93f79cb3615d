"""What a call that changes something came to; the rows of the table "Exactly once" as types.

`api` makes them and `applying` acts on them. Everything that is sure not to have happened and worth another try
was tried again before an answer is given.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import LiveWebhook


@dataclass(frozen=True, slots=True)
class Succeeded:
    """2xx with a webhook in it. `live` is None only for a delete."""

    live: LiveWebhook | None


@dataclass(frozen=True, slots=True)
class Failed:
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
    """The call may or may not have happened: a timeout, a cut, a 5xx, 3xx, 408, 409, a 2xx that makes no sense.

    `status` is the HTTP status where one came.
    """

    code: str
    message: str
    status: int | None = None

    @property
    def no_unless_live(self) -> bool:
        """Tell whether the status says no, but may follow a call that happened: "taken" by itself, or "look there"."""
        return self.status is not None and (self.status == 409 or 300 <= self.status < 400)


Outcome = Succeeded | Failed | Unknown
