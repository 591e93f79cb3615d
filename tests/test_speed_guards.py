"""What keeps the commands fast, without a clock: what agrees, what is not loaded, and what is counted."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from sendkit_sync.config.accept import compiled
from sendkit_sync.schemas import schema

WEBHOOKS = schema("webhooks")
QUICK = compiled(WEBHOOKS)
WHOLE = Draft7Validator(WEBHOOKS)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(allow_nan=True),
    st.sampled_from([1.0, 0.0, -1.0, 2.5]),
    st.sampled_from(["", "a", "client", "server", "other"]),
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
)
webhook = st.dictionaries(
    st.sampled_from([*WEBHOOKS["properties"]["webhooks"]["items"]["properties"], "secrte"]), anything, max_size=8
) | st.fixed_dictionaries(
    {"name": st.text(max_size=2), "url": st.just("u"), "events": st.lists(st.sampled_from(["a", "b", ""]), max_size=3)},
    optional={"retryAttempts": scalars, "timeoutMs": scalars, "secret": scalars},
)
config = st.fixed_dictionaries(
    {"version": st.sampled_from([1, 1.0, True, "1", 2]), "webhooks": st.lists(webhook, max_size=3)},
    optional={
        "workspace": scalars,
        "generateSecret": scalars,
        "defaults": st.dictionaries(st.sampled_from(["retryAttempts", "timeoutMs", "x"]), scalars, max_size=2),
        "more": scalars,
    },
)


@settings(max_examples=300, deadline=None)
@given(config | anything)
@example({"version": 1, "webhooks": [{"name": "a", "url": "u", "events": ["a"], "retryAttempts": 0}]})
def test_the_quick_check_accepts_nothing_that_jsonschema_refuses(data: Any):
    if QUICK(data):
        assert WHOLE.is_valid(data)


def test_the_quick_check_accepts_what_people_write():
    entry = {"name": "a", "url": "u", "events": ["a", "b"], "secret": "${S}", "retryAttempts": 3, "timeoutMs": 1.0}
    whole = {"version": 1, "workspace": "w", "state": "s", "generateSecret": "server", "defaults": {"retryAttempts": 0}}
    assert QUICK({**whole, "webhooks": [entry, {**entry, "renamedFrom": "b"}]})
    assert QUICK({"version": 1, "webhooks": []})


def test_a_rule_that_the_quick_check_does_not_know_is_left_to_jsonschema():
    for rules in ({"type": "string", "pattern": "a"}, {"not": {}}, {"type": "object"}, {"type": "array", "contains": {}}):
        assert not compiled(rules)("b")
        assert not compiled({"type": "array", "items": rules})(["b"])
