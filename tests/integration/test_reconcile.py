"""`reconcile`, as a timer runs it: one pass, one line, events, metrics, limits, a deadline."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sendkit_sync.app.metrics import PREFIX
from sendkit_sync.simulator import Fault
from support.waiting import terminated, wait_for
from support.workspace import KEY, KILLER, Workspace


def reconcile(workspace: Workspace, *words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return workspace.run(*before, "reconcile", "--settle", "1s", "--retry-for", "1s", *words)


def started(workspace: Workspace, *words: str) -> subprocess.Popen[str]:
    """Start a command, and let it run."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
    return subprocess.Popen(
        [sys.executable, "-m", "sendkit_sync", *words],
        cwd=workspace.folder,
        env=clean | {"SENDKIT_API_URL": workspace.simulator.url, "SENDKIT_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sent(workspace: Workspace, method: str) -> int:
    return sum(request["method"] == method for request in workspace.simulator.requests)


def opened(process: subprocess.Popen[str], path: Path) -> bool:
    """Tell whether `process` has `path` open, as it has while it waits for that lock."""
    links = Path(f"/proc/{process.pid}/fd")
    return path.exists() and any(link.exists() and link.samefile(path) for link in links.iterdir())


def metrics(workspace: Workspace) -> dict[str, float]:
    text = (workspace.folder / "m.prom").read_text(encoding="utf-8")
    return {name: float(value) for name, value in re.findall(rf"^{PREFIX}(\w+)\{{.*\}} (\S+)$", text, re.MULTILINE)}


def test_a_pass_creates_then_finds_nothing_to_do(workspace: Workspace):
    first = reconcile(workspace)
    assert (first.returncode, first.stdout) == (0, "Reconciled: 2 created, 0 updated, 0 deleted. 2 in sync.\n"), first.stderr
    second = reconcile(workspace)
    assert (second.returncode, second.stdout) == (0, "Reconciled: 0 created, 0 updated, 0 deleted. 2 in sync.\n")
    workspace.check_each_made_once("CRM Sync", "Analytics")


def test_a_pass_takes_back_what_was_changed_outside(workspace: Workspace):
    reconcile(workspace)
    outside = workspace.simulator.webhooks()[0]
    workspace.simulator.change(outside["_id"], url="https://elsewhere.example.com")
    done = reconcile(workspace, "--metrics-file", "m.prom")
    assert done.stdout == "Reconciled: 0 created, 1 updated, 0 deleted. 2 in sync.\n", done.stderr
    assert metrics(workspace)["webhooks_drifted"] == 1
    workspace.check_each_made_once("CRM Sync", "Analytics")


def test_a_dry_run_sends_get_only_and_leaves_nothing_behind(workspace: Workspace):
    done = reconcile(workspace, "--dry-run")
    assert (done.returncode, done.stdout) == (0, "Dry run: Plan: 2 to create, 0 to update, 0 to delete. 0 unchanged.\n")
    assert {request["method"] for request in workspace.simulator.requests} == {"GET"}
    assert [path.name for path in workspace.folder.iterdir()] == ["webhooks.yaml"]


def test_more_changes_than_allowed_are_refused(workspace: Workspace):
    done = reconcile(workspace, "--max-changes", "1")
    assert (done.returncode, done.stdout) == (
        1,
        "Not reconciled: the plan has more changes (2) than --max-changes 1 allows\n",
    )
    assert workspace.simulator.webhooks() == []
    assert reconcile(workspace, "--max-changes", "2").returncode == 0


def test_after_the_deadline_no_new_call_is_made(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, kind="delay", delay_s=8))
    done = reconcile(workspace, "--deadline", "5s", "--parallelism", "1")
    assert done.returncode == 1
    assert done.stdout.startswith("Not reconciled: the deadline of 5 s is over.")
    assert len(workspace.simulator.webhooks()) == 1
    assert reconcile(workspace).returncode == 0
    workspace.check_each_made_once("CRM Sync", "Analytics")


def test_a_busy_lock_is_waited_for_and_then_said(workspace: Workspace):
    with (workspace.folder / "sendkit.state.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = reconcile(workspace, "--metrics-file", "m.prom")
    assert done.returncode == 75
    assert done.stdout.startswith("Not reconciled: the state is locked by")
    assert metrics(workspace)["last_run_success"] == 0
    assert "last_success_timestamp_seconds" not in metrics(workspace)


def test_a_signal_ends_it_as_it_ends_an_apply(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("support.workspace.KILLER", terminated(KILLER))
    done = workspace.run("reconcile", "--parallelism", "1", killed_at="outcome-durable")
    assert done.returncode == 130, done.stderr
    assert done.stdout.startswith("Not reconciled: interrupted. Reconciled: 1 created")
    assert reconcile(workspace).returncode == 0
    workspace.check_each_made_once("CRM Sync", "Analytics")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_records_the_call_under_way(workspace: Workspace, number: signal.Signals):
    workspace.simulator.add_fault(Fault("POST", nth=1, when="after", kind="delay", delay_s=3))
    run = started(workspace, "reconcile", "--parallelism", "1")
    wait_for(lambda: len(workspace.simulator.webhooks()) == 1, "the first webhook")
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, sent(workspace, "POST")) == (130, 1), err
    assert out == "Not reconciled: interrupted. Reconciled: 1 created, 0 updated, 0 deleted, 1 not attempted. 1 in sync.\n"
    assert not (workspace.folder / "sendkit.state.json.journal").exists()
    assert reconcile(workspace).returncode == 0
    workspace.check_each_made_once("CRM Sync", "Analytics")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see what a process waits for")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reconcile", "--deadline", "1h"], "Not reconciled: interrupted.\n"),
        (["apply", "--yes"], ""),
        (["secret", "rotate", "CRM Sync", "--yes"], ""),
    ],
)
def test_a_signal_ends_the_wait_for_the_lock(workspace: Workspace, words: list[str], said: str):
    lock_path = workspace.folder / "sendkit.state.json.lock"
    with lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = started(workspace, *words, "--lock-timeout", "10m")
        wait_for(lambda: opened(run, lock_path), "the wait for the lock")
        run.terminate()
        out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (130, said), err


