"""Sends a call, and again while it is sure that nothing was done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from ..clock import Clock, Dice
from .retry import Pause, backoff, retry_after
from .transport import ExchangeError, Reply, Transport

log = logging.getLogger(__name__)


class StoppedError(Exception):
    """A wait ended because the run is stopped; the call was not made."""


class Sender:
    """Calls to the API at `base`; a pause that one of them is asked for holds for all. Durations in seconds.

    `clean` takes out of a text what may not be logged.
    """

    def __init__(
        self,
        base: str,
        transport: Transport,
        clock: Clock,
        dice: Dice,
        stop: threading.Event,
        retry_for_s: float,
        on_wait: Callable[[str], None],
        on_call: Callable[[str, str], None],
        clean: Callable[[str], str],
    ) -> None:
        self._base = base
        self._transport = transport
        self._clock = clock
        self._dice = dice
        self._stop = stop
        self._retry_for_s = retry_for_s
        self._on_wait = on_wait
        self._on_call = on_call
        self._clean = clean
        self._pause = Pause(clock, stop, on_wait)

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, before_resend: Callable[[], None]
    ) -> Reply:
        """Return the answer, a 429 only where `retry_for_s` is over; raises `ExchangeError` and `StoppedError`."""
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        tries = 0
        until: float | None = None
        while True:
            delayed = self._pause.left() > 0
            if not self._pause.wait():
                raise StoppedError
            if tries or delayed:
                before_resend()  # its time counts from here: `--resend-after` must not run while the request waits
            if until is None:
                until = self._clock.monotonic() + self._retry_for_s
            tries += 1
            try:
                reply = self._exchange(method, path, headers, body)
            except ExchangeError as error:
                delay = backoff(self._dice, tries)
                if error.sent or error.lasting or self._clock.monotonic() + delay >= until:
                    raise
                self.sleep(delay, self._clean(error.message))
                continue
            if reply.status != 429:
                return reply
            asked = retry_after(reply.headers.get("Retry-After"), self._clock.now())
            delay = backoff(self._dice, tries) if asked is None else asked
            log.info("%s %s: answered 429, all calls wait %.1f s", method, _shown(path), delay)
            self._pause.extend(delay)
            if not delay:  # "Retry-After: 0" again and again must not become a storm
                self.sleep(backoff(self._dice, tries), "the API asks to come again")
            if self._clock.monotonic() + delay >= until:
                return reply

    def sleep(self, duration_s: float, why: str) -> None:
        """Wait before another try, and say so; raises `StoppedError`."""
        log.info("trying again in %.1f s: %s", duration_s, why)
        self._on_wait(f"{why}; trying again")
        if self._clock.sleep(duration_s, self._stop):
            raise StoppedError

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send once, and log what came of it and after how long."""
        began = self._clock.monotonic()
        outcome: object = "no answer"
        try:
            reply = self._transport.exchange(method, self._base + path, headers, body)
            outcome = reply.status
        except ExchangeError as error:
            outcome = error.code if error.status is None else f"{error.status}, {error.code}"
            if error.status == 429:
                return Reply(429, "", {}, b"")  # it was refused, whatever its body was to say
            raise
        else:
            return reply
        finally:
            self._on_call(method, str(outcome))
            log.debug("%s %s: %s in %.0f ms", method, _shown(path), outcome, (self._clock.monotonic() - began) * 1000)


def _shown(path: str) -> str:
    """Return `path` as the log shows it, without its query."""
    return path.partition("?")[0]
