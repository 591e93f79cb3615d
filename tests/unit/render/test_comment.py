"""The Markdown of a plan, as GitHub's own renderer (cmark-gfm) reads it: it fits, and nothing in it gets out of its place."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st

from sendkit_sync.core.diagnostics import printable
from sendkit_sync.core.model import ActionKind
from sendkit_sync.planning.plan import Action, Change, LiveFacts, Plan, Reason
from sendkit_sync.render.markdown import FOR_NOTES, LIMIT, RESERVE, plan_markdown
from sendkit_sync.render.words import shown_name
from support.plans import ALL, UPDATE, create, make_plan

KNOWN = {"strong", "p", "ul", "li", "code", "pre", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "br"}


class Tree(HTMLParser):
    """What a reader of the comment gets: rows of cells, items of lists, the diff, and the elements there are."""

    def __init__(self, markdown: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.rows: list[list[str]] = []
        self.items: list[str] = []
        self.diff = ""
        self.plain = ""
        self._open: list[str] = []
        self.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        assert {name for name, _ in attrs} <= ({"lang"} if tag == "pre" else set()), (tag, attrs)
        if tag == "br":
            self.rows[-1][-1] += "\n"
            return
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "li":
            self.items.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "pre" in self._open:
            self.diff += data
        elif "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data
        elif "li" in self._open:
            self.items[-1] += data
        else:
            self.plain += data


EVIL = (
    "a | b",
    "`code` ``more``",
    "```",
    "</code></td></tr></table>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "<https://evil.example>",
    "https://evil.example www.evil.example me@evil.example",
    "@someone #1 org/repo#1 :smile: $x$",
    "**bold** _it_ ~~gone~~",
    "\\| \\` \\",
    "&lt;b&gt; &#124; &amp;",
    "new\nline\r\n| x | y |",
    "# head",
    "- [ ] task",
    "[^1] $$x$$ <!-- --> -->",
    "</details>",
    "\u202egnp.exe",
)
texts = st.sampled_from(EVIL) | st.text(st.sampled_from("|`*_[]()<>!\\~&#@:.-+=$\"'/ \n\tawx;0") | st.characters(), min_size=1)
names = texts.map(str.strip).filter(bool)


def update(name: str, text: str) -> Action:
    changes = (Change("url", text, name), Change("events", [text], [name]))
    return Action(ActionKind.UPDATE, name, text, Reason.CHANGED, changes=changes)


def check(plan: Plan) -> Tree:
    """Assert that every name, id and value stands in its place, whole; return the comment as it is read."""
    tree = Tree(plan_markdown(plan))
    assert tree.elements <= KNOWN
    cells = [[shown_name(action.name).strip(), printable(action.id or "").strip()] for action in plan.actions]
    assert [[part.strip() for part in f"{row[1]}\n".split("\n")][:2] for row in tree.rows[1:]] == cells
    assert {len(row) for row in tree.rows} <= {3}
    assert [item.strip() for item in tree.items] == [shown_name(name).strip() for name in plan.orphans]
    for action, row in zip(plan.actions, tree.rows[1:], strict=True):
        for change in action.changes:
            if change.path == "url":
                before, after = (printable(str(value), 2048) for value in (change.before, change.after))
                line = f"url: {before} \u2192 {after}"
                assert line.strip() in [one.strip() for one in row[2].split("\n")] or f"- url: {before}\n" in tree.diff
    assert (tree.diff != "") is re.sub(r"\s+", " ", tree.plain).strip().endswith("In full")
    return tree


@pytest.mark.parametrize("evil", EVIL)
def test_a_hostile_name_stays_in_its_cell(evil: str):
    check(make_plan((create(evil), update(evil, evil)), orphans=(evil,)))


@running(deadline=None, max_examples=150)
@given(st.lists(st.tuples(names, texts), min_size=1, max_size=4), st.lists(names, max_size=3))
def test_nothing_gets_out_of_its_place(pairs: list[tuple[str, str]], orphans: list[str]):
    check(make_plan(tuple(update(name, text) for name, text in pairs), orphans=tuple(orphans)))


def test_each_row_says_what_changes():
    tree = check(make_plan((create(), UPDATE)))
    assert tree.diff == ""
    assert [row[2] for row in tree.rows[1:]] == [
        "url: https://crm.example.com/webhooks/sendkit\n"
        "events: email.positive_reply, email.replied\nsecret: (sensitive, generated)",
        "url: https://old.example.com \u2192 https://new.example.com\nevents: +email.clicked, -email.opened",
    ]


def test_a_long_value_is_shortened_in_the_middle_and_stands_in_full_below():
    old, new = "https://old.example.com/" + "a" * 200, "https://new.example.com/" + "b" * 200
    change = Action(ActionKind.UPDATE, "Long", "1", Reason.CHANGED, changes=(Change("url", old, new),))
    tree = check(make_plan((UPDATE, change)))
    assert tree.rows[2][2].startswith("url: https://old.example.com/aaa")
    assert tree.rows[2][2].endswith("bbb")
    assert len(tree.rows[2][2]) <= 120
    assert tree.diff == f'@@ update "Long" @@\n- url: {old}\n+ url: {new}\n'


def test_every_kind_has_its_row_blocked_and_deleting_ones_first():
    tree = Tree(plan_markdown(ALL))
    assert [row[0] for row in tree.rows] == [
        "Action",
        *("+ create", "x forget", "- delete", "+ create", "~ update", "~ update", "> adopt"),
    ]
    assert "renamedFrom: Old" in tree.rows[1][2]


def test_it_says_where_the_webhooks_are_and_what_they_were_compared_with():
    tree = Tree(plan_markdown(make_plan((UPDATE,), recorded=1, workspace_id="ws_1")))
    assert "Workspace ws_1 at https://a. Compared with the recorded state only." in tree.plain


class TestLength:
    """However large a plan is, its comment fits; details go before summaries, and the comment says what went."""

    @staticmethod
    def numbers(markdown: str) -> dict[str, int]:
        return {what: int(count) for count, what in re.findall(r"^(\d+) more (\w+) are left out", markdown, re.MULTILINE)}

    def test_a_plan_that_fits_is_whole(self):
        assert "left out" not in plan_markdown(make_plan(tuple(create(f"W{i}") for i in range(100))))

    def test_details_go_first(self):
        out = plan_markdown(make_plan(tuple(update(f"W{i}", "x" * 150) for i in range(120))))
        assert set(self.numbers(out)) == {"details"}
        tree = Tree(out)
        assert len(tree.rows) == 121
        assert tree.diff.count("@@ update") + self.numbers(out)["details"] == 120

    def test_then_rows_but_never_the_summary_or_the_notes(self):
        actions = tuple(create(f"W{i}") for i in range(3000))
        out = plan_markdown(make_plan(actions, orphans=("kept",), unresolved=("unsure",)))
        assert out.startswith("**Plan: 3000 to create, 0 to update, 0 to delete, 1 unresolved. 3 unchanged.**\n")
        tree = Tree(out)
        assert "kept" in tree.items
        assert any("unsure" in item for item in tree.items)
        assert len(tree.rows) - 1 + self.numbers(out)["actions"] == 3000

    def test_notes_do_not_push_out_the_actions(self):
        orphans = tuple(f"o{i}" * 20 for i in range(3000))
        out = plan_markdown(make_plan((create(), UPDATE), orphans=orphans))
        tree = Tree(out)
        assert len(tree.rows) == 3
        assert len(tree.items) + self.numbers(out)["names"] == 3000
        assert len("".join(tree.items)) < FOR_NOTES

    @pytest.mark.parametrize("char", ["x", "|", "@", "\u00e9", "\u6f22", "\U0001f600", "\x00", "\u202e", "\ud800"])
    def test_it_fits_however_it_is_counted(self, char: str):
        name = char * 300
        names = tuple(f"{i}{name}" for i in range(500))
        facts = LiveFacts(gone=0, unrecorded=10**9, inactive=names)
        plan = make_plan(
            tuple(update(one, name) for one in names),
            orphans=names,
            unresolved=names,
            missing_secrets=names,
            expired=names,
            refreshed=facts,
        )
        out = plan_markdown(plan)
        assert len(out.encode("utf-8", "surrogatepass")) <= LIMIT - RESERVE // 2
        assert Tree(out).elements <= KNOWN

    @running(deadline=None, max_examples=60)
    @given(st.integers(0, 700), st.integers(0, 700), st.integers(1, 250))
    def test_it_always_fits_and_is_whole_markdown(self, actions: int, orphans: int, length: int):
        plan = make_plan(tuple(create("|" * length) for _ in range(actions)), orphans=("`" * length,) * orphans)
        out = plan_markdown(plan)
        assert len(out) <= LIMIT
        tree = Tree(out)
        assert len(tree.items) + self.numbers(out).get("names", 0) == orphans
        assert len(tree.rows[1:]) + self.numbers(out).get("actions", 0) == actions
