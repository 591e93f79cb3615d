"""The outcomes of a call that changes something (docs/reliability.md, Outcomes).

`api` returns them and `applying` acts on them. Calls that are known not to have happened have been retried before.
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
    """The call is known to have changed nothing.

    `status` is the HTTP status, or None if no byte of the request was sent. `stops_run`: no other call can succeed either,
    because the key was refused (401, 403) or the certificate is not trusted. `unreachable`: the server was never reached.
    """

    code: str
    message: str
    status: int | None = None
    stops_run: bool = False
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The call may have happened: timeout, broken connection, 5xx, 3xx, 408, 409, or an unusable 2xx.

    `status` is the HTTP status, if one was received.
    """

    code: str
    message: str
    status: int | None = None

    @property
    def no_unless_live(self) -> bool:
        """Whether the status most likely means no, but may also follow a call that happened (409 or a redirect)."""
        return self.status is not None and (self.status == 409 or 300 <= self.status < 400)


Outcome = Succeeded | Failed | Unknown
