"""The main job as a user runs it: the real command, a real server, real files, processes really killed."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sendkit_sync.simulator import Fault
from support.workspace import REPOSITORY, TWO, Workspace


def test_apply_then_plan_finds_no_changes(workspace: Workspace):
    assert workspace.run("validate").returncode == 0
    assert workspace.run("plan", "--detailed-exitcode").returncode == 2
    applied = workspace.apply()
    assert applied.returncode == 0, applied.stderr
    assert "2 created" in applied.stdout
    again = workspace.run("plan", "--detailed-exitcode")
    assert again.returncode == 0
    assert again.stdout == (
        "No changes. 2 webhooks match the recorded state.\n"
        "Compared with the recorded state only. --refresh also reads SendKit.\n"
    )
    workspace.check_each_made_once("CRM Sync", "Analytics")


def test_state_is_private_and_leaves_no_journal(workspace: Workspace):
    workspace.apply()
    for path in workspace.folder.glob("sendkit.state.json*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (workspace.folder / "sendkit.state.json.journal").exists()


def test_plan_sends_nothing_and_writes_nothing(workspace: Workspace):
    workspace.run("plan")
    assert workspace.simulator.requests == []
    assert [path.name for path in workspace.folder.iterdir()] == ["webhooks.yaml"]


@pytest.mark.parametrize(
    "place",
    [
        "lock-taken",
        "snapshot-written",
        "snapshot-renamed",
        "journal-opened",
        "intent-buffered",
        "intent-durable",
        "gate-passed",
        "request-sent",
        "answer-read",
        "outcome-buffered",
        "outcome-durable",
        "fold-begun",
        "fold-done",
        "journal-removed",
    ],
)
def test_a_killed_apply_makes_nothing_twice_and_loses_no_secret(workspace: Workspace, place: str):
    killed = workspace.run("apply", "--yes", "--parallelism", "1", killed_at=place)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for _ in range(3):
        last = workspace.apply("--resend-after", "0s")
        if last.returncode == 0:
            break
    assert last.returncode == 0, last.stderr
    workspace.check_each_made_once("CRM Sync", "Analytics")


@pytest.mark.parametrize("kind", ["drop", "cut", "garbage", "no-id"])
def test_a_create_whose_answer_is_lost_is_found_in_the_list(workspace: Workspace, kind: str):
    workspace.simulator.add_fault(Fault("POST", "/v1/webhooks", nth=1, when="after", kind=kind))
    applied = workspace.apply()
    assert applied.returncode == 0, applied.stderr
    workspace.check_each_made_once("CRM Sync", "Analytics")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_error_is_never_answered_by_a_second_post(workspace: Workspace, when: str):
    workspace.simulator.add_fault(Fault("POST", "/v1/webhooks", nth=1, when=when, kind="status", status=500))
    workspace.apply()
    assert sum(request["method"] == "POST" for request in workspace.simulator.requests) == 2
    if when == "before":
        assert workspace.run("plan", "--detailed-exitcode").returncode == 2
        assert workspace.apply().returncode == 1
    assert workspace.apply("--resend-after", "0s").returncode == 0
    workspace.check_each_made_once("CRM Sync", "Analytics")


def test_a_lost_state_is_stopped_by_the_possible_duplicate_guard(workspace: Workspace):
    workspace.apply()
    for path in workspace.folder.glob("sendkit.state.json*"):
        path.unlink()
    refused = workspace.apply()
    assert refused.returncode == 1
    assert "looks the same and is not recorded" in refused.stderr
    assert len(workspace.simulator.webhooks()) == 2


def test_a_rename_is_blocked_in_the_offline_plan(workspace: Workspace):
    workspace.apply()
    workspace.write(TWO.replace("name: CRM Sync", "name: CRM"))
    plan = json.loads(workspace.run("plan", "--format", "json").stdout)
    assert plan["orphans"] == ["CRM Sync"]
    assert [action["blocked_by"]["kind"] for action in plan["actions"]] == ["orphan"]
    assert workspace.apply().returncode == 1
    assert len(workspace.simulator.webhooks()) == 2


def test_one_refused_webhook_does_not_stop_the_others(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", "/v1/webhooks", nth=1, kind="status", status=422))
    applied = workspace.apply("--format", "json", "--parallelism", "1")
    assert applied.returncode == 1
    assert json.loads(applied.stdout)["summary"]["created"] == 1
    assert json.loads(applied.stdout)["summary"]["failed"] == 1


def test_a_refused_key_stops_the_run(workspace: Workspace):
    assert workspace.apply(SENDKIT_API_KEY="wrong_canary").returncode == 77
    assert workspace.simulator.webhooks() == []
    assert "wrong_canary" not in "".join(workspace.outputs)


def test_a_platform_key_needs_a_workspace(workspace: Workspace):
    assert workspace.apply(SENDKIT_API_KEY="sk_user_canary").returncode == 64
    assert workspace.simulator.requests == []
    done = workspace.apply(SENDKIT_API_KEY="sk_user_canary", SENDKIT_WORKSPACE_ID="ws_9")
    assert done.returncode == 0, done.stderr
    assert workspace.state["workspaceId"] == "ws_9"


def test_an_update_is_shown_and_sent(workspace: Workspace):
    workspace.apply()
    workspace.write(TWO.replace("/in", "/changed"))
    assert '~ update "Analytics"' in workspace.run("plan").stdout
    done = workspace.apply()
    assert done.returncode == 0, done.stderr
    assert "1 updated" in done.stdout
    patches = [request for request in workspace.simulator.requests if request["method"] == "PATCH"]
    assert len(patches) == 1
    assert workspace.run("plan", "--refresh", "--detailed-exitcode").returncode == 0
    workspace.check_each_made_once("CRM Sync", "Analytics")


def test_a_busy_lock_names_its_holder(workspace: Workspace):
    workspace.apply()
    import fcntl

    with (workspace.folder / "sendkit.state.json.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert workspace.apply().returncode == 75


def test_no_terminal_and_no_yes_is_wrong_usage(workspace: Workspace):
    assert workspace.run("apply").returncode == 64
    assert workspace.run("apply", "--no-such-flag").returncode == 64


def test_an_unreachable_api_changes_nothing(workspace: Workspace):
    assert workspace.apply(SENDKIT_API_URL="http://127.0.0.1:9").returncode == 69


def test_a_bad_environment_value_is_not_shown(workspace: Workspace):
    done = workspace.run("apply", "--yes", SENDKIT_SYNC_SETTLE="canary-value")
    assert done.returncode == 64
    assert "canary-value" not in done.stderr


def test_state_commands_mask_secrets(workspace: Workspace):
    workspace.apply()
    assert "CRM Sync" in workspace.run("state", "list").stdout
    assert json.loads(workspace.run("state", "show", "CRM Sync").stdout)["applied"]["secret"] == "(sensitive)"
    assert workspace.run("state", "forget", "CRM Sync", "--yes").returncode == 0
    assert list(workspace.state["webhooks"]) == ["Analytics"]
    workspace.check_nothing_shown()


@pytest.mark.parametrize("sample", ["minimal.yaml", "full.yaml", "several"])
def test_every_sample_is_applied_end_to_end(workspace: Workspace, sample: str):
    path = str(REPOSITORY / "sample-config" / sample)
    secret = "canary-secret-of-the-config"
    words = ("-c", path, "--state", str(workspace.folder / "state.json"))
    applied = workspace.apply(*words, SENDKIT_SECRET_CRM_SECRET=secret)
    assert applied.returncode == 0, applied.stderr
    again = workspace.run("plan", "--detailed-exitcode", *words, SENDKIT_SECRET_CRM_SECRET=secret)
    assert again.returncode == 0, again.stdout
    workspace.check_nothing_shown()


def test_demo_runs_the_main_job(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "sendkit_sync", "demo"], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "No changes. 2 webhooks match the recorded state." in done.stdout
    assert re.search(r"\+ create \"Bounces\"", done.stdout)


def test_a_misspelt_command_is_told_the_nearest(workspace: Workspace):
    refused = workspace.run("aply")
    assert refused.returncode == 64
    assert "Did you mean apply?" in refused.stderr


@pytest.mark.parametrize("words", [(), ("state",), ("secret",)], ids=" ".join)
def test_a_command_that_lacks_its_command_shows_the_help_page_whole_and_as_no_error(
    workspace: Workspace, words: tuple[str, ...]
):
    shown = workspace.run(*words)
    assert shown.stdout + shown.stderr == workspace.run(*words, "--help").stdout
    assert "..." not in shown.stderr.partition("Commands:")[2]


def test_wrong_usage_names_the_page_that_tells_the_flags(workspace: Workspace):
    refused = workspace.run("secret", "get", "CRM", "--no-such-flag")
    assert refused.stderr.endswith("\n  For help, run sendkit-sync secret get --help.\n")
    assert "Did you mean rotate?" in workspace.run("secret", "rotte").stderr


def test_reading_the_record_needs_none_of_the_variables_of_the_entries(workspace: Workspace):
    workspace.apply()
    workspace.write(TWO.replace("https://crm.", "https://${UNSET}.crm."))
    for words in (
        ("state", "list"),
        ("state", "show", "CRM Sync"),
        ("test", "CRM Sync"),
        ("secret", "get", "CRM Sync"),
        ("secret", "export", "--format", "json"),
    ):
        done = workspace.run(*words)
        assert done.returncode == 0, done.stderr
        workspace.outputs.pop()  # it is to show secrets
    workspace.write("workspace: ${ALSO}\n" + TWO.replace("https://crm.", "https://${UNSET}.crm."))
    refused = workspace.run("state", "list")
    assert refused.returncode == 65
    assert [f"SENDKIT_VAR_{name} is not set" in refused.stderr for name in ("ALSO", "UNSET")] == [True, True]


def test_an_export_where_nothing_is_recorded_says_so(workspace: Workspace):
    done = workspace.run("secret", "export", "--format", "json")
    assert (done.returncode, done.stdout) == (0, "{}\n")
    assert "sendkit.state.json: nothing is recorded, so nothing is exported" in done.stderr


def test_a_wait_for_a_server_that_cannot_be_reached_says_that_it_tries_again(workspace: Workspace):
    done = workspace.run("plan", "--refresh", "--retry-for", "2s", SENDKIT_API_URL="http://127.0.0.1:9")
    assert done.returncode == 69
    assert re.match(r"the server cannot be reached \(.*\); trying again in \d\.\d s, giving up in 2\.0 s\n", done.stderr)
