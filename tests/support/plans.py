"""Plans made by hand, with all that a renderer has to show."""

from __future__ import annotations

from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, DesiredWebhook, Secret
from sendkit_sync.planning.plan import Action, Blocker, BlockerKind, Change, Plan, Reason

HIDDEN = "hunter2-hunter2"
EVIL = "a|b<script>`@x`\n**\x1b[31m"


def make_plan(actions: tuple[Action, ...] = (), unchanged: int = 3, **more: object) -> Plan:
    more = {"desired": 50, "recorded": 50} | more
    return Plan(actions, more.pop("orphans", ()), more.pop("unresolved", ()), unchanged, "d" * 64, "l", 1, "https://a", **more)  # type: ignore[arg-type]


def create(name: str = "CRM Sync", origin: str = "generated", blocker: Blocker | None = None) -> Action:
    events = ["email.positive_reply", "email.replied"]
    view = {"name": name, "url": "https://crm.example.com/webhooks/sendkit", "events": events, "secret": HIDDEN}
    desired = DesiredWebhook(name, Settings(str(view["url"]), tuple(events)), Secret(HIDDEN), origin)
    return Action(ActionKind.CREATE, name, None, Reason.NEW, after=view, blocked_by=blocker, desired=desired)  # type: ignore[arg-type]


UPDATE = Action(
    ActionKind.UPDATE,
    "Analytics",
    "664a1b2c3d4e5f6a7b8c9d0e",
    Reason.CHANGED,
    changes=(
        Change("url", "https://old.example.com", "https://new.example.com"),
        Change("events", ["email.opened"], ["email.clicked"]),
    ),
)
VIEW = {"name": "x", "url": "https://x.example.com", "events": ["email.sent"], "secret": HIDDEN}
ALL = make_plan(
    (
        create(),
        create(EVIL, "env:SENDKIT_SECRET_X", Blocker(BlockerKind.ORPHAN, "Old", "1")),
        UPDATE,
        Action(ActionKind.UPDATE, "S", "2", Reason.DRIFT, changes=(Change("secret", HIDDEN, HIDDEN),)),
        Action(ActionKind.ADOPT, "Ad", "3", Reason.DRIFT, VIEW, VIEW),  # type: ignore[arg-type]
        Action(ActionKind.FORGET, "Fo", "4|\n<b>", Reason.MISSING, VIEW),  # type: ignore[arg-type]
        Action(ActionKind.DELETE, "De", "5", Reason.ORPHAN, VIEW),  # type: ignore[arg-type]
    ),
    orphans=("Old",),
    unresolved=("Un sure",),
    missing_secrets=("M",),
    expired=("E",),
)
