"""A secret's life: staged, handed over, activated, retired; and no step that loses one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sendkit_sync.simulator import Fault
from support.age_keys import READER, encrypted_config
from support.workspace import TWO, Workspace


def kept(workspace: Workspace, name: str = "CRM Sync") -> dict[str, Any]:
    record: dict[str, Any] = workspace.state["webhooks"][name]
    return record


def staged(workspace: Workspace, name: str = "CRM Sync") -> str | None:
    secret = workspace.state["staged"].get(name)
    return None if secret is None else str(secret["value"])


def live(workspace: Workspace, name: str = "CRM Sync") -> str:
    return next(str(one["secret"]) for one in workspace.simulator.webhooks() if one["name"] == name)


@pytest.fixture
def applied(workspace: Workspace) -> Workspace:
    assert workspace.apply().returncode == 0
    return workspace


def test_a_new_webhook_is_created_with_the_secret_that_was_staged_for_it(workspace: Workspace):
    assert workspace.run("secret", "stage", "--new").returncode == 0
    assert not workspace.simulator.requests
    secret = staged(workspace)
    assert secret is not None
    assert "staged" in workspace.run("plan").stdout
    assert workspace.apply().returncode == 0
    assert live(workspace) == secret == kept(workspace)["secret"]["value"]
    assert not workspace.state["staged"]


def test_an_existing_webhook_signs_with_its_staged_secret_once_it_is_activated(applied: Workspace):
    old = live(applied)
    assert applied.run("secret", "stage", "CRM Sync").returncode == 0
    assert live(applied) == old
    secret = staged(applied)
    done = applied.run("secret", "activate", "CRM Sync")
    assert done.returncode == 0, done.stderr
    assert live(applied) == secret == kept(applied)["secret"]["value"]
    assert [one["value"] for one in kept(applied)["previousSecrets"]] == [old]
    assert not applied.state["staged"]


def test_previous_secrets_stay_until_they_are_retired(applied: Workspace):
    old = [live(applied)]
    for _ in range(2):
        assert applied.run("secret", "rotate", "CRM Sync", "--yes").returncode == 0
        old.insert(0, live(applied))
    assert [one["value"] for one in kept(applied)["previousSecrets"]] == old[1:]
    assert applied.run("secret", "retire", "CRM Sync").returncode == 64
    assert "previousSecrets" in kept(applied)
    assert applied.run("secret", "retire", "CRM Sync", "--yes").returncode == 0
    assert "previousSecrets" not in kept(applied)
    assert live(applied) == kept(applied)["secret"]["value"] == old[0]


def test_staging_twice_is_refused_and_keeps_the_first(applied: Workspace):
    assert applied.run("secret", "stage", "CRM Sync").returncode == 0
    first = staged(applied)
    assert applied.run("secret", "stage", "CRM Sync").returncode == 1
    assert applied.run("secret", "rotate", "CRM Sync", "--yes").returncode == 1
    assert staged(applied) == first


def test_new_draws_only_for_entries_that_nobody_staged(workspace: Workspace):
    assert workspace.run("secret", "stage", "CRM Sync").returncode == 0
    first = staged(workspace)
    assert workspace.run("secret", "stage", "--new").returncode == 0
    assert staged(workspace) == first
    assert staged(workspace, "Analytics") is not None


def test_who_cannot_read_a_staged_secret_sends_none_and_draws_no_other(workspace: Workspace):
    workspace.write(encrypted_config())
    assert workspace.run("secret", "stage", "CRM Sync").returncode == 0
    before = workspace.state["staged"]
    done = workspace.apply("--format", "json")
    assert done.returncode == 1
    results = {result["name"]: result for result in json.loads(done.stdout)["results"]}
    assert results["CRM Sync"]["error"]["code"] == "staged_unreadable"
    assert results["Analytics"]["status"] == "done", "nobody staged one for it"
    assert [webhook["name"] for webhook in workspace.simulator.webhooks()] == ["Analytics"]
    assert workspace.state["staged"] == before
    assert not workspace.state["pending"]
    assert workspace.run("secret", "activate", "Analytics").returncode == 1

    staged_one = workspace.run("secret", "export", "--format", "json", "--staged", "--only", "CRM Sync", **READER).stdout
    assert workspace.apply(**READER).returncode == 0
    assert live(workspace) == json.loads(staged_one)["CRM Sync"]["next"]


def test_who_cannot_read_a_staged_secret_does_not_activate_it(workspace: Workspace):
    workspace.write(encrypted_config())
    assert workspace.apply().returncode == 0
    old = live(workspace)
    assert workspace.run("secret", "stage", "CRM Sync").returncode == 0
    before = workspace.state
    assert workspace.run("secret", "activate", "CRM Sync").returncode == 1
    assert live(workspace) == old
    assert workspace.state["staged"] == before["staged"]
    assert workspace.run("secret", "activate", "CRM Sync", **READER).returncode == 0
    assert live(workspace) != old


def test_a_secret_from_the_config_is_not_staged(workspace: Workspace):
    workspace.write(TWO + "  - {name: Own, url: https://own.example.com/, events: [email.sent], secret: '${OWN}'}\n")
    done = workspace.run("secret", "stage", "Own", SENDKIT_SECRET_OWN="canary-own-secret-of-the-config")
    assert done.returncode == 1
    assert "comes from the config" in done.stderr


@pytest.mark.parametrize("command", [["secret", "unstage"], ["state", "forget"]])
def test_what_loses_a_secret_asks_first(applied: Workspace, command: list[str]):
    assert applied.run("secret", "stage", "CRM Sync").returncode == 0
    before = applied.state
    assert applied.run(*command, "CRM Sync").returncode == 64
    assert applied.state["webhooks"] == before["webhooks"]
    assert applied.state["staged"] == before["staged"]
    assert applied.run(*command, "CRM Sync", "--yes").returncode == 0
    assert not applied.state["staged"]


def test_an_activation_without_an_answer_keeps_both_and_is_finished_by_the_next(applied: Workspace):
    old = live(applied)
    assert applied.run("secret", "stage", "CRM Sync").returncode == 0
    secret = staged(applied)
    applied.simulator.add_fault(Fault("PATCH", when="after", kind="drop"))
    done = applied.run("secret", "activate", "CRM Sync", "--retry-for", "0s")
    assert done.returncode == 1
    assert staged(applied) == secret
    assert kept(applied)["secret"]["value"] == old
    assert applied.run("secret", "unstage", "CRM Sync", "--yes").returncode == 1
    assert applied.run("secret", "retire", "CRM Sync", "--yes").returncode == 1
    applied.simulator.faults.clear()
    assert applied.run("secret", "activate", "CRM Sync").returncode == 0
    assert live(applied) == secret == kept(applied)["secret"]["value"]
    assert not applied.state["staged"]


@pytest.mark.parametrize("place", ["lock-taken", "intent-buffered", "intent-durable", "fold-begun", "fold-done"])
def test_a_killed_stage_leaves_one_secret_or_none(applied: Workspace, place: str):
    applied.run("secret", "stage", "CRM Sync", killed_at=place)
    applied.run("secret", "stage", "CRM Sync")
    secret = staged(applied)
    assert secret is not None
    assert applied.run("secret", "activate", "CRM Sync").returncode == 0
    assert live(applied) == secret


@pytest.mark.parametrize(
    "place", ["intent-durable", "request-sent", "answer-read", "outcome-buffered", "outcome-durable", "fold-begun"]
)
def test_a_killed_activation_loses_no_secret(applied: Workspace, place: str):
    old = live(applied)
    assert applied.run("secret", "stage", "CRM Sync").returncode == 0
    secret = staged(applied)
    assert applied.run("secret", "activate", "CRM Sync", killed_at=place).returncode < 0
    assert applied.apply().returncode == 0
    if applied.state["staged"]:
        assert applied.run("secret", "activate", "CRM Sync").returncode == 0
    assert live(applied) == secret == kept(applied)["secret"]["value"]
    assert [one["value"] for one in kept(applied)["previousSecrets"]] == [old]


def test_a_rename_carries_the_staged_secret(applied: Workspace):
    assert applied.run("secret", "stage", "CRM Sync").returncode == 0
    secret = staged(applied)
    applied.write(TWO.replace("name: CRM Sync", "name: CRM\n    renamedFrom: CRM Sync"))
    assert applied.apply().returncode == 0
    assert staged(applied, "CRM") == secret
    assert applied.run("secret", "activate", "CRM").returncode == 0
    assert live(applied, "CRM") == secret


def test_a_vanished_webhook_is_created_again_with_its_current_secret(applied: Workspace):
    old = live(applied)
    assert applied.run("secret", "stage", "CRM Sync").returncode == 0
    secret = staged(applied)
    applied.simulator.delete(kept(applied)["id"])
    assert applied.run("apply", "--yes", "--refresh").returncode == 0
    assert live(applied) == old
    assert staged(applied) == secret


OTHERS = "# the app's own\nDATABASE_URL='postgres://localhost/app'\nTEXT=\"two\nSENDKIT_SECRET_CRM_SYNC=no line of ours\"\n"


def test_an_export_into_a_dotenv_file_keeps_all_other_lines(applied: Workspace):
    file = applied.folder / "app.env"
    file.write_text(OTHERS + "SENDKIT_SECRET_CRM_SYNC=old\nSENDKIT_SECRET_CRM_SYNC_NEXT=stale\nLAST=1", encoding="utf-8")
    done = applied.run("secret", "export", "--format", "dotenv", "--output", "app.env")
    assert done.returncode == 0, done.stderr
    crm, analytics = live(applied), live(applied, "Analytics")
    expected = f"{OTHERS}SENDKIT_SECRET_CRM_SYNC={crm}\nLAST=1\nSENDKIT_SECRET_ANALYTICS={analytics}\n"
    assert file.read_text(encoding="utf-8") == expected
    assert file.stat().st_mode & 0o777 == 0o600
    applied.run("secret", "export", "--format", "dotenv", "--output", "app.env")
    assert file.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("form", ["json", "kubernetes", "env-json"])
def test_another_file_is_replaced_only_when_that_is_asked_for(applied: Workspace, form: str):
    file = applied.folder / "there"
    file.write_text("somebody's work\n", encoding="utf-8")
    assert applied.run("secret", "export", "--format", form, "--output", "there").returncode == 1
    assert file.read_text(encoding="utf-8") == "somebody's work\n"
    assert applied.run("secret", "export", "--format", form, "--output", "there", "--overwrite").returncode == 0
    assert "somebody" not in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600


def test_staged_and_previous_secrets_are_exported_beside_the_current_one(applied: Workspace):
    old = live(applied)
    assert applied.run("secret", "rotate", "CRM Sync", "--yes").returncode == 0
    assert applied.run("secret", "stage", "CRM Sync").returncode == 0
    words = ("secret", "export", "--only", "CRM*", "--staged", "--previous", "--format")
    assert applied.run(*words, "dotenv").stdout.splitlines() == [
        f"SENDKIT_SECRET_CRM_SYNC={live(applied)}",
        f"SENDKIT_SECRET_CRM_SYNC_NEXT={staged(applied)}",
        f"SENDKIT_SECRET_CRM_SYNC_PREVIOUS={old}",
    ]
    assert json.loads(applied.run(*words, "json").stdout) == {
        "CRM Sync": {"current": live(applied), "next": staged(applied), "previous": old}
    }


def test_a_staged_secret_is_handed_over_before_its_webhook_exists(workspace: Workspace):
    assert workspace.run("secret", "stage", "--new").returncode == 0
    done = workspace.run("secret", "export", "--staged", "--format", "env-json")
    assert json.loads(done.stdout) == {
        "SENDKIT_SECRET_ANALYTICS_NEXT": staged(workspace, "Analytics"),
        "SENDKIT_SECRET_CRM_SYNC_NEXT": staged(workspace),
    }
