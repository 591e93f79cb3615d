"""Builds data with positions from libyaml's events, with limits on depth, size and alias expansion."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from ..core.diagnostics import Severity, printable
from .tree import Map, Place, Seq, new_places

MAX_DEPTH = 50
MAX_EXPANSION = 100_000
TEXT_OF_A_NODE = 100
"""How many characters count as one more node: an alias of a long text is as much work as one of a long list."""

TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")

_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, object] = {"": None, "~": None} | {
    form: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}
_LEADS = "0123456789+-.~nNtTfF"
"""The first characters of plain scalars that may not be text. An empty one has none."""
_SCALAR, _SEQUENCE_END, _MAPPING_END = yaml.ScalarEvent, yaml.SequenceEndEvent, yaml.MappingEndEvent
_ASCII = bytes([9, 10, 13, *range(0x20, 0x7F)])
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem at a place in the current file.

    `misspelt` is an unknown word with its candidates. The hint is computed only for problems that are shown, because finding
    the closest word is slow.
    """

    place: Place
    message: str
    severity: Severity = Severity.ERROR
    syntax: bool = False
    misspelt: tuple[str, tuple[str, ...]] | None = None


class Refused(Exception):
    """The file cannot be parsed any further."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(place, message, syntax=True)


@dataclass(slots=True)
class _Node:
    """A value other than a bare scalar. `end` is its last line, `weight` the number of nodes in it."""

    value: Any
    place: Place
    end: int
    weight: int = 1
    height: int = 0
    text: str | None = None
    plain: bool = False


@dataclass(slots=True)
class Document:
    """The content of a file: its data, the problems found, and the lines of all values of `secret`."""

    root: Any = None
    problems: list[Problem] = field(default_factory=list)
    secret_lines: set[int] = field(default_factory=set)


def _scalar(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 100:
        digits = text.lstrip("+-")
        # A leading zero means octal to some and decimal to others, so it stays text.
        if _INT.match(text):
            return int(text) if digits == "0" or not digits.startswith("0") else text
        if _FLOAT.match(text) and not (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()):
            return float(text)
    return text


class _Builder:
    """Consumes the events one by one. Bare scalars, which are almost all values, do not become a `_Node`."""

    def __init__(self, following: Callable[[], Any]) -> None:
        self.following = following
        self.document = Document()
        self.places = new_places()
        self.anchors: dict[str, _Node | None] = {}
        self.texts: dict[str, str] = {}
        self.nodes = 0
        self.expanded = 0

    def build(self) -> Document:
        documents = 0
        while (event := self.following()) is not None:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Refused(_place(event), "a second document starts here; a config file must contain only one")
                self.document.root = self.node(self.following(), 0).value
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
            weight = 1 + len(event.value) // TEXT_OF_A_NODE
            self.nodes += weight
            plain = bool(event.implicit[0])
            node = _Node(_scalar(event.value) if plain else event.value, place, _end(event), weight)
            node.text, node.plain = event.value, plain
        else:
            if depth >= MAX_DEPTH:
                raise Refused(place, TOO_DEEP)
            if event.anchor:
                self.anchors[event.anchor] = None
            before = self.nodes
            self.nodes += 1
            node = self.mapping(place, depth) if isinstance(event, yaml.MappingStartEvent) else self.sequence(place, depth)
            node.weight = self.nodes - before
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, place: Place, depth: int) -> _Node:
        # A secret that starts with `*` is read as an alias, so its name is not shown.
        if event.anchor not in self.anchors:
            raise Refused(place, "the alias has no anchor before it; text that starts with `*` needs quotes")
        node = self.anchors[event.anchor]
        if node is None:
            raise Refused(place, "the alias is inside its own anchor")
        self.expanded += node.weight
        if self.expanded > MAX_EXPANSION:
            raise Refused(place, f"aliases expand to more than {MAX_EXPANSION} nodes")
        if depth + node.height > MAX_DEPTH:
            raise Refused(place, TOO_DEEP)
        self.nodes += node.weight
        return node

    def sequence(self, place: Place, depth: int) -> _Node:
        value, height = Seq(), 0
        found: list[int] = []
        following, texts = self.following, self.texts
        while (event := following()).__class__ is not _SEQUENCE_END:
            mark = event.start_mark
            found += (mark.line, mark.column)
            if event.__class__ is _SCALAR and event.anchor is None and event.tag is None:
                text = event.value
                self.nodes += 1 + len(text) // TEXT_OF_A_NODE
                # Lists repeat the same few events, so one copy of each is kept.
                value.append(_scalar(text) if event.implicit[0] and text[:1] in _LEADS else texts.setdefault(text, text))
            else:
                item = self.node(event, depth + 1)
                value.append(item.value)
                height = max(height, item.height)
        value.locate(self.places, found)
        return _Node(value, place, _end(event), height=height + 1)

    def mapping(self, place: Place, depth: int) -> _Node:
        value, height = Map(), 0
        found: list[int] = []
        merges: list[Map] = []
        merged = False
        numbers: dict[str, int] = {}
        following, texts = self.following, self.texts
        while (event := following()).__class__ is not _MAPPING_END:
            mark = event.start_mark
            line, column = mark.line, mark.column
            if event.__class__ is _SCALAR and event.anchor is None and event.tag is None:
                self.nodes += 1
                name, plain = texts.setdefault(event.value, event.value), event.implicit[0]
            else:
                key = self.node(event, depth + 1)
                if key.text is None:
                    raise Refused((line + 1, column + 1), "a key must be text")
                name, plain, height = key.text, key.plain, max(height, key.height)
            event = following()
            mark = event.start_mark
            if event.__class__ is _SCALAR and event.anchor is None and event.tag is None and not near_secret(name):
                text = event.value
                self.nodes += 1 + len(text) // TEXT_OF_A_NODE
                child = _scalar(text) if event.implicit[0] and text[:1] in _LEADS else text
            else:
                node = self.node(event, depth + 1)
                child, height = node.value, max(height, node.height)
                if near_secret(name):
                    self.document.secret_lines.update((line + 1, mark.line + 1), range(node.place[0], node.end + 1))
            if name == "<<" and plain:
                at = line + 1, column + 1
                if merged:
                    self.document.problems.append(Problem(at, "the key `<<` is given twice"))
                merged = True
                merges += self.merges(child, (mark.line + 1, mark.column + 1))
            elif name in value:
                numbers = numbers or {known: number for number, known in enumerate(value)}
                self.twice(name, (line + 1, column + 1), found[4 * numbers[name] : 4 * numbers[name] + 2])
            else:
                if numbers:
                    numbers[name] = len(numbers)
                value[name] = child
                found += (line, column, mark.line, mark.column)
        _merge(value, merges, found)
        value.locate(self.places, place, found)
        return _Node(value, place, _end(event), height=height + 1)

    def twice(self, name: str, at: Place, first: list[int]) -> None:
        text = f"the key{shown_key(name)} is given twice, first at line {first[0] + 1}, column {first[1] + 1}"
        self.document.problems.append(Problem(at, text))

    def merges(self, child: object, at: Place) -> list[Map]:
        sources = child if isinstance(child, Seq) else [child]
        if not all(isinstance(source, Map) for source in sources):
            self.document.problems.append(Problem(at, "`<<` must be a mapping or a list of mappings"))
        return [source for source in sources if isinstance(source, Map)]


def _merge(value: Map, sources: list[Map], found: list[int]) -> None:
    for source in sources:
        for name, item in source.items():
            if name not in value:
                value[name] = item
                found += source.numbers_of(name)


@lru_cache(maxsize=1024)
def near_secret(name: str) -> bool:
    """Return whether a key is `secret` or may be a misspelling of it, so that its value is not shown."""
    word = name.strip().lower()
    if word in {"generatesecret", "generate_secret"}:
        return False
    return "secret" in word or (4 <= len(word) <= 8 and word[0] == "s" and len(set(word) & set("secrt")) >= 4)


def shown_key(name: str) -> str:
    """Return a key for a message, or an empty text if it may be a value without its key."""
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
    """Return the content of `data`. Raises `Refused` where it cannot be parsed."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(place_of(data[: error.start].decode("utf-8"), error.start), "not UTF-8") from None
    text = text.removeprefix("\ufeff")
    if data.translate(None, _ASCII) and (found := _FORBIDDEN.search(text)):
        raise Refused(place_of(text, found.start()), f"the character U+{ord(found.group()):04X} is not allowed in YAML")
    try:
        return _Builder(yaml.CSafeLoader(text.encode()).get_event).build()
    except yaml.MarkedYAMLError as error:
        raise _refused(error, text) from None
    except yaml.YAMLError:
        raise Refused((1, 1), "not YAML") from None


