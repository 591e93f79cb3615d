"""Updates, renames, drift, orphans, import, export and saved plans, as a user runs them."""

from __future__ import annotations

import json
import operator
from functools import reduce
from pathlib import Path

import pytest

from sendkit_sync.simulator import Fault, Simulator
from support.waiting import wait_for
from support.workspace import TWO, Workspace, check_converged, ids, sent

RENAMED = TWO.replace("name: CRM Sync", "name: CRM\n    renamedFrom: CRM Sync")
BY_HAND = {
    "timeoutMs": ("5000", "7000", 7000, ["import Analytics ID"]),
    "name": ("name: Analytics", "name: Numbers\n    renamedFrom: Analytics", "Numbers", ["apply --refresh"]),
    "secret": (
        "timeoutMs: 5000",
        "secret: ${HAND}\n    timeoutMs: 5000",
        "canary-set-by-hand-0123",
        ["state forget Analytics", "import Analytics ID", "secret set"],
    ),
}
"""By field: what changes in the config, its new value in SendKit, and what the message says to run then."""
ONE = TWO[: TWO.index("  - name: Analytics")]


@pytest.fixture
def applied(workspace: Workspace) -> Workspace:
    assert workspace.apply().returncode == 0
    workspace.simulator.requests.clear()
    return workspace


def numbered(count: int) -> str:
    entries = "".join(
        f"  - name: Hook {number:02}\n    url: https://h{number}.example.com/in\n    events: [email.sent]\n"
        for number in range(count)
    )
    return "version: 1\nwebhooks:\n" + entries


