"""A state that somebody else has written: with valid checksums, and with values that no run of this tool would leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sendkit_sync.core.errors import StateInvalidError
from sendkit_sync.state.journal import encode_line
from support.bench import Bench

STATE = "sendkit.state.json"
IDS = ["", ".", "..", "../workspaces", "a/b", "a?b", "a#b", "%2e", "a b", "a\n", "\u202e", "x" * 129, "664a\u0661"]


def intent(**fields: Any) -> dict[str, Any]:
    settings = {"url": "https://crm.example.com/in", "events": ["email.replied"]}
    return {"op": "o", "action": "create", "sentAt": 1.0, "settings": settings} | fields


def check_refused(bench: Bench, *, place: str) -> None:
    """Assert that every command refuses the state, and that nothing is sent."""
    bench.simulator.requests.clear()
    for words in (("plan",), ("apply", "--yes", "--prune", "--force"), ("state", "list"), ("state", "forget", "CRM")):
        with pytest.raises(StateInvalidError) as caught:
            bench.run(*words)
        assert place in str(caught.value)
        assert len(str(caught.value)) < 500
    assert bench.simulator.requests == []


@pytest.mark.parametrize("webhook_id", IDS, ids=ascii)
class TestIds:
    """An id becomes a part of a URL: `.` would make DELETE /v1/webhooks/, whose 404 counts as deleted."""

    def test_of_a_record(self, bench: Bench, webhook_id: str):
        bench.apply()
        bench.state(lambda state: state["webhooks"]["CRM"].update(id=webhook_id))
        check_refused(bench, place='$.webhooks["CRM"].id: must be an id of a webhook')

    def test_of_a_call_without_an_outcome(self, bench: Bench, webhook_id: str):
        bench.apply()
        bench.state(lambda state: state["pending"].update(CRM=[intent(action="delete", id=webhook_id)]))
        check_refused(bench, place='$.pending["CRM"][0].id: must be an id of a webhook')

    def test_that_a_call_saw(self, bench: Bench, webhook_id: str):
        bench.apply()
        bench.state(lambda state: state["pending"].update(New=[intent(seen=["a", webhook_id])]))
        check_refused(bench, place='$.pending["New"][0].seen[1]: must be an id of a webhook')

    def test_in_a_journal(self, bench: Bench, webhook_id: str):
        bench.apply()
        state = json.loads(Path(STATE).read_text())
        header = {"journal": "j", "lineage": state["lineage"], "baseSerial": state["serial"], "version": 1}
        entry = {"do": "begin", "name": "CRM", "intent": intent(action="delete", id=webhook_id)}
        Path(f"{STATE}.journal").write_bytes(encode_line(header) + encode_line(entry))
        check_refused(bench, place="$.intent.id: must be an id of a webhook")


NUMBERS = {
    "serial": lambda state, number: state.update(serial=number),
    "retryAttempts": lambda state, number: state["webhooks"]["CRM"]["applied"].update(retryAttempts=number),
    "timeoutMs": lambda state, number: state["webhooks"]["CRM"]["confirmed"].update(timeoutMs=number),
}


@pytest.mark.parametrize("number", [2**53, 10**100, 10**4300 - 1], ids=["2**53", "10**100", "4300 digits"])
@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_that_no_fold_could_write_is_refused_before_a_call(bench: Bench, key: str, number: int):
    bench.apply()
    bench.state(lambda state: NUMBERS[key](state, number))
    check_refused(bench, place=f"{key}: must be an integer from 0 to {2**53 - 1}")


@pytest.mark.parametrize("time", [-1, 1e300, 253402300800.0])
def test_a_time_that_is_none_is_refused(bench: Bench, time: float):
    bench.apply()
    bench.state(lambda state: state["pending"].update(New=[intent(sentAt=time)]))
    check_refused(bench, place='$.pending["New"][0].sentAt: must be a time')
