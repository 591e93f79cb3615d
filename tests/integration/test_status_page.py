"""The page of `status` in a browser: on a phone, a desk and a wall, with no webhook and with a thousand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sendkit_sync.core.errors import ErrorCode, ExitCode
from sendkit_sync.core.model import DeliveryStats
from sendkit_sync.planning.status import SecretHealth, Status, Sync, Unread, WebhookStatus, WorkspaceStatus
from sendkit_sync.render.status_html import FOLD_ABOVE, MAP_FROM, status_html
from support.browser import NAMES, Tab, chromium, found
from support.pages import Site, contrasts, luminance, overflow, styles, text

BROWSER = found()
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(NAMES)} is installed")
NOW = 1_785_578_400.0
WIDTHS = [360, 1280, 3840]
GOOD = WebhookStatus(
    "CRM Sync", "1", Sync.IN_SYNC, SecretHealth.RECORDED, "active", DeliveryStats(990, 10, "2026-08-01T09:58:00.000Z")
)
BAD = replace(
    GOOD, name="Analytics", sync=Sync.DRIFTED, drifted=("url", "events"), secret=SecretHealth.MISSING, active="inactive"
)
HOSTILE = (
    "<script>document.title = 'ran'</script>",
    "<img src=/leak onerror=\"document.title = 'ran'\">",
    "</title><svg onload=\"document.title = 'ran'\">",
    "' onmouseover='document.title = 1' x='",
    '" onmouseover="document.title = 1" x="',
    "</style><base href=/leak><meta http-equiv=refresh content=0;url=/leak>",
)


def status(*webhooks: WebhookStatus, **about: object) -> Status:
    return Status(NOW, (WorkspaceStatus("https://api.sendkit.ai", "ws_1", "sendkit.state.json", webhooks, **about),))  # type: ignore[arg-type]


def many(count: int) -> Status:
    """Return webhooks of which every tenth has a problem."""
    stats = [DeliveryStats(1000 - lost, lost) for lost in (0, 5, 50, 500)]
    rows = (replace(BAD if n % 10 == 0 else GOOD, name=f"W{n}", stats=stats[n % 4]) for n in range(count))
    return status(*rows)


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    assert BROWSER is not None
    with chromium(BROWSER) as tab:
        yield tab


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.served() as site:
        yield site


@pytest.fixture
def show(tab: Tab, site: Site):
    """Return what shows a status in the browser."""

    def open_page(found: Status) -> Tab:
        site.html = status_html(found)
        site.asked.clear()
        tab.media()
        tab.go(f"{site.address}/status.html")
        return tab

    return open_page


def test_it_says_at_once_whether_all_is_well(show):
    tab = show(status(GOOD))
    assert text(tab, ".summary") == ["1 webhook, none with a problem in SendKit and in the state."]
    assert (tab.run("document.title"), text(tab, "nav > *")[-1]) == (text(tab, ".summary")[0], "99.0%\nsuccess rate")
    tab = show(status(GOOD, BAD))
    assert text(tab, ".summary") == ["1 of 2 webhooks has a problem."]
    assert text(tab, "nav .alarm") == ["1\ndrifted", "1\ninactive", "1\nsecret missing"]
    assert text(tab, "h1 time") == ["2026-08-01 10:00:00 UTC"]


def test_what_needs_a_look_comes_first_with_all_that_is_known_of_it(show):
    tab = show(status(GOOD, BAD, unrecorded=2))
    assert text(tab, "h3") == ["Need a look 1", "No problem 1"]
    assert text(tab, ".status td")[:8] == [
        "Analytics",
        "drifted: url, events",
        "inactive",
        "missing",
        "990",
        "10",
        "99.0%",
        "2 min ago",
    ]
    assert text(tab, ".status .wrong") == ["drifted: url, events", "inactive", "missing"]
    assert "2 live webhooks" in text(tab, "dl.facts dd")


def test_the_bar_shows_a_single_failure_among_many(show):
    one = replace(GOOD, stats=DeliveryStats(99_999, 1))
    tab = show(status(one, replace(GOOD, name="B", stats=DeliveryStats(5, 0))))
    widths = tab.run("Array.from(document.querySelectorAll('.bar .lost'), one => one.getBoundingClientRect().width)")
    assert widths[0] >= 1
    assert widths[1] == 0
    assert text(tab, "td.rate")[0] == "99.9%"


def test_without_sendkit_it_says_so_and_draws_no_map(show):
    unread = Unread(ErrorCode.API_KEY_MISSING, "no API key", None, ExitCode.KEY_REFUSED)
    rows = [replace(GOOD, name=f"W{n}", active=None, stats=None) for n in range(MAP_FROM)]
    tab = show(status(*rows, unread=unread))
    assert text(tab, "p.blocked") == ["SendKit was not read: no API key. Only the recorded state is shown."]
    assert tab.run("document.querySelectorAll('.map').length") == 0


class TestMap:
    """One mark for each webhook, for whoever looks from afar."""

    def test_a_thousand_webhooks_are_a_thousand_marks(self, show):
        tab = show(many(1000))
        marks = tab.run("Array.from(document.querySelectorAll('.map use'), one => one.getAttribute('href'))")
        assert len(marks) == 1000
        assert marks == sorted(marks, key=["#problem", "#poor", "#fair", "#good", "#none"].index)
        legend = text(tab, "figcaption span")
        assert legend[0] == "with a problem: 100"
        assert sum(int(line.rpartition(" ")[2]) for line in legend) == 1000

    def test_a_mark_tells_its_webhook(self, show):
        tab = show(many(MAP_FROM))
        first = tab.run("document.querySelector('.map use title').textContent")
        assert first.startswith("W10: drifted: url, events, inactive, missing, ")

    def test_few_webhooks_need_none(self, show):
        tab = show(many(MAP_FROM - 1))
        assert tab.run("document.querySelectorAll('.map').length") == 0

    def test_the_whole_map_fits_on_a_desk_and_on_a_wall(self, show):
        tab = show(many(1000))
        for width, height in ((1280, 800), (3840, 2160)):
            tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
            assert tab.run("document.querySelector('.map').getBoundingClientRect().bottom") < height
        tab.call("Emulation.clearDeviceMetricsOverride")


def test_webhooks_without_a_problem_are_folded_where_they_are_many(show):
    tab = show(many(FOLD_ABOVE))
    assert tab.run("document.querySelectorAll('details').length") == 0
    tab = show(many(1000))
    assert text(tab, "summary") == ["No problem 900"]
    assert len(text(tab, "details td")) == 900 * 8
    assert tab.run("document.querySelector('details').open") is False


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [0, 5, 1000])
def test_nothing_is_wider_than_the_window(show, count: int, width: int):
    long = replace(BAD, name="N" * 250, drifted=("url", "events", "retryAttempts", "timeoutMs"))
    found = many(count)
    if count:
        (workspace,) = found.workspaces
        found = replace(found, workspaces=(replace(workspace, state="/" + "s" * 300, webhooks=(*workspace.webhooks, long)),))
    assert overflow(show(found), width) == 0


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_both_schemes_can_be_read(show, scheme: str, dark: bool):
    tab = show(many(20))
    tab.media(scheme=scheme)
    (background,) = styles(tab, "body", "backgroundColor")
    assert (luminance(background) < 0.1) is dark
    assert len(contrasts(tab)) > 20
    assert [one for one in contrasts(tab) if one[-1] < 4.5] == []


def test_hostile_names_are_shown_and_do_nothing(show, site: Site):
    rows = [replace(GOOD, name=name, id=name, active=name) for name in HOSTILE * 2]
    tab = show(status(*rows))
    names = tab.run("Array.from(document.querySelectorAll('.name'), one => one.textContent)")
    assert sorted(names) == sorted(HOSTILE * 2)
    assert tab.run("document.querySelectorAll('script, img, iframe, base, object, link[rel=stylesheet], a').length") == 0
    handlers = "Array.from(document.querySelectorAll('*')).flatMap(one => one.getAttributeNames())"
    assert {name for name in tab.run(handlers) if name.startswith("on")} == set()
    assert tab.run("document.title") == "12 webhooks, none with a problem in SendKit and in the state."
    assert site.asked == ["/status.html"]


def test_a_browser_reads_it_again_each_minute(show):
    tab = show(status(GOOD))
    assert tab.run("document.querySelector('meta[http-equiv=refresh]').content") == "60"
