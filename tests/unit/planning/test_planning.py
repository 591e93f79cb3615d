"""What holds for every plan, whatever is desired and recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st

from sendkit_sync.core.model import (
    ActionKind,
    DesiredWebhook,
    Intent,
    Secret,
    SecretOrigin,
    Settings,
    State,
    StoredSecret,
    WebhookRecord,
)
from sendkit_sync.planning.limits import exceeded_limits
from sendkit_sync.planning.plan import LiveSide, Plan
from sendkit_sync.planning.planner import make_plan
from sendkit_sync.render.html import plan_html
from sendkit_sync.render.json import dump, plan_document
from sendkit_sync.render.markdown import plan_markdown
from sendkit_sync.render.text import plan_text

API = "https://api.sendkit.ai"
EVENTS = ("email.bounced", "email.opened", "email.replied", "email.sent")
names = st.one_of(st.sampled_from(["A", "B", "CRM Sync", "a b"]), st.text(min_size=1, max_size=8))
settings = st.builds(
    Settings,
    st.sampled_from([f"https://{host}.example.com/in" for host in "abc"]),
    st.sets(st.sampled_from(EVENTS), min_size=1).map(lambda found: tuple(sorted(found))),
    st.none() | st.integers(0, 5),
    st.none() | st.sampled_from([1000, 10_000]),
)
secrets = st.integers(0, 3).map(lambda number: Secret(f"canary-{number}-of-a-secret"))
webhooks = st.builds(DesiredWebhook, names, settings, st.none() | secrets)
desired_lists = st.lists(webhooks, max_size=6, unique_by=lambda webhook: webhook.name)
stored = st.builds(StoredSecret, st.sampled_from(SecretOrigin), secrets)


def recorded_as(webhook: DesiredWebhook, kept: StoredSecret | None, number: int) -> WebhookRecord:
    """Return the record that an apply of `webhook` leaves behind."""
    secret = kept if webhook.secret is None else StoredSecret(SecretOrigin.CONFIG, webhook.secret)
    return WebhookRecord(f"wh_{number}", webhook.settings, webhook.settings.effective(), webhook.name, secret)


@st.composite
def states(draw: st.DrawFn) -> State:
    recorded = {
        webhook.name: recorded_as(webhook, draw(st.none() | stored), number)
        for number, webhook in enumerate(draw(desired_lists))
    }
    pending = {}
    for webhook in draw(desired_lists):
        kind = ActionKind.UPDATE if webhook.name in recorded else ActionKind.CREATE
        intent = Intent("op", kind, webhook.name, 1.0, webhook.settings, draw(stored), expired=draw(st.booleans()))
        pending[webhook.name] = (intent,)
    return State("lineage", 1, API, None, recorded, pending)


def plan_of(desired: list[DesiredWebhook], state: State | None) -> Plan:
    return make_plan(desired, state, api=API, config_digest="digest")


@running(deadline=None)
@given(desired_lists, st.none() | states(), st.randoms())
def test_order_of_the_config_means_nothing(desired, state, random):
    shuffled = random.sample(desired, len(desired))
    assert plan_of(shuffled, state) == plan_of(desired, state)


@running(deadline=None)
@given(desired_lists, st.data())
def test_what_is_recorded_as_desired_needs_nothing(desired, data):
    recorded = {
        webhook.name: recorded_as(webhook, data.draw(st.none() | stored), number) for number, webhook in enumerate(desired)
    }
    plan = plan_of(desired, State("lineage", 1, API, None, recorded))
    assert (plan.actions, plan.orphans, plan.unresolved, plan.expired) == ((), (), (), ())
    assert not plan.pending
    assert plan.unchanged == len(desired)


@running(deadline=None)
@given(desired_lists, states())
def test_a_default_written_out_is_no_change(desired, state):
    written = [replace(webhook, settings=webhook.settings.effective()) for webhook in desired]
    assert plan_of(written, state) == plan_of(desired, state)


@running(deadline=None)
@given(desired_lists, st.none() | states())
def test_no_form_of_a_plan_shows_a_secret(desired, state):
    plan = plan_of(desired, state)
    shown = (dump(plan_document(plan)), plan_text(plan, colour=True), plan_markdown(plan), plan_html(plan))
    for text in shown:
        assert "canary" not in text


@pytest.mark.parametrize(
    ("recorded", "gone", "refused"),
    [(2, 1, False), (2, 2, True), (1, 1, True), (9, 8, False), (10, 3, False), (10, 4, True), (1000, 301, True)],
)
def test_all_or_over_thirty_percent_of_ten_gone_at_once_needs_force(recorded: int, gone: int, refused: bool):
    desired = [
        DesiredWebhook(f"{number:04}", Settings(f"https://{number}.example.com/", ("email.sent",)))
        for number in range(recorded)
    ]
    state = State("lineage", 1, API, None, {hook.name: recorded_as(hook, None, number) for number, hook in enumerate(desired)})
    ids = frozenset(f"wh_{number}" for number in range(gone))
    plan = make_plan(desired, state, api=API, config_digest="digest", live=LiveSide({}, ids))
    assert plan.count(ActionKind.CREATE) == gone
    assert bool(exceeded_limits(plan, wanted=recorded, recorded=recorded)) is refused
