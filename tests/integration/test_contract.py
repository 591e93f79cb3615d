"""What scripts rely on: each exit code by a run that ends so, and each JSON document against its schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from sendkit_sync.core.errors import ExitCode
from sendkit_sync.core.schemas import schema
from sendkit_sync.render.json import plan_document
from sendkit_sync.simulator import Fault, Simulator
from support.plans import ALL
from support.waiting import terminated
from support.workspace import KILLER, TWO, Workspace

NOBODY = "http://127.0.0.1:9"


def strict(part: Any) -> Any:
    """Return a schema that takes nothing which it does not describe."""
    if isinstance(part, list):
        return [strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {key: strict(value) for key, value in part.items()}
    if "properties" in closed and "type" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


def check(name: str, document: Any) -> None:
    """Assert that `document` fits the schema, and that the schema describes all of it."""
    problems = [f"{one.json_path}: {one.message}" for one in Draft7Validator(strict(schema(name))).iter_errors(document)]
    assert problems == []


class TestExitCodes:
    """The first that fits, in the order of the contract."""

    def test_130_interrupted_by_a_signal(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
        # The hook holds the create up until the handler has surely run, which it does in another thread.
        monkeypatch.setattr("support.workspace.KILLER", terminated(KILLER))
        done = workspace.run("apply", "--yes", "--parallelism", "1", killed_at="outcome-durable")
        assert done.returncode == ExitCode.INTERRUPTED
        assert "1 created" in done.stdout
        assert len(workspace.simulator.webhooks()) == 1
        workspace.apply()
        workspace.check_each_made_once("CRM Sync", "Analytics")

    @pytest.mark.parametrize(
        "words", [("plan", "--no-such-flag"), ("no-such-command",), ("apply",), ("plan", "--format", "yaml"), ("plan", "more")]
    )
    def test_64_wrong_usage_and_no_terminal_without_yes(self, workspace: Workspace, words: tuple[str, ...]):
        assert workspace.run(*words).returncode == ExitCode.USAGE

    @pytest.mark.parametrize("file", ["webhooks.yaml", "sendkit.state.json", "plan.json"])
    def test_65_invalid_config_state_or_plan_file(self, workspace: Workspace, file: str):
        (workspace.folder / file).write_text("[", encoding="utf-8")
        words = ["apply", "--yes", *(["--plan", "plan.json"] if file == "plan.json" else [])]
        assert workspace.run(*words).returncode == ExitCode.INVALID

    def test_75_the_lock_is_held(self, workspace: Workspace):
        import fcntl

        with (workspace.folder / "sendkit.state.json.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert workspace.apply().returncode == ExitCode.LOCKED

    def test_74_the_state_cannot_be_read_or_written(self, workspace: Workspace):
        assert workspace.apply("--state", "no/such/folder/state.json").returncode == ExitCode.STATE_IO
        (workspace.folder / "folder.json").mkdir()
        assert workspace.run("plan", "--state", "folder.json").returncode == ExitCode.STATE_IO

    def test_77_the_key_is_missing_or_was_refused(self, workspace: Workspace):
        assert workspace.apply(SENDKIT_API_KEY="").returncode == ExitCode.KEY_REFUSED
        assert workspace.apply(SENDKIT_API_KEY="refused").returncode == ExitCode.KEY_REFUSED
        workspace.simulator.add_fault(Fault("POST", status=403))
        assert workspace.apply().returncode == ExitCode.KEY_REFUSED

    def test_69_the_api_cannot_be_reached_and_nothing_was_changed(self, workspace: Workspace):
        assert workspace.apply(SENDKIT_API_URL=NOBODY).returncode == ExitCode.UNREACHABLE
        assert (
            workspace.run("plan", "--refresh", "--retry-for", "0s", SENDKIT_API_URL=NOBODY).returncode == ExitCode.UNREACHABLE
        )

    def test_1_something_failed_was_refused_or_stays_unresolved(self, workspace: Workspace):
        workspace.simulator.list_enabled = False
        workspace.simulator.add_fault(Fault("POST", nth=1, status=422))
        assert workspace.apply().returncode == ExitCode.FAILED
        workspace.simulator.add_fault(Fault("POST", nth=1, status=500))
        workspace.write(TWO.replace("Analytics", "Third"))
        assert workspace.apply("--allow-duplicate").returncode == ExitCode.FAILED
        workspace.write("version: 1\nwebhooks: []\n")
        assert workspace.apply("--prune").returncode == ExitCode.FAILED

    def test_2_changes_are_pending(self, workspace: Workspace):
        assert workspace.run("plan", "--detailed-exitcode").returncode == ExitCode.CHANGES_PENDING
        assert workspace.run("plan").returncode == ExitCode.DONE

    def test_0_done(self, workspace: Workspace):
        assert workspace.apply().returncode == ExitCode.DONE
        workspace.write(TWO.partition("  - name: Analytics")[0])
        assert workspace.run("plan", "--detailed-exitcode").returncode == ExitCode.DONE, "an orphan is no change"

    def test_the_key_goes_before_an_api_that_cannot_be_reached_and_the_config_before_both(self, workspace: Workspace):
        assert workspace.apply(SENDKIT_API_KEY="", SENDKIT_API_URL=NOBODY).returncode == ExitCode.KEY_REFUSED
        workspace.write("[")
        assert workspace.apply(SENDKIT_API_KEY="", SENDKIT_API_URL=NOBODY).returncode == ExitCode.INVALID

    @pytest.mark.parametrize("fault", [None, Fault("POST", status=422), Fault("POST", status=401), Fault("POST", status=500)])
    def test_text_and_json_have_the_same(self, tmp_path: Path, fault: Fault | None):
        codes = set()
        for form in ("text", "json"):
            folder = tmp_path / form
            folder.mkdir()
            with Simulator(faults=[fault] if fault else []) as simulator:
                codes.add(Workspace(folder, simulator).apply("--format", form, "--settle", "0s").returncode)
        assert len(codes) == 1


class TestDocuments:
    def test_every_plan_fits_its_schema(self, workspace: Workspace):
        check("plan", plan_document(ALL))
        check("plan", json.loads(workspace.run("plan", "--format", "json").stdout))
        workspace.apply()
        workspace.simulator.change(workspace.simulator.webhooks()[0]["_id"], url="https://elsewhere.example.com")
        workspace.write(TWO.replace("name: CRM Sync", "name: CRM\n    renamedFrom: CRM Sync"))
        refreshed = json.loads(workspace.run("plan", "--refresh", "--format", "json").stdout)
        check("plan", refreshed)
        assert refreshed["live"] is not None
        assert re.fullmatch("[0-9a-f]{64}", refreshed["config_digest"])
        assert refreshed["state"] == {key: workspace.state[key] for key in ("lineage", "serial")}
        workspace.check_nothing_shown()

    def test_a_saved_plan_and_the_state_fit_theirs(self, workspace: Workspace):
        workspace.run("plan", "--out", "plan.json")
        saved = json.loads((workspace.folder / "plan.json").read_text(encoding="utf-8"))
        check("saved-plan", {**saved, "plan": {}})
        check("plan", saved["plan"])
        workspace.apply("--plan", "plan.json")
        check("state", workspace.state)

    def test_the_state_of_unresolved_calls_fits_its_schema(self, workspace: Workspace):
        workspace.simulator.add_fault(Fault("POST", status=500))
        with_secret = TWO.replace("name: Analytics", "name: Analytics\n    secret: ${S}")
        workspace.write(with_secret)
        workspace.apply("--settle", "0s", SENDKIT_SECRET_S="a-canary-of-a-secret")
        assert workspace.state["pending"]
        check("state", workspace.state)

    @pytest.mark.parametrize(
        "fault", [None, Fault("POST", nth=1, status=422), Fault("POST", status=401), Fault("POST", status=500)]
    )
    def test_what_apply_prints_fits_its_schema(self, workspace: Workspace, fault: Fault | None):
        if fault is not None:
            workspace.simulator.add_fault(fault)
        document = json.loads(workspace.apply("--format", "json", "--settle", "0s").stdout)
        check("apply", document)
        assert len(document["results"]) == 2
        assert sum(document["summary"].values()) == 2
        assert all((result["status"] == "done") is (result["error"] is None) for result in document["results"])

    @pytest.mark.parametrize(
        "config", [TWO, "[", "version: 1\nwebhook: 1\nwebhooks: [{name: A}]\n", TWO.replace("https", "http")]
    )
    def test_what_validate_prints_fits_its_schema(self, workspace: Workspace, config: str):
        workspace.write(config)
        document = json.loads(workspace.run("validate", "--format", "json").stdout)
        check("validate", document)
        assert (document["problems"] == []) is (config == TWO)

    def test_every_document_has_a_schema_and_every_field_in_it_is_listed(self):
        names = {path.name for path in (Path(__file__).parent.parent.parent / "schemas").iterdir()}
        assert names == {
            f"{one}.schema.json" for one in ("webhooks", "state", "plan", "saved-plan", "apply", "validate", "status", "test")
        }

    def test_the_check_itself_finds_what_a_schema_does_not_describe(self):
        with pytest.raises(AssertionError):
            check("validate", {"format_version": "1.0", "problems": [], "more": 1})
