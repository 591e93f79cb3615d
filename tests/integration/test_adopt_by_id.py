"""An entry with an `id`: the first apply adopts that webhook, and never creates one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sendkit_sync.core.errors import ConfigError, RefusedError
from support.bench import Bench

ID, GONE = "664a1b2c3d4e5f6a7b8c9d0e", "000000000000000000000001"
URL = "https://crm.example.com/in"


def config(*entries: str) -> str:
    return "version: 1\nwebhooks:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries)


def entry(name: str, webhook_id: str | None = None, url: str = URL, more: str = "") -> str:
    given = f", id: '{webhook_id}'" if webhook_id else ""
    return f'name: "{name}", url: "{url}", events: [email.replied]{given}{more}'


def live(bench: Bench, name: str = "Old name", url: str = URL, webhook_id: str = ID) -> None:
    body = {"name": name, "url": url, "events": ["email.replied"], "secret": "canary-live-secret", "timeoutMs": 25000}
    bench.simulator.store.create("ws_demo", body, webhook_id)


def sent(bench: Bench) -> list[str]:
    return [request["method"] for request in bench.simulator.requests if request["method"] != "GET"]


def records(bench: Bench) -> dict[str, Any]:
    document = json.loads((bench.folder / "sendkit.state.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["webhooks"]
    return found


def check_in_sync(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    bench.run("plan", "--refresh")
    assert "No changes." in capsys.readouterr().out


def test_a_webhook_like_its_entry_is_recorded_and_nothing_is_sent(bench: Bench, capsys: pytest.CaptureFixture[str]):
    live(bench, "CRM")
    bench.write(config(entry("CRM", ID, more=", timeoutMs: 25000")))
    bench.apply()
    assert sent(bench) == []
    assert records(bench)["CRM"]["id"] == ID
    assert records(bench)["CRM"]["secret"]["value"] == "canary-live-secret"
    check_in_sync(bench, capsys)


@pytest.mark.parametrize("words", [(), ("--refresh",)], ids=["offline", "refresh"])
def test_one_that_differs_is_adopted_and_changed_in_the_same_apply(
    bench: Bench, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    live(bench)
    bench.write(config(entry("CRM", ID, "https://new.example.com/in")))
    bench.apply(*words)
    shown = capsys.readouterr().out
    assert "its `id` names a live webhook" in shown
    assert "25000 -> 10000" in shown
    assert "https://crm.example.com/in -> https://new.example.com/in" in shown
    assert sent(bench) == ["PATCH"]
    (made,) = bench.simulator.webhooks()
    assert (made["_id"], made["name"], made["url"]) == (ID, "CRM", "https://new.example.com/in")
    check_in_sync(bench, capsys)


def test_what_is_ignored_stays_as_it_is(bench: Bench, capsys: pytest.CaptureFixture[str]):
    live(bench, "CRM")
    bench.write(config(entry("CRM", ID, more=", ignoreChanges: [timeoutMs]")))
    bench.apply()
    assert sent(bench) == []
    assert bench.simulator.webhooks()[0]["timeoutMs"] == 25000
    check_in_sync(bench, capsys)


def test_an_offline_plan_says_that_it_does_not_know_the_changes(bench: Bench, capsys: pytest.CaptureFixture[str]):
    live(bench)
    bench.write(config(entry("CRM", ID)))
    bench.run("plan", "--format", "json")
    (action,) = json.loads(capsys.readouterr().out)["actions"]
    assert (action["action"], action["id"], action["reason"], action["changes"]) == ("adopt", ID, "adopted", [])
    bench.run("plan")
    assert "what would change is not known" in capsys.readouterr().out
    assert bench.simulator.requests == []
    bench.run("plan", "--refresh")
    assert "25000 -> 10000" in capsys.readouterr().out
    assert sent(bench) == []


@pytest.mark.parametrize("words", [("apply", "--yes"), ("plan", "--refresh"), ("reconcile",)], ids=lambda words: words[0])
def test_a_webhook_that_is_not_there_is_an_error_and_never_a_create(bench: Bench, words: tuple[str, ...]):
    bench.write(config(entry("CRM", GONE)))
    with pytest.raises(RefusedError, match="there is no live webhook"):
        bench.run(*words)
    assert sent(bench) == []


def test_what_the_state_contradicts_is_refused_by_every_plan(bench: Bench):
    bench.write(config(entry("CRM")))
    bench.apply()
    known = records(bench)["CRM"]["id"]
    calls = len(bench.simulator.requests)
    for text, message in (
        (config(entry("CRM", ID)), "but its entry has the id"),
        (config(entry("Other", known)), "is already recorded, as"),
        (config(entry("CRM"), entry("Other", known)), "is already recorded, as"),
    ):
        bench.write(text)
        for words in (("plan",), ("apply", "--yes")):
            with pytest.raises(RefusedError, match=message):
                bench.run(*words)
    assert len(bench.simulator.requests) == calls
    bench.write(config(entry("New", known, more=", renamedFrom: CRM")))
    bench.apply()
    assert set(records(bench)) == {"New"}
    assert sent(bench) == ["POST", "PATCH"]


@pytest.mark.parametrize("name", ["CRM", "Same place"])
def test_an_unresolved_create_that_may_have_made_it_is_resolved_first(bench: Bench, name: str):
    bench.leave_unresolved()
    live(bench, "Other")
    bench.write(config(entry(name, ID)))
    posts = sent(bench)
    with pytest.raises(RefusedError, match="is unresolved and may have made that webhook"):
        bench.run("plan")
    with pytest.raises(RefusedError):
        bench.apply()
    assert sent(bench) == posts


def test_two_entries_of_one_id_are_an_error_of_the_config(bench: Bench):
    bench.write(config(entry("One", ID), entry("Two", ID, "https://two.example.com/")))
    with pytest.raises(ConfigError) as refused:
        bench.run("plan")
    assert any("is already the id of the entry at webhooks.yaml:3" in one.message for one in refused.value.diagnostics)


def test_one_that_is_gone_later_is_not_created_again(bench: Bench, capsys: pytest.CaptureFixture[str]):
    live(bench, "CRM")
    bench.write(config(entry("CRM", ID), entry("Kept", url="https://kept.example.com/")))
    bench.apply()
    bench.simulator.delete(ID)
    posts = sent(bench).count("POST")
    bench.apply("--refresh")
    assert "the webhook that its `id` names is gone" in capsys.readouterr().out
    assert sent(bench).count("POST") == posts
    bench.write(config(entry("CRM"), entry("Kept", url="https://kept.example.com/")))
    bench.apply("--refresh")
    assert sent(bench).count("POST") == posts + 1


def test_it_is_adopted_before_the_check_for_possible_duplicates(bench: Bench):
    live(bench, "CRM")
    bench.write(config(entry("Adopted", ID), entry("CRM", url="https://other.example.com/")))
    bench.apply()
    assert sorted(one["name"] for one in bench.simulator.webhooks()) == ["Adopted", "CRM"]


def test_an_export_of_webhooks_named_alike_is_adopted_as_it_is(bench: Bench, capsys: pytest.CaptureFixture[str]):
    live(bench, "Same", webhook_id="a" * 24)
    live(bench, "Same", webhook_id="b" * 24)
    live(bench, "Same", "https://third.example.com/", webhook_id="c" * 24)
    live(bench, "Alone", "https://alone.example.com/", webhook_id="d" * 24)
    bench.run("export")
    text = capsys.readouterr().out
    assert text.count("id: ") == 3
    bench.write(text)
    bench.run("import", "--matching")
    bench.apply()
    assert "POST" not in sent(bench)
    assert {record["id"] for record in records(bench).values()} == {char * 24 for char in "abcd"}
    check_in_sync(bench, capsys)
