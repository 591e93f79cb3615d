"""The log on stderr, what a terminal shows and nothing else does, and that neither ever holds a secret."""

from __future__ import annotations

import base64
import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from sendkit_sync.cli.output.logs import set_up
from sendkit_sync.core.errors import ExitCode
from sendkit_sync.core.model import Secret
from sendkit_sync.core.redaction import REDACTOR, Redactor
from sendkit_sync.simulator import Fault, Simulator
from support.waiting import wait_for
from support.workspace import KEY, Workspace

SECRET = 'canary "se/cret" + \u00e9 9c1d'
CONFIG = """\
version: 1
webhooks:
  - {name: CRM Sync, url: "https://crm.example.com/in", events: [email.replied], secret: "${CRM}"}
  - {name: Analytics, url: "https://analytics.example.com/in", events: [email.opened]}
"""
ESCAPE = "\x1b["


@pytest.fixture
def workspace(tmp_path: Path):
    with Simulator() as simulator:
        made = Workspace(tmp_path, simulator)
        made.write(CONFIG)
        yield made


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]):
    """Set the log up for a test, and put the root logger back."""
    root, own = logging.getLogger(), logging.getLogger("sendkit_sync")
    former = root.level, own.level, list(root.handlers)

    def start(verbose: int, form: str = "text") -> pytest.CaptureFixture[str]:
        set_up(verbose, form)
        return capsys

    yield start
    root.setLevel(former[0])
    own.setLevel(former[1])
    root.handlers[:] = former[2]


def apply(workspace: Workspace, *flags: str) -> subprocess.CompletedProcess[str]:
    words = ("apply", "--yes", "--settle", "0s", "--retry-for", "1s")
    return workspace.run(*flags, *words, SENDKIT_SECRET_CRM=SECRET)


def forms(text: str) -> list[str]:
    raw = text.encode()
    coded = (base64.b64encode(raw).decode().rstrip("="), quote(raw, safe=""), json.dumps(text)[1:-1])
    return [text, *coded, json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "fault",
    [None, Fault("POST", status=401), Fault("POST", status=500), Fault("GET", status=500)],
    ids=lambda one: str(one)[:40],
)
def test_the_fullest_log_holds_no_secret(workspace: Workspace, fault: Fault | None, form: str):
    if fault is not None:
        workspace.simulator.add_fault(fault)
    done = apply(workspace, "-vv", "--log-format", form)
    assert (done.returncode == 0) is (fault is None)
    assert "sendkit_sync.api.sender" in done.stderr
    assert "Traceback" not in done.stderr
    workspace.check_nothing_shown()
    shown = done.stdout + done.stderr
    assert not [one for one in (*forms(SECRET), *forms(KEY)) if one in shown]


def test_verbosity_goes_from_silence_over_steps_to_requests(workspace: Workspace):
    assert apply(workspace).stderr == ""
    workspace.write(CONFIG.replace("analytics.example.com/in", "analytics.example.com/new"))
    steps = apply(workspace, "-v").stderr
    assert 'INFO sendkit_sync.applying.update: update "Analytics": intent recorded\n' in steps
    assert 'INFO sendkit_sync.applying.executor: update "Analytics": done\n' in steps
    assert "DEBUG" not in steps
    workspace.write(CONFIG.replace("analytics.example.com/in", "analytics.example.com/newer"))
    requests = apply(workspace, "-vv").stderr
    assert re.search(r"^DEBUG sendkit_sync\.api\.sender: PATCH /v1/webhooks/\w+: 200 in \d+ ms$", requests, re.MULTILINE)
    assert "?limit" not in requests
    assert "urllib3" not in requests


def test_a_log_line_in_json_is_one_object(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, status=429, retry_after="0"))
    lines = [line for line in apply(workspace, "-vv", "--log-format", "json").stderr.splitlines() if line.startswith("{")]
    entries = [json.loads(line) for line in lines]
    assert all(list(entry)[:5] == ["ts", "level", "logger", "event", "run_id"] for entry in entries)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["ts"]) for entry in entries)
    assert {(entry["level"], entry["event"]) for entry in entries} == {("DEBUG", "request"), ("INFO", "step"), ("INFO", "note")}
    assert any("answered 429" in entry["message"] for entry in entries)
    about = [(entry["action"], entry["name"], entry.get("status")) for entry in entries if "action" in entry]
    assert sorted(about, key=str) == sorted(
        [("create", name, status) for name in ("Analytics", "CRM Sync") for status in (None, "done")], key=str
    )


@pytest.mark.parametrize("form", forms(SECRET))
def test_a_known_secret_is_taken_out_in_every_form(form: str):
    redactor = Redactor()
    redactor.add(Secret(SECRET))
    assert redactor.clean(f"before {form} after") == "before (sensitive) after"


