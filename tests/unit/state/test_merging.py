"""Two branches that both recorded something: what their merge holds, and when it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sendkit_sync.core.errors import RefusedError
from sendkit_sync.core.model import ActionKind, Intent, Secret, SecretOrigin, Settings, State, StoredSecret, WebhookRecord
from sendkit_sync.state.merging import merge_states

API = "https://api.sendkit.ai"


def secret(text: str) -> StoredSecret:
    return StoredSecret(SecretOrigin.GENERATED, clear=Secret(text))


def record(webhook_id: str, url: str = "https://a.example/", kept: str = "s") -> WebhookRecord:
    settings = Settings(url, ("email.sent",))
    return WebhookRecord(webhook_id, settings, settings, "A", secret(kept))


def create(op: str, kept: str, sent_at: float = 1.0) -> Intent:
    return Intent(op, ActionKind.CREATE, "A", sent_at, Settings("https://a.example/", ("email.sent",)), secret(kept))


def state(
    serial: int = 1, *, pending: tuple[Intent, ...] = (), workspace: str | None = "ws", **webhooks: WebhookRecord
) -> State:
    return State("lineage", serial, API, workspace, webhooks, {"A": pending} if pending else {})


def test_what_each_side_created_is_in_the_merge():
    base = state(1, old=record("0"))
    ours, theirs = state(2, old=record("0"), A=record("1")), state(5, old=record("0"), B=record("2"))
    merged = merge_states(base, ours, theirs)
    assert merged.state == state(6, old=record("0"), A=record("1"), B=record("2"))
    assert not merged.warnings


def test_states_without_a_common_ancestor_are_merged():
    assert set(merge_states(None, state(A=record("1")), state(B=record("2"))).state.webhooks) == {"A", "B"}


def test_a_side_that_forgot_a_webhook_wins_over_one_that_left_it_alone():
    base = state(A=record("1"), B=record("2"))
    assert set(merge_states(base, state(B=record("2")), base).state.webhooks) == {"B"}
    assert set(merge_states(base, base, state(A=record("1"))).state.webhooks) == {"A"}


def test_a_webhook_that_one_side_forgot_and_the_other_changed_is_kept_with_a_warning():
    base = state(A=record("1"))
    merged = merge_states(base, state(), state(A=record("1", kept="new")))
    assert merged.state.webhooks["A"].secret == secret("new")
    assert "forgotten on one side" in merged.warnings[0]


def test_a_rename_on_one_side_meets_a_change_on_the_other():
    base = state(A=record("1"))
    renamed, changed = replace(record("1"), former_names=("A",)), record("1", url="https://b.example/")
    merged = merge_states(base, state(B=renamed), state(A=changed)).state
    assert list(merged.webhooks) == ["B"]
    assert merged.webhooks["B"].applied.url == "https://b.example/"
    assert merged.webhooks["B"].former_names == ("A",)


def test_two_rotations_of_one_webhook_keep_every_secret_and_say_so():
    base = state(A=record("1", kept="old"))
    ours = replace(record("1", kept="mine"), previous_secrets=(secret("old"),))
    theirs = replace(record("1", kept="other"), previous_secrets=(secret("old"),))
    merged = merge_states(base, state(A=ours), state(A=theirs))
    assert merged.state.webhooks["A"].secret == secret("mine")
    assert merged.state.webhooks["A"].candidate_secrets == (secret("other"),)
    assert merged.state.webhooks["A"].previous_secrets == (secret("old"),)
    assert "either may be in force" in merged.warnings[0]


def test_a_create_that_one_side_resolved_is_dropped_and_its_secret_kept():
    base = state(pending=(create("op", "sent"),))
    merged = merge_states(base, base, state(A=record("1", kept="shown"))).state
    assert not merged.pending
    assert merged.webhooks["A"].previous_secrets == (secret("sent"),)


def test_creates_that_are_unresolved_on_both_sides_stay_with_their_latest_send():
    base = state(pending=(create("op", "sent"),))
    merged = merge_states(base, base, state(pending=(create("op", "sent", 9.0),))).state
    assert merged.pending == {"A": (create("op", "sent", 9.0),)}


def test_a_create_that_only_one_side_began_stays_unresolved():
    assert merge_states(state(), state(pending=(create("op", "sent"),)), state()).state.pending == {
        "A": (create("op", "sent"),)
    }


def test_a_secret_that_one_side_staged_stays_staged():
    staged = replace(state(A=record("1")), staged={"A": secret("next")})
    assert merge_states(state(A=record("1")), staged, state(A=record("1"))).state.staged == {"A": secret("next")}


def test_a_staged_secret_that_one_side_activated_is_staged_no_more():
    base = replace(state(A=record("1")), staged={"A": secret("next")})
    assert not merge_states(base, base, state(A=record("1", kept="next"))).state.staged


def test_the_workspace_that_one_side_learned_is_kept():
    assert merge_states(state(workspace=None), state(workspace=None), state()).state.workspace_id == "ws"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "why"),
    [
        (state(), state(A=record("1")), state(A=record("2")), '"A" is recorded as 1 and as 2'),
        (state(A=record("1")), state(B=record("1")), state(C=record("1")), '1 is recorded as "B" and as "C"'),
        (state(), replace(state(), lineage="x"), state(), "lineage"),
        (state(), replace(state(), api="https://x.example"), state(), "API address"),
        (state(), state(workspace="other"), state(), "workspace"),
        (state(), state(A=record("1"), B=record("1")), state(), "under two names"),
        (
            state(),
            replace(state(), staged={"A": secret("x")}),
            replace(state(), staged={"A": secret("y")}),
            "secrets are staged",
        ),
        (state(pending=(create("op", "s"),)), state(A=record("1")), state(), "resolved differently"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_conflict_is_refused_and_named(base: State, ours: State, theirs: State, why: str):
    with pytest.raises(RefusedError, match="cannot be merged") as caught:
        merge_states(base, ours, theirs)
    assert why in caught.value.what
