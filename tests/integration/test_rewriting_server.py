"""Servers that keep, answer or show a webhook otherwise than it was sent: no update without end, no webhook twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sendkit_sync.simulator import Simulator
from sendkit_sync.simulator.store import Json, Store
from support.workspace import TWO, Workspace, check_converged, ids, sent


def rewritten(item: Json) -> Json:
    """Return a webhook with its URL, its events and the case of both in another spelling."""
    url, events = str(item["url"]), item["events"]
    return {
        **item,
        "url": url.replace("example.com", "EXAMPLE.com").rstrip("/") + "/",
        "events": [e.upper() for e in events[::-1]],
    }


class Keeps(Store):
    """Keeps another spelling than it was sent, and answers and shows that."""

    def create(self, workspace: str, body: Any, webhook_id: str | None = None) -> Json:
        return super().create(workspace, rewritten(body), webhook_id)

    def patch(self, workspace: str, webhook_id: str, body: Any) -> Json:
        whole = rewritten({"url": "", "events": [], **body})
        return super().patch(workspace, webhook_id, {key: whole[key] for key in body})


class Shows(Store):
    """Answers what it was sent, and shows another spelling of it in what is read."""

    def _shown(self, item: Json) -> Json:
        return rewritten(super()._shown(item))


class Omits(Store):
    """Leaves the numbers out of what is read."""

    def _shown(self, item: Json) -> Json:
        return {key: value for key, value in super()._shown(item).items() if key not in ("retryAttempts", "timeoutMs")}


class Sparse(Store):
    """Lists one webhook a page, and an empty page before each."""

    def page(self, workspace: str, query: Mapping[str, str]) -> Json:
        step = int(query.get("cursor", query.get("page", "1")))
        items = [self._shown(item) for item in self._items.values()]
        pages = 2 * len(items)
        about = {"page": step, "pages": pages, "total": len(items), "limit": 1}
        if self._page_form == "cursor":
            about = {"hasMore": step < pages, "nextCursor": str(step + 1), "total": len(items), "limit": 1}
        return {"success": True, "data": items[step // 2 - 1 : step // 2] if step % 2 == 0 else [], "pagination": about}


@pytest.fixture(params=[Keeps, Shows, Omits])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    with Simulator() as simulator:
        simulator.store = request.param(mask_secrets=False, page_form="cursor")
        yield Workspace(tmp_path, simulator)


def test_drift_is_changed_back_once(workspace: Workspace):
    assert workspace.apply().returncode == 0
    assert workspace.apply("--refresh").returncode == 0
    check_converged(workspace, "CRM Sync", "Analytics")
    workspace.write(TWO.replace("/in", "/changed").replace("email.opened", "email.clicked").replace("5000", "7000"))
    assert workspace.apply("--refresh").returncode == 0
    assert workspace.apply("--refresh").returncode == 0
    check_converged(workspace, "CRM Sync", "Analytics")
    workspace.simulator.change(ids(workspace)["Analytics"], url="https://elsewhere.example.com/x")
    assert '~ update "Analytics"' in workspace.run("plan", "--refresh").stdout
    workspace.simulator.requests.clear()
    assert workspace.apply("--refresh").returncode == 0
    assert workspace.apply("--refresh").returncode == 0
    assert sent(workspace, "PATCH", "POST") == ["PATCH"]
    check_converged(workspace, "CRM Sync", "Analytics")


def test_a_server_that_answers_as_it_shows_makes_no_update_at_all(tmp_path: Path):
    with Simulator() as simulator:
        simulator.store = Keeps(mask_secrets=True, page_form="pages")
        workspace = Workspace(tmp_path, simulator)
        told = workspace.apply().stderr
        assert "the API returned a different url than was sent" in told
        assert workspace.run("plan", "--detailed-exitcode").returncode == 0
        assert workspace.run("plan", "--refresh", "--detailed-exitcode").returncode == 0


@pytest.mark.parametrize("form", ["cursor", "pages"])
def test_empty_pages_end_no_list(tmp_path: Path, form: str):
    with Simulator() as simulator:
        simulator.store = Sparse(mask_secrets=False, page_form=form)
        workspace = Workspace(tmp_path, simulator)
        assert workspace.apply().returncode == 0
        simulator.requests.clear()
        check_converged(workspace, "CRM Sync", "Analytics")
        assert {request["path"] for request in simulator.requests} == {"/v1/webhooks"}, "all were in the list"
        for path in tmp_path.glob("sendkit.state*"):
            path.unlink()
        assert workspace.apply().returncode == 1
        assert len(simulator.webhooks()) == 2
        assert workspace.run("import", "--matching").returncode == 0
        check_converged(workspace, "CRM Sync", "Analytics")
