"""The config changes while a create has no outcome: the run settles from what the intent holds, then plans as usual."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sendkit_sync.cli.signals import stopping
from support.runs import Runs, config_of, die_at

WANTED = config_of(["Anna"])
EDITED = WANTED.replace("/in", "/elsewhere")
RENAMED = WANTED.replace("name: Anna", "name: Berta")
TOLD = RENAMED.replace("name: Berta", "name: Berta\n    renamedFrom: Anna")
REMOVED = config_of(["Dora"])
SECRET = WANTED + "    secret: ${ANNA}\n"
AT_ONCE = ("--resend-after", "0s")


def live(runs: Runs) -> dict[str, dict[str, object]]:
    found = {webhook["name"]: webhook for webhook in runs.simulator.webhooks()}
    assert len(found) == len(runs.simulator.webhooks())
    return found


def check_recorded(runs: Runs, *names: str) -> None:
    """Assert that exactly these are recorded, each with the id and the secret of the live one of that name."""
    recorded = runs.state["webhooks"]
    assert sorted(recorded) == sorted(names)
    for name in names:
        assert recorded[name]["id"] == live(runs)[name]["_id"]
        assert recorded[name]["secret"]["value"] == live(runs)[name]["secret"]  # type: ignore[index]
    runs.check_nothing_shown()


@pytest.mark.parametrize(
    ("config", "code", "names"),
    [
        (EDITED, 0, ["Anna"]),
        (RENAMED, 1, ["Anna"]),  # looks like the orphan that it is: blocked until it is told
        (TOLD, 0, ["Berta"]),
        (REMOVED, 0, ["Anna", "Dora"]),
        (SECRET, 0, ["Anna"]),
    ],
    ids=["edited", "renamed", "renamed-and-told", "removed", "another-secret"],
)
def test_a_create_that_happened_is_recorded_whatever_the_config_says_now(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, config: str, code: int, names: list[str]
):
    die_at(runs, "outcome-buffered")
    assert runs.posts(made=True) == 1
    runs.write(config)
    monkeypatch.setattr(runs, "environment", secret_in(runs.environment()))
    assert runs.apply_here() == code, runs.outputs
    assert runs.posts(made=True) == (2 if config is REMOVED else 1)
    check_recorded(runs, *names)
    if config is EDITED:
        assert live(runs)["Anna"]["url"] == "https://anna.example/elsewhere"
    if config is SECRET:
        assert live(runs)["Anna"]["secret"] == "canary-of-the-config"


def secret_in(environment: dict[str, str]):
    return lambda: environment | {"SENDKIT_SECRET_ANNA": "canary-of-the-config"}


@pytest.mark.parametrize(
    ("config", "names"),
    [(EDITED, ["Anna"]), (RENAMED, ["Berta"]), (TOLD, ["Berta"]), (REMOVED, ["Dora"]), (SECRET, ["Anna"])],
    ids=["edited", "renamed", "renamed-and-told", "removed", "another-secret"],
)
def test_a_create_that_never_happened_is_made_once_as_the_config_says_now(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, config: str, names: list[str]
):
    die_at(runs, "intent-durable")
    assert runs.posts() == 0
    runs.write(config)
    monkeypatch.setattr(runs, "environment", secret_in(runs.environment()))
    waiting = runs.apply_here()
    assert waiting == 1, "the attempt is too young to be given up"
    assert runs.apply_here(*AT_ONCE) == 0, runs.outputs
    assert runs.posts(made=True) == 1
    check_recorded(runs, *names)
    assert runs.apply_here() == 0


def test_a_signal_may_come_while_the_run_waits_on_its_event():
    stop = threading.Event()
    with stopping(stop):
        with stop._cond:  # what a wait holds for a moment
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(10)