def test_a_lock_that_is_let_go_in_time_is_taken(workspace: Workspace):
    lock_path = workspace.folder / "sendkit.state.json.lock"
    with lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = started(workspace, "reconcile", "--lock-timeout", "1m")
        wait_for(lambda: opened(run, lock_path), "the wait for the lock")
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (0, "Reconciled: 2 created, 0 updated, 0 deleted. 2 in sync.\n"), err


def test_the_deadline_ends_the_wait_for_the_lock(workspace: Workspace):
    with (workspace.folder / "sendkit.state.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = reconcile(workspace, "--lock-timeout", "10m", "--deadline", "1s")
    assert done.returncode == 75
    assert done.stdout.startswith("Not reconciled: the state is locked by")
    assert "the state is locked by" in done.stderr


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("GET", kind="status", status=429, retry_after="60"), ()),
        (Fault("POST", kind="status", status=429, retry_after="60"), ()),
        (Fault("POST", kind="status", status=500), ("--settle", "10m")),
    ],
    ids=["told to wait before the list", "told to wait before a create", "settling"],
)
def test_the_deadline_ends_every_wait(workspace: Workspace, fault: Fault, words: tuple[str, ...]):
    workspace.simulator.add_fault(fault)
    done = workspace.run("reconcile", "--deadline", "2s", *words)  # or else it runs for longer than it may
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("Not reconciled: the deadline of 2 s is over.")
    assert workspace.simulator.webhooks() == []


def test_a_state_that_cannot_be_kept_is_said_although_the_deadline_is_over(workspace: Workspace):
    (workspace.folder / "sendkit.state.json").write_text("{", encoding="utf-8")
    done = reconcile(workspace, "--deadline", "0s")
    assert done.returncode == 65
    assert "sendkit.state.json" in done.stderr


def test_events_are_one_object_a_line(workspace: Workspace):
    done = reconcile(workspace, before=("--log-format", "json"))
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["run_started", "planned", "action", "action", "run_finished"]
    assert len({line["run_id"] for line in lines}) == 1
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"]) for line in lines)
    assert lines[1]["create"] == 2
    assert {line["name"] for line in lines[2:4]} == {"CRM Sync", "Analytics"}
    assert (lines[4]["exit_code"], lines[4]["created"]) == (0, 2)
    workspace.check_nothing_shown()


def test_an_error_is_an_event_too(workspace: Workspace):
    workspace.write("version: 1\nwebhook: []\n")
    done = reconcile(workspace, before=("--log-format", "json"))
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 65
    assert [line["event"] for line in lines] == ["run_started", "run_finished", "error"]
    assert "webhooks.yaml:2:1" in lines[-1]["message"]
    assert done.stdout == "Not reconciled: the configuration is not valid\n"
