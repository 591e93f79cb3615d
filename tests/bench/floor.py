"""The floor of `plan`: one pass over libyaml's events, and one of jsonschema over the data that the events hold.

Usage: floor.py CONFIG SCHEMA
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator


def value(event: Any, events: Iterator[Any]) -> Any:
    """Return what begins with `event`; scalars stay text, but for plain whole numbers."""
    if isinstance(event, yaml.ScalarEvent):
        return int(event.value) if event.implicit[0] and event.value.isdigit() else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(value(event, events))
        return items
    members = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        members[event.value] = value(next(events), events)
    return members


def main(config: str, schema: str) -> None:
    with Path(config).open("rb") as stream:
        events = iter(yaml.parse(stream, yaml.CSafeLoader))
        root = next(event for event in events if isinstance(event, yaml.MappingStartEvent))
        data = value(root, events)
    wrong = list(Draft7Validator(json.loads(Path(schema).read_bytes())).iter_errors(data))
    if wrong or not data["webhooks"]:
        sys.exit("the floor must read a valid config")


main(*sys.argv[1:])
