"""Validates data against the schema, and explains problems without showing values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..core.schemas import schema
from .accept import Accepts, compiled
from .tree import Map, Place, Seq
from .yaml_events import Problem, shown_key

if TYPE_CHECKING:
    from jsonschema import ValidationError

_TYPES = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number", "boolean": "true or false"}

MOST_ERRORS = 5000
"""How many errors of the schema are looked for: many more than are shown."""


def _unique(_validator: Any, wanted: bool, items: Any, _schema: Any) -> Iterator[ValidationError]:
    # The library compares every pair of items that cannot be sorted, and puts the items into its message.
    from jsonschema import ValidationError

    if wanted and isinstance(items, list):
        seen: set[str] = set()
        for index, item in enumerate(items):
            if isinstance(item, str):
                if item in seen:
                    yield ValidationError("", path=(index,))
                seen.add(item)


@cache
def _accepts() -> Accepts:
    return compiled(schema("webhooks"))


def fits(root: Any) -> bool:
    """Return whether data is valid."""
    return not any(True for _ in _errors(root))


def _errors(root: Any) -> Iterable[ValidationError]:
    """Return what jsonschema finds. It is imported only for data that the fast path does not accept."""
    if _accepts()(root):
        return ()
    from jsonschema import Draft7Validator, validators

    keywords = {"uniqueItems": _unique} | {keyword: _without_message(holds) for keyword, holds in _HOLDS.items()}
    extend: Any = validators.extend
    errors: Iterable[ValidationError] = extend(Draft7Validator, keywords)(schema("webhooks")).iter_errors(root)
    return islice(errors, MOST_ERRORS)


def _without_message(holds: Callable[[Any, Any, Any], bool]) -> Callable[..., Iterator[ValidationError]]:
    """Return a keyword of jsonschema without its message, which would hold the value: that may be long, or a secret."""

    def keyword(validator: Any, rule: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
        from jsonschema import ValidationError

        if not holds(validator, rule, value):
            yield ValidationError("")

    return keyword


_HOLDS: Mapping[str, Callable[[Any, Any, Any], bool]] = {
    "type": lambda validator, rule, value: validator.is_type(value, rule),
    "const": lambda _, rule, value: value == rule and isinstance(value, bool) is isinstance(rule, bool),
    "enum": lambda _, rule, value: value in rule,
    "minimum": lambda validator, rule, value: not validator.is_type(value, "number") or value >= rule,
    "minLength": lambda _, rule, value: not isinstance(value, str) or len(value) >= rule,
    "minItems": lambda _, rule, value: not isinstance(value, list) or len(value) >= rule,
    "pattern": lambda _, rule, value: not isinstance(value, str) or re.search(rule, value) is not None,
}


def kind(value: object) -> str:
    """Return the type of a value in words."""
    if value is None:
        return "nothing"
    for of, word in ((bool, "true or false"), (str, "text"), (int, "a number"), (float, "a number"), (dict, "a mapping")):
        if isinstance(value, of):
            return word
    return "a list"


def _find(root: Any, path: list[str | int]) -> tuple[Place, str]:
    place: Place = getattr(root, "place", (1, 1))
    name, node = "the file", root
    for step in path:
        if isinstance(node, Map):
            place, name = node.place_of(str(step)), f"`{step}`"
        elif isinstance(node, Seq) and isinstance(step, int):
            place, name = node.place_of(step), f"entry {step + 1} of {name}"
        node = node[step]
    return place, name


def check_schema(root: Any) -> Iterator[Problem]:
    """Yield the problems that the schema finds."""
    if not isinstance(root, Map):
        yield Problem((1, 1), f"the file must contain a mapping with `version` and `webhooks`, not {kind(root)}")
        return
    for error in _errors(root):
        yield from _translate(root, error)


def _translate(root: Any, error: ValidationError) -> Iterator[Problem]:
    place, name = _find(root, list(error.absolute_path))
    rule: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            node: Any = error.instance
            known: tuple[str, ...] = tuple(error.schema["properties"])  # type: ignore[index]
            patterns = [re.compile(pattern) for pattern in error.schema.get("patternProperties", ())]  # type: ignore[union-attr]
            for key in node:
                if key not in known and not any(pattern.search(key) for pattern in patterns):
                    yield Problem(node.key_at(key), f"unknown key{shown_key(key)}", misspelt=(key, known))
        case "required":
            missing = next((key for key in rule if error.message.startswith(repr(key))), rule[0])
            yield Problem(place, f"{name} has no `{missing}`, which is required")
        case "type":
            yield Problem(place, f"{name} must be {_TYPES.get(rule, rule)}, not {kind(error.instance)}")
        case "const":
            yield Problem(place, f"{name} must be {rule} ({kind(rule)})")
        case "enum":
            yield Problem(place, f"{name} must be one of {', '.join(rule)}")
        case "minimum":
            yield Problem(place, f"{name} must be at least {rule}")
        case "minLength" | "minItems":
            yield Problem(place, f"{name} must not be empty")
        case "uniqueItems":
            yield Problem(place, f"{name} is given twice")
        case "pattern":
            # A value that does not match may be a private key, so it is not shown.
            form = "an id: letters, digits, - and _" if name == "`id`" else "an age public key: age1 and 58 more characters"
            yield Problem(place, f"{name} must be {form}")
        case _:
            yield Problem(place, f"{name} is not valid")