def _refused(error: yaml.MarkedYAMLError, text: str) -> Refused:
    """Return libyaml's message with the usual cause."""
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = str(error.problem or "cannot be read")
    if "nesting" in problem:  # libyaml reads ahead and has its own limit
        return Refused(place, TOO_DEEP)
    lines = LINE_BREAK.split(text)
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    before = line[: place[1] - 1]
    if "\\t" in problem or "\t" in line[: len(line) - len(line.lstrip())] or line[len(before) : len(before) + 1] == "\t":
        return Refused(place, "a tab is not allowed here; use spaces")
    return Refused(place, f"not YAML: {printable(problem)}{_advice(problem, before)}")


def _advice(problem: str, before: str) -> str:
    """Return the usual cause if libyaml's message does not explain it, or an empty text. `before`: start of the line."""
    if "mapping values are not allowed" in problem:
        # A key at the start of the line is not part of a value; it is indented too far.
        lone = re.fullmatch(r"\s*[\w$-]+\s*", before)
        return f"; {_INDENTED if lone else 'quote a value that contains `: `'}"
    return next((f"; {advice}" for words, advice in _ADVICE.items() if words in problem), "")


_INDENTED = "is the line indented like those above it?"
_ADVICE = {
    "expected '-' indicator": _INDENTED,
    "expected <block end>": _INDENTED,
    "could not find expected ':'": "is a space missing after a colon?",
    "unexpected end of stream": "is a quote or a bracket left open?",
}
