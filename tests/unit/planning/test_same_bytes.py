"""The same input gives the same bytes in every form, whatever the process, the machine's settings, or the order of things."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st

from sendkit_sync.config import load_config
from sendkit_sync.core.model import DesiredWebhook, State
from sendkit_sync.planning.plan import Plan
from sendkit_sync.render.html import plan_html
from sendkit_sync.render.json import dump, plan_document
from sendkit_sync.render.markdown import plan_markdown
from sendkit_sync.render.text import plan_text
from support.strategies import desired_lists, plan_of, states

SCENARIOS = Path(__file__).parent.parent.parent / "scenarios"
SETTINGS = (
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "COLUMNS": "40"},
    {"PYTHONHASHSEED": "2", "TZ": "Pacific/Apia", "LC_ALL": "C.UTF-8", "COLUMNS": "200", "PYTHONUTF8": "0"},
)
BAD = """\
version: 1
webhok: 1
webhooks:
  - {name: "Caf\u00e9 \u6f22", url: "nowhere, 100%: really", events: [email.sentt, email.sentt, b, a], zeta: 1, alpha: 2}
  - {name: "Caf\u00e9 \u6f22", url: "http://a.example.com", events: []}
"""
GOOD = 'version: 1\nwebhooks:\n  - {name: "Caf\u00e9 \u6f22", url: "https://a.example.com", events: [unknown.b, unknown.a]}\n'


def output(folder: Path, settings: dict[str, str], *words: str) -> bytes:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
    done = subprocess.run(
        [sys.executable, "-m", "sendkit_sync", *words],
        cwd=folder,
        env=clean | settings,
        capture_output=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert b"unexpected" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_a_plan_does_not_depend_on_the_process(form: str, tmp_path: Path):
    outputs = set()
    for number, settings in enumerate(SETTINGS):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(SCENARIOS / "changed-fields" / "sendkit.state.json", folder)
        (folder / "webhooks.yaml").write_text(GOOD, encoding="utf-8")
        outputs.add(output(folder, settings, "plan", "--format", form))
    (shown,) = outputs
    assert len(shown) > 100
    assert "Caf\u00e9 \u6f22".encode() in shown or b"Caf\\u00e9 \\u6f22" in shown


@pytest.mark.parametrize("form", ["text", "json", "github"])
@pytest.mark.parametrize("config", [BAD, GOOD], ids=["bad", "good"])
def test_problems_do_not_depend_on_the_process(config: str, form: str, tmp_path: Path):
    (tmp_path / "webhooks.yaml").write_text(config, encoding="utf-8")
    first, second = (output(tmp_path, settings, "validate", "--format", form) for settings in SETTINGS)
    assert first == second
    assert b"unknown.a" in first or b"sentt" in first


def shown(plan: Plan) -> tuple[str, ...]:
    return plan_text(plan, colour=True), dump(plan_document(plan)), plan_markdown(plan), plan_html(plan)


@running(deadline=None)
@given(desired_lists, st.none() | states(), st.randoms())
def test_a_plan_does_not_depend_on_the_order_of_config_and_record(desired: list[DesiredWebhook], state: State | None, random):
    shuffled = random.sample(desired, len(desired))
    turned = None
    if state is not None:
        recorded, pending = list(state.webhooks.items()), list(state.pending.items())
        random.shuffle(recorded)
        random.shuffle(pending)
        turned = State(state.lineage, state.serial, state.api, None, dict(recorded), dict(pending))
    assert shown(plan_of(shuffled, turned)) == shown(plan_of(desired, state))


def test_the_digest_does_not_depend_on_how_the_config_is_written(tmp_path: Path):
    one = '- {name: A, url: "https://a.example.com", events: [email.sent, email.opened]}'
    two = "- {events: [email.opened, email.sent], url: https://a.example.com, name: ' A '}"
    other = '- {name: B, url: "https://b.example.com", events: [email.sent], secret: "${S}"}'
    digests = set()
    for number, entries in enumerate([(one, other), (other, two)]):
        path = tmp_path / f"{number}.yaml"
        path.write_text("version: 1\nwebhooks:\n" + "".join(f"  {entry}\n" for entry in entries), encoding="utf-8")
        digests.add(load_config([str(path)], {}, state="s.json").digest())
    assert len(digests) == 1
    path.write_text(path.read_text().replace("${S}", "${T}"), encoding="utf-8")
    assert load_config([str(path)], {}, state="s.json").digest() not in digests
