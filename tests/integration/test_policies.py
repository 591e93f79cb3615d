"""What the keys of an entry do that say how it is to be handled: applied, refreshed, pruned, exported."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import pytest

from sendkit_sync.simulator import Fault
from support.workspace import Workspace

ENTRY = "  - {{name: {name}, url: 'https://{name}.example.com/in', events: [email.sent]{more}}}\n"


def config(*entries: tuple[str, str], top: str = "") -> str:
    listed = "".join(ENTRY.format(name=name, more=f", {more}" if more else "") for name, more in entries)
    return f"version: 1\n{top}webhooks:\n{listed}" if entries else f"version: 1\n{top}webhooks: []\n"


def live(workspace: Workspace, name: str) -> dict[str, object]:
    return next(webhook for webhook in workspace.simulator.webhooks() if webhook["name"] == name)


def test_ignored_fields_are_set_on_create_and_left_alone_from_then_on(workspace: Workspace):
    workspace.write(config(("A", "timeoutMs: 20000, ignoreChanges: [timeoutMs, url]")))
    assert workspace.apply().returncode == 0
    assert live(workspace, "A")["timeoutMs"] == 20000
    workspace.simulator.change(str(live(workspace, "A")["_id"]), timeoutMs=25000, url="https://else.example.com/in")
    assert workspace.run("plan", "--refresh", "--detailed-exitcode").returncode == 0
    workspace.write(config(("A", "timeoutMs: 1000, retryAttempts: 7, ignoreChanges: [timeoutMs, url]")))
    done = workspace.apply("--refresh")
    assert (done.returncode, "warning" in done.stderr) == (0, False), done.stderr
    after = live(workspace, "A")
    assert (after["timeoutMs"], after["url"], after["retryAttempts"]) == (25000, "https://else.example.com/in", 7)
    assert workspace.state["webhooks"]["A"]["applied"]["timeoutMs"] == 20000


def test_an_update_that_is_repeated_sends_no_ignored_field(workspace: Workspace):
    workspace.write(config(("A", "")))
    assert workspace.apply().returncode == 0
    workspace.simulator.change(str(live(workspace, "A")["_id"]), timeoutMs=25000)
    workspace.write(config(("A", "retryAttempts: 7, ignoreChanges: [timeoutMs]")))
    for number in range(1, 4):
        workspace.simulator.add_fault(Fault.parse(f"PATCH /v1/webhooks/* nth={number} when=after kind=drop"))
    assert workspace.apply("--retry-for", "300ms").returncode == 1
    assert workspace.apply().returncode == 0
    assert (live(workspace, "A")["timeoutMs"], live(workspace, "A")["retryAttempts"]) == (25000, 7)
    assert workspace.run("plan", "--refresh", "--detailed-exitcode").returncode == 0


def test_a_webhook_that_is_created_again_gets_its_ignored_fields(workspace: Workspace):
    workspace.write(config(("A", "timeoutMs: 20000")))
    assert workspace.apply().returncode == 0
    workspace.simulator.delete(str(live(workspace, "A")["_id"]))
    workspace.write(config(("A", "timeoutMs: 5000, ignoreChanges: [timeoutMs]")))
    assert workspace.apply("--refresh", "--force").returncode == 0
    assert live(workspace, "A")["timeoutMs"] == 5000


def test_an_orphan_keeps_its_protection_until_it_is_lifted_and_applied(workspace: Workspace):
    workspace.write(config(("A", "preventDelete: true"), ("B", "")))
    assert workspace.apply().returncode == 0
    workspace.write(config(("B", "")))
    done = workspace.apply("--prune")
    assert done.returncode == 1
    assert "`preventDelete` is set for it" in done.stderr
    assert live(workspace, "A")
    workspace.write(config(("A", ""), ("B", "")))
    assert "preventDelete  true -> false" in workspace.run("plan").stdout
    requests = len(workspace.simulator.requests)
    assert workspace.apply().returncode == 0
    assert len(workspace.simulator.requests) == requests  # nothing is sent
    workspace.write(config(("B", "")))
    assert workspace.apply("--prune").returncode == 0
    assert [webhook["name"] for webhook in workspace.simulator.webhooks()] == ["B"]


def test_a_create_that_was_cut_off_is_protected_all_the_same(workspace: Workspace):
    workspace.write(config(("A", "preventDelete: true"), ("B", "")))
    assert workspace.apply(killed_at="answer-read").returncode < 0
    assert workspace.apply().returncode == 0
    assert workspace.state["webhooks"]["A"]["preventDelete"] is True
    workspace.write(config(("B", "")))
    assert workspace.apply("--prune").returncode == 1
    assert live(workspace, "A")


def test_a_sensitive_url_is_shown_nowhere_but_in_the_state(workspace: Workspace):
    text = config(("A", "sensitiveUrl: true"))
    workspace.write(text.replace("https://A.example.com/in", "https://A.example.com/services/canary-canary"))
    workspace.simulator.add_fault(Fault.parse("POST /v1/webhooks nth=1 status=422"))
    for form in ("text", "json", "markdown", "html"):
        assert "https://A.example.com/(sensitive:" in unescape(workspace.run("plan", "--format", form).stdout)
    workspace.run("-vv", "apply", "--yes")
    assert workspace.apply("--format", "json").returncode == 0
    workspace.run("state", "show", "A")
    workspace.simulator.change(str(live(workspace, "A")["_id"]), url="https://A.example.com/services/canary-other")
    drifted = workspace.run("-vv", "plan", "--refresh")
    assert drifted.stdout.count("(sensitive:") == 2
    workspace.write(config())
    workspace.run("plan", "--prune", "--format", "json")
    assert "canary" in json.dumps(workspace.state)
    assert "canary-canary" not in "".join(workspace.outputs)
    assert "canary-other" not in "".join(workspace.outputs)


def test_a_secret_that_is_kept_elsewhere_is_left_alone(workspace: Workspace):
    workspace.simulator.store._mask = True
    made = workspace.simulator.store.create(
        "ws_demo", {"name": "A", "url": "https://A.example.com/in", "events": ["email.sent"], "secret": "of-the-vault-0123456"}
    )
    workspace.write(config(("A", "manageSecret: false"), ("B", "")))
    imported = workspace.run("import", "A", made["_id"])
    assert (imported.returncode, imported.stderr) == (0, "")
    assert workspace.apply().returncode == 0
    assert "Missing" not in workspace.run("plan").stdout
    for words in (["rotate", "--yes"], ["stage"]):
        refused = workspace.run("secret", words[0], "A", *words[1:])
        assert refused.returncode == 1
        assert "kept elsewhere" in refused.stderr
    assert "_A=" not in workspace.run("secret", "export", "--format", "dotenv").stdout
    assert workspace.simulator.store.whole("ws_demo", made["_id"])["secret"] == "of-the-vault-0123456"


def test_an_entry_names_its_variable_although_others_are_not_set_here(workspace: Workspace):
    entry = ENTRY.format(name="A", more=", exportAs: CRM_SECRET").replace("https://A", "https://${HOST}")
    workspace.write(f"version: 1\nwebhooks:\n{entry}")
    assert workspace.apply(SENDKIT_VAR_HOST="a").returncode == 0
    assert workspace.run("secret", "export", "--format", "dotenv").stdout.startswith("CRM_SECRET=")
    assert workspace.run("secret", "export", "--format", "kubernetes").stdout.count("  CRM_SECRET: ") == 1


def test_a_pinned_address_is_used_and_another_one_is_an_error(workspace: Workspace):
    workspace.write(config(("A", ""), top=f"apiUrl: {workspace.simulator.url}/\n"))
    assert workspace.apply(SENDKIT_API_URL="").returncode == 0
    assert workspace.state["api"] == workspace.simulator.url
    for words in (["plan"], ["apply", "--yes"], ["secret", "export", "--format", "json"], ["test", "A"]):
        refused = workspace.run(*words, SENDKIT_API_URL="http://127.0.0.1:9")
        assert refused.returncode == 65, words
        assert "the config pins `apiUrl`" in refused.stderr
    assert workspace.run("state", "forget", "A", "--yes", SENDKIT_API_URL="").returncode == 0


def test_a_record_follows_its_entry_into_another_file(workspace: Workspace, tmp_path: Path):
    teams = tmp_path / "teams"
    teams.mkdir()
    (teams / "a.yaml").write_text(config(("A", ""), top="state: ../s/x.json\n"), encoding="utf-8")
    (tmp_path / "s").mkdir()
    assert workspace.apply("-c", "teams/a.yaml").returncode == 0

    def source() -> str:
        state = json.loads((tmp_path / "s" / "x.json").read_text(encoding="utf-8"))
        return str(state["webhooks"]["A"]["source"])

    assert source() == "../teams/a.yaml"
    (teams / "a.yaml").rename(teams / "b.yaml")
    assert "No changes." in workspace.run("plan", "-c", "teams/b.yaml").stdout
    assert workspace.apply("-c", "teams/b.yaml").returncode == 0
    assert source() == "../teams/b.yaml"


@pytest.mark.parametrize("name", ["A", "B"])
def test_export_writes_every_field_that_is_live(name: str, workspace: Workspace):
    workspace.write(config(("A", "timeoutMs: 25000"), ("B", "")))
    assert workspace.apply().returncode == 0
    workspace.write(workspace.run("export").stdout)
    assert workspace.run("plan", "--refresh", "--detailed-exitcode").returncode == 0
    assert f"timeoutMs: {live(workspace, name)['timeoutMs']}" in (workspace.folder / "webhooks.yaml").read_text(
        encoding="utf-8"
    )
