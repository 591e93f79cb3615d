"""What holds for every plan, whatever is desired and recorded."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st

from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, DesiredWebhook, State
from sendkit_sync.planning.limits import exceeded_limits, refusals
from sendkit_sync.planning.plan import LiveSide
from sendkit_sync.planning.planner import make_plan
from sendkit_sync.planning.scope import PlanScope
from sendkit_sync.render.html import plan_html
from sendkit_sync.render.json import dump, plan_document
from sendkit_sync.render.markdown import plan_markdown
from sendkit_sync.render.text import plan_text
from support.strategies import API, desired_lists, plan_of, recorded_as, states, stored


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
    assert bool(exceeded_limits(plan)) is refused


def test_a_plan_says_what_an_apply_would_refuse():
    hooks = [DesiredWebhook(f"{n:02}", Settings(f"https://{n}.example.com/", ("email.sent",))) for n in range(10)]
    state = State("lineage", 1, API, None, {hook.name: recorded_as(hook, None, n) for n, hook in enumerate(hooks)})
    plan = make_plan(hooks[:6], state, api=API, config_digest="digest", options=PlanScope(prune=True))
    found = refusals(plan, max_changes=3)
    assert [(one.code, one.name) for one in found] == [("limits_exceeded", None), ("too_many_changes", None)]
    assert plan_document(plan)["refusals"] == [
        {"code": "limits_exceeded", "name": None, "message": "4 of 10 recorded webhooks would be deleted"}
    ]
    for text in (plan_text(plan, colour=False), plan_markdown(plan), plan_html(plan)):
        assert "4 of 10 recorded webhooks would be deleted" in html.unescape(text)
    allowed = make_plan(hooks[:8], state, api=API, config_digest="digest", options=PlanScope(prune=True))
    assert refusals(allowed) == ()


def test_a_long_list_of_names_is_one_line_unless_all_is_asked_for():
    hooks = [DesiredWebhook(f"{n:02}", Settings(f"https://{n}.example.com/", ("email.sent",))) for n in range(10)]
    state = State("lineage", 1, API, None, {hook.name: recorded_as(hook, None, n) for n, hook in enumerate(hooks)})
    plan = make_plan([], state, api=API, config_digest="digest")
    short, whole = plan_text(plan, colour=False, whole=False), plan_text(plan, colour=False)
    assert "and 9 more; -v lists all" in short
    assert '"09"' not in short
    assert all(f'"{hook.name}"' in whole for hook in hooks)
