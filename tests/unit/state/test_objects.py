"""The register in an object store: what is beside the head, what a broken store is told, and what a message never holds."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

import obstore
import pytest
from obstore.store import MemoryStore

from sendkit_sync.core.errors import StateInvalidError
from sendkit_sync.core.store_address import parse_address
from sendkit_sync.state.stores.head import INLINE_BYTES, Head
from sendkit_sync.state.stores.objects import JOURNAL_INLINE_BYTES, ObjectRegister, open_register
from sendkit_sync.state.stores.register import RegisterError
from support.listening import listening

KEY = "teams/state.json"
SECRET = "canary-in-the-answer"


def register(store: MemoryStore) -> ObjectRegister:
    return ObjectRegister(store, KEY, f"s3://bucket/{KEY}")


def names(store: MemoryStore) -> list[str]:
    return sorted(meta["path"] for batch in obstore.list(store) for meta in batch)


def test_what_is_large_stands_apart_and_is_written_once():
    store, large = MemoryStore(), b'"x"' * INLINE_BYTES
    writer = register(store)
    head = writer.swap(None, Head(1, "a", snapshot=large))
    for nonce in "bcd":
        head = writer.swap(head, replace(head, nonce=nonce, journal=(*head.journal, nonce.encode() + b"\n")))
    assert len(names(store)) == 2
    assert len(obstore.get(store, KEY).bytes()) < 2000
    found = register(store).read()
    assert found is not None
    assert (found.snapshot, b"".join(found.journal)) == (large, b"b\nc\nd\n")


def test_a_long_journal_is_not_sent_again_with_each_line():
    store, line = MemoryStore(), b"x" * 999 + b"\n"
    writer = register(store)
    head = writer.swap(None, Head(1, "0"))
    for number in range(300):
        head = writer.swap(head, replace(head, nonce=f"n{number}", journal=(*head.journal, line)))
        assert len(obstore.get(store, KEY).bytes()) < JOURNAL_INLINE_BYTES * 1.2
    found = register(store).read()
    assert found is not None
    assert b"".join(found.journal) == line * 300


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped"])
def test_an_object_beside_the_head_that_is_damaged_is_an_error(damage: str):
    store = MemoryStore()
    register(store).swap(None, Head(1, "a", snapshot=b"y" * (INLINE_BYTES + 1)))
    (name,) = (name for name in names(store) if name != KEY)
    content = bytes(obstore.get(store, name).bytes())
    if damage == "gone":
        obstore.delete(store, name)
    else:
        obstore.put(store, name, content[:-1] if damage == "cut" else content[:-1] + b"z")
    with pytest.raises(StateInvalidError, match="missing or damaged"):
        register(store).read()


def test_a_store_that_ignores_conditions_is_refused(monkeypatch: pytest.MonkeyPatch):
    put = ObjectRegister._put
    kept = register(MemoryStore())
    kept.prove(first=True)
    kept.prove(first=True)
    for ignored in ("create", "update"):

        def careless(self: ObjectRegister, key: str, data: bytes, mode: object, ignored: str = ignored) -> str:
            ignores = mode == "create" if ignored == "create" else isinstance(mode, dict)
            return put(self, key, data, "overwrite" if ignores else mode)

        monkeypatch.setattr(ObjectRegister, "_put", careless)
        with pytest.raises(RegisterError, match="ignores conditions") as caught:
            register(MemoryStore()).prove(first=True)
        assert caught.value.lasting


def answering(answer: bytes, seen: list[bytes]) -> Callable[[socket.socket], None]:
    """Return a server that gives each request the same answer, and notes what it was sent."""

    def talk(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(answer)

    return talk


@pytest.mark.parametrize(
    ("status", "busy", "lasting"),
    [
        ("503 Slow Down", True, False),
        ("429 Too Many Requests", True, False),
        ("500 Oops", False, False),
        ("403 Forbidden", False, True),
        ("413 Too Large", False, True),
        ("412 Precondition Failed", False, False),
        ("409 Conflict", False, False),
    ],
)
def test_a_write_is_sent_once_and_its_error_holds_nothing_of_the_answer(
    status: str, busy: bool, lasting: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-key")
    body = f"<Error><Code>Odd</Code><Message>{SECRET}</Message></Error>".encode()
    answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
    seen: list[bytes] = []
    with listening(answering(answer, seen)) as port:
        address = parse_address(f"s3://bucket/key?region=r&endpoint=http://127.0.0.1:{port}")
        with pytest.raises(RegisterError) as caught:
            open_register(address).swap(None, Head(1, "a"))
    assert len(seen) == 1
    assert b"if-none-match: *" in seen[0].lower()
    assert (caught.value.busy, caught.value.lasting) == (busy, lasting)
    shown = f"{caught.value.what} {caught.value.hint}"
    assert "canary" not in shown
    assert "127.0.0.1" not in shown
