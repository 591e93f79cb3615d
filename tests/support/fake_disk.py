"""What of a folder is left after a power cut: what was synced, and any part of what was not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sendkit_sync.state.stores import file as state_file

Names = dict[str, "File"]


@dataclass(eq=False, slots=True)
class File:
    """The content of one file as it was synced last, and as it is."""

    synced: bytes = b""
    written: bytes = b""


@dataclass(slots=True)
class Change:
    """One change of the folder: `file` is called `name` from then on, and not `former` any more; None: there is none."""

    file: File | None
    name: str
    former: str | None = None

    def on(self, names: Mapping[str, File]) -> Names:
        changed = {name: file for name, file in names.items() if name not in (self.name, self.former)}
        return changed if self.file is None else {**changed, self.name: self.file}


class FakeDisk:
    """Watches the system calls of this process on the files of `folder`; calls `on_change` after each."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, on_change: Callable[[], None]) -> None:
        self._folder = folder.resolve()
        self._on_change = on_change
        self._files: dict[int, File | None] = {}
        """By descriptor; None: the folder itself."""
        self._synced: Names = {}
        self._unsynced: list[Change] = []
        notes: dict[str, Callable[..., None]] = {
            "open": self._open,
            "write": self._write,
            "fsync": self._sync,
            "replace": self._move,
            "unlink": self._remove,
        }
        for name, note in notes.items():
            patch.setattr(os, name, self._watched(getattr(os, name), note))
        patch.setattr(os, "close", self._closing(os.close))
        patch.setattr(state_file, "_datasync", self._watched(state_file._datasync, self._sync))

    def images(self) -> Iterator[dict[str, bytes]]:
        """Yield what may be there after a power cut now, as mappings of file name to content.

        Of the changes of the folder that were not synced, none, all, or any single one is there; of the bytes that
        were not synced, none or half.
        """
        for names in (self._synced, self._names(), *(change.on(self._synced) for change in self._unsynced)):
            yield {name: file.synced for name, file in names.items()}
            yield {name: file.written[: (len(file.synced) + len(file.written)) // 2] for name, file in names.items()}

    def _names(self) -> Names:
        names = self._synced
        for change in self._unsynced:
            names = change.on(names)
        return names

    def _watched(self, call: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def watched(*words: Any, **more: Any) -> Any:
            result = call(*words, **more)
            note(result, *words)
            return result

        return watched

    def _closing(self, close: Callable[[int], None]) -> Callable[[int], None]:
        def closing(descriptor: int) -> None:
            self._files.pop(descriptor, None)  # first: another thread may get the number at once
            close(descriptor)

        return closing

    def _own(self, path: object) -> str | None:
        """Return the name of a file of the folder, or None for any other path."""
        place = Path(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else None
        return place.name if place is not None and place.parent == self._folder else None

    def _open(self, descriptor: int, path: object, flags: int, *mode: int) -> None:
        name = self._own(path)
        if name is not None:
            file = self._names().get(name)
            if file is None:
                file = File()
                self._change(Change(file, name))
            self._files[descriptor] = file
        elif path == str(self._folder):
            self._files[descriptor] = None

    def _write(self, count: int, descriptor: int, data: bytes) -> None:
        file = self._files.get(descriptor)
        if file is not None:
            file.written += bytes(data[:count])
            self._on_change()

    def _sync(self, result: None, descriptor: int) -> None:
        if descriptor not in self._files:
            return
        file = self._files[descriptor]
        if file is not None:
            file.synced = file.written
        else:
            self._synced, self._unsynced = self._names(), []
        self._on_change()

    def _move(self, result: None, old: object, new: object) -> None:
        former, name = self._own(old), self._own(new)
        if former is not None and name is not None:
            self._change(Change(self._names()[former], name, former))

    def _remove(self, result: None, path: object) -> None:
        name = self._own(path)
        if name is not None:
            self._change(Change(None, name))

    def _change(self, change: Change) -> None:
        self._unsynced.append(change)
        self._on_change()
