"""SendKit in memory, as `applying` sees it: each call meets the fate that the schedule gave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sendkit_sync.core.errors import ApiError, ApiUnreachableError, ErrorCode, NoEndpointError
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import LiveWebhook, Secret
from sendkit_sync.core.outcomes import Failed, FailureCode, Outcome, Succeeded, Unknown
from support.world import FakeClock, World

LATE_S = 120.0
"""How long a call may still be under way after its client gave up; `--resend-after` must be longer."""


class Fate(StrEnum):
    """What becomes of a call: whether it happens, and what its client hears."""

    FINE = "fine"
    RETRIED = "retried"
    """Twice the request could not be sent; then fine."""
    REFUSED = "refused"
    """422, or for a delete 404, although nothing happened."""
    KEY_REFUSED = "key-refused"
    REDIRECTED_BEFORE = "redirected-before"
    REDIRECTED_AFTER = "redirected-after"
    UNREACHABLE = "unreachable"
    LOST_BEFORE = "lost-before"
    """No answer, and nothing happened."""
    LOST_AFTER = "lost-after"
    """No answer, and it happened."""
    LATE = "late"
    """No answer, and it happens after the client gave up."""
    CONFLICT_BEFORE = "conflict-before"
    CONFLICT_AFTER = "conflict-after"
    ANOTHER = "another"
    """It happened, and the answer shows some other webhook."""
    REWRITTEN = "rewritten"
    """It happened, and the answer shows another URL and a masked secret."""


ANSWERED = (Fate.FINE, Fate.RETRIED, Fate.REWRITTEN)
"""Updates and deletes that are answered as they should be."""
NOTHING_HAPPENED = (Fate.LOST_BEFORE, Fate.CONFLICT_BEFORE, Fate.REDIRECTED_BEFORE)


@dataclass(slots=True)
class Server:
    """What SendKit holds; it outlives the runs. Every webhook in it was made by the tool."""

    clock: FakeClock
    masked: bool = False
    listing: bool = True
    lag_s: float = 0.0
    made: int = 0
    live: dict[str, LiveWebhook] = field(default_factory=dict)
    visible_at: dict[str, float] = field(default_factory=dict)
    under_way: list[tuple[float, LiveWebhook]] = field(default_factory=list)

    def new(self, name: str, settings: Settings, secret: Secret | None) -> LiveWebhook:
        self.made += 1
        drawn = secret if secret is not None else Secret(f"server-secret-{self.made}")
        return LiveWebhook(f"{self.made:024x}", name, settings, drawn, status="active")

    def add(self, live: LiveWebhook, *, visible: bool = False) -> None:
        self.live[live.id] = live
        self.visible_at[live.id] = self.clock.steady + (0.0 if visible else self.lag_s)

    def arrive(self) -> None:
        """Let what was under way happen, where its time has come."""
        for entry in [entry for entry in self.under_way if entry[0] <= self.clock.steady]:
            self.under_way.remove(entry)
            self.live[entry[1].id] = entry[1]
            self.visible_at[entry[1].id] = entry[0] + self.lag_s

    def everything(self) -> list[LiveWebhook]:
        """Return all webhooks that are live or yet to come."""
        return [*self.live.values(), *(live for _, live in self.under_way)]

    def shown(self, live: LiveWebhook) -> LiveWebhook:
        return replace(live, secret=None, secret_masked=True) if self.masked else live


class FakeApi:
    """The `Api` of one run; `fates` are used up in the order of the calls, and then all is fine."""

    def __init__(self, server: Server, world: World, fates: Sequence[Fate] = (), list_fates: Sequence[Fate] = ()) -> None:
        self._server = server
        self._world = world
        self._fates = list(reversed(fates))
        self._list_fates = list(reversed(list_fates))

    def create(self, name: str, settings: Settings, secret: Secret | None, before_attempt: Callable[[], None]) -> Outcome:
        fate = self._fates.pop() if self._fates else Fate.FINE
        self._retries(fate, before_attempt)
        refusal = _refusal(fate)
        if refusal is None:
            made = self._server.new(name, settings, secret)
            if fate is Fate.LATE:
                self._server.under_way.append((self._server.clock.steady + LATE_S, made))
            elif fate not in NOTHING_HAPPENED:
                # A server that says "taken" or "look there" and hides what it made cannot be told from one that made nothing.
                self._server.add(made, visible=fate in (Fate.CONFLICT_AFTER, Fate.REDIRECTED_AFTER))
        self._world.step("answer")
        if refusal is not None:
            return refusal
        match fate:
            case Fate.FINE | Fate.RETRIED:
                return Succeeded(made)
            case Fate.REWRITTEN:
                there = replace(settings, url=settings.url + "/", retry_attempts=3, timeout_ms=10_000)
                return Succeeded(replace(made, settings=there, secret=None, secret_masked=True))
            case Fate.ANOTHER:
                return Succeeded(replace(made, id="f" * 24, name="someone else's", secret=None))
            case Fate.CONFLICT_BEFORE | Fate.CONFLICT_AFTER:
                return Unknown(FailureCode.CONFLICT, "taken", 409)
            case Fate.REDIRECTED_BEFORE | Fate.REDIRECTED_AFTER:
                return Unknown(FailureCode.REDIRECT, "look there", 303)
            case _:
                return Unknown(FailureCode.TIMEOUT, "no answer")

    def update(self, webhook_id: str, fields: Mapping[str, object], before_attempt: Callable[[], None]) -> Outcome:
        fate = self._fates.pop() if self._fates else Fate.FINE
        self._retries(fate, before_attempt)
        refusal = _refusal(fate)
        live = self._server.live.get(webhook_id)
        if refusal is None and live is None:
            refusal = Failed(FailureCode.NOT_FOUND, "no such webhook", 404)
        happens = refusal is None and fate not in (*NOTHING_HAPPENED, Fate.LATE)
        if happens and live is not None:
            live = _patched(live, fields)
            self._server.live[webhook_id] = live
        self._world.step("answer")
        if refusal is not None:
            return refusal
        return Succeeded(live) if fate in ANSWERED else Unknown(FailureCode.TIMEOUT, "no answer")

    def delete(self, webhook_id: str, before_attempt: Callable[[], None]) -> Outcome:
        fate = self._fates.pop() if self._fates else Fate.FINE
        self._retries(fate, before_attempt)
        refusal = Failed(FailureCode.NOT_FOUND, "not found", 404) if fate is Fate.REFUSED else _refusal(fate)
        if refusal is None and fate not in (*NOTHING_HAPPENED, Fate.LATE):
            self._server.live.pop(webhook_id, None)
        self._world.step("answer")
        if refusal is not None:
            return refusal
        return Succeeded(None) if fate in ANSWERED else Unknown(FailureCode.TIMEOUT, "no answer")

    def list(self) -> Sequence[LiveWebhook]:
        self._read()
        if not self._server.listing:
            raise NoEndpointError(ErrorCode.NO_ENDPOINT, "no list", status=405)
        now = self._server.clock.steady
        return tuple(self._server.shown(live) for live in self._server.live.values() if self._server.visible_at[live.id] <= now)

    def get(self, webhook_id: str) -> LiveWebhook | None:
        self._read()
        live = self._server.live.get(webhook_id)
        return None if live is None else self._server.shown(live)

    def workspaces(self) -> Sequence[str]:
        self._read()
        raise NoEndpointError(ErrorCode.NO_ENDPOINT, "no list of workspaces", status=404)

    def now(self) -> float:
        return self._world.clock.now()

    def _read(self) -> None:
        self._world.step("read")
        self._server.arrive()
        fate = self._list_fates.pop() if self._list_fates else Fate.FINE
        if fate is Fate.UNREACHABLE:
            raise ApiUnreachableError(ErrorCode.API_UNREACHABLE, "the server cannot be reached")
        if fate is not Fate.FINE:
            raise ApiError(ErrorCode.API_ERROR, "the API answered 500", status=500)

    def _retries(self, fate: Fate, before_attempt: Callable[[], None]) -> None:
        for _ in range(2 if fate is Fate.RETRIED else 0):
            self._world.clock.advance(1.0)
            before_attempt()
        self._world.step("send")
        self._server.arrive()


def _refusal(fate: Fate) -> Failed | None:
    match fate:
        case Fate.REFUSED:
            return Failed(FailureCode.REJECTED, "unprocessable", 422)
        case Fate.KEY_REFUSED:
            return Failed(FailureCode.KEY_REFUSED, "key refused", 401, stops_run=True)
        case Fate.UNREACHABLE:
            return Failed(FailureCode.UNREACHABLE, "the server cannot be reached", unreachable=True)
        case _:
            return None


def _patched(live: LiveWebhook, fields: Mapping[str, object]) -> LiveWebhook:
    names = {"url": "url", "events": "events", "retryAttempts": "retry_attempts", "timeoutMs": "timeout_ms"}
    changed = {names[key]: value for key, value in fields.items() if key in names}
    if "events" in changed:
        changed["events"] = tuple(changed["events"])  # type: ignore[arg-type]
    name, secret = fields.get("name", live.name), fields.get("secret", live.secret)
    assert isinstance(name, str)
    assert isinstance(secret, Secret)
    return replace(live, name=name, secret=secret, settings=replace(live.settings, **changed))  # type: ignore[arg-type]
