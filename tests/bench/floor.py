"""The floor of `validate` and `plan`: one pass over libyaml's events that keeps every place, and one of jsonschema-rs.

Usage: floor.py CONFIG SCHEMA
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from jsonschema_rs import Draft7Validator

Next = Callable[[], Any]


def value(event: Any, following: Next, places: array[int]) -> Any:
    """Return what begins with `event`; the line and column of each value and key go to `places`.

    Scalars stay text, but for plain whole numbers.
    """
    mark = event.start_mark
    places.append(mark.line)
    places.append(mark.column)
    kind = event.__class__
    if kind is yaml.ScalarEvent:
        text = event.value
        return int(text) if event.implicit[0] and text.isdigit() else text
    if kind is yaml.SequenceStartEvent:
        items = []
        while (event := following()).__class__ is not yaml.SequenceEndEvent:
            items.append(value(event, following, places))
        return items
    members = {}
    while (event := following()).__class__ is not yaml.MappingEndEvent:
        mark = event.start_mark
        places.append(mark.line)
        places.append(mark.column)
        members[event.value] = value(following(), following, places)
    return members


def main(config: str, schema: str) -> None:
    following: Next = yaml.CSafeLoader(Path(config).read_bytes()).get_event
    places = array("I")
    while not isinstance(event := following(), yaml.MappingStartEvent):
        pass
    data = value(event, following, places)
    if not Draft7Validator(Path(schema).read_text(encoding="utf-8")).is_valid(data) or not data["webhooks"]:
        sys.exit("the floor must read a valid config")


main(*sys.argv[1:])
