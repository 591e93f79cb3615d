"""Mappings and lists that know the positions of their parts in a file, at a few bytes per position."""

from __future__ import annotations

from array import array
from typing import Any

Place = tuple[int, int]
"""A line and a column, both starting at 1."""

_INDEX_FROM = 16


def new_places() -> array[int]:
    """Return an empty array of positions."""
    return array("I")


class Map(dict[str, Any]):
    """A mapping that knows the positions of its keys and values."""

    __slots__ = ("_index", "_places", "_start")

    def locate(self, places: array[int], place: Place, found: list[int]) -> None:
        """Set its position and, for each key in order, the line and column of the key and of its value."""
        places.extend(place)
        self._places = places
        self._start = len(places)
        self._index: dict[str, int] | None = None
        places.extend(found)

    @property
    def place(self) -> Place:
        """Where the mapping starts."""
        return self._places[self._start - 2], self._places[self._start - 1]

    def key_at(self, name: str) -> Place:
        """Return the position of the key `name`."""
        return self._at(self._offset(name))

    def place_of(self, name: str) -> Place:
        """Return the position of the value of `name`."""
        return self._at(self._offset(name) + 2)

    def numbers_of(self, name: str) -> list[int]:
        """Return the four numbers of `name`, as `locate` expects them."""
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
    """A sequence that knows the positions of its items."""

    __slots__ = ("_places", "_start")

    def locate(self, places: array[int], found: list[int]) -> None:
        """Set the positions of the items: line and column of each."""
        self._places = places
        self._start = len(places)
        places.extend(found)

    def place_of(self, index: int) -> Place:
        """Return the position of the item `index`."""
        offset = self._start + 2 * index
        return self._places[offset] + 1, self._places[offset + 1] + 1
