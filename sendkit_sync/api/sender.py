"""Sends a call, and again while that is safe: the one place where calls are retried."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ..core.ports import Clock, Rng
from .network_errors import ExchangeError
from .retry import Pause, backoff, giving_up, retry_after, seconds
from .server_clock import ServerClock
from .transport import Reply, Transport

log = logging.getLogger(__name__)

REPEATS = 3
"""How often a call that may be repeated is sent, while its responses tell nothing."""

Doubtful = Callable[[Reply], bool]
"""Tells whether a response leaves open what became of the call."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `repeat_if` is set if it may be sent again although it may have been carried out: reads, updates."""

    method: str
    path: str
    body: bytes | None = None
    repeat_if: Doubtful | None = None

    @property
    def shown(self) -> str:
        """The call as the log shows it, without its query."""
        return f"{self.method} {self.path.partition('?')[0]}"


class StoppedError(Exception):
    """A wait ended because the run is stopped; `sent` tells whether an attempt may have been carried out before."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the run was stopped")
        self.sent = sent


@dataclass(slots=True)
class _Attempts:
    """What became of the attempts of one call up to now; `until` is when the last one may begin."""

    number: int = 0
    unknown: int = 0
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Calls to the API at `base`, all with `headers`; durations in seconds.

    A `pause` that one of them is asked for holds for all. `clean` takes out of a text what may not be logged.
    """

    base: str
    headers: Mapping[str, str]
    transport: Transport
    clock: Clock
    server_clock: ServerClock
    rng: Rng
    stop: threading.Event
    pause: Pause
    retry_for_s: float
    on_wait: Callable[[str], None]
    on_call: Callable[[str, str], None]
    clean: Callable[[str], str]

    def send(self, call: Call, before_attempt: Callable[[], None] = lambda: None) -> Reply:
        """Return the response; a 429 only once `retry_for_s` is over, a doubtful one only after the last attempt.

        Calls `before_attempt` before each attempt but an immediate first one. Raises `ExchangeError` and
        `StoppedError`. Their `sent`, and the reply's `repeated`, tell that an earlier attempt may have been carried out.
        """
        attempts = _Attempts()
        while True:
            delayed = self.pause.left() > 0
            if not self.pause.wait():
                raise StoppedError(sent=attempts.unknown > 0)
            if attempts.number or delayed:
                before_attempt()  # its time counts from here: `--resend-after` must not run while the request waits
            if attempts.until is None:
                attempts.until = self.clock.monotonic() + self.retry_for_s
            attempts.number += 1
            try:
                reply = self._exchange(call)
            except ExchangeError as error:
                if not self._may_retry(call, error, attempts):
                    error.sent = error.sent or attempts.unknown > 0
                    raise
                continue
            if not self._again(call, reply, attempts):
                return replace(reply, repeated=True) if attempts.unknown else reply

    def _may_retry(self, call: Call, error: ExchangeError, attempts: _Attempts) -> bool:
        """Tell whether a call without a whole response is to be sent again, after waiting for it."""
        delay = backoff(self.rng, attempts.number)
        if error.sent:
            return call.repeat_if is not None and self._repeat(delay, self.clean(error.message), attempts)
        left_s = (attempts.until or 0.0) - self.clock.monotonic()
        if error.lasting or delay >= left_s:
            return False
        self._sleep(delay, f"{self.clean(error.message)}; trying again in {seconds(delay)}, {giving_up(left_s)}", attempts)
        return True

    def _again(self, call: Call, reply: Reply, attempts: _Attempts) -> bool:
        """Tell whether an answered call is to be sent again, after waiting for it."""
        if reply.status == 429:
            return self._wait_as_asked(call, reply, attempts)
        if call.repeat_if is not None and call.repeat_if(reply):
            return self._repeat(backoff(self.rng, attempts.number), f"the API answered {reply.status}", attempts)
        return False

    def _repeat(self, delay: float, reason: str, attempts: _Attempts) -> bool:
        attempts.unknown += 1
        if attempts.unknown >= REPEATS:
            return False
        again = f"trying again in {seconds(delay)}, attempt {attempts.unknown + 1} of {REPEATS}"
        self._sleep(delay, f"{reason}; {again}", attempts)
        return True

    def _wait_as_asked(self, call: Call, reply: Reply, attempts: _Attempts) -> bool:
        asked = retry_after(reply.headers.get("Retry-After"), self.server_clock.now())
        delay = backoff(self.rng, attempts.number) if asked is None else asked
        left_s = (attempts.until or 0.0) - self.clock.monotonic()
        log.info("%s: answered 429, all calls wait %.1f s", call.shown, delay)
        self.pause.extend(delay, left_s)
        if not delay:  # "Retry-After: 0" again and again must not become a storm
            delay = backoff(self.rng, attempts.number)
            self._sleep(delay, f"the API asks to come again; trying again in {seconds(delay)}, {giving_up(left_s)}", attempts)
            return self.clock.monotonic() < (attempts.until or 0.0)
        return delay < left_s

    def _sleep(self, duration_s: float, text: str, attempts: _Attempts) -> None:
        log.info("%s", text)
        self.on_wait(text)
        if self.clock.sleep(duration_s, self.stop):
            raise StoppedError(sent=attempts.unknown > 0)

    def _exchange(self, call: Call) -> Reply:
        """Send once, and log the response and how long it took."""
        headers = self.headers if call.body is None else {**self.headers, "Content-Type": "application/json"}
        began = self.clock.monotonic()
        outcome: object = "no answer"
        try:
            reply = self.transport.exchange(call.method, self.base + call.path, headers, call.body)
            outcome = reply.status
            self.server_clock.observe(reply.headers)
        except ExchangeError as error:
            outcome = error.code if error.status is None else f"{error.status}, {error.code}"
            if error.status == 429:
                return Reply(429, "", {}, b"")  # it was refused, whatever its body was to say
            raise
        else:
            return reply
        finally:
            self.on_call(call.method, str(outcome))
            log.debug("%s: %s in %.0f ms", call.shown, outcome, (self.clock.monotonic() - began) * 1000)