def test_a_secret_within_another_leaves_no_rest():
    redactor = Redactor()
    for text in ("canary", "canary-and-more"):
        redactor.add(Secret(text))
    assert redactor.clean("x canary-and-more canary y") == "x (sensitive) (sensitive) y"


def test_the_log_cleans_arguments_and_shows_no_traceback(logged):
    REDACTOR.add(Secret(SECRET))
    capsys = logged(0)
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("sendkit_sync.x").exception("failed\nwith %s", SECRET)
    assert capsys.readouterr().err == "ERROR sendkit_sync.x: failed\\nwith (sensitive) (ValueError)\n"


def test_a_library_logs_warnings_only(logged):
    capsys = logged(2)
    logging.getLogger("urllib3.connectionpool").debug("all of it")
    logging.getLogger("urllib3.connectionpool").warning("a warning")
    assert capsys.readouterr().err == "WARNING urllib3.connectionpool: a warning\n"


def on_a_terminal(
    workspace: Workspace,
    *words: str,
    meanwhile: Callable[[subprocess.Popen[bytes], int], None] | None = None,
    **environment: str,
) -> tuple[int, str]:
    """Run the command with a terminal for all its streams; return the exit code and what the terminal showed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT") and name != "NO_COLOR"}
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sendkit_sync", *words],
        cwd=workspace.folder,
        env=clean
        | {"TERM": "xterm", "SENDKIT_API_URL": workspace.simulator.url, "SENDKIT_API_KEY": KEY, "SENDKIT_SECRET_CRM": SECRET}
        | environment,
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    parts = []
    try:
        if meanwhile is not None:
            meanwhile(process, main)
        while part := os.read(main, 65536):
            parts.append(part)
    except OSError:  # Linux answers so when the last writer has gone
        pass
    finally:
        os.close(main)
    shown = b"".join(parts).decode()
    workspace.outputs.append(shown)
    return process.wait(timeout=30), shown


def coloured(shown: str) -> bool:
    return re.search(r"\x1b\[[0-9;]*[1-9][0-9]*m", shown) is not None


def test_a_terminal_is_told_that_a_signal_was_heard_and_what_it_ends(workspace: Workspace):
    def interrupt(process: subprocess.Popen[bytes], main: int) -> None:
        wait_for(lambda: any(one["method"] == "POST" for one in workspace.simulator.requests), "a create is under way")
        process.send_signal(signal.SIGINT)

    workspace.simulator.add_fault(Fault("POST", when="after", kind="delay", delay_s=1.0))
    code, shown = on_a_terminal(workspace, "apply", "--yes", "--parallelism", "1", meanwhile=interrupt)
    assert code == ExitCode.INTERRUPTED, shown
    assert shown.count("Stopping after the calls in flight have finished and are recorded.") == 1
    assert len(workspace.simulator.webhooks()) == 1


def test_a_simulator_that_is_ended_on_a_terminal_has_nothing_to_say(workspace: Workspace):
    def interrupt(process: subprocess.Popen[bytes], main: int) -> None:
        assert b"SendKit simulator on" in os.read(main, 65536)
        process.send_signal(signal.SIGINT)

    code, shown = on_a_terminal(workspace, "simulator", "--port", "0", meanwhile=interrupt)
    assert code == 0
    assert "Stopping" not in shown


def test_a_terminal_gets_colours_and_a_progress_bar(workspace: Workspace):
    code, shown = on_a_terminal(workspace, "apply", "--yes")
    assert code == 0, shown
    assert "Applying" in shown
    assert "100%" in shown
    assert coloured(shown)
    workspace.check_nothing_shown()


@pytest.mark.parametrize(("words", "environment"), [((), {"NO_COLOR": "1"}), (("--no-color",), {})], ids=["NO_COLOR", "flag"])
def test_colours_can_be_turned_off(workspace: Workspace, words: tuple[str, ...], environment: dict[str, str]):
    code, shown = on_a_terminal(workspace, *words, "apply", "--yes", **environment)
    assert code == 0, shown
    assert "Applying" in shown
    assert not coloured(shown)


def test_a_pipe_gets_neither(workspace: Workspace):
    done = apply(workspace)
    assert done.returncode == 0
    assert ESCAPE not in done.stdout + done.stderr
    assert "Applying" not in done.stderr


WARNED = 'version: 1\nwebhooks:\n  - {name: "A\\nB", url: "http://a.example.com/in", events: [email.sentt]}\n'
ALONE = {
    "warnings of the config": (WARNED.replace("\\n", " "), ("plan",), {}),
    "problems of the config": ("version: 1\nwebhook: []\n", ("plan",), {}),
    "a failed create": (
        CONFIG.replace(', secret: "${CRM}"', ""),
        ("apply", "--yes", "--settle", "0s", "--retry-for", "0s"),
        {},
    ),
    "an unset secret": (CONFIG, ("apply", "--yes"), {}),
    "no terminal": (CONFIG, ("apply",), {}),
    "a flag that no command has": (CONFIG, ("plan", "--no-such-flag"), {}),
    "a global flag that is none": (CONFIG, ("--no-such-flag", "plan"), {}),
    "a command that is none": (CONFIG, ("plann",), {}),
    "a bad value in the environment": (CONFIG, ("plan",), {"SENDKIT_SYNC_TIMEOUT": "soon"}),
    "an address where nobody listens": (
        CONFIG,
        ("plan", "--refresh", "--retry-for", "0s"),
        {"SENDKIT_API_URL": "http://127.0.0.1:9"},
    ),
    "a state that is damaged": (CONFIG, ("plan", "--state", "webhooks.yaml"), {}),
    "a reconcile that fails": (CONFIG, ("reconcile", "--metrics-file", "no/m.prom"), {}),
}


@pytest.mark.parametrize("case", ALONE)
def test_in_json_nothing_else_stands_on_stderr(workspace: Workspace, case: str):
    config, words, environment = ALONE[case]
    workspace.write(config)
    workspace.simulator.add_fault(Fault("POST", status=500))
    done = workspace.run("--log-format=json", *words, **environment)
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    assert entries
    assert len({entry["run_id"] for entry in entries}) == 1
    for entry in entries:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["ts"])
        assert re.fullmatch(r"\w+", entry["event"])
        assert entry["level"] == {"warning": "WARNING", "error": "ERROR"}.get(entry["event"], "INFO")
    if done.returncode not in (0, 1):
        assert entries[-1]["event"] == "error"
        assert entries[-1]["exit_code"] == done.returncode
    if case == "warnings of the config":
        assert [entry["message"].partition(": ")[0] for entry in entries] == ["webhooks.yaml:3:24", "webhooks.yaml:3:60"]


def test_the_times_are_in_utc_wherever_it_runs(workspace: Workspace):
    from datetime import UTC, datetime, timedelta

    line = json.loads(workspace.run("--log-format", "json", "plann", TZ="Pacific/Apia").stderr)
    assert abs(datetime.fromisoformat(line["ts"]) - datetime.now(UTC)) < timedelta(minutes=5)


def test_in_json_a_terminal_gets_no_progress_bar(workspace: Workspace):
    code, shown = on_a_terminal(workspace, "--log-format", "json", "apply", "--yes")
    assert code == 0, shown
    assert "Applying" not in shown
    assert not coloured(shown.rpartition("Plan:")[2])


@pytest.mark.parametrize("error", ["ValueError", "KeyboardInterrupt"])
def test_in_json_an_error_that_nobody_caught_is_an_event_too(error: str):
    code = f"""
