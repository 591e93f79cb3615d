"""How each webhook stands, from what is desired, recorded and live; and what of it is a problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import (
    ActionKind,
    DeliveryStats,
    DesiredWebhook,
    Intent,
    LiveWebhook,
    Secret,
    SecretOrigin,
    State,
    StoredSecret,
    WebhookRecord,
)
from sendkit_sync.planning.plan import LiveSide
from sendkit_sync.planning.planner import make_plan
from sendkit_sync.planning.status import Problem, SecretHealth, Status, Sync, WebhookStatus, WorkspaceStatus, workspace_status
from support.strategies import API

SETTINGS = Settings("https://crm.example.com/in", ("email.sent",))
OTHER = Settings("https://other.example.com/in", ("email.sent",))
SECRET = StoredSecret(SecretOrigin.GENERATED, Secret("a-secret-of-the-state"))
RECORD = WebhookRecord("wh_1", SETTINGS, SETTINGS, "CRM", SECRET)
LIVE = LiveWebhook("wh_1", "CRM", SETTINGS, status="active", stats=DeliveryStats(3, 1))
CRM = DesiredWebhook("CRM", SETTINGS)


def intent(kind: ActionKind, *, expired: bool = False) -> Intent:
    return Intent("op", kind, "CRM", 1.0, SETTINGS, SECRET, None if kind is ActionKind.CREATE else "wh_1", expired=expired)


def look(
    desired: Sequence[DesiredWebhook] = (CRM,),
    webhooks: Mapping[str, WebhookRecord] | None = None,
    live: Sequence[LiveWebhook] | None = (LIVE,),
    gone: Sequence[str] = (),
    pending: Sequence[Intent] = (),
    staged: Sequence[str] = (),
) -> WorkspaceStatus:
    """Return the status of a workspace in which all is well but for what is given."""
    recorded = {"CRM": RECORD} if webhooks is None else webhooks
    intents = {"CRM": tuple(pending)} if pending else {}
    state = State("lineage", 1, API, "ws_1", recorded, intents, dict.fromkeys(staged, SECRET))
    side = None if live is None else LiveSide({one.id: one for one in live}, frozenset(gone))
    plan = make_plan(desired, state, api=API, config_digest="", live=side)
    return workspace_status(plan, desired, state, side, address="sendkit.state.json")


def one(status: WorkspaceStatus, name: str = "CRM") -> WebhookStatus:
    return {webhook.name: webhook for webhook in status.webhooks}[name]


CASES: dict[str, tuple[WorkspaceStatus, Sync, tuple[Problem, ...]]] = {
    "as it should be": (look(), Sync.IN_SYNC, ()),
    "not read": (look(live=None), Sync.IN_SYNC, ()),
    "not recorded": (look(webhooks={}, live=()), Sync.NOT_CREATED, (Problem.MISSING,)),
    "gone": (look(live=(), gone=["wh_1"]), Sync.GONE, (Problem.DRIFT, Problem.MISSING)),
    "changed outside": (look(live=[replace(LIVE, settings=OTHER)]), Sync.DRIFTED, (Problem.DRIFT,)),
    "changed outside, to what the config asks for": (
        look([replace(CRM, settings=OTHER)], live=[replace(LIVE, settings=OTHER)]),
        Sync.DRIFTED,
        (Problem.DRIFT,),
    ),
    "changed in the config": (look([replace(CRM, settings=OTHER)]), Sync.PENDING, ()),
    "no longer in the config": (look([]), Sync.ORPHAN, ()),
    "a create without an outcome": (
        look(webhooks={}, live=(), pending=[intent(ActionKind.CREATE)]),
        Sync.UNRESOLVED,
        (Problem.UNRESOLVED,),
    ),
    "an expired create": (
        look(webhooks={}, live=(), pending=[intent(ActionKind.CREATE, expired=True)]),
        Sync.NOT_CREATED,
        (Problem.MISSING,),
    ),
    "an update without an outcome": (look(pending=[intent(ActionKind.UPDATE)]), Sync.UNRESOLVED, (Problem.UNRESOLVED,)),
    "a delete without an outcome": (look([], pending=[intent(ActionKind.DELETE)]), Sync.UNRESOLVED, (Problem.UNRESOLVED,)),
    "inactive": (look(live=[replace(LIVE, status="inactive")]), Sync.IN_SYNC, (Problem.INACTIVE,)),
    "without its secret": (look(webhooks={"CRM": replace(RECORD, secret=None)}), Sync.IN_SYNC, (Problem.MISSING,)),
    "inactive, changed, and without its secret": (
        look(webhooks={"CRM": replace(RECORD, secret=None)}, live=[replace(LIVE, status="inactive", settings=OTHER)]),
        Sync.DRIFTED,
        (Problem.INACTIVE, Problem.DRIFT, Problem.MISSING),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_webhook_stands_as_config_state_and_sendkit_say(case: str):
    status, sync, problems = CASES[case]
    assert one(status).sync is sync
    assert one(status).problems == problems


def test_every_way_to_stand_and_every_problem_is_covered():
    assert {sync for _, sync, _ in CASES.values()} == set(Sync)
    assert {problem for _, _, problems in CASES.values() for problem in problems} == set(Problem)


def test_a_renamed_webhook_is_one_row_under_its_new_name():
    status = look([replace(CRM, name="Sales", renamed_from="CRM")])
    (row,) = status.webhooks
    assert (row.name, row.id, row.sync, row.stats) == ("Sales", "wh_1", Sync.PENDING, DeliveryStats(3, 1))


def test_what_sendkit_shows_is_there_only_where_it_was_read():
    assert (one(look()).active, one(look()).stats) == ("active", DeliveryStats(3, 1))
    assert (one(look(live=None)).active, one(look(live=None)).stats) == (None, None)


def test_live_webhooks_that_are_not_recorded_are_counted():
    assert look(live=[LIVE, replace(LIVE, id="wh_2", name="x")]).unrecorded == 1


@pytest.mark.parametrize(
    ("status", "secret"),
    [
        (look(), SecretHealth.RECORDED),
        (look(staged=["CRM"]), SecretHealth.STAGED),
        (look(webhooks={}, live=(), staged=["CRM"]), SecretHealth.STAGED),
        (look(webhooks={}, live=()), None),
        (look(webhooks={"CRM": replace(RECORD, candidate_secrets=(SECRET,))}), SecretHealth.CANDIDATE),
        (look(webhooks={"CRM": replace(RECORD, secret=None)}, staged=["CRM"]), SecretHealth.MISSING),
    ],
)
def test_it_says_what_is_recorded_of_the_secret(status: WorkspaceStatus, secret: SecretHealth | None):
    assert one(status).secret is secret


@pytest.mark.parametrize(
    ("stats", "rate"),
    [
        (DeliveryStats(3, 1), 0.75),
        (DeliveryStats(0, 0), None),
        (DeliveryStats(), None),
        (DeliveryStats(None, 2), 0),
        (None, None),
    ],
)
def test_the_success_rate_is_the_delivered_share(stats: DeliveryStats | None, rate: float | None):
    assert WebhookStatus("CRM", "wh_1", Sync.IN_SYNC, stats=stats).success_rate == rate


def test_problems_are_found_in_all_workspaces():
    status = Status(0.0, (look(), look(live=[replace(LIVE, status="inactive")])))
    assert status.found(Problem) == {Problem.INACTIVE}
    assert status.found([Problem.DRIFT]) == frozenset()
