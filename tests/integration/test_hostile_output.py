"""Names, events, ids, statuses and messages that a server or a state chose, in whatever a command prints."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from sendkit_sync.core.diagnostics import is_visible
from sendkit_sync.simulator import Fault
from support.bench import Bench
from support.workspace import KEY, TWO, Workspace

HOSTILE = "a\n::add-mask::a\r::error::x ##[error]y ##vso[a]z \u202egnp\u3164 \x1b[31m\x9b \u2028::stop-commands::t"
"""What a pull request, a server or a state may choose where it is free to."""

OBEYED = ("##[", "##vso[")
FORMS = ("text", "json", "markdown", "html")


def check(done: subprocess.CompletedProcess[str], *, own: tuple[str, ...] = ()) -> None:
    """Assert that nothing which was printed is a command of a runner, or hides."""
    for stream in (done.stdout, done.stderr):
        assert "Traceback" not in stream
        for line in stream.splitlines():
            assert not line.lstrip().startswith("::") or line in own, line
            assert not any(word in line for word in OBEYED), line
            assert all(is_visible(char) for char in line), line


def on_github(workspace: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    return workspace.run(*words, GITHUB_ACTIONS="true", PYTHONIOENCODING="utf-8")


@pytest.fixture
def hostile(workspace: Workspace) -> Workspace:
    """A workspace that SendKit and the state fill with what nobody should print as it is."""
    assert workspace.apply().returncode == 0
    store = workspace.simulator.store
    fields = {"name": HOSTILE, "url": f"https://x.example.com/{HOSTILE}", "events": [HOSTILE]}
    for item in (store.create("ws_demo", {**fields, "url": "https://x.example.com/"}), *workspace.simulator.webhooks()):
        store.change(item["_id"], fields | {"status": HOSTILE, "createdAt": HOSTILE, "workspaceId": HOSTILE})
    state = workspace.state
    record = state["webhooks"]["Analytics"]
    record["status"] = record["createdAt"] = HOSTILE
    record["confirmed"]["name"] = record["applied"]["events"][0] = HOSTILE
    state["webhooks"][HOSTILE] = {**record, "id": "0123456789abcdef01234567"}
    state["pending"][HOSTILE] = [{"op": HOSTILE, "action": "create", "sentAt": 1.0, "settings": record["applied"]}]
    (workspace.folder / "sendkit.state.json").write_text(json.dumps(state))
    return workspace


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("words", [(), ("--refresh",), ("--prune",)], ids=["offline", "refresh", "prune"])
def test_a_plan_commands_nothing(hostile: Workspace, form: str, words: tuple[str, ...]):
    done = on_github(hostile, "plan", "--format", form, *words)
    check(done)
    if form == "json" and done.returncode == 0:
        json.loads(done.stdout)


@pytest.mark.parametrize("log", ["text", "json"])
@pytest.mark.parametrize(
    "command", [("apply", "--yes", "--prune", "--force"), ("reconcile",), ("import", "--matching")], ids=" ".join
)
def test_a_run_commands_nothing(hostile: Workspace, command: tuple[str, ...], log: str):
    done = on_github(hostile, "--log-format", log, "-vv", *command, "--retry-for", "0s")
    check(done)
    if log == "json":
        assert [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("status", [302, 400, 401, 404, 409, 422, 500])
def test_a_message_of_the_server_commands_nothing(workspace: Workspace, bench: Bench, status: int):
    url = bench.serve((200, {"data": []}), (status, {"message": HOSTILE}))
    done = workspace.run("apply", "--yes", "--settle", "0s", "--retry-for", "0s", GITHUB_ACTIONS="true", SENDKIT_API_URL=url)
    check(done)
    assert done.returncode != 0
    check(workspace.run("plan", "--refresh", GITHUB_ACTIONS="true", SENDKIT_API_URL=url))


def test_a_failure_that_quotes_a_name_is_one_line(workspace: Workspace):
    assert workspace.apply().returncode == 0
    state = workspace.state
    state["webhooks"][HOSTILE] = {**state["webhooks"]["Analytics"], "id": "0123456789abcdef01234567"}
    (workspace.folder / "sendkit.state.json").write_text(json.dumps(state))
    workspace.simulator.add_fault(Fault("DELETE", status=422))
    done = on_github(workspace, "apply", "--yes", "--prune", "--force")
    check(done)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert 'delete "a\\n::add-mask::a' in done.stderr


def test_what_is_recorded_commands_nothing(hostile: Workspace):
    check(on_github(hostile, "state", "list"))
    for name in ("Analytics", HOSTILE):
        shown = on_github(hostile, "state", "show", name)
        check(shown)
        assert json.loads(shown.stdout)["status"] == HOSTILE
    pulled = on_github(hostile, "state", "pull")
    check(pulled)
    assert json.loads(pulled.stdout)["webhooks"][HOSTILE]["status"] == HOSTILE
    for name in (HOSTILE, "Unknown", "::error::x"):
        check(on_github(hostile, "state", "forget", "--", name))
        check(on_github(hostile, "test", "--", name))


def test_an_exported_config_commands_nothing_and_keeps_the_names(workspace: Workspace):
    names = [
        "a \u202egnp\u3164 ##[error]y",
        "::error::x",
        "  ##vso[a]",
        "x" * 300 + " ::error::x",
        "\ufe0f\U000e0101 \u2800 #[ok]",
    ]
    for name in names:
        fields = {"name": name, "url": "https://x.example.com/a", "events": ["email.sent", "##[endgroup]"]}
        workspace.simulator.store.create("ws_demo", fields)
    done = on_github(workspace, "export")
    check(done)
    exported = yaml.safe_load(done.stdout)["webhooks"]
    assert sorted(one["name"] for one in exported) == sorted(name.strip() for name in names)
    assert all("##[endgroup]" in one["events"] for one in exported)


def test_a_config_commands_nothing_but_what_validate_means(workspace: Workspace):
    workspace.write(
        TWO.replace("CRM Sync", '"\\u202e##[error]x"').replace("email.opened", '"##[error]\\u3164"').replace("url:", "uri:")
    )
    for form in ("text", "json"):
        check(on_github(workspace, "validate", "--format", form))
    done = on_github(workspace, "validate", "--format", "github")
    lines = done.stdout.splitlines()
    assert lines
    assert all(line.startswith(("::error file=webhooks.yaml,line=", "::warning file=webhooks.yaml,line=")) for line in lines)
    check(done, own=tuple(lines))


def test_a_secret_is_not_shown_by_what_a_server_lists(workspace: Workspace):
    """A server that puts the key, or a secret that this run knows, into a name."""
    secret = "canary-known-secret-of-some-length"
    fields = {"name": f"N {KEY} {secret.upper()}", "url": "https://x.example.com/a", "events": ["email.sent"]}
    workspace.simulator.store.create("ws_demo", fields)
    done = workspace.run("export", SENDKIT_SECRET_A=secret)
    assert "N (sensitive) (sensitive)" in done.stdout
    workspace.write("version: 1\nwebhooks:\n  - {name: N, url: 'https://x.example.com/a', events: [email.sent]}\n")
    assert workspace.run("import", "--", "N", workspace.simulator.webhooks()[0]["_id"]).returncode == 0
    shown = workspace.run("state", "show", "N", SENDKIT_SECRET_A=secret)
    assert "(sensitive) (sensitive)" in shown.stdout
    assert KEY not in shown.stdout
