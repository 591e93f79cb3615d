"""Fast path of validation: valid data is accepted by compiled functions; jsonschema only explains what is invalid.

A schema is compiled once to nested functions that stop at the first mismatch. They implement the draft 7 rules that the
project's schemas use, exactly like jsonschema. For a schema with any other rule they accept nothing, so jsonschema decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Accepts = Callable[[Any], bool]

_SAYS_NOTHING = {"$schema", "title", "description", "default", "examples"}


def _integer(value: Any) -> bool:
    kind = type(value)
    return kind is int or (kind is float and value.is_integer())


_OBJECT_RULES = {"properties", "patternProperties", "required", "additionalProperties"}
_ARRAY_RULES = {"items", "minItems", "uniqueItems"}


def compiled(schema: Mapping[str, Any]) -> Accepts:
    """Return a function that checks a value against `schema`. When in doubt, it does not accept the value."""
    rules = {key: rule for key, rule in schema.items() if key not in _SAYS_NOTHING}
    kind = rules.pop("type", None)
    if kind == "object" and rules.keys() <= _OBJECT_RULES and rules.get("additionalProperties") is False:
        parts = {name: compiled(part) for name, part in rules.get("properties", {}).items()}
        patterns = [(re.compile(pattern), compiled(part)) for pattern, part in rules.get("patternProperties", {}).items()]
        return _object(parts, patterns, rules.get("required", []))
    if kind == "array" and rules.keys() <= _ARRAY_RULES:
        return _array(compiled(rules.get("items", {})), rules.get("minItems", 0), rules.get("uniqueItems", False))
    if kind == "string" and rules.keys() <= {"minLength", "enum"}:
        return _string(rules.get("minLength", 0), rules.get("enum"))
    if kind == "integer" and rules.keys() <= {"minimum"}:
        least = rules.get("minimum")
        return _integer if least is None else lambda value: _integer(value) and value >= least
    if kind == "boolean" and not rules:
        return lambda value: type(value) is bool
    if kind is None and rules.keys() == {"const"} and type(rules["const"]) is int:
        return lambda value: type(value) is int and value == rules["const"]
    return lambda value: kind is None and not rules


def _object(parts: Mapping[str, Accepts], patterns: list[tuple[re.Pattern[str], Accepts]], required: list[str]) -> Accepts:
    find = parts.get
    needed = frozenset(required)

    def accepts(value: Any) -> bool:
        if not isinstance(value, dict) or not needed <= value.keys():
            return False
        for name, item in value.items():
            part = find(name)
            if part is None:
                found = [accepts for pattern, accepts in patterns if pattern.search(name)]
                if not found or not all(accepts(item) for accepts in found):
                    return False
            elif not part(item):
                return False
        return True

    return accepts


def _array(item: Accepts, least: int, unique: bool) -> Accepts:
    def accepts(value: Any) -> bool:
        if not isinstance(value, list) or len(value) < least:
            return False
        for one in value:
            if not item(one):
                return False
        # Only texts are compared here. For anything else, jsonschema defines what is equal.
        return not unique or (all(type(one) is str for one in value) and len(set(value)) == len(value))

    return accepts


def _string(least: int, words: list[str] | None) -> Accepts:
    if words is not None:
        allowed = frozenset(words)
        return lambda value: type(value) is str and value in allowed and len(value) >= least
    return lambda value: type(value) is str and len(value) >= least
