"""Desired webhooks and states as Hypothesis draws them, and plans of the two."""

from __future__ import annotations

from hypothesis import strategies as st

from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, DesiredWebhook, Intent, Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from sendkit_sync.planning.plan import Plan
from sendkit_sync.planning.planner import make_plan

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