class TestUpdate:
    def test_only_what_differs_is_sent(self, workspace: Workspace):
        workspace.write(numbered(6))
        assert workspace.apply().returncode == 0
        before = ids(workspace)
        entries = numbered(6)
        for old, new in {
            "h0.example.com/in": "h0.example.com/out",
            "name: Hook 01": "name: Hook 09\n    renamedFrom: Hook 01",
            "h2.example.com/in\n    events: [email.sent": "h2.example.com/in\n    events: [email.sent, email.opened",
            "  - name: Hook 03\n": "  - name: Hook 03\n    retryAttempts: 5\n    timeoutMs: 7000\n",
            "  - name: Hook 04\n": "  - name: Hook 04\n    secret: ${FOUR}\n",
            "name: Hook 05": "name: Hook 10\n    renamedFrom: Hook 05\n    secret: ${FIVE}\n    timeoutMs: 1",
        }.items():
            entries = entries.replace(old, new)
        workspace.write(entries)
        workspace.simulator.requests.clear()
        secrets = {"SENDKIT_SECRET_FOUR": "canary-supplied-secret-4", "SENDKIT_SECRET_FIVE": "canary-supplied-secret-5"}
        done = workspace.apply(**secrets)
        assert done.returncode == 0, done.stderr
        fields = {request["path"].rpartition("/")[2]: request["fields"] for request in workspace.simulator.requests}
        assert [fields[before[f"Hook {number:02}"]] for number in range(6)] == [
            ["url"],
            ["name"],
            ["events"],
            ["retryAttempts", "timeoutMs"],
            ["secret"],
            ["name", "timeoutMs", "secret"],
        ]
        assert sent(workspace, "POST", "PATCH", "DELETE") == ["PATCH"] * 6
        assert sorted(ids(workspace).values()) == sorted(before.values())
        assert workspace.run("plan", "--refresh", "--detailed-exitcode", **secrets).returncode == 0
        workspace.check_each_made_once("Hook 00", "Hook 09", "Hook 02", "Hook 03", "Hook 04", "Hook 10")

    def test_a_left_out_number_goes_back_to_the_default(self, applied: Workspace):
        applied.write(TWO.replace("    timeoutMs: 5000\n", ""))
        assert applied.apply().returncode == 0
        live = {webhook["name"]: webhook for webhook in applied.simulator.webhooks()}
        assert live["Analytics"]["timeoutMs"] == 10_000
        check_converged(applied, "CRM Sync", "Analytics")

    def test_a_secret_of_the_config_is_sent_and_shown_as_changed_only(self, applied: Workspace):
        old = applied.state["webhooks"]["CRM Sync"]["secret"]
        applied.write(TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n"))
        environment = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-01"}
        plan = applied.run("plan", **environment)
        assert "secret  (sensitive) -> (sensitive, from SENDKIT_SECRET_CRM)" in plan.stdout
        assert applied.apply(**environment).returncode == 0
        recorded = applied.state["webhooks"]["CRM Sync"]
        assert recorded["secret"]["value"] == "canary-supplied-secret-01"
        assert recorded["previousSecrets"] == [old]
        assert applied.run("plan", "--detailed-exitcode", **environment).returncode == 0
        applied.check_each_made_once("CRM Sync", "Analytics")

    @pytest.mark.parametrize("kind", ["drop", "status"])
    def test_an_unanswered_update_is_planned_again(self, applied: Workspace, kind: str):
        applied.simulator.add_fault(Fault("PATCH", when="after", kind=kind))
        applied.write(TWO.replace("/in", "/changed"))
        assert applied.apply().returncode == 1
        assert applied.run("plan", "--detailed-exitcode").returncode == 2
        applied.simulator.faults.clear()
        assert applied.apply().returncode == 0
        check_converged(applied, "CRM Sync", "Analytics")

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_both_secrets_are_kept_until_an_update_is_answered(self, applied: Workspace, when: str):
        old = applied.state["webhooks"]["CRM Sync"]["secret"]
        applied.simulator.add_fault(Fault("PATCH", when=when, kind="drop"))
        applied.write(TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n"))
        environment = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-06"}
        assert applied.apply(**environment).returncode == 1
        assert applied.state["webhooks"]["CRM Sync"]["secret"] == old
        assert applied.state["pending"]["CRM Sync"][0]["secret"]["value"] == "canary-supplied-secret-06"
        applied.simulator.faults.clear()
        assert applied.apply(**environment).returncode == 0
        assert applied.state["webhooks"]["CRM Sync"]["previousSecrets"] == [old]
        applied.check_each_made_once("CRM Sync", "Analytics")

    @pytest.mark.parametrize("status", [404, 405, 501])
    def test_a_server_without_patch_is_said(self, applied: Workspace, status: int):
        applied.simulator.add_fault(Fault("PATCH", kind="status", status=status))
        applied.write(TWO.replace("/in", "/changed"))
        done = applied.apply()
        assert done.returncode == 1
        assert "change it in SendKit by hand" in done.stderr
        assert "pending" not in applied.state or not applied.state["pending"]

    @pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
    @pytest.mark.parametrize("change", BY_HAND)
    def test_what_is_changed_by_hand_then_is_taken_over_as_the_message_says(self, tmp_path: Path, change: str, masked: bool):
        old, new, value, steps = BY_HAND[change]
        environment = {"SENDKIT_SECRET_HAND": "canary-set-by-hand-0123"}
        with Simulator(mask_secrets=masked) as simulator:
            workspace = Workspace(tmp_path, simulator)
            assert workspace.apply().returncode == 0
            simulator.add_fault(Fault("PATCH", kind="status", status=405))
            workspace.write(TWO.replace(old, new))
            told = workspace.apply(**environment).stderr
            webhook_id = ids(workspace)["Analytics"]
            simulator.change(webhook_id, **{change: value})
            for step in steps:
                if step.startswith("secret set") and not masked:
                    continue
                assert step.replace(" ID", "") in told.replace('"', "")
                words = (step + " Analytics" * (step == "secret set")).replace("ID", webhook_id).split()
                given = "canary-set-by-hand-0123" if step == "secret set" else ""
                done = workspace.run(
                    *words, *["--yes"] * (words[0] == "apply" or "forget" in words), given=given, **environment
                )
                assert done.returncode == 0, done.stderr
            again = workspace.run("plan", "--refresh", "--detailed-exitcode", **environment)
            assert again.returncode == 0, again.stdout
            workspace.check_each_made_once("CRM Sync", "Numbers" if change == "name" else "Analytics")

    @pytest.mark.parametrize("place", ["intent-durable", "request-sent", "answer-read", "outcome-durable"])
    def test_a_killed_update_keeps_both_secrets_and_converges(self, applied: Workspace, place: str):
        text = TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n")
        applied.write(text)
        environment = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-02"}
        applied.run("apply", "--yes", killed_at=place, **environment)
        again = applied.apply(**environment)
        assert again.returncode == 0, again.stderr
        applied.check_each_made_once("CRM Sync", "Analytics")


class TestRename:
    def test_renamed_from_changes_the_webhook_in_place(self, applied: Workspace):
        before = ids(applied)["CRM Sync"]
        applied.write(RENAMED)
        assert "CRM Sync -> CRM" in applied.run("plan").stdout
        done = applied.apply()
        assert done.returncode == 0, done.stderr
        assert ids(applied)["CRM"] == before
        check_converged(applied, "CRM", "Analytics")

    def test_it_is_harmless_to_leave_in_place(self, applied: Workspace):
        applied.write(RENAMED)
        applied.apply()
        assert applied.run("plan", "--detailed-exitcode").returncode == 0

    @pytest.mark.parametrize("place", ["intent-durable", "request-sent", "answer-read", "outcome-durable"])
    def test_a_killed_rename_converges(self, applied: Workspace, place: str):
        applied.write(RENAMED)
        applied.run("apply", "--yes", killed_at=place)
        assert applied.apply().returncode == 0
        check_converged(applied, "CRM", "Analytics")

    def test_two_entries_cannot_take_one_name_over(self, workspace: Workspace):
        workspace.write(RENAMED.replace("name: Analytics", "name: Analytics\n    renamedFrom: CRM Sync"))
        refused = workspace.run("validate")
        assert refused.returncode == 65
        assert "already renamed from `CRM Sync`" in refused.stdout

    @pytest.mark.parametrize(
        "renames",
        [{"B": "A", "A": None}, {"B": "A", "A": "B"}, {"B": "A", "C": "B"}],
        ids=["the-old-name-anew", "a-swap", "a-chain"],
    )
    def test_a_name_is_not_given_up_and_kept(self, workspace: Workspace, renames: dict[str, str | None]):
        """Else one URL would get the other's secret, or two webhooks would deliver to it."""
        text = "version: 1\nwebhooks:\n"
        for name, former in renames.items():
            text += f"  - name: {name}\n    url: https://{name}.example.com/\n    events: [email.sent]\n"
            text += f"    renamedFrom: {former}\n" if former else ""
        workspace.write(text)
        refused = workspace.run("validate")
        assert refused.returncode == 65
        assert "is also the name of the entry at webhooks.yaml:" in refused.stdout


class TestRefresh:
    def test_plan_refresh_sends_get_only_and_writes_nothing(self, applied: Workspace):
        before = {path.name: path.read_bytes() for path in applied.folder.iterdir()}
        assert applied.run("plan", "--refresh").returncode == 0
        assert {request["method"] for request in applied.simulator.requests} == {"GET"}
        assert {path.name: path.read_bytes() for path in applied.folder.iterdir()} == before

    @pytest.mark.parametrize(
        ("text", "words"),
        [(TWO.replace("CRM Sync", "New").replace("crm.", "new."), ()), (TWO.replace("/in", "/out"), ()), (ONE, ("--prune",))],
        ids=["create", "update", "delete"],
    )
    def test_it_does_not_settle_what_has_no_outcome(self, applied: Workspace, text: str, words: tuple[str, ...]):
        applied.write(text)
        before = len(applied.simulator.requests)
        applied.run("apply", "--yes", *words, killed_at="request-sent")
        wait_for(lambda: len(applied.simulator.requests) > before, "the call that was sent")
        applied.simulator.requests.clear()
        before = {path.name: path.read_bytes() for path in applied.folder.iterdir()}
        assert "sendkit.state.json.journal" in before
        assert applied.run("plan", "--refresh", "--prune", "--out", "plan.bin").returncode == 0
        assert {request["method"] for request in applied.simulator.requests} == {"GET"}
        (applied.folder / "plan.bin").unlink()
        assert {path.name: path.read_bytes() for path in applied.folder.iterdir()} == before

    def test_drift_is_marked_and_changed_back(self, applied: Workspace):
        applied.simulator.change(ids(applied)["Analytics"], url="https://elsewhere.example.com/x")
        assert applied.run("plan", "--detailed-exitcode").returncode == 0
        plan = json.loads(applied.run("plan", "--refresh", "--format", "json").stdout)
        assert [(action["reason"], action["drifted"]) for action in plan["actions"]] == [("drift", ["url"])]
        assert applied.apply("--refresh").returncode == 0
        check_converged(applied, "CRM Sync", "Analytics")

    @pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
    def test_what_a_refresh_finds_is_marked_in_every_form(self, applied: Workspace, form: str):
        """Drift that comes with a rename too, what is gone, inactive, not recorded, and looks like it is ours."""
        applied.simulator.store.create("ws_demo", {"name": "New", "url": "https://n.example.com/", "events": ["email.sent"]})
        applied.simulator.change(ids(applied)["CRM Sync"], url="https://elsewhere.example.com/x", status="inactive")
        applied.simulator.change(ids(applied)["CRM Sync"], secret="canary-of-somebody-else")
        applied.simulator.delete(ids(applied)["Analytics"])
        applied.write(RENAMED + "  - name: New\n    url: https://new.example.com/\n    events: [email.sent]\n")
        shown = applied.run("plan", "--refresh", "--format", form).stdout
        if form == "json":
            plan = json.loads(shown)
            assert [(action["name"], action["reason"], action["drifted"]) for action in plan["actions"]] == [
                ("Analytics", "missing", []),
                ("CRM", "renamed", ["url"]),
                ("New", "new", []),
            ]
            assert plan["actions"][2]["blocked_by"]["kind"] == "live"
            assert plan["live"] == {
                "gone": 1,
                "unrecorded": 1,
                "inactive": ["CRM Sync"],
                "other_secrets": ["CRM Sync"],
            }
            return
        for part in (
            "it was changed outside",
            "no longer exists in SendKit",
            "Inactive in SendKit",
            "Different secret in SendKit",
            "1 live webhook is not",
        ):
            assert part in shown
        applied.check_nothing_shown()
        assert f"import New {ids(applied)['New']}" in shown
        assert applied.apply("--refresh").returncode == 1
        assert sorted(sent(applied, "POST", "PATCH")) == ["PATCH", "POST"]

    def test_a_changed_live_name_is_drift(self, applied: Workspace):
        applied.simulator.change(ids(applied)["Analytics"], name="Somebody's")
        assert applied.apply("--refresh").returncode == 0
        check_converged(applied, "CRM Sync", "Analytics")

    def test_a_webhook_that_is_gone_is_made_anew_with_its_secret(self, applied: Workspace):
        secret = applied.state["webhooks"]["Analytics"]["secret"]
        applied.simulator.delete(ids(applied)["Analytics"])
        plan = applied.run("plan", "--refresh").stdout
        assert "no longer exists in SendKit" in plan
        assert "(sensitive, the recorded one if it can be read)" in plan
        done = applied.apply("--refresh")
        assert done.returncode == 0, done.stderr
        assert applied.state["webhooks"]["Analytics"]["secret"] == secret
        check_converged(applied, "CRM Sync", "Analytics")

    def test_a_webhook_that_only_the_list_misses_is_not_made_again(self, applied: Workspace):
        applied.simulator.add_fault(Fault("GET", "/v1/webhooks", kind="empty"))
        assert applied.run("plan", "--refresh", "--detailed-exitcode").returncode == 0

    def test_what_cannot_be_looked_at_is_not_gone(self, applied: Workspace):
        applied.simulator.add_fault(Fault("GET", "/v1/webhooks", kind="empty"))
        applied.simulator.add_fault(Fault("GET", "/v1/webhooks/*", kind="status", status=405))
        plan = applied.run("plan", "--refresh", "--detailed-exitcode")
        assert plan.returncode == 0, plan.stdout
        assert "2 recorded webhooks are not in the list and cannot be read" in plan.stderr

    def test_all_gone_at_once_needs_force(self, applied: Workspace):
        for webhook_id in ids(applied).values():
            applied.simulator.delete(webhook_id)
        refused = applied.apply("--refresh")
        assert refused.returncode == 1
        assert "the key may belong to another workspace" in refused.stderr
        assert applied.simulator.webhooks() == []
        assert applied.apply("--refresh", "--force").returncode == 0
        check_converged(applied, "CRM Sync", "Analytics")

    def test_unrecorded_and_inactive_ones_are_told_and_left(self, applied: Workspace):
        applied.simulator.change(ids(applied)["Analytics"], status="inactive")
        (applied.folder / "other").mkdir()
        other = Workspace(applied.folder / "other", applied.simulator)
        other.write(numbered(1))
        assert other.apply().returncode == 0
        plan = applied.run("plan", "--refresh").stdout
        assert 'Inactive in SendKit:\n  "Analytics"' in plan
        assert "1 live webhook" in plan
        assert applied.apply("--refresh").returncode == 0
        assert len(applied.simulator.webhooks()) == 3

    def test_a_masked_secret_overwrites_nothing(self, tmp_path: Path):
        with Simulator(mask_secrets=True) as simulator:
            workspace = Workspace(tmp_path, simulator)
            assert workspace.apply().returncode == 0
            assert workspace.apply("--refresh").returncode == 0
            check_converged(workspace, "CRM Sync", "Analytics")


class TestOrphans:
    def test_an_orphan_is_kept_until_it_is_pruned(self, applied: Workspace):
        applied.write(ONE)
        plan = applied.run("plan", "--detailed-exitcode")
        assert plan.returncode == 0
        assert "Analytics" in plan.stdout
        assert applied.apply().returncode == 0
        assert len(applied.simulator.webhooks()) == 2
        assert '- delete "Analytics"' in applied.run("plan", "--prune").stdout
        assert applied.apply("--prune").returncode == 0
        check_converged(applied, "CRM Sync")

    def test_a_second_name_of_a_webhook_in_use_is_kept_with_its_secret(self, applied: Workspace):
        state = applied.state
        state["webhooks"]["Former"] = state["webhooks"]["CRM Sync"]
        (applied.folder / "sendkit.state.json").write_text(json.dumps(state), encoding="utf-8")
        assert applied.apply("--prune").returncode == 0
        assert sent(applied, "DELETE") == []
        assert applied.run("state", "forget", "Former", "--yes").returncode == 0
        check_converged(applied, "CRM Sync", "Analytics")

    def test_pruning_everything_needs_force(self, applied: Workspace):
        applied.write("version: 1\nwebhooks: []\n")
        refused = applied.apply("--prune")
        assert refused.returncode == 1
        assert len(applied.simulator.webhooks()) == 2
        assert applied.apply("--prune", "--force").returncode == 0
        assert applied.simulator.webhooks() == []

    @pytest.mark.parametrize(("kept", "code"), [(8, 0), (6, 1)])
    def test_more_than_thirty_percent_of_ten_needs_force(self, workspace: Workspace, kept: int, code: int):
        workspace.write(numbered(10))
        assert workspace.apply().returncode == 0
        workspace.write(numbered(kept))
        assert workspace.apply("--prune").returncode == code
        assert len(workspace.simulator.webhooks()) == (kept if code == 0 else 10)

    @pytest.mark.parametrize("kind", ["drop", "status"])
    def test_a_delete_without_an_answer_is_looked_at(self, applied: Workspace, kind: str):
        applied.write(ONE)
        applied.simulator.add_fault(Fault("DELETE", when="after", kind=kind, status=404))
        assert applied.apply("--prune").returncode == 0
        check_converged(applied, "CRM Sync")

    def test_a_server_without_delete_keeps_the_record(self, applied: Workspace):
        applied.write(ONE)
        applied.simulator.add_fault(Fault("DELETE", kind="status", status=404))
        done = applied.apply("--prune")
        assert done.returncode == 1
        assert "state forget" in done.stderr
        assert "Analytics" in applied.state["webhooks"]

    @pytest.mark.parametrize("place", ["intent-durable", "request-sent", "answer-read"])
    def test_a_killed_delete_converges(self, applied: Workspace, place: str):
        applied.write(ONE)
        applied.run("apply", "--yes", "--prune", killed_at=place)
        assert applied.apply("--prune").returncode == 0
        check_converged(applied, "CRM Sync")


class TestImport:
    @pytest.fixture
    def lost(self, applied: Workspace) -> Workspace:
        for path in applied.folder.glob("sendkit.state.json*"):
            path.unlink()
        return applied

    def test_matching_adopts_what_the_config_names(self, lost: Workspace):
        done = lost.run("import", "--matching")
        assert done.returncode == 0, done.stderr
        assert "2 webhooks adopted." in done.stdout
        assert sent(lost, "POST", "PATCH", "DELETE") == []
        check_converged(lost, "CRM Sync", "Analytics")

    def test_one_is_adopted_under_a_name_of_the_config(self, lost: Workspace):
        done = lost.run("import", "Analytics", ids(lost)["Analytics"])
        assert done.returncode == 0, done.stderr
        assert list(lost.state["webhooks"]) == ["Analytics"]
        assert lost.run("import", "Nobody", ids(lost)["Analytics"]).returncode == 1
        assert lost.run("import", "CRM Sync", ids(lost)["Analytics"]).returncode == 1
        assert lost.run("import", "CRM Sync", "0" * 24).returncode == 1
        assert lost.run("import", "CRM Sync").returncode == 64

    def test_another_name_in_sendkit_is_changed_to_that_of_the_config(self, lost: Workspace):
        webhook_id = ids(lost)["CRM Sync"]
        lost.write(ONE.replace("name: CRM Sync", "name: CRM"))
        told = lost.run("import", "CRM", webhook_id)
        assert (told.returncode, ids(lost)["CRM Sync"]) == (0, webhook_id)
        assert "the next apply renames it" in told.stderr
        assert "name    CRM Sync -> CRM" in lost.run("plan").stdout
        assert lost.apply().returncode == 0
        assert sent(lost, "POST", "PATCH") == ["PATCH"]
        assert ids(lost)["CRM"] == webhook_id
        assert lost.run("plan", "--refresh", "--detailed-exitcode").returncode == 0

    def test_a_rename_to_the_name_it_was_adopted_with_sends_nothing(self, lost: Workspace):
        webhook_id = ids(lost)["CRM Sync"]
        lost.write(ONE.replace("name: CRM Sync", "name: CRM"))
        lost.run("import", "CRM", webhook_id)
        lost.write(ONE.replace("name: CRM Sync", "name: CRM Sync\n    renamedFrom: CRM"))
        assert "1 adopted" in lost.apply().stdout
        assert sent(lost, "POST", "PATCH") == []
        assert lost.run("plan", "--refresh", "--detailed-exitcode").returncode == 0

    def test_without_a_list_one_is_imported_by_its_id(self, lost: Workspace):
        lost.simulator.list_enabled = False
        for words in (["import", "--matching"], ["export"]):
            refused = lost.run(*words)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert "the server cannot list webhooks (it answered 405)" in refused.stderr
        for name, webhook_id in ids(lost).items():
            assert lost.run("import", name, webhook_id).returncode == 0
        assert lost.run("plan", "--refresh", "--detailed-exitcode").returncode == 0
        lost.check_each_made_once("CRM Sync", "Analytics")

    def test_a_masked_secret_is_recorded_as_missing(self, tmp_path: Path):
        with Simulator(mask_secrets=True) as simulator:
            workspace = Workspace(tmp_path, simulator)
            workspace.apply()
            for path in tmp_path.glob("sendkit.state.json*"):
                path.unlink()
            done = workspace.run("import", "--matching")
            assert "secret set" in done.stderr
            assert workspace.state["webhooks"]["Analytics"]["secret"] == {"missing": True}
            assert "missing" in workspace.run("state", "list").stdout
            for form in ("text", "markdown", "html"):
                assert "secret set Analytics" in workspace.run("plan", "--format", form).stdout.replace("&#32;", " ")
            assert json.loads(workspace.run("plan", "--format", "json").stdout)["missing_secrets"] == ["Analytics", "CRM Sync"]

    def test_a_secret_that_is_supplied_counts_as_the_one_sendkit_has(self, tmp_path: Path):
        supplied, other = "canary-supplied-by-hand-1", "canary-supplied-by-hand-2"
        text = TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n")
        with Simulator(mask_secrets=True) as simulator:
            workspace = Workspace(tmp_path, simulator)
            workspace.apply()
            for path in tmp_path.glob("sendkit.state.json*"):
                path.unlink()
            workspace.run("import", "--matching")
            simulator.requests.clear()
            assert workspace.run("secret", "set", "CRM Sync", given=supplied).returncode == 0
            assert workspace.apply("--refresh").returncode == 0
            workspace.write(text)
            assert workspace.run("plan", "--detailed-exitcode", SENDKIT_SECRET_CRM=supplied).returncode == 0
            assert sent(workspace, "PATCH", "POST") == []
            assert workspace.apply(SENDKIT_SECRET_CRM=other).returncode == 0
            live = {webhook["name"]: webhook["secret"] for webhook in simulator.webhooks()}
            assert live["CRM Sync"] == other
            assert workspace.state["webhooks"]["CRM Sync"]["previousSecrets"][0]["value"] == supplied
            told = workspace.run("secret", "set", "Analytics", given=supplied, SENDKIT_SECRET_CRM=other)
            assert "nothing was sent" in told.stdout
            workspace.write(text.replace("    timeoutMs", "    secret: ${CRM}\n    timeoutMs"))
            assert workspace.apply(SENDKIT_SECRET_CRM=other).returncode == 0
            assert sent(workspace, "PATCH", "POST") == ["PATCH", "PATCH"]
            workspace.check_nothing_shown()

    def test_export_import_plan_finds_no_changes(self, lost: Workspace):
        exported = lost.run("export")
        assert exported.returncode == 0, exported.stderr
        lost.write(exported.stdout)
        assert lost.run("validate", "--strict").returncode == 0
        assert lost.run("import", "--matching").returncode == 0
        check_converged(lost, "CRM Sync", "Analytics")


class TestSavedPlan:
    def test_the_saved_plan_is_applied(self, workspace: Workspace):
        assert workspace.run("plan", "--out", "plan.bin").returncode == 0
        done = workspace.apply("--plan", "plan.bin")
        assert done.returncode == 0, done.stderr
        check_converged(workspace, "CRM Sync", "Analytics")

    def test_a_changed_config_makes_it_stale(self, workspace: Workspace):
        workspace.run("plan", "--out", "plan.bin")
        workspace.write(TWO.replace("/in", "/changed"))
        refused = workspace.apply("--plan", "plan.bin")
        assert refused.returncode == 1
        assert "the config has changed" in refused.stderr
        assert 'create "Analytics": after/url differs' in refused.stderr
        assert workspace.simulator.webhooks() == []

    def test_a_changed_state_makes_it_stale(self, workspace: Workspace):
        workspace.run("plan", "--out", "plan.bin")
        workspace.apply()
        refused = workspace.apply("--plan", "plan.bin")
        assert refused.returncode == 1
        assert "the state has changed" in refused.stderr
        assert len(workspace.simulator.webhooks()) == 2

    def test_drift_after_the_plan_makes_it_stale(self, applied: Workspace):
        applied.write(TWO.replace("timeoutMs: 5000", "timeoutMs: 7000"))
        applied.run("plan", "--refresh", "--out", "plan.bin")
        applied.simulator.change(ids(applied)["CRM Sync"], url="https://elsewhere.example.com/x")
        refused = applied.apply("--plan", "plan.bin")
        assert refused.returncode == 1
        assert 'the plan would be different now (it would also update "CRM Sync")' in refused.stderr
        assert sent(applied, "PATCH") == []

    def test_prune_and_targets_are_part_of_it(self, applied: Workspace):
        applied.write(ONE)
        applied.run("plan", "--prune", "--target", "Ana*", "--out", "plan.bin")
        assert applied.apply("--plan", "plan.bin", "--prune").returncode == 64
        assert applied.apply("--plan", "plan.bin").returncode == 0
        check_converged(applied, "CRM Sync")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "plan.bin:1:1: the file is not a saved plan: it is not JSON"),
            ('{"format_version": "1.0",\n', "plan.bin:2:1: "),
            ("[]", "its top level does not match the schema"),
            ("[" * 100_000, "its JSON cannot be parsed"),
            ('{"serial": ' + "9" * 10_000 + "}", "its JSON cannot be parsed"),
            ('{"format_version": "9.0"}', "another version"),
            ('{"format_version": "1.0"}', "its top level does not match"),
        ],
        ids=["empty", "cut", "a-list", "deep", "a-huge-number", "newer", "bare"],
    )
    def test_a_damaged_file_is_refused(self, workspace: Workspace, content: str, said: str):
        (workspace.folder / "plan.bin").write_text(content)
        refused = workspace.apply("--plan", "plan.bin")
        assert refused.returncode == 65
        assert said in refused.stderr
        assert workspace.simulator.requests == []

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            ("format_version", 1),
            ("options/targets", "x"),
            ("plan/state", None),
            ("plan/actions/0/name", 1),
            ("plan/actions/1/action", "\x1b"),
        ],
    )
    def test_a_value_of_the_wrong_type_is_named_by_its_place(self, tmp_path: Path, place: str, value: object):
        with Simulator() as simulator:
            workspace = Workspace(tmp_path, simulator)
            workspace.run("plan", "--out", "plan.bin")
            document = json.loads((tmp_path / "plan.bin").read_text())
            *steps, last = [int(step) if step.isdigit() else step for step in place.split("/")]
            reduce(operator.getitem, steps, document)[last] = value
            (tmp_path / "plan.bin").write_text(json.dumps(document))
            refused = workspace.apply("--plan", "plan.bin")
        assert refused.returncode == 65
        assert f"{place} does not match the schema" in refused.stderr

    @pytest.mark.parametrize("change", ["api", "workspace_id", "url", "action", "lineage", "serial", "refresh"])
    def test_an_edited_file_changes_nothing(self, applied: Workspace, change: str):
        applied.write(TWO.replace("timeoutMs: 5000", "timeoutMs: 7000") + numbered(1).partition("webhooks:\n")[2])
        applied.run("plan", "--out", "plan.bin")
        document = json.loads((applied.folder / "plan.bin").read_text())
        plan = document["plan"]
        if change in ("api", "workspace_id"):
            document[change] = "https://other.example.com"
        elif change == "refresh":
            applied.simulator.delete(ids(applied)["CRM Sync"])
            document["options"]["refresh"] = True
        elif change == "url":
            plan["actions"][1]["after"]["url"] = "https://evil.example.com/"
        elif change == "action":
            plan["actions"].pop()
        else:
            plan["state"][change] = 7 if change == "serial" else "0" * 16
        (applied.folder / "plan.bin").write_text(json.dumps(document))
        refused = applied.apply("--plan", "plan.bin")
        assert refused.returncode == 1
        assert "the saved plan is stale" in refused.stderr
        assert sent(applied, "POST", "PATCH", "DELETE") == []

    @pytest.mark.parametrize("file", ["sendkit.state.json", "webhooks.yaml"])
    def test_it_overwrites_nothing_but_a_plan(self, applied: Workspace, file: str):
        before = (applied.folder / file).read_bytes()
        refused = applied.run("plan", "--out", file)
        assert refused.returncode == 64
        assert "that is not a saved plan" in refused.stderr
        assert (applied.folder / file).read_bytes() == before
        assert applied.run("plan", "--out", "plan.bin").returncode == 0
        assert applied.run("plan", "--out", "plan.bin").returncode == 0

    def test_it_holds_no_secret(self, workspace: Workspace):
        workspace.write(TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n"))
        workspace.run("plan", "--out", "plan.bin", SENDKIT_SECRET_CRM="canary-supplied-secret-03")
        assert "canary" not in (workspace.folder / "plan.bin").read_text()


def test_target_leaves_the_others_alone(workspace: Workspace):
    done = workspace.apply("--target", "CRM*")
    assert done.returncode == 0, done.stderr
    assert list(ids(workspace)) == ["CRM Sync"]
    assert workspace.apply().returncode == 0
    check_converged(workspace, "CRM Sync", "Analytics")


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_target_that_matches_nothing_is_said(workspace: Workspace, command: str):
    words = ["--yes"] if command == "apply" else []
    refused = workspace.run(command, *words, "--target", "CRM*", "--target", "Analitics")
    assert refused.returncode == 64
    assert '--target "Analitics" matches no webhook' in refused.stderr
    assert workspace.simulator.webhooks() == []


class TestWhatGoesWrongTogether:
    def test_prune_keeps_the_orphan_that_blocks_a_create(self, applied: Workspace):
        applied.write(TWO.replace("name: CRM Sync", "name: CRM"))
        assert applied.apply("--prune").returncode == 1
        assert sorted(ids(applied)) == ["Analytics", "CRM Sync"]
        applied.write(RENAMED)
        assert applied.apply("--prune").returncode == 0
        check_converged(applied, "CRM", "Analytics")

    def test_prune_with_a_target_keeps_it_too(self, applied: Workspace):
        applied.write(TWO.replace("name: CRM Sync", "name: CRM"))
        assert applied.apply("--prune", "--target", "CRM Sync").returncode == 0
        assert sorted(ids(applied)) == ["Analytics", "CRM Sync"]

    def test_an_unanswered_rename_is_undone_when_the_config_goes_back(self, applied: Workspace):
        applied.simulator.add_fault(Fault("PATCH", when="after", kind="drop"))
        applied.write(RENAMED)
        assert applied.apply().returncode == 1
        applied.simulator.faults.clear()
        applied.write(TWO)
        assert applied.run("plan", "--detailed-exitcode").returncode == 2
        assert applied.apply().returncode == 0
        assert not applied.state["pending"]
        check_converged(applied, "CRM Sync", "Analytics")

    def test_renamed_and_gone_is_made_anew_with_the_old_secret(self, applied: Workspace):
        secret = applied.state["webhooks"]["CRM Sync"]["secret"]
        applied.simulator.delete(ids(applied)["CRM Sync"])
        applied.write(RENAMED)
        assert applied.apply("--refresh").returncode == 0
        assert applied.state["webhooks"]["CRM"]["secret"] == secret
        check_converged(applied, "CRM", "Analytics")

    def test_an_unresolved_create_is_neither_forgotten_nor_adopted_over(self, applied: Workspace):
        applied.simulator.delete(ids(applied)["Analytics"])
        applied.simulator.add_fault(Fault("POST", when="after", kind="drop"))
        applied.simulator.add_fault(Fault("GET", "/v1/webhooks", nth=2, kind="status", status=400))
        assert applied.apply("--refresh").returncode == 1
        applied.simulator.faults.clear()
        assert applied.run("state", "forget", "Analytics", "--yes").returncode == 1
        assert applied.run("import", "Analytics", ids(applied)["Analytics"]).returncode == 1
        assert applied.apply().returncode == 0
        check_converged(applied, "CRM Sync", "Analytics")

    def test_an_import_keeps_the_secret_of_an_attempt_that_has_expired(self, tmp_path: Path):
        with Simulator(mask_secrets=True) as simulator:
            workspace = Workspace(tmp_path, simulator)
            simulator.add_fault(Fault("POST", kind="drop"))
            workspace.write(ONE)
            assert workspace.apply("--settle", "1ms").returncode == 1
            workspace.write("version: 1\nwebhooks: []\n")
            assert workspace.apply("--resend-after", "0s").returncode == 0
            simulator.faults.clear()
            intent = workspace.state["pending"]["CRM Sync"][0]
            body = {"name": "CRM Sync", **intent["settings"], "secret": intent["secret"]["value"]}
            late = simulator.store.create("ws_demo", body)["_id"]
            workspace.write(ONE)
            refused = workspace.run("import", "CRM Sync", late)
            assert refused.returncode == 1
            assert "run apply" in refused.stderr
            assert workspace.apply().returncode == 0
            check_converged(workspace, "CRM Sync")

    def test_a_proxys_page_is_no_deletion(self, applied: Workspace):
        applied.write(ONE)
        applied.simulator.add_fault(Fault("DELETE", when="before", kind="garbage"))
        assert applied.apply("--prune").returncode == 1
        assert "Analytics" in applied.state["webhooks"]
        applied.simulator.faults.clear()
        assert applied.apply("--prune").returncode == 0
        check_converged(applied, "CRM Sync")

    def test_what_was_changed_outside_to_what_is_wanted_is_adopted(self, applied: Workspace):
        applied.simulator.change(ids(applied)["Analytics"], timeoutMs=7000)
        applied.write(TWO.replace("timeoutMs: 5000", "timeoutMs: 7000"))
        done = applied.apply("--refresh")
        assert done.returncode == 0, done.stderr
        assert "1 adopted" in done.stdout
        assert sent(applied, "PATCH", "POST") == []
        check_converged(applied, "CRM Sync", "Analytics")

    def test_an_import_takes_the_secret_of_an_unanswered_update_over(self, applied: Workspace):
        applied.simulator.add_fault(Fault("PATCH", when="after", kind="drop"))
        applied.write(TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n"))
        environment = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-05"}
        assert applied.apply(**environment).returncode == 1
        assert applied.run("import", "CRM Sync", ids(applied)["CRM Sync"], **environment).returncode == 0
        applied.simulator.faults.clear()
        applied.check_each_made_once("CRM Sync", "Analytics")

    def test_the_key_of_another_workspace_changes_nothing(self, applied: Workspace):
        other = {"SENDKIT_API_KEY": "sk_other"}
        with Simulator(keys={"sk_other": ["ws_other"]}) as elsewhere:
            elsewhere.store.create("ws_other", {"name": "X", "url": "https://x.example.com/", "events": ["email.sent"]})
            path = applied.folder / "sendkit.state.json"
            path.write_text(path.read_text().replace(applied.simulator.url, elsewhere.url))
            applied.write(TWO + "  - name: New\n    url: https://new.example.com/in\n    events: [email.sent]\n")
            for words in ((), ("--refresh", "--force")):
                refused = applied.apply(*words, SENDKIT_API_URL=elsewhere.url, **other)
                assert refused.returncode == 1
                assert "the API key belongs to workspace ws_other" in refused.stderr
            assert len(elsewhere.webhooks()) == 1

    def test_a_question_mark_in_a_target_is_a_question_mark(self, workspace: Workspace):
        workspace.write(TWO.replace("CRM Sync", "Ready?").replace("Analytics", "ReadyX"))
        assert workspace.apply("--target", "Ready?").returncode == 0
        assert list(ids(workspace)) == ["Ready?"]
