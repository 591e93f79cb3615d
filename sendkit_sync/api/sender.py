"""Sends a call, and again while it is sure that nothing was done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..core.ports import Clock, Rng
from .retry import Pause, backoff, retry_after
from .transport import ExchangeError, Reply, Transport

log = logging.getLogger(__name__)


class StoppedError(Exception):
    """A wait ended because the run is stopped; the call was not made."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Calls to the API at `base`, all with `headers`; durations in seconds.

    A `pause` that one of them is asked for holds for all. `clean` takes out of a text what may not be logged.
    """

    base: str
    headers: Mapping[str, str]
    transport: Transport
    clock: Clock
    rng: Rng
    stop: threading.Event
    pause: Pause
    retry_for_s: float
    on_wait: Callable[[str], None]
    on_call: Callable[[str, str], None]
    clean: Callable[[str], str]

    def send(self, method: str, path: str, body: bytes | None, before_attempt: Callable[[], None]) -> Reply:
        """Return the answer, a 429 only where `retry_for_s` is over; raises `ExchangeError` and `StoppedError`."""
        tries = 0
        until: float | None = None
        while True:
            delayed = self.pause.left() > 0
            if not self.pause.wait():
                raise StoppedError
            if tries or delayed:
                before_attempt()  # its time counts from here: `--resend-after` must not run while the request waits
            if until is None:
                until = self.clock.monotonic() + self.retry_for_s
            tries += 1
            try:
                reply = self._exchange(method, path, body)
            except ExchangeError as error:
                delay = backoff(self.rng, tries)
                if error.sent or error.lasting or self.clock.monotonic() + delay >= until:
                    raise
                self.sleep(delay, self.clean(error.message))
                continue
            if reply.status != 429:
                return reply
            asked = retry_after(reply.headers.get("Retry-After"), self.clock.now())
            delay = backoff(self.rng, tries) if asked is None else asked
            log.info("%s %s: answered 429, all calls wait %.1f s", method, _shown(path), delay)
            self.pause.extend(delay)
            if not delay:  # "Retry-After: 0" again and again must not become a storm
                self.sleep(backoff(self.rng, tries), "the API asks to come again")
            if self.clock.monotonic() + delay >= until:
                return reply

    def sleep(self, duration_s: float, why: str) -> None:
        """Wait before another try, and say so; raises `StoppedError`."""
        log.info("trying again in %.1f s: %s", duration_s, why)
        self.on_wait(f"{why}; trying again")
        if self.clock.sleep(duration_s, self.stop):
            raise StoppedError

    def _exchange(self, method: str, path: str, body: bytes | None) -> Reply:
        """Send once, and log what came of it and after how long."""
        headers = self.headers if body is None else {**self.headers, "Content-Type": "application/json"}
        began = self.clock.monotonic()
        outcome: object = "no answer"
        try:
            reply = self.transport.exchange(method, self.base + path, headers, body)
            outcome = reply.status
        except ExchangeError as error:
            outcome = error.code if error.status is None else f"{error.status}, {error.code}"
            if error.status == 429:
                return Reply(429, "", {}, b"")  # it was refused, whatever its body was to say
            raise
        else:
            return reply
        finally:
            self.on_call(method, str(outcome))
            log.debug("%s %s: %s in %.0f ms", method, _shown(path), outcome, (self.clock.monotonic() - began) * 1000)


def _shown(path: str) -> str:
    """Return `path` as the log shows it, without its query."""
    return path.partition("?")[0]
