"""Builds data and its positions from libyaml's events, within limits on depth, size and alias expansion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..diagnostics import Severity, printable

MAX_DEPTH = 50
MAX_EXPANSION = 100_000
LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")

_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, object] = {"": None, "~": None} | {
    form: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Place = tuple[int, int]
"""A line and a column, both from 1."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place of the file in hand."""

    place: Place
    message: str
    severity: Severity = Severity.ERROR
    syntax: bool = False


class Refused(Exception):
    """The file cannot be read any further."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(place, message, syntax=True)


class Map(dict[str, Any]):
    """A mapping that knows where its keys and values stand."""

    __slots__ = ("keys_at", "place", "values_at")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.keys_at: dict[str, Place] = {}
        self.values_at: dict[str, Place] = {}


class Seq(list[Any]):
    """A sequence that knows where its items stand."""

    __slots__ = ("items_at", "place")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.items_at: list[Place] = []


@dataclass(slots=True)
class _Node:
    value: Any
    place: Place
    end: int
    weight: int = 1
    height: int = 0
    text: str | None = None
    plain: bool = False


@dataclass(slots=True)
class Document:
    """What a file holds: its data, the problems found on the way, and the lines of each value of `secret`."""

    root: Any = None
    problems: list[Problem] = field(default_factory=list)
    secret_lines: set[int] = field(default_factory=set)


def _scalar(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 100:
        digits = text.lstrip("+-")
        # A leading zero is octal to some and decimal to others: it stays text.
        if _INT.match(text):
            return int(text) if digits == "0" or not digits.startswith("0") else text
        if _FLOAT.match(text) and not (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()):
            return float(text)
    return text


class _Builder:
    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.document = Document()
        self.anchors: dict[str, _Node | None] = {}
        self.expanded = 0

    def build(self) -> Document:
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Refused(_place(event), "a second document begins here; a config file holds one")
                self.document.root = self.node(next(self.events), 0).value
        if not documents:
            raise Refused((1, 1), "the file is empty; write `webhooks: []` for no webhooks")
        return self.document

    def node(self, event: Any, depth: int) -> _Node:
        place = _place(event)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, place, depth)
        if event.tag is not None:
            raise Refused(place, "tags (`!...`) are not supported")
        if isinstance(event, yaml.ScalarEvent):
            plain = bool(event.implicit[0])
            node = _Node(_scalar(event.value) if plain else event.value, place, _end(event))
            node.text, node.plain = event.value, plain
        else:
            if depth >= MAX_DEPTH:
                raise Refused(place, f"nested deeper than {MAX_DEPTH} levels")
            if event.anchor:
                self.anchors[event.anchor] = None
            node = self.mapping(place, depth) if isinstance(event, yaml.MappingStartEvent) else self.sequence(place, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, place: Place, depth: int) -> _Node:
        # A secret that begins with `*` is read as an alias: its name is not shown.
        if event.anchor not in self.anchors:
            raise Refused(place, "the alias has no anchor before it; text that begins with `*` needs quotes")
        node = self.anchors[event.anchor]
        if node is None:
            raise Refused(place, "the alias stands inside its own anchor")
        self.expanded += node.weight
        if self.expanded > MAX_EXPANSION:
            raise Refused(place, f"aliases expand to more than {MAX_EXPANSION} nodes")
        if depth + node.height > MAX_DEPTH:
            raise Refused(place, f"nested deeper than {MAX_DEPTH} levels")
        return node

    def sequence(self, place: Place, depth: int) -> _Node:
        value = Seq(place)
        node = _Node(value, place, place[0])
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            item = self.node(event, depth + 1)
            value.append(item.value)
            value.items_at.append(_place(event))
            node.weight += item.weight
            node.height = max(node.height, item.height)
        node.height += 1
        node.end = _end(event)
        return node

    def mapping(self, place: Place, depth: int) -> _Node:
        value = Map(place)
        node = _Node(value, place, place[0])
        merges: list[Map] = []
        merged = False
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, at = self.node(event, depth + 1), _place(event)
            if key.text is None:
                raise Refused(at, "a key must be text")
            event = next(self.events)
            child, child_at = self.node(event, depth + 1), _place(event)
            node.weight += key.weight + child.weight
            node.height = max(node.height, child.height)
            name = key.text
            if near_secret(name):
                self.document.secret_lines.update(range(at[0], at[0] + 1), range(child_at[0], child_at[0] + 1))
                self.document.secret_lines.update(range(child.place[0], child.end + 1))
            if name == "<<" and key.plain:
                if merged:
                    self.document.problems.append(Problem(at, "the key `<<` is given twice"))
                merged = True
                merges += self.merges(child, child_at)
                continue
            if name in value:
                first = value.keys_at[name]
                text = f"the key{shown_key(name)} is given twice, first at line {first[0]}, column {first[1]}"
                self.document.problems.append(Problem(at, text))
                continue
            value[name], value.keys_at[name], value.values_at[name] = child.value, at, child_at
        for source in merges:
            for name, item in source.items():
                if name not in value:
                    value[name] = item
                    value.keys_at[name], value.values_at[name] = source.keys_at[name], source.values_at[name]
        node.height += 1
        node.end = _end(event)
        return node

    def merges(self, child: _Node, at: Place) -> list[Map]:
        sources = child.value if isinstance(child.value, Seq) else [child.value]
        if not all(isinstance(source, Map) for source in sources):
            self.document.problems.append(Problem(at, "`<<` takes a mapping or a list of mappings"))
        return [source for source in sources if isinstance(source, Map)]


def near_secret(name: str) -> bool:
    """Tell whether a key is `secret` or may be meant as such: its value is not shown."""
    word = name.strip().lower()
    if word in {"generatesecret", "generate_secret"}:
        return False
    return "secret" in word or (4 <= len(word) <= 8 and word[0] == "s" and len(set(word) & set("secrt")) >= 4)


def shown_key(name: str) -> str:
    """Return a key for a message, or nothing where it may be a value that lost its key."""
    return f" `{name}`" if re.fullmatch("[A-Za-z_-]{1,24}", name) else ""


def _end(event: Any) -> int:
    return int(event.end_mark.line) + 1


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def place_of(text: str, offset: int) -> Place:
    """Return the place of a character."""
    line, start = 1, 0
    for found in LINE_BREAK.finditer(text, 0, offset):
        line, start = line + 1, found.end()
    return line, offset - start + 1


def read_yaml(data: bytes) -> Document:
    """Return what `data` holds; raise `Refused` where it cannot be read on."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(place_of(data[: error.start].decode("utf-8"), error.start), "not UTF-8") from None
    text = text.removeprefix("\ufeff")
    if found := _FORBIDDEN.search(text):
        raise Refused(place_of(text, found.start()), f"the character U+{ord(found.group()):04X} is not allowed in YAML")
    try:
        return _Builder(iter(yaml.parse(text.encode(), Loader=yaml.CSafeLoader))).build()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = str(error.problem or "cannot be read")
        message = "a tab cannot stand here; use spaces" if "\\t" in problem else f"not YAML: {printable(problem)}"
        if mark:
            lines = LINE_BREAK.split(text)
            line = lines[mark.line] if mark.line < len(lines) else ""
            if "\t" in line[: len(line) - len(line.lstrip())] or line[mark.column : mark.column + 1] == "\t":
                message = "a tab cannot stand here; use spaces"
        raise Refused(place, message) from None
    except yaml.YAMLError:
        raise Refused((1, 1), "not YAML") from None
