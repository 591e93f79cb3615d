"""The table of a webhook's fields. A new field of the API is one line in `Settings` and one in a schema.

All code that reads, sends, records, compares, shows or simulates webhooks iterates over `FIELDS`. The name and the secret are
not in it: the name identifies the webhook, and the secret must not be handled like the other fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any

Value = str | int | bool | tuple[str, ...] | None
"""The value of a field; None if it was left out."""


class Kind(StrEnum):
    """The type of a field. It defines how values are read and written."""

    TEXT = "text"
    URL = "URL"
    TEXTS = "list of texts"
    """Sorted and without duplicates, because the order has no meaning."""
    COUNT = "whole number"
    FLAG = "true or false"


@dataclass(frozen=True, slots=True)
class Row:
    """What is known about a field.

    `key` is its name in the API and in the config, `default` the value that the API uses if it is left out. `least` is the
    smallest number that the simulator accepts, `usual` the range that the API documents.
    """

    key: str
    kind: Kind
    default: Value = None
    least: int = 0
    usual: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A row of the table, with the attribute of `Settings` that holds its value."""

    row: Row
    attribute: str
    required: bool

    @property
    def key(self) -> str:
        """The name in the API and in the config."""
        return self.row.key

    @property
    def kind(self) -> Kind:
        """The type of the field."""
        return self.row.kind

    def parse(self, raw: object) -> Value:
        """Return the value from the API's JSON. A value of another type counts as left out."""
        return _PARSE[self.row.kind](raw)


def _row(key: str, kind: Kind, **more: Any) -> Mapping[str, Row]:
    return {"row": Row(key, kind, **more)}


@dataclass(frozen=True, slots=True)
class Settings:
    """The fields of a webhook, except its name and its secret (SendKit API, Create webhook).

    None means left out: the field is not sent and compares equal to the API's default.
    """

    url: str = dataclasses.field(metadata=_row("url", Kind.URL))
    events: tuple[str, ...] = dataclasses.field(metadata=_row("events", Kind.TEXTS))
    retry_attempts: int | None = dataclasses.field(
        default=None, metadata=_row("retryAttempts", Kind.COUNT, default=3, usual=(0, 10))
    )
    timeout_ms: int | None = dataclasses.field(
        default=None, metadata=_row("timeoutMs", Kind.COUNT, default=10_000, least=1, usual=(1000, 30_000))
    )

    @classmethod
    def of(cls, values: Mapping[str, Value]) -> Settings:
        """Return settings with these values by key. A missing URL or list becomes empty, any other value None."""
        return cls(*[values.get(key, missing) for key, missing in _ABSENT])  # type: ignore[arg-type]

    def values(self) -> tuple[Value, ...]:
        """Return the values in the order of `FIELDS`."""
        return _VALUES(self)

    def by_key(self) -> dict[str, Value]:
        """Return the values by key; None for a field that was left out."""
        return dict(zip(KEYS, _VALUES(self), strict=True))

    def as_json(self) -> dict[str, str | int | bool | list[str] | None]:
        """Return the values by key, as JSON types."""
        pairs = zip(KEYS, _VALUES(self), strict=True)
        return {key: list(value) if type(value) is tuple else value for key, value in pairs}

    def effective(self) -> Settings:
        """Return these settings with the API's defaults filled in."""
        values = _VALUES(self)
        if None not in values:
            return self
        return Settings(*[default if mine is None else mine for mine, default in zip(values, _DEFAULTS, strict=True)])

    def filled(self, other: Settings) -> Settings:
        """Return these settings with the gaps filled from `other`. A list counts as given, even if it is empty."""
        pairs = zip(_VALUES(self), _VALUES(other), strict=True)
        return Settings(*[theirs if mine is None or mine == "" else mine for mine, theirs in pairs])

    def keeping(self, other: Settings, keys: Collection[str]) -> Settings:
        """Return the same settings with those of `other` under `keys`."""
        if not keys:
            return self
        pairs = zip(KEYS, _VALUES(self), _VALUES(other), strict=True)
        return Settings(*[theirs if key in keys else mine for key, mine, theirs in pairs])

    def wire(self) -> dict[str, object]:
        """Return the fields to send to the API, without those that were left out."""
        return {key: value for key, value in self.as_json().items() if value is not None}

    def spelling(self) -> tuple[object, ...]:
        """Return a value that is equal for settings that differ only in case or in a trailing slash of a URL."""
        pairs = zip(FIELDS, _VALUES(self.effective()), strict=True)
        return tuple(_spelling(field.kind, value) for field, value in pairs)


def _spelling(kind: Kind, value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(sorted(text.casefold() for text in value))
    if isinstance(value, str):
        return value.casefold().rstrip("/") if kind is Kind.URL else value.casefold()
    return value


def clean(text: str) -> str:
    """Return `text` without lone surrogates, which cannot be encoded."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text(raw: object) -> str | None:
    return clean(raw) if isinstance(raw, str) else None


def _texts(raw: object) -> tuple[str, ...]:
    return tuple(sorted({clean(text) for text in raw if isinstance(text, str)})) if isinstance(raw, list) else ()


def _count(raw: object) -> int | None:
    if isinstance(raw, float) and raw.is_integer():
        return int(raw)
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else None


def _flag(raw: object) -> bool | None:
    return raw if isinstance(raw, bool) else None


_PARSE: Mapping[Kind, Callable[[object], Value]] = {
    Kind.TEXT: _text,
    Kind.URL: lambda raw: _text(raw) or "",
    Kind.TEXTS: _texts,
    Kind.COUNT: _count,
    Kind.FLAG: _flag,
}

FIELDS = tuple(
    Field(field.metadata["row"], field.name, field.default is dataclasses.MISSING) for field in dataclasses.fields(Settings)
)
"""The fields in the order in which they are shown."""

KEYS = tuple(field.key for field in FIELDS)
SHOWN = ("name", *KEYS, "secret")
"""The keys of a webhook in the order in which a plan shows them."""

DEFAULTS: Mapping[str, Value] = {field.key: field.row.default for field in FIELDS}
"""The API's default of each field by key; None if there is none."""

_DEFAULTS: tuple[Any, ...] = tuple(DEFAULTS.values())
_ABSENT = tuple((field.key, () if field.kind is Kind.TEXTS else "" if field.kind is Kind.URL else None) for field in FIELDS)
_VALUES: Callable[[Settings], tuple[Any, ...]] = attrgetter(*[field.attribute for field in FIELDS])
