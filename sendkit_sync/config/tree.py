"""Mappings and lists that know where in a file their parts stand, at a few bytes a place."""

from __future__ import annotations

from array import array
from typing import Any

Place = tuple[int, int]
"""A line and a column, both from 1."""

_INDEX_FROM = 16


def new_places() -> array[int]:
    """Return an empty store of places."""
    return array("I")


class Map(dict[str, Any]):
    """A mapping that knows where its keys and values stand."""

    __slots__ = ("_index", "_places", "_start")

    def locate(self, places: array[int], place: Place, found: list[int]) -> None:
        """Take over its place, and those of its parts: for each key, in order, its line and column and its value's."""
        places.extend(place)
        self._places = places
        self._start = len(places)
        self._index: dict[str, int] | None = None
        places.extend(found)

    @property
    def place(self) -> Place:
        """Where the mapping begins."""
        return self._places[self._start - 2], self._places[self._start - 1]

    def key_at(self, name: str) -> Place:
        """Return where the key `name` stands."""
        return self._at(self._offset(name))

    def place_of(self, name: str) -> Place:
        """Return where the value of `name` stands."""
        return self._at(self._offset(name) + 2)

    def numbers_of(self, name: str) -> list[int]:
        """Return the four numbers of `name`, as `locate` takes them."""
        offset = self._offset(name)
        return self._places[offset : offset + 4].tolist()

    def _at(self, offset: int) -> Place:
        return self._places[offset] + 1, self._places[offset + 1] + 1

    def _offset(self, name: str) -> int:
        if self._index is None and len(self) >= _INDEX_FROM:
            self._index = {key: number for number, key in enumerate(self)}
        number = list(self).index(name) if self._index is None else self._index[name]
        return self._start + 4 * number


class Seq(list[Any]):
    """A sequence that knows where its items stand."""

    __slots__ = ("_places", "_start")

    def locate(self, places: array[int], found: list[int]) -> None:
        """Take over the places of the items: for each its line and column."""
        self._places = places
        self._start = len(places)
        places.extend(found)

    def place_of(self, index: int) -> Place:
        """Return where the item `index` stands."""
        offset = self._start + 2 * index
        return self._places[offset] + 1, self._places[offset + 1] + 1
