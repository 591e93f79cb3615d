"""Faults of the network, the disk, the terminal and the process: nothing is made twice, and no secret is lost."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.simulator.store import Json, Store
from support.waiting import wait_for
from support.workspace import KEY, TWO, Workspace

NAMES = ("CRM Sync", "Analytics")
FORKER = """\
import os, signal, sys, time
from sendkit_sync.core import failpoints
def hook(name):
    if name == "lock-taken":
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        with open("child", "w") as file:
            file.write(str(child))
        os.kill(os.getpid(), signal.SIGKILL)
failpoints.hook = hook
from sendkit_sync.cli.main import main
main()
"""
APPLY = ("apply", "--yes", "--settle", "1s", "--retry-for", "1s")
MODULE = ("-m", "sendkit_sync")
STUCK = "stuck.txt"
TRACED = f"""\
import faulthandler
faulthandler.dump_traceback_later(20, file=open("{STUCK}", "w"))
from sendkit_sync.cli.main import main
main()
"""
"""The command, which writes where its threads are if it takes far too long."""


def start(workspace: Workspace, *words: str, program: tuple[str, ...] = MODULE, **settings: Any) -> subprocess.Popen[str]:
    """Start an apply, and do not wait for it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | settings
    return subprocess.Popen(
        [sys.executable, *program, *APPLY, *words],
        cwd=workspace.folder,
        env=clean | {"SENDKIT_API_URL": workspace.simulator.url, "SENDKIT_API_KEY": KEY},
        text=True,
        **pipes,
    )


def end(workspace: Workspace, process: subprocess.Popen[str]) -> int:
    """Wait for a process, keep what it said, and return its exit code."""
    workspace.outputs += [text for text in process.communicate(timeout=60) if text]
    return process.returncode


def posts(simulator: Simulator) -> int:
    return sum(request["method"] == "POST" for request in simulator.requests)


def converge(workspace: Workspace, *names: str) -> None:
    """Apply until it is done, at most three times, and assert that each webhook was made once."""
    for _ in range(3):
        last = workspace.apply("--resend-after", "0s")
        if last.returncode == 0:
            break
    assert last.returncode == 0, last.stderr
    workspace.check_each_made_once(*names)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_the_call_under_way_end_and_starts_no_other(workspace: Workspace, number: signal.Signals):
    workspace.simulator.add_fault(Fault("POST", nth=1, when="after", kind="delay", delay_s=1.5))
    process = start(workspace, "--parallelism", "1")
    wait_for(lambda: posts(workspace.simulator), "the first create")
    process.send_signal(number)
    assert end(workspace, process) == 130, workspace.outputs
    (made,) = workspace.simulator.webhooks()
    workspace.check_each_made_once(made["name"])
    converge(workspace, *NAMES)


def test_a_closed_stdout_loses_nothing(workspace: Workspace):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        process = start(workspace, stdout=writer)
    finally:
        os.close(writer)
    end(workspace, process)
    assert "Traceback" not in "".join(workspace.outputs)
    converge(workspace, *NAMES)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_stdout_loses_nothing(workspace: Workspace, form: str):
    with Path("/dev/full").open("w") as full:
        process = start(workspace, "--format", form, stdout=full)
        end(workspace, process)
    assert "Traceback" not in "".join(workspace.outputs)
    converge(workspace, *NAMES)


def test_a_full_stderr_stops_no_run(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, kind="status", status=429, retry_after="1"))
    with Path("/dev/full").open("w") as full:
        began = time.monotonic()
        process = start(workspace, "--retry-for", "10s", program=("-c", TRACED), stderr=full)
        code = end(workspace, process)
    stuck = (workspace.folder / STUCK).read_text()
    assert (code, stuck) == (0, ""), (time.monotonic() - began, workspace.outputs, workspace.simulator.requests)
    workspace.check_each_made_once(*NAMES)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_in_the_middle_stops_the_run(workspace: Workspace, status: int):
    workspace.write(TWO + "  - name: Third\n    url: https://third.example.com/in\n    events: [email.sent]\n")
    workspace.simulator.add_fault(Fault("POST", nth=2, kind="status", status=status))
    refused = workspace.apply("--parallelism", "1", "--format", "json")
    assert refused.returncode == 77
    assert [result["status"] for result in json.loads(refused.stdout)["results"]] == ["done", "failed", "not_attempted"]
    assert posts(workspace.simulator) == 2
    workspace.simulator.faults.clear()
    converge(workspace, *NAMES, "Third")


