"""What reading a config costs grows with its size and no faster, however it is made up. Work is counted, not timed."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from sendkit_sync.config import load_config, variables, yaml_events
from sendkit_sync.config.schema import _errors
from sendkit_sync.config.tree import Map
from sendkit_sync.core.errors import ConfigError
from sendkit_sync.core.schemas import schema
from support.counting import calls

HEAD = "version: 1\nwebhooks:\n"
ENTRY = '  - {{name: {}, url: "https://a.example.com", events: [email.sent]}}\n'


def in_url(text: str) -> str:
    return HEAD + f'  - {{name: A, events: [email.sent], url: "https://a.example.com/{text}"}}\n'


TEXTS: dict[str, Callable[[int], str]] = {
    "open variables": lambda size: in_url("${X:-" * size),
    "closed variables": lambda size: in_url("${X:-a}" * size),
    "the same key": lambda size: "a: 1\n" * size,
    "other keys and the last again": lambda size: "".join(f"k{n}: 1\nk{n}: 1\n" for n in range(size)),
    "unknown keys": lambda size: "".join(f"k{n}: 1\n" for n in range(size)),
    "entries that are none": lambda size: HEAD + "  - 1\n" * size,
    "one name": lambda size: HEAD + ENTRY.format("A") * size,
    "one route": lambda size: HEAD + "".join(ENTRY.format(f"A{n}") for n in range(size)),
    "names that look alike": lambda size: HEAD + "".join(ENTRY.format('"\u00e4' + "\u200b" * n + '"') for n in range(1, size)),
    "one event": lambda size: HEAD + f"  - {{name: A, url: 'https://a.example.com', events: [{'x, ' * size}]}}\n",
    "aliases": lambda size: f"x-a: &a [1]\nx-b: [{'*a, ' * size}]\n{HEAD}",
}


def read(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with suppress(ConfigError):
        load_config([str(path)], {})


@pytest.mark.parametrize("kind", TEXTS)
def test_twice_as_much_costs_twice_as_many_calls(kind: str, tmp_path: Path):
    path = tmp_path / "webhooks.yaml"
    read(path, TEXTS[kind](800))  # what is kept for the next time counts in neither
    few, many = (calls(lambda size=size: read(path, TEXTS[kind](size))) for size in (400, 800))
    assert many < 2.2 * few


def test_variables_look_at_each_piece_of_a_text_once(monkeypatch: pytest.MonkeyPatch):
    looked_at: list[str] = []

    class Pattern:
        def match(self, piece: str) -> re.Match[str] | None:
            looked_at.append(piece)
            return None

    monkeypatch.setattr(variables, "_REFERENCE", Pattern())
    text = "${X:-" * 1000
    variables.fill(text, {})
    assert sum(map(len, looked_at)) < len(text)


def test_a_mapping_is_gone_through_once_however_many_keys_come_twice(monkeypatch: pytest.MonkeyPatch):
    class Watched(Map):
        gone_through = 0

        def __iter__(self) -> Any:
            Watched.gone_through += 1
            return super().__iter__()

    monkeypatch.setattr(yaml_events, "Map", Watched)
    yaml_events.read_yaml("".join(f"k{n}: 1\nk{n}: 1\n" for n in range(1000)).encode())
    assert Watched.gone_through <= 2


def test_an_alias_of_a_long_text_counts_as_much_as_one_of_a_long_list():
    with pytest.raises(yaml_events.Refused) as caught:
        yaml_events.read_yaml(f'a: &a "{"x" * 1_000_000}"\nb: [{"*a, " * 11}]\n'.encode())
    assert "aliases expand" in caught.value.problem.message


webhook = st.dictionaries(
    st.sampled_from([*schema("webhooks")["properties"]["webhooks"]["items"]["properties"], "other", "x-mine"]),
    st.recursive(st.sampled_from([None, True, 0, 1, -1, 1.0, 2.5, "", "a", "ab"]), lambda inner: st.lists(inner, max_size=3)),
)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries({"webhooks": st.lists(webhook, max_size=2)}, optional={"version": st.sampled_from([1, 1.0, True])})
)
def test_keywords_without_messages_find_what_the_library_finds(data: Any):
    def found(errors: Any) -> set[tuple[object, ...]]:
        return {(error.validator, *error.absolute_path) for error in errors if error.validator != "uniqueItems"}

    assert found(_errors(data)) == found(Draft7Validator(schema("webhooks")).iter_errors(data))
