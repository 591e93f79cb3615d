"""JSON values that know where they stand, read strictly; no error holds a piece of what was read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NoReturn

from ..core.errors import ErrorCode, StateInvalidError
from ..core.model import WEBHOOK_ID

RESTORE_HINT = "Nothing was overwritten. Restore the file from version control or from its .backup, then run the command again."
MAX_COUNT = 2**53 - 1
"""The largest number that every reader of JSON keeps; a longer one would make each fold fail after its create."""

MAX_TIME = 253_402_300_799.0
"""The end of the year 9999, in seconds since the epoch."""

_HEX = re.compile(r"(?:[0-9a-f]{2})+")

Build = Callable[[dict[str, object]], object]


class Node:
    """A JSON value with the file that it was found in, and the value above it."""

    __slots__ = ("_above", "_step", "value", "where")

    def __init__(self, value: object, where: str, above: Node | None = None, step: str = "$") -> None:
        self.value = value
        self.where = where
        self._above = above
        self._step = step

    @property
    def path(self) -> str:
        """How the value is reached from the top, as JSONPath."""
        return self._step if self._above is None else self._above.path + self._step

    def fail(self, what: str) -> NoReturn:
        raise StateInvalidError(ErrorCode.STATE_VALUE_INVALID, f"{self.path}: {what}", where=self.where, hint=RESTORE_HINT)

    def fields(self, required: str, optional: str = "", *, echo: bool = True) -> Fields:
        """Return the members of an object that has all `required` keys and else only `optional` ones."""
        members = self._members()
        needed, allowed = _shape(required, optional)
        if not needed <= members.keys() <= allowed:
            missing = next((key for key in required.split() if key not in members), None)
            if missing is not None:
                self.fail(f"the key {missing!r} is missing")
            unknown = next(key for key in members if key not in allowed)
            self.fail(f"unknown key {json.dumps(unknown)}" if echo else "unknown key")
        return Fields(self, members)

    def items(self) -> Iterator[tuple[str, Node]]:
        for key, value in self._members().items():
            yield key, Node(value, self.where, self, f"[{json.dumps(key)}]")

    def elements(self) -> list[Node]:
        if not isinstance(self.value, list):
            self.fail("must be an array")
        return [Node(value, self.where, self, f"[{index}]") for index, value in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.fail("must be a string")
        return self.value

    def text_or_null(self) -> str | None:
        return None if self.value is None else self.text()

    def filled(self) -> str:
        return self.text() or self.fail("must not be empty")

    def hex(self) -> str:
        text = self.text()
        if not _HEX.fullmatch(text):
            self.fail("must be lower-case hex digits, two per byte")
        return text

    def count(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool) or not 0 <= self.value <= MAX_COUNT:
            self.fail(f"must be an integer from 0 to {MAX_COUNT}")
        return self.value

    def webhook_id(self) -> str:
        text = self.text()
        if not WEBHOOK_ID.fullmatch(text):
            self.fail("must be an id of a webhook: 1 to 128 letters, digits, - and _")
        return text

    def time(self) -> float:
        number = self.number()
        if not 0 <= number <= MAX_TIME:
            self.fail("must be a time: seconds since 1970")
        return number

    def number(self) -> float:
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            self.fail("must be a number")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.fail("must be a finite number")
        return number

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail("must be true or false")
        return self.value

    def texts(self) -> tuple[str, ...]:
        return tuple(element.text() for element in self.elements())

    def _members(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            self.fail("must be an object")
        return self.value


class Fields:
    """The members of an object whose keys were checked; a `maybe` gives None for one that is not there.

    What is as it should be is taken without a `Node` of its own: a large state has hundreds of thousands of values.
    """

    __slots__ = ("_node", "members")

    def __init__(self, node: Node, members: dict[str, object]) -> None:
        self._node = node
        self.members = members

    def __getitem__(self, key: str) -> Node:
        return Node(self.members[key], self._node.where, self._node, f".{key}")

    def __contains__(self, key: str) -> bool:
        return key in self.members

    def text(self, key: str) -> str:
        value = self.members[key]
        return value if type(value) is str else self[key].text()

    def filled(self, key: str) -> str:
        return self.text(key) or self[key].filled()

    def maybe_text(self, key: str) -> str | None:
        return self.text(key) if key in self.members else None

    def maybe_count(self, key: str) -> int | None:
        value = self.members.get(key)
        if value is None and key not in self.members:
            return None
        return value if type(value) is int and 0 <= value <= MAX_COUNT else self[key].count()

    def maybe_flag(self, key: str) -> bool | None:
        return self[key].flag() if key in self.members else None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return an array of strings; none where the key is not there."""
        value = self.members.get(key, ())
        if type(value) is list and all([type(one) is str for one in value]):  # noqa: C419 - a generator is slower
            return tuple(value)
        return self[key].texts() if key in self.members else ()


@lru_cache(maxsize=64)
def _shape(required: str, optional: str) -> tuple[frozenset[str], frozenset[str]]:
    needed = frozenset(required.split())
    return needed, needed.union(optional.split())


def text_of(raw: bytes, where: str) -> str:
    """Return the text that `raw` encodes as UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 at byte {error.start}"
    raise StateInvalidError(ErrorCode.STATE_NOT_JSON, problem, where=where, hint=RESTORE_HINT)


def parse(text: str, where: str, build: Build = lambda members: members) -> Node:
    """Parse strict JSON: no doubled keys, no NaN. What `build` makes of an object takes its place, from the inside out."""

    def built(pairs: list[tuple[str, object]]) -> object:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise _DoubledKeyError
        return build(members)

    problem = ""
    try:
        return Node(json.loads(text, object_pairs_hook=built, parse_constant=_constant), where)
    except json.JSONDecodeError as error:
        problem = f"is not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
    except _DoubledKeyError:
        problem = "is not valid: an object has the same key twice"
    except (ValueError, RecursionError):
        problem = "is not JSON that can be read: a number or the nesting is out of bounds"
    raise StateInvalidError(ErrorCode.STATE_NOT_JSON, problem, where=where, hint=RESTORE_HINT)


class _DoubledKeyError(ValueError):
    """An object has the same key twice."""


def _constant(_name: str) -> NoReturn:
    raise ValueError("not a number")
