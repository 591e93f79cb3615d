"""`status`, as an operator and as a monitor run it: what it shows, what it fails on, and what it does without SendKit."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios

import jsonschema
import pytest

from sendkit_sync.simulator import Fault
from support.waiting import wait_for
from support.workspace import KEY, REPOSITORY, Workspace, sent

FAST = ("--retry-for", "0s")


def status(workspace: Workspace, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return workspace.run("status", *FAST, *words, **environment)


def row(done: subprocess.CompletedProcess[str], name: str) -> list[str]:
    (line,) = [line for line in done.stdout.splitlines() if line.endswith(f"  {name}")]
    return re.split(r"\s{2,}", line)[:-1]


def outside(workspace: Workspace, name: str, **fields: object) -> None:
    (found,) = [one for one in workspace.simulator.webhooks() if one["name"] == name]
    workspace.simulator.change(found["_id"], **fields)


def test_it_shows_what_sendkit_shows(workspace: Workspace):
    workspace.apply()
    stats = {"totalDelivered": 1204, "totalFailed": 143, "lastDeliveredAt": "2026-01-02T03:04:05.000Z"}
    outside(workspace, "CRM Sync", stats=stats, url="https://elsewhere.example.com")
    outside(workspace, "Analytics", status="inactive")
    done = status(workspace)
    assert done.returncode == 0, done.stderr
    assert row(done, "CRM Sync")[:-1] == ["drifted: url", "active", "recorded", "1,204", "143", "89.3%"]
    assert row(done, "Analytics") == ["in sync", "inactive", "recorded", "0", "0", "-", "never"]
    assert "2 of 2 webhooks have a problem.\n" in done.stdout
    workspace.check_nothing_shown()


def test_it_sends_get_only_and_writes_nothing(workspace: Workspace):
    workspace.apply()
    before = {path.name: path.read_bytes() for path in workspace.folder.iterdir()}
    workspace.simulator.requests.clear()
    assert status(workspace).returncode == 0
    assert set(sent(workspace, "GET", "POST", "PATCH", "DELETE")) == {"GET"}
    assert {path.name: path.read_bytes() for path in workspace.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": "inactive"}, "inactive"),
        ({"url": "https://elsewhere.example.com"}, "drift"),
        (None, "drift"),
        (None, "missing"),
    ],
)
def test_it_fails_on_what_it_is_told_to(workspace: Workspace, change: dict[str, object] | None, problem: str):
    workspace.apply()
    assert status(workspace, "--fail-on", "inactive,drift,unresolved,missing").returncode == 0
    if change is None:
        workspace.simulator.delete(next(one["_id"] for one in workspace.simulator.webhooks() if one["name"] == "CRM Sync"))
    else:
        outside(workspace, "CRM Sync", **change)
    assert status(workspace, "--fail-on", problem).returncode == 1
    assert status(workspace, "--fail-on", f"unresolved, {problem}").returncode == 1
    assert status(workspace, "--fail-on", "unresolved").returncode == 0
    assert status(workspace).returncode == 0
    assert status(workspace, SENDKIT_SYNC_STATUS_FAIL_ON=problem).returncode == 1


def test_it_fails_on_an_unresolved_create_without_a_key(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, kind="drop"))
    workspace.apply()
    done = status(workspace, "--fail-on", "unresolved", SENDKIT_API_KEY="")
    assert done.returncode == 1, done.stdout


class TestNotRead:
    """Where SendKit cannot be read, the recorded side is shown, and no monitor takes silence for health."""

    def test_without_a_key_the_recorded_side_is_shown(self, workspace: Workspace):
        workspace.apply()
        done = status(workspace, SENDKIT_API_KEY="")
        assert (done.returncode, done.stderr) == (0, "")
        assert (
            "SendKit was not read: there is no API key. Only the recorded state is shown.\n  Set SENDKIT_API_KEY" in done.stdout
        )
        assert row(done, "CRM Sync") == ["in sync", "-", "recorded", "-", "-", "-", "-"]

    @pytest.mark.parametrize("problem", ["inactive", "drift", "missing"])
    def test_without_a_key_a_monitor_is_told(self, workspace: Workspace, problem: str):
        workspace.apply()
        assert status(workspace, "--fail-on", problem, SENDKIT_API_KEY="").returncode == 77

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            (Fault("GET", status=401), 77),
            (Fault("GET", status=500), 1),
            (Fault("GET", kind="drop"), 1),
            (Fault("GET", status=501), 1),
        ],
    )
    def test_each_failure_has_its_exit_code_and_its_table(self, workspace: Workspace, fault: Fault, code: int):
        workspace.apply()
        workspace.simulator.add_fault(fault)
        done = status(workspace)
        assert done.returncode == code, done.stdout
        assert "SendKit was not read: " in done.stdout
        assert row(done, "CRM Sync")[0] == "in sync"

    def test_a_server_that_never_had_a_list_is_no_failure(self, workspace: Workspace):
        workspace.simulator.list_enabled = False
        workspace.apply()
        done = status(workspace)
        assert done.returncode == 0, done.stdout
        assert "SendKit was not read: " in done.stdout
        assert row(done, "CRM Sync")[0] == "in sync"

    def test_where_nothing_answers_it_says_so(self, workspace: Workspace):
        workspace.apply()
        workspace.simulator.close()
        done = status(workspace)
        assert done.returncode == 69, done.stdout
        assert row(done, "CRM Sync")[0] == "in sync"

    def test_a_server_without_a_list_fails_a_monitor(self, workspace: Workspace):
        workspace.apply()
        workspace.simulator.add_fault(Fault("GET", status=501))
        assert status(workspace, "--fail-on", "drift").returncode == 1

    def test_a_file_says_so_on_stderr_too(self, workspace: Workspace):
        workspace.apply()
        done = status(workspace, "--format", "json", SENDKIT_API_KEY="")
        assert done.stderr.startswith("warning: SendKit was not read: there is no API key.")
        (shown,) = json.loads(done.stdout)["workspaces"]
        assert (shown["unread"], shown["unrecorded"]) == ({"code": "api_key_missing", "message": "there is no API key"}, None)


def test_the_json_keeps_to_its_schema(workspace: Workspace):
    workspace.apply()
    done = status(workspace, "--format", "json")
    schema = json.loads((REPOSITORY / "schemas" / "status.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(done.stdout), schema)
    assert json.loads(done.stdout)["summary"]["in_sync"] == 2


def test_a_bad_config_or_state_is_the_error_it_is_everywhere(workspace: Workspace):
    workspace.write("version: 1\nwebhook: []\n")
    assert status(workspace).returncode == 65
    assert status(workspace, "--fail-on", "health").returncode == 64


class TestWatch:
    """The table on a terminal, refreshed until somebody has seen enough."""

    @staticmethod
    def start(workspace: Workspace, height: int, *words: str) -> tuple[subprocess.Popen[bytes], int]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, 100, 0, 0))
        kept = (name for name in os.environ if not name.startswith("SENDKIT") and name not in ("LINES", "COLUMNS", "NO_COLOR"))
        process = subprocess.Popen(
            [sys.executable, "-m", "sendkit_sync", "status", "--watch", "--interval", "100ms", *FAST, *words],
            cwd=workspace.folder,
            env={name: os.environ[name] for name in kept}
            | {"SENDKIT_API_URL": workspace.simulator.url, "SENDKIT_API_KEY": KEY, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        return process, ours

    def watch(self, workspace: Workspace, height: int, meanwhile: object = None, expected: bytes = b"Ctrl-C ends it.") -> bytes:
        process, terminal = self.start(workspace, height)
        shown = b""

        def seen(text: bytes) -> bool:
            nonlocal shown
            shown += os.read(terminal, 65536)
            return text in shown

        wait_for(lambda: seen(b"Ctrl-C ends it."), "the first table")
        if callable(meanwhile):
            meanwhile()
            wait_for(lambda: seen(expected), "what changed meanwhile")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        os.close(terminal)
        assert (process.returncode, err) == (130, b"")
        assert KEY.encode() not in shown
        return shown

    def test_it_shows_what_changes(self, workspace: Workspace):
        workspace.apply()
        shown = self.watch(workspace, 30, lambda: outside(workspace, "CRM Sync", status="inactive"), b"inactive")
        assert b"2 webhooks, none with a problem" in shown

    def test_it_outlives_a_config_that_is_being_edited(self, workspace: Workspace):
        workspace.apply()
        self.watch(
            workspace, 30, lambda: workspace.write("version: 1\nwebhook"), b"Not refreshed: the configuration is not valid"
        )

    def test_a_small_screen_shows_the_summary(self, workspace: Workspace):
        entries = "".join(f"  - {{name: W{n}, url: 'https://w{n}.example.com', events: [email.sent]}}\n" for n in range(40))
        workspace.write(f"version: 1\nwebhooks:\n{entries}")
        shown = self.watch(workspace, 12).decode()
        assert "40 of 40 webhooks have a problem." in shown
        assert re.search(r"\.\.\. and 3\d more", shown)
        first = shown.partition("Ctrl-C ends it.")[0]
        assert first.count("\n") < 12

    def test_it_needs_a_terminal(self, workspace: Workspace):
        done = status(workspace, "--watch")
        assert (done.returncode, done.stderr.splitlines()[0]) == (64, "error: --watch needs a terminal on stdout")


def test_nothing_but_watch_imports_rich(workspace: Workspace):
    script = "import sys; from sendkit_sync.cli.main import run; run(['status']); sys.exit('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=workspace.folder, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0


class TestLastRun:
    """What the last run did stands in the state, and makes no new state by itself."""

    def test_it_says_when_by_whom_and_what(self, workspace: Workspace):
        workspace.apply()
        (line,) = [line for line in status(workspace).stdout.splitlines() if line.startswith("Last run: ")]
        assert re.fullmatch(r"Last run: apply by \S+@\S+, \d+ (s|min) ago \(.+ UTC\): 2 created", line), line
        (shown,) = json.loads(status(workspace, "--format", "json").stdout)["workspaces"]
        assert (shown["last_run"]["counts"], shown["last_run"]["exit_code"]) == ({"created": 2}, 0)

    def test_a_run_without_changes_leaves_the_state_as_it_is(self, workspace: Workspace):
        workspace.apply()
        before = (workspace.folder / "sendkit.state.json").read_bytes()
        assert workspace.run("reconcile").returncode == 0
        assert (workspace.folder / "sendkit.state.json").read_bytes() == before

    def test_a_run_that_failed_says_so(self, workspace: Workspace):
        workspace.simulator.add_fault(Fault("POST", nth=1, status=400))
        workspace.apply()
        assert re.search(r"Last run: apply by .*: 1 created, 1 failed; something failed, ", status(workspace).stdout)