class Held(Store):
    """A server that makes nothing until it is let go."""

    let_go: threading.Event

    def create(self, workspace: str, body: object, webhook_id: str | None = None) -> Json:
        assert self.let_go.wait(30)
        return super().create(workspace, body, webhook_id)


def test_of_eight_applies_at_once_one_works_and_the_others_find_it_locked(workspace: Workspace):
    workspace.simulator.store = held = Held(mask_secrets=False, page_form="cursor")
    held.let_go = threading.Event()
    processes = [start(workspace, "--timeout", "60s") for _ in range(8)]
    wait_for(lambda: sum(process.poll() is not None for process in processes) == 7, "the end of seven of them")
    held.let_go.set()
    codes = sorted(end(workspace, process) for process in processes)
    assert codes == [0] + [75] * 7
    assert posts(workspace.simulator) == 2
    workspace.check_each_made_once(*NAMES)


def test_a_symbolic_link_to_the_state_leads_to_the_same_lock(workspace: Workspace):
    assert workspace.apply().returncode == 0
    (workspace.folder / "link.json").symlink_to("sendkit.state.json")
    with (workspace.folder / "sendkit.state.json.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert workspace.apply("--state", "link.json").returncode == 75


def test_a_dripping_answer_ends_at_the_timeout_and_is_settled(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, when="after", kind="drip", delay_s=0.2))
    began = time.monotonic()
    workspace.apply("--timeout", "1s")
    assert time.monotonic() - began < 15
    converge(workspace, *NAMES)
    assert posts(workspace.simulator) == 2


def test_a_gzip_bomb_is_not_unpacked_and_the_create_is_settled(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, when="after", kind="gzip-bomb"))
    limit = 1024 * 1024 * 1024
    process = start(workspace, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)))
    assert end(workspace, process) == 0, workspace.outputs
    workspace.check_each_made_once(*NAMES)
    assert posts(workspace.simulator) == 2


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_another_server_is_not_followed(workspace: Workspace, status: int):
    with Simulator() as other:
        place = f"{other.url}/v1/webhooks"
        workspace.simulator.add_fault(Fault("POST", nth=1, when="before", kind="redirect", status=status, location=place))
        done = workspace.apply("--format", "json", "--parallelism", "1")
        assert done.returncode == 1
        failed, _ = json.loads(done.stdout)["results"]
        assert (failed["status"], failed["error"]["code"]) == ("failed", "redirect")
        assert workspace.state["pending"] == {}
        converge(workspace, *NAMES)
        assert other.requests == []
        assert other.webhooks() == []


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_redirect_after_a_create_that_happened_keeps_its_secret(workspace: Workspace, status: int):
    workspace.simulator.add_fault(Fault("POST", nth=1, when="after", kind="redirect", status=status))
    done = workspace.apply()
    assert done.returncode == 0, done.stderr
    workspace.check_each_made_once(*NAMES)
    assert posts(workspace.simulator) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_redirected_update_is_sent_again_and_keeps_both_secrets_until_then(workspace: Workspace, when: str):
    assert workspace.apply().returncode == 0
    workspace.write(TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n"))
    workspace.simulator.add_fault(Fault("PATCH", when=when, kind="redirect", status=303))
    environment = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-07"}
    assert workspace.apply(**environment).returncode == 1
    assert workspace.state["pending"]["CRM Sync"][0]["secret"]["value"] == environment["SENDKIT_SECRET_CRM"]
    workspace.simulator.faults.clear()
    assert workspace.apply(**environment).returncode == 0
    workspace.check_each_made_once(*NAMES)


def test_a_redirected_delete_is_looked_at(workspace: Workspace):
    assert workspace.apply().returncode == 0
    workspace.write(TWO.split("  - name: Analytics")[0])
    workspace.simulator.add_fault(Fault("DELETE", nth=1, when="before", kind="redirect", status=302))
    refused = workspace.apply("--prune")
    assert refused.returncode == 1
    assert "it still exists" in refused.stderr
    assert "Analytics" in workspace.state["webhooks"]
    workspace.simulator.add_fault(Fault("DELETE", nth=1, when="after", kind="redirect", status=302))
    assert workspace.apply("--prune").returncode == 0
    workspace.check_each_made_once("CRM Sync")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_delay_past_the_timeout_makes_nothing_twice(workspace: Workspace, when: str):
    workspace.simulator.add_fault(Fault("POST", nth=1, when=when, kind="delay", delay_s=1.5))
    workspace.apply("--timeout", "1s", "--settle", "3s")
    converge(workspace, *NAMES)
    assert posts(workspace.simulator) == 2


def test_a_rate_limit_is_waited_out(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, kind="status", status=429, retry_after="1"))
    workspace.write(TWO.split("  - name: Analytics")[0])
    began = time.monotonic()
    applied = workspace.apply("--retry-for", "10s")
    assert applied.returncode == 0, applied.stderr
    assert time.monotonic() - began >= 1
    assert [request["status"] for request in workspace.simulator.requests if request["method"] == "POST"] == [429, 201]
    workspace.check_each_made_once("CRM Sync")