from sendkit_sync.cli.output import logs
from sendkit_sync.cli import main
def fail(arguments):
    logs.set_up(0, "json")
    raise {error}("canary")
main.run = fail
main.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    entry = json.loads(done.stderr)
    assert done.returncode == {"ValueError": 1, "KeyboardInterrupt": 130}[error]
    assert (entry["event"], entry["level"]) == ("error", "ERROR")
    assert "canary" not in done.stderr


def test_a_plan_of_nothing_but_a_blocked_create_asks_nothing_and_calls_it_blocked(workspace: Workspace):
    workspace.write(CONFIG.replace(', secret: "${CRM}"', ""))
    assert apply(workspace).returncode == 0
    workspace.write(CONFIG.replace(', secret: "${CRM}"', "").replace("name: CRM Sync", "name: CRM"))
    code, shown = on_a_terminal(workspace, "apply")
    assert code == 1, shown
    assert "Apply these changes?" not in shown
    assert "100%" not in shown
    assert 'blocked: create "CRM": ' in shown
    assert "0 deleted, 1 blocked.\r\n" in shown


def test_a_bar_does_not_count_what_was_not_attempted_and_many_of_those_are_one_line(workspace: Workspace):
    entries = [f'  - {{name: W{n}, url: "https://w{n}.example.com/in", events: [email.sent]}}\n' for n in range(9)]
    workspace.write("version: 1\nwebhooks:\n" + "".join(entries))
    workspace.simulator.add_fault(Fault("POST", nth=2, status=403))
    code, shown = on_a_terminal(workspace, "apply", "--yes", "--parallelism", "1")
    assert code == 77, shown
    assert "100%" not in shown
    assert re.search(r"not attempted: 7 changes: the run was stopped: ", shown), shown
