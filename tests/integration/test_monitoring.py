"""The dashboard and the alert rules of docs/monitoring: valid, and about metrics that exist."""

from __future__ import annotations

import enum
import json
import re
import shutil
import subprocess
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from sendkit_sync.app.metrics import METRICS, PREFIX
from support.workspace import REPOSITORY

MONITORING = REPOSITORY / "docs" / "monitoring"
RULES = MONITORING / "alerts.yaml"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
KNOWN = {PREFIX + metric.name for metric in METRICS}


def promtool(*words: str | Path) -> str:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def queries() -> dict[str, str]:
    """Return the queries of the dashboard by the panel's title and their letter, with values for its variables."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$workspace", ".*")
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
    }


def named(text: str) -> set[str]:
    return set(re.findall(rf"\b{PREFIX}\w+", text))


@pytest.mark.parametrize("page", sorted(MONITORING.iterdir()), ids=lambda path: path.name)
def test_every_metric_that_is_named_exists(page: Path):
    found = named(page.read_text(encoding="utf-8"))
    assert found
    assert found <= KNOWN


def test_every_metric_is_shown_and_documented():
    assert named((REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8")) == KNOWN
    assert named(json.dumps(DASHBOARD)) == KNOWN


def fits(value: object, hint: Any) -> bool:
    """Tell whether a value of the dashboard, read by Grafana's own model, has the type that the model gives it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if origin is list:
        return isinstance(value, list) and all(fits(item, inner[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, inner[1]) for item in value.values())
    if hint in (Any, object):
        return True
    if isinstance(value, dict) and hasattr(hint, "from_json"):  # what the model keeps as it is
        return not list(misfits(hint.from_json(value), ""))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in {one.value for one in hint}
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def misfits(value: object, path: str) -> Iterator[str]:
    """Yield what in a model of the dashboard has another type than Grafana's."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from misfits(item, f"{path}[{number}]")
    elif type(value).__module__.startswith("grafana_foundation_sdk.models"):
        for name, hint in typing.get_type_hints(type(value)).items():
            inner = getattr(value, name)
            if not fits(inner, hint):
                yield f"{path}.{name}: {inner!r}"
            yield from misfits(inner, f"{path}.{name}")


def unknown(ours: object, theirs: object, path: str = "dashboard") -> Iterator[str]:
    """Yield what Grafana's model loses or changes of the dashboard."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from unknown(value, theirs.get(key, "(unknown)"), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from unknown(one, other, f"{path}[{number}]")
    elif ours != theirs:
        yield f"{path}: {ours!r} is read as {theirs!r}"


class TestDashboard:
    """It is what Grafana reads, by the types that Grafana publishes."""

    def test_it_has_the_form_of_a_dashboard(self):
        register_default_plugins()
        model = Dashboard.from_json(DASHBOARD)
        assert list(misfits(model, "dashboard")) == []
        assert list(unknown(DASHBOARD, json.loads(JSONEncoder().encode(model)))) == []

    def test_a_slip_would_be_found(self):
        register_default_plugins()
        slipped = json.loads(json.dumps(DASHBOARD))
        slipped["panels"][1]["gridPos"]["w"] = "4"
        slipped["panels"][1]["titel"] = "x"
        model = Dashboard.from_json(slipped)
        assert list(misfits(model, "d")) == ["d.panels[1].grid_pos.w: '4'"]
        assert list(unknown(slipped, json.loads(JSONEncoder().encode(model)))) == [
            "dashboard.panels[1].titel: 'x' is read as '(unknown)'"
        ]

    def test_panels_do_not_overlap(self):
        places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
        cells = [(x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
        assert len(set(cells)) == len(cells)
        assert max(x for x, _ in cells) < 24
        assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)

    def test_every_query_keeps_to_the_chosen_workspaces(self):
        for panel in DASHBOARD["panels"]:
            for target in panel.get("targets", ()):
                selectors = re.findall(rf"{PREFIX}\w+(\{{[^}}]*\}})?", target["expr"])
                assert set(selectors) == {'{workspace=~"$workspace"}'}, panel["title"]

    @needs_promtool
    def test_prometheus_understands_every_query(self, tmp_path: Path):
        recorded = [{"record": f"query_{number}", "expr": text} for number, text in enumerate(queries().values())]
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": recorded}]}), encoding="utf-8")
        assert f"{len(recorded)} rules found" in promtool("check", "rules", tmp_path / "rules.yaml")


class TestAlerts:
    """They fire when they should, and say what to do."""

    @needs_promtool
    def test_prometheus_accepts_the_rules(self):
        assert f"{len(rules())} rules found" in promtool("check", "rules", RULES)

    @needs_promtool
    def test_they_fire_when_they_should_and_not_before(self, tmp_path: Path):
        text = (Path(__file__).parent / "alerts.test.yaml").read_text(encoding="utf-8")
        assert {rule["alert"] for rule in rules()} == set(re.findall(r"alertname: (\w+)", text))
        (tmp_path / "test.yaml").write_text(text.replace("RULES", str(RULES)), encoding="utf-8")
        assert "SUCCESS" in promtool("test", "rules", tmp_path / "test.yaml")