def test_a_lost_answer_is_settled_by_name_url_and_events_where_secrets_are_masked(tmp_path: Path):
    lost = Fault("POST", nth=1, when="after", kind="drop")
    with Simulator(mask_secrets=True, faults=[lost]) as simulator:
        workspace = Workspace(tmp_path, simulator)
        applied = workspace.apply()
        assert applied.returncode == 0, applied.stderr
        workspace.check_each_made_once(*NAMES)
        assert posts(simulator) == 2


@pytest.mark.parametrize("made", [True, False])
def test_without_a_list_a_lost_answer_is_settled_by_hand(tmp_path: Path, made: bool):
    lost = Fault("POST", nth=1, when="after" if made else "before", kind="drop")
    with Simulator(list_enabled=False, faults=[lost]) as simulator:
        workspace = Workspace(tmp_path, simulator)
        workspace.write(TWO.split("  - name: Analytics")[0])
        for _ in range(2):
            assert workspace.apply().returncode == 1
            assert "unresolved" in workspace.run("state", "list").stdout
        assert posts(simulator) == 1
        words = ("--id", simulator.webhooks()[0]["_id"]) if made else ("--not-created",)
        resolved = workspace.run("state", "resolve", "CRM Sync", *words)
        assert resolved.returncode == 0, resolved.stderr
        applied = workspace.apply()
        assert applied.returncode == 0, applied.stderr
        assert posts(simulator) == (1 if made else 2)
        workspace.check_each_made_once("CRM Sync")


@pytest.mark.parametrize("limit", [0, 300, 900, 1500])
def test_a_disk_that_takes_no_more_loses_nothing(workspace: Workspace, limit: int, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith(("COVERAGE", "COV_"))]:
        # The limit would hit coverage's own data file too.
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # it would cut compiled modules, which are read afterwards
    process = start(
        workspace, "--parallelism", "1", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    end(workspace, process)
    assert "Traceback" not in "".join(workspace.outputs)
    converge(workspace, *NAMES)


def test_a_surviving_fork_of_the_holder_keeps_the_lock(workspace: Workspace):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    holder = start(workspace, program=("-c", FORKER), **quiet)
    assert holder.wait(timeout=30) == -signal.SIGKILL
    child = int((workspace.folder / "child").read_text())
    try:
        assert workspace.apply().returncode == 75
        assert workspace.simulator.requests == []
    finally:
        os.kill(child, signal.SIGKILL)
    applied = workspace.apply("--lock-timeout", "10s")
    assert applied.returncode == 0, applied.stderr
    workspace.check_each_made_once(*NAMES)
