"""Whole statuses, byte by byte: each folder in `status_scenarios` holds a config, maybe a state and what SendKit's list shows.

Run with UPDATE_SCENARIOS=1 to write the expected files anew, and read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace

import jsonschema
import pytest

from sendkit_sync.api.wire import live_of
from sendkit_sync.config import load_config
from sendkit_sync.core.errors import ErrorCode, ExitCode
from sendkit_sync.core.model import DeliveryStats
from sendkit_sync.planning.plan import LiveSide
from sendkit_sync.planning.planner import make_plan
from sendkit_sync.planning.status import Status, Sync, Unread, WebhookStatus, WorkspaceStatus, workspace_status
from sendkit_sync.render.json import dump
from sendkit_sync.render.status_html import status_html
from sendkit_sync.render.status_json import status_document
from sendkit_sync.render.status_text import LEAST, blocks, status_text
from sendkit_sync.render.status_words import SYNCS, age, percent
from sendkit_sync.state import read_state
from support.workspace import REPOSITORY

SCENARIOS = REPOSITORY / "tests" / "status_scenarios"
NAMES = sorted(path.name for path in SCENARIOS.iterdir())
NOW = 1_785_578_400.0
API = "https://api.sendkit.ai"
UNREAD = Unread(ErrorCode.API_KEY_MISSING, "no API key", "Set SENDKIT_API_KEY.", ExitCode.KEY_REFUSED)
FORMS: dict[str, Callable[[Status], str]] = {
    "status.txt": lambda status: status_text(status, colour=False),
    "status.json": lambda status: dump(status_document(status)),
    "status.html": status_html,
}


def scenario(name: str) -> Status:
    """Return the status of a folder; without a list, SendKit was not read."""
    folder = SCENARIOS / name
    desired = load_config([str(folder / "webhooks.yaml")], {}).webhooks
    state = read_state(str(folder / "sendkit.state.json"))
    live: LiveSide | None = None
    if (folder / "live.json").exists():
        listed = [live_of(item) for item in json.loads((folder / "live.json").read_text(encoding="utf-8"))]
        by_id = {one.id: one for one in listed if one is not None}
        live = LiveSide(by_id, frozenset((state.recorded_ids() if state is not None else set()) - by_id.keys()))
    workspace = None if state is None else state.workspace_id
    plan = make_plan(desired, state, api=API, config_digest="", workspace_id=workspace, live=live)
    unread = UNREAD if live is None else None
    return Status(NOW, (workspace_status(plan, desired, state, live, address="sendkit.state.json", unread=unread),))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_the_status_is_as_expected(name: str, form: str):
    shown = FORMS[form](scenario(name))
    assert "canary" not in shown
    expected = SCENARIOS / name / form
    if os.environ.get("UPDATE_SCENARIOS") == "1":
        expected.write_text(shown, encoding="utf-8")
    assert shown == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_json_is_what_its_schema_says(name: str):
    schema = json.loads((REPOSITORY / "schemas" / "status.schema.json").read_text(encoding="utf-8"))
    document = status_document(scenario(name))
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    for place, about in ((document, schema), (document["workspaces"][0], schema["definitions"]["workspace"])):
        assert set(place) == set(about["properties"])
    assert all(
        set(webhook) == set(schema["definitions"]["webhook"]["properties"]) for webhook in document["workspaces"][0]["webhooks"]
    )


def test_all_that_there_can_be_is_in_the_scenarios():
    shown = [webhook for name in NAMES for webhook in scenario(name).webhooks()]
    assert {webhook.sync for webhook in shown} == set(Sync)
    assert {webhook.active for webhook in shown} == {"active", "inactive", None}


def test_the_docs_say_what_each_way_to_stand_means():
    page = (REPOSITORY / "docs" / "managing-webhooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z ]+)` \|", page, re.MULTILINE)) == set(SYNCS.values())


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((-5, "0 s ago"), (0, "0 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago")),
        *((86_400, "24 h ago"), (172_799, "47 h ago"), (172_800, "2 d ago"), (10**9, "11574 d ago")),
    ],
)
def test_an_age_is_short(seconds: float, shown: str):
    assert age(seconds) == shown


@pytest.mark.parametrize(("rate", "shown"), [(None, "-"), (0, "0.0%"), (0.9999, "99.9%"), (1, "100%"), (0.5, "50.0%")])
def test_a_hundred_percent_means_all(rate: float | None, shown: str):
    assert percent(rate) == shown


def many(count: int) -> Status:
    stats = DeliveryStats(10, 1, "2026-08-01T09:00:00.000Z")
    rows = tuple(
        WebhookStatus(f"W{n}", f"{n:024x}", Sync.DRIFTED if n == 7 else Sync.IN_SYNC, stats=stats) for n in range(count)
    )
    return Status(NOW, (WorkspaceStatus(API, "ws_1", "s.json", rows),))


@pytest.mark.parametrize(("count", "room"), [(1000, 10), (1000, 0), (1000, 1), (3, 2), (5, 6), (5, 5)])
def test_a_table_that_is_cut_says_how_many_webhooks_are_left_out(count: int, room: int):
    (block,) = blocks(many(count), colour=False)
    lines = block.lines(room)
    table = lines[2 : lines.index("", 2)]
    assert len(table) == min(count + 1, max(room, LEAST))
    left = re.fullmatch(r"\.\.\. and ([\d,]+) more", table[-1])
    assert len(table) - 1 + (int(left[1].replace(",", "")) - 1 if left else 0) == count


def test_no_line_begins_with_what_somebody_else_wrote():
    status = many(1)
    evil = replace(status.workspaces[0].webhooks[0], name="::error::x\n::error::y")
    text = status_text(replace(status, workspaces=(replace(status.workspaces[0], webhooks=(evil,)),)), colour=True)
    assert not [line for line in text.splitlines() if re.match(r"(\s|\x1b\[\d+m)*(::|##\[)", line)]


def test_several_workspaces_are_one_page_and_one_document():
    status = many(3)
    two = replace(status, workspaces=(*status.workspaces, replace(status.workspaces[0], workspace_id="ws_2", unread=UNREAD)))
    assert status_text(two, colour=False).endswith(
        "2 workspaces: 6 webhooks, none with a problem as far as the recorded state tells.\n"
    )
    assert [one["workspace"] for one in status_document(two)["workspaces"]] == ["ws_1", "ws_2"]
    page = status_html(two)
    assert page.count("<section") == 2
    anchors = re.findall(r' id="([^"]+)"', page)
    assert len(set(anchors)) == len(anchors)
