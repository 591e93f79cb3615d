"""The renderers, on plans made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendkit_sync.core.diagnostics import Diagnostic, Severity, Span
from sendkit_sync.core.model import ActionKind
from sendkit_sync.planning.plan import Blocker, BlockerKind
from sendkit_sync.render.html import plan_html
from sendkit_sync.render.json import dump, plan_document
from sendkit_sync.render.markdown import LIMIT, plan_markdown
from sendkit_sync.render.problems import problems_github, problems_json, problems_text
from sendkit_sync.render.text import plan_text
from support.plans import ALL, HIDDEN, UPDATE, create, make_plan

SCHEMA = json.loads((Path(__file__).parent.parent.parent.parent / "schemas" / "plan.schema.json").read_text())


EXPECTED = """\
  + create "CRM Sync"
      url     https://crm.example.com/webhooks/sendkit
      events  email.positive_reply, email.replied
      secret  (sensitive, generated)

  ~ update "Analytics" (664a1b2c3d4e5f6a7b8c9d0e)
      url     https://old.example.com -> https://new.example.com
      events  + email.clicked
              - email.opened

Plan: 1 to create, 1 to update, 0 to delete. 3 unchanged.
Compared with the recorded state only. --refresh also reads SendKit.
"""


def test_text_is_as_in_the_design() -> None:
    assert plan_text(make_plan((create(), UPDATE)), colour=False) == EXPECTED
    assert "\x1b[" in plan_text(make_plan((UPDATE,)), colour=True)
    assert plan_text(make_plan(unchanged=5), colour=False) == (
        "No changes. 5 webhooks match the recorded state.\n"
        "Compared with the recorded state only. --refresh also reads SendKit.\n"
    )


def test_text_tells_what_to_do() -> None:
    text = plan_text(ALL, colour=False)
    for part in ("renamedFrom: Old", "state resolve 'Un sure'", "from SENDKIT_SECRET_X", "1 to adopt, 1 to forget, 1 blocked"):
        assert part in text
    assert "sendkit-sync import 'CRM Sync' 9" in plan_text(
        make_plan((create(blocker=Blocker(BlockerKind.LIVE, "L", "9")),)), colour=False
    )


@pytest.mark.parametrize(
    "render", [lambda p: plan_text(p, colour=False), lambda p: dump(plan_document(p)), plan_markdown, plan_html]
)
def test_every_kind_and_no_secret(render) -> None:  # type: ignore[no-untyped-def]
    out = render(ALL)
    assert out == render(ALL)
    assert HIDDEN not in out
    assert "\x1b" not in out
    for kind in ActionKind:
        assert kind.value in out


def test_json_fits_its_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(dump(plan_document(ALL))), SCHEMA)
    jsonschema.validate(plan_document(make_plan()), SCHEMA)


def test_nothing_is_injected() -> None:
    assert "<script" not in plan_html(ALL)
    out = plan_markdown(ALL)
    assert all(line.count("|") == 4 for line in out.splitlines() if line.startswith("|"))


def test_large_plans() -> None:
    big = make_plan(tuple(create(f"W{i}") for i in range(3000)), orphans=tuple(f"o{i}\u00e9" * 20 for i in range(3000)))
    out = plan_markdown(big)
    assert len(out.encode()) <= LIMIT
    assert "left out" in out
    assert plan_html(big).count("<details class=") == 3000


def test_problems() -> None:
    items = [Diagnostic(Severity.ERROR, Span("a,b:c.yaml", 2, 3), "100% wrong", "  url: x", 2)]
    assert problems_github(items) == "::error file=a%2Cb%3Ac.yaml,line=2,col=3::100%25 wrong\n"
    assert problems_text(items, colour=False, excerpts=True) == "a,b:c.yaml:2:3: error: 100% wrong\n    url: x\n    ^\n"
    assert json.loads(problems_json(items))["problems"][0]["line"] == 2


def as_the_runner_reads(line: str) -> tuple[str, dict[str, str], str]:
    """Return the command, the properties and the message of a workflow command, unescaped as GitHub's runner does."""
    command, _, message = line.removeprefix("::").partition("::")
    name, _, listed = command.partition(" ")
    properties = dict(one.split("=", 1) for one in listed.split(","))
    codes = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
    for code, char in codes:
        properties = {key: value.replace(code, char) for key, value in properties.items()}
    for code, char in (codes[0], codes[1], codes[4]):
        message = message.replace(code, char)
    return name, properties, message


hostile = st.text(st.sampled_from("%:,\r\n=0ADC235 ::a") | st.characters(exclude_categories=["Cs"]), min_size=1)


@given(hostile, hostile, st.sampled_from(Severity))
def test_an_annotation_is_read_as_it_was_meant(file: str, message: str, severity: Severity) -> None:
    shown = problems_github([Diagnostic(severity, Span(file, 2, 3), message)] * 2)
    lines = shown.removesuffix("\n").split("\n")
    assert lines == [lines[0]] * 2
    assert "\r" not in shown
    assert as_the_runner_reads(lines[0]) == (str(severity), {"file": file, "line": "2", "col": "3"}, message)
