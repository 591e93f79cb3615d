"""A plan says where each secret comes from that is sent, and nothing else is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sendkit_sync.applying.create import Creator
from sendkit_sync.applying.update import Updater
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, DesiredWebhook, Intent, Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from sendkit_sync.core.outcomes import Failed, FailureCode
from sendkit_sync.planning.plan import Action, LiveSide, Plan, SecretSource
from sendkit_sync.planning.planner import make_plan
from sendkit_sync.secrets.clear import ClearCipher
from support.strategies import API
from support.world import CountingRng

SETTINGS = Settings("https://crm.example.com/in", ("email.sent",))
IN_STATE, GIVEN = "a-secret-of-the-state", "a-secret-of-the-config"
PLAIN = DesiredWebhook("CRM", SETTINGS)
SUPPLIED = DesiredWebhook("CRM", SETTINGS, Secret(GIVEN), "env:SENDKIT_SECRET_CRM")
SERVER = DesiredWebhook("CRM", SETTINGS, None, "server")
EMPTY = State("lineage", 1, API)
LIVE, GONE = LiveSide({}), LiveSide({}, frozenset({"wh_1"}))


def stored(origin: SecretOrigin) -> StoredSecret:
    return StoredSecret(origin, Secret(IN_STATE))


def recorded(origin: SecretOrigin = SecretOrigin.GENERATED) -> State:
    record = WebhookRecord("wh_1", SETTINGS, SETTINGS, "CRM", stored(origin))
    return State("lineage", 1, API, None, {"CRM": record})


def attempted(kind: ActionKind, state: State = EMPTY, origin: SecretOrigin = SecretOrigin.GENERATED) -> State:
    webhook_id = "wh_1" if kind is ActionKind.UPDATE else None
    return replace(
        state, pending={"CRM": (Intent("op", kind, "CRM", 1.0, SETTINGS, stored(origin), webhook_id, expired=True),)}
    )


CASES: dict[str, tuple[DesiredWebhook, State | None, LiveSide, SecretSource | None]] = {
    "new": (PLAIN, None, LIVE, SecretSource.GENERATED),
    "new, supplied": (SUPPLIED, None, LIVE, SecretSource.CONFIG),
    "new, supplied but unset": (replace(SUPPLIED, secret=None), None, LIVE, SecretSource.CONFIG),
    "new, left to the server": (SERVER, None, LIVE, SecretSource.SERVER),
    "tried before": (PLAIN, attempted(ActionKind.CREATE), LIVE, SecretSource.ATTEMPT),
    "tried before, supplied by now": (SUPPLIED, attempted(ActionKind.CREATE), LIVE, SecretSource.CONFIG),
    "tried before, supplied then": (
        PLAIN,
        attempted(ActionKind.CREATE, origin=SecretOrigin.CONFIG),
        LIVE,
        SecretSource.GENERATED,
    ),
    "staged": (PLAIN, replace(EMPTY, staged={"CRM": stored(SecretOrigin.GENERATED)}), LIVE, SecretSource.STAGED),
    "gone": (PLAIN, recorded(), GONE, SecretSource.RECORDED),
    "gone, supplied then": (PLAIN, recorded(SecretOrigin.CONFIG), GONE, SecretSource.GENERATED),
    "another URL": (replace(PLAIN, settings=replace(SETTINGS, url="https://b.example.com/")), recorded(), LIVE, None),
    "another secret": (SUPPLIED, recorded(), LIVE, SecretSource.CONFIG),
    "rotated without an answer": (PLAIN, attempted(ActionKind.UPDATE, recorded()), LIVE, SecretSource.ATTEMPT),
    "changed without an answer, supplied": (SUPPLIED, attempted(ActionKind.UPDATE, recorded()), LIVE, SecretSource.CONFIG),
}


def plan_of(webhook: DesiredWebhook, state: State | None, live: LiveSide) -> Plan:
    return make_plan([webhook], state, api=API, config_digest="digest", live=live)


def sent(action: Action, state: State) -> Secret | None:
    """Return the secret that carrying out `action` sends."""
    calls: list[Secret | None] = []

    class Api:
        def create(self, name: str, settings: Settings, secret: Secret | None, again: object) -> Failed:
            calls.append(secret)
            return Failed(FailureCode.REJECTED, "x")

        def update(self, webhook_id: str, fields: Any, again: object) -> Failed:
            calls.append(fields.get("secret"))
            return Failed(FailureCode.REJECTED, "x")

        def now(self) -> float:
            return 0.0

    class Ledger:
        def __init__(self) -> None:
            self.state = state

        def begin(self, intent: Intent) -> None: ...

        def drop(self, intent: Intent) -> None: ...

        def pending_of(self, name: str) -> tuple[Intent, ...]:
            return state.pending.get(name, ())

        def staged_of(self, name: str) -> StoredSecret | None:
            return state.staged.get(name)

        def updates_of(self, webhook_id: str) -> list[Intent]:
            return state.updates_of(webhook_id)

    api, ledger = Api(), Ledger()
    assert action.desired is not None
    parts: Any = (api, ledger, ClearCipher(), CountingRng())
    if action.kind is ActionKind.CREATE:
        source = action.secret_source or SecretSource.GENERATED
        server = action.desired.secret_origin == "server"
        Creator(*parts, server).create(action.desired, (), former=action.recorded, source=source)
    else:
        Updater(*parts).update(action)
    return calls[0]


@pytest.mark.parametrize("case", CASES)
def test_a_plan_says_where_a_secret_comes_from(case: str):
    webhook, state, live, source = CASES[case]
    (action,) = plan_of(webhook, state, live).actions
    assert action.secret_source is source
    assert plan_of(webhook, state, live).secrets_from_state == ((("CRM", source),) if source and source.from_state else ())


@pytest.mark.parametrize("case", [case for case in CASES if "unset" not in case])
def test_the_secret_that_is_sent_comes_from_there(case: str):
    webhook, state, live, source = CASES[case]
    (action,) = plan_of(webhook, state, live).actions
    secret = sent(action, state or EMPTY)
    if source is None or source is SecretSource.SERVER:
        assert secret is None
    else:
        assert secret is not None
        assert secret.reveal() == {SecretSource.CONFIG: GIVEN, SecretSource.GENERATED: f"{1:064x}"}.get(source, IN_STATE)


@pytest.mark.parametrize(
    ("shown", "state", "live"),
    [
        pytest.param(None, attempted(ActionKind.CREATE), LIVE, id="an attempt to create it"),
        pytest.param(None, attempted(ActionKind.CREATE, recorded()), GONE, id="an attempt to create it again"),
        pytest.param(None, recorded(), GONE, id="the record"),
        pytest.param(attempted(ActionKind.CREATE), recorded(), GONE, id="the record in place of an attempt"),
    ],
)
def test_a_secret_of_the_state_that_the_plan_did_not_show_is_not_sent(shown: State | None, state: State, live: LiveSide):
    (action,) = plan_of(PLAIN, shown, LIVE).actions
    secret = sent(replace(action, recorded=state.webhooks.get("CRM")), state)
    assert secret is not None
    assert secret.reveal() != IN_STATE


def test_an_unanswered_rotation_that_the_plan_did_not_show_is_not_sent():
    state = attempted(ActionKind.UPDATE, recorded())
    (action,) = plan_of(PLAIN, state, LIVE).actions
    assert sent(replace(action, secret_source=None), state) is None
