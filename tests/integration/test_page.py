"""The HTML page in a browser: what it shows, that it asks nobody for anything, and that nothing in it runs."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from sendkit_sync.planning.plan import Action, LiveFacts, Plan
from sendkit_sync.render.html import FOLD_ABOVE, plan_html
from support.browser import NAMES, Tab, chromium, found
from support.pages import Site, contrasts, luminance, styles, text
from support.plans import ALL, UPDATE, create, make_plan

BROWSER = found()
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(NAMES)} is installed")


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
    """Return what shows a plan in the browser."""

    def open_page(plan: Plan, *, without_policy: bool = False) -> Tab:
        site.html = plan_html(plan)
        if without_policy:
            assert "Content-Security-Policy" in site.html
            site.html = site.html.replace("Content-Security-Policy", "x-none")
        site.asked.clear()
        tab.media()
        tab.go(f"{site.address}/plan.html")
        return tab

    return open_page


class TestContent:
    def test_without_changes_it_says_so(self, show):
        tab = show(make_plan(unchanged=5))
        assert tab.run("document.title") == "No changes. 5 webhooks match the recorded state."
        assert text(tab, ".summary") == ["No changes. 5 webhooks match the recorded state."]
        assert text(tab, "nav > *") == ["5\nunchanged"]
        assert text(tab, "section") == []

    def test_it_shows_numbers_state_and_each_change(self, show):
        tab = show(make_plan((create(), UPDATE)))
        assert text(tab, "nav > *") == ["1\nto create", "1\nto update", "3\nunchanged"]
        assert text(tab, "dl.facts dd") == [
            "https://a",
            "serial 1 of l",
            "SHA-256 dddddddddddd",
            "the recorded state only. --refresh also reads SendKit.",
        ]
        assert text(tab, "h2") == ["Create 1", "Update 1"]
        assert text(tab, "#create td") == [
            "https://crm.example.com/webhooks/sendkit",
            "email.positive_reply, email.replied",
            "(sensitive, generated)",
        ]
        assert text(tab, "#update summary") == ["~ update Analytics 664a1b2c3d4e5f6a7b8c9d0e"]
        assert text(tab, "#update del") == ["- https://old.example.com", "- email.opened"]
        assert text(tab, "#update ins") == ["+ https://new.example.com", "+ email.clicked"]

    def test_it_tells_all_there_is_to_a_plan(self, show):
        facts = LiveFacts(gone=0, unrecorded=2, inactive=("Ad",), other_secrets=("S",))
        tab = show(
            make_plan(
                ALL.actions,
                orphans=ALL.orphans,
                unresolved=ALL.unresolved,
                missing_secrets=ALL.missing_secrets,
                expired=ALL.expired,
                refreshed=facts,
                targets=("W*",),
            )
        )
        titles = ["Unresolved", "Missing secrets", "Create", "Update", "Adopt", "Delete", "Forget"]
        live = ["Inactive in SendKit", "Different secret in SendKit"]
        assert [one.rpartition(" ")[0] for one in text(tab, "h2")] == [*titles, "Orphans", "Expired attempts", *live]
        assert "state resolve 'Un sure'" in text(tab, "#unresolved li")[0]
        assert "2 live webhooks are not recorded." in text(tab, "dl.facts dd")
        assert "W*" in text(tab, "dl.facts dd")
        assert text(tab, ".badge") == ["blocked"]
        assert any("renamedFrom: Old" in line for line in text(tab, "p.blocked"))

    def test_every_number_leads_to_what_it_counts(self, show):
        tab = show(ALL)
        links = tab.run("Array.from(document.querySelectorAll('a'), one => one.getAttribute('href'))")
        assert set(links) >= {"#create", "#delete", "#blocked", "#unresolved", "#orphans"}
        assert tab.run("Array.from(document.querySelectorAll('a')).every(one => document.querySelector(one.hash))")
        assert tab.run("new Set(Array.from(document.querySelectorAll('[id]'), one => one.id)).size") == tab.run(
            "document.querySelectorAll('[id]').length"
        )

    def test_few_changes_are_open_and_many_are_folded_with_a_digest(self, show):
        tab = show(make_plan(tuple(create(f"W{i}") for i in range(FOLD_ABOVE))))
        assert tab.run("document.querySelectorAll('details[open]').length") == FOLD_ABOVE
        tab = show(make_plan((*(create(f"W{i}") for i in range(3000)), UPDATE)))
        assert tab.run("document.querySelectorAll('details').length") == 3001
        assert tab.run("document.querySelectorAll('details[open]').length") == 0
        assert text(tab, "#create details:first-of-type summary")[0] == "+ create W0 https://crm.example.com/webhooks/sendkit"
        tab.run("location.hash = '#update'")
        assert tab.run("document.querySelector('#update h2').getBoundingClientRect().top") < 600
        assert text(tab, "#update summary") == ["~ update Analytics 664a1b2c3d4e5f6a7b8c9d0e url, events"]
        tab.run("document.querySelector('#update summary').click()")
        assert text(tab, "#update ins") == ["+ https://new.example.com", "+ email.clicked"]


@pytest.mark.parametrize("width", [360, 1100])
def test_long_names_and_addresses_stay_on_the_page(show, width: int):
    url = "https://long.example.com/" + "x" * 2000
    long = Action(**{**{f: getattr(UPDATE, f) for f in ("kind", "id", "reason")}, "name": "N" * 250, "before": {"url": url}})
    tab = show(make_plan((long, create("W" * 250)), orphans=("O" * 250,)))
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    wide = tab.run("document.documentElement.scrollWidth")
    tab.call("Emulation.clearDeviceMetricsOverride")
    assert wide <= width


HOSTILE = (
    "<script>document.title = 'ran'</script>",
    "<img src=/leak onerror=\"document.title = 'ran'\">",
    '"><svg onload="document.title = \'ran\'">',
    "' onmouseover='document.title = 1' x='",
    "</title><script>document.title = 'ran'</script>",
    "</style><script>document.title = 'ran'</script>",
    "<a href=\"javascript:document.title = 'ran'\">x</a>",
    "<iframe src=/leak></iframe><link rel=stylesheet href=/leak><meta http-equiv=refresh content=0;url=/leak>",
    "<base href=/leak><style>@import '/leak'; * { background: url(/leak) }</style>",
    "&lt;b&gt; &amp; {{7*7}} ${7*7}",
    "--><!--",
)


@pytest.mark.parametrize("without_policy", [False, True], ids=["with the policy", "escaping alone"])
def test_hostile_names_are_shown_and_do_nothing(show, site: Site, without_policy: bool):
    plan = make_plan(
        tuple(
            Action(
                **{f: getattr(one, f) for f in ("kind", "reason", "before", "after", "desired")},
                name=evil,
                id=evil,
                changes=(type(UPDATE.changes[0])("url", evil, evil), type(UPDATE.changes[0])("events", [evil], [evil + "2"])),
            )
            for evil in HOSTILE
            for one in (create(), UPDATE)
        ),
        orphans=HOSTILE,
        unresolved=HOSTILE,
        targets=HOSTILE,
    )
    tab = show(plan, without_policy=without_policy)
    assert text(tab, "#orphans li") == list(HOSTILE)
    assert set(tab.run("Array.from(document.querySelectorAll('.name'), one => one.textContent)")) == set(HOSTILE)
    assert tab.run("document.querySelectorAll('script, img, svg, iframe, base, object, link[rel=stylesheet]').length") == 0
    assert tab.run("document.querySelectorAll('a:not([href^=\"#\"])').length") == 0
    handlers = "Array.from(document.querySelectorAll('*')).flatMap(one => one.getAttributeNames())"
    assert {name for name in tab.run(handlers) if name.startswith("on")} == set()
    assert (
        tab.run("document.title")
        == f"Plan: {len(HOSTILE)} to create, {len(HOSTILE)} to update, 0 to delete, {len(HOSTILE)} unresolved. 3 unchanged."
    )
    assert tab.requested == [f"{site.address}/plan.html"]
    assert site.asked == ["/plan.html"]


def test_the_policy_alone_stops_a_script_and_a_request(show, site: Site, tab: Tab):
    show(make_plan(orphans=("x",)))
    evil = "<script>document.title = 'ran'</script><img src=/leak onerror=\"document.title = 'ran'\">"
    site.html = site.html.replace("<main>", f"<main>{evil}")
    site.asked.clear()
    tab.go(f"{site.address}/plan.html")
    assert tab.run("document.title").startswith("No changes.")
    assert site.asked == ["/plan.html"]


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_both_schemes_can_be_read(show, scheme: str, dark: bool):
    tab = show(make_plan(ALL.actions, orphans=ALL.orphans, unresolved=ALL.unresolved))
    tab.media(scheme=scheme)
    (background,) = styles(tab, "body", "backgroundColor")
    assert (luminance(background) < 0.1) is dark
    assert len(contrasts(tab)) > 20
    assert [one for one in contrasts(tab) if one[-1] < 4.5] == []


def test_on_paper_every_change_is_open_and_the_page_is_white(show):
    tab = show(make_plan(tuple(create(f"W{i}") for i in range(FOLD_ABOVE + 1))))
    assert text(tab, "#create td")[0] == ""
    tab.media("print", "dark")
    assert styles(tab, "body", "backgroundColor") == {"rgb(255, 255, 255)"}
    assert text(tab, "#create td")[-1] == "(sensitive, generated)"
    assert base64.b64decode(tab.call("Page.printToPDF")["data"]).startswith(b"%PDF")
