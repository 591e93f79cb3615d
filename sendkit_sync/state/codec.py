"""State, records and intents as JSON, and back through a strict decoder that never echoes a secret."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from ..errors import StateInvalidError
from ..model import ActionKind, Fingerprint, Intent, Recorded, Secret, SecretOrigin, Settings, State, StoredSecret

VERSION = 1
RESTORE_HINT = "Nothing was overwritten. Restore the file from version control or from its .backup, then run again."
_HEX = re.compile(r"(?:[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A decoded snapshot: its state, and the id of the journal that it folded in last."""

    state: State
    journal: str | None


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value with the file and the path that it was found at."""

    value: object
    where: str
    path: str = "$"

    def fail(self, what: str) -> NoReturn:
        raise StateInvalidError(f"{self.path}: {what}", where=self.where, hint=RESTORE_HINT)

    def fields(self, required: str, optional: str = "", *, echo: bool = True) -> Fields:
        """Return the members of an object that has all `required` keys and else only `optional` ones."""
        members = self._members()
        for key in required.split():
            if key not in members:
                self.fail(f"the key {key!r} is missing")
        allowed = {*required.split(), *optional.split()}
        for key in members:
            if key not in allowed:
                self.fail(f"unknown key {json.dumps(key)}" if echo else "unknown key")
        return Fields(self, members)

    def items(self) -> Iterator[tuple[str, Node]]:
        for key, value in self._members().items():
            yield key, Node(value, self.where, f"{self.path}[{json.dumps(key)}]")

    def elements(self) -> list[Node]:
        if not isinstance(self.value, list):
            self.fail("must be an array")
        return [Node(value, self.where, f"{self.path}[{index}]") for index, value in enumerate(self.value)]

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
            self.fail("must be lower-case hex digits, two a byte")
        return text

    def count(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            self.fail("must be an integer, 0 or more")
        return self.value

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


@dataclass(frozen=True, slots=True)
class Fields:
    """The members of an object whose keys were checked."""

    node: Node
    members: dict[str, object]

    def __getitem__(self, key: str) -> Node:
        return Node(self.members[key], self.node.where, f"{self.node.path}.{key}")

    def __contains__(self, key: str) -> bool:
        return key in self.members

    def text(self, key: str) -> str | None:
        return self[key].text() if key in self else None

    def count(self, key: str) -> int | None:
        return self[key].count() if key in self else None

    def texts(self, key: str) -> tuple[str, ...]:
        return self[key].texts() if key in self else ()


def parse(raw: bytes, where: str) -> Node:
    """Parse strict JSON: no doubled keys, no NaN. No error holds a piece of the text."""
    problem = ""
    try:
        return Node(json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_constant), where)
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        problem = f"is not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
    except _DoubledKeyError:
        problem = "is not valid: an object has the same key twice"
    except (ValueError, RecursionError):
        problem = "is not JSON that can be read: a number or the nesting is out of bounds"
    raise StateInvalidError(problem, where=where, hint=RESTORE_HINT)


class _DoubledKeyError(ValueError):
    """An object has the same key twice."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DoubledKeyError
    return members


def _constant(_name: str) -> NoReturn:
    raise ValueError("not a number")


def encode_snapshot(state: State, journal: str | None) -> bytes:
    """Return the bytes of a snapshot."""
    document: dict[str, object] = {
        "version": VERSION,
        "lineage": state.lineage,
        "serial": state.serial,
        "api": state.api,
        "workspaceId": state.workspace_id,
        "journal": journal,
        "webhooks": {name: encode_recorded(recorded) for name, recorded in state.webhooks.items()},
        "pending": {name: [encode_intent(intent) for intent in intents] for name, intents in state.pending.items()},
    }
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can hold
        return (json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def decode_snapshot(raw: bytes, where: str) -> Snapshot:
    """Read a snapshot; anything but a whole and valid one is a `StateInvalidError`."""
    if not raw.strip(b"\0 \t\r\n"):
        raise StateInvalidError("the state is empty", where=where, hint=RESTORE_HINT)
    if any(line.startswith((b"<<<<<<<", b">>>>>>>")) for line in raw.splitlines()):
        raise StateInvalidError("the state has merge-conflict marks", where=where, hint=RESTORE_HINT)
    node = parse(raw, where)
    for key, value in node.items():
        if key == "version" and value.count() != VERSION:
            raise StateInvalidError(
                f"the state has version {value.count()}, this tool knows version {VERSION}",
                where=where,
                hint="Use the version of sendkit-sync that wrote it, or a newer one. Nothing was overwritten.",
            )
    fields = node.fields("version lineage serial api workspaceId journal webhooks pending")
    journal = fields["journal"]
    state = State(
        fields["lineage"].filled(),
        fields["serial"].count(),
        fields["api"].filled(),
        fields["workspaceId"].text_or_null(),
        {name: decode_recorded(value) for name, value in fields["webhooks"].items()},
        {name: _decode_intents(value, name) for name, value in fields["pending"].items()},
    )
    return Snapshot(state, None if journal.value is None else journal.filled())


def encode_recorded(recorded: Recorded) -> dict[str, object]:
    """Return one recorded webhook as JSON."""
    entry: dict[str, object] = {
        "id": recorded.id,
        "applied": recorded.applied.wire(),
        "confirmed": {"name": recorded.confirmed_name, **recorded.confirmed.wire()},
        "secret": {"missing": True} if recorded.secret is None else encode_secret(recorded.secret),
    }
    if recorded.status is not None:
        entry["status"] = recorded.status
    if recorded.created_at is not None:
        entry["createdAt"] = recorded.created_at
    if recorded.previous_secret is not None:
        entry["previousSecret"] = encode_secret(recorded.previous_secret)
    if recorded.former_names:
        entry["formerNames"] = list(recorded.former_names)
    if recorded.applied_name is not None:
        entry["appliedName"] = recorded.applied_name
    return entry


def decode_recorded(node: Node) -> Recorded:
    """Read one recorded webhook."""
    fields = node.fields("id applied confirmed secret", "status previousSecret createdAt formerNames appliedName")
    confirmed = fields["confirmed"].fields("name url events", "retryAttempts timeoutMs")
    secret = fields["secret"]
    missing = isinstance(secret.value, dict) and "missing" in secret.value
    if missing and not secret.fields("missing", echo=False)["missing"].flag():
        secret.fail("`missing` can only be true")
    return Recorded(
        id=fields["id"].filled(),
        applied=decode_settings(fields["applied"]),
        confirmed=_settings(confirmed),
        confirmed_name=confirmed["name"].text(),
        secret=None if missing else decode_secret(secret),
        status=fields.text("status"),
        created_at=fields.text("createdAt"),
        previous_secret=decode_secret(fields["previousSecret"]) if "previousSecret" in fields else None,
        former_names=fields.texts("formerNames"),
        applied_name=fields.text("appliedName"),
    )


def decode_settings(node: Node) -> Settings:
    """Read the settings of a webhook."""
    return _settings(node.fields("url events", "retryAttempts timeoutMs"))


def _settings(fields: Fields) -> Settings:
    return Settings(fields["url"].text(), fields["events"].texts(), fields.count("retryAttempts"), fields.count("timeoutMs"))


def encode_secret(secret: StoredSecret) -> dict[str, object]:
    """Return a kept secret as JSON."""
    if secret.clear is not None:
        return {"origin": secret.origin.value, "value": secret.clear.reveal()}
    if secret.sealed is None or secret.fingerprint is None:
        raise ValueError("a kept secret is in clear, or sealed with a fingerprint")
    entry: dict[str, object] = {"origin": secret.origin.value, "sealed": secret.sealed}
    if secret.fingerprint.salt is None:
        return {**entry, "sha256": secret.fingerprint.digest}
    return {**entry, "hmacSha256": secret.fingerprint.digest, "salt": secret.fingerprint.salt}


def decode_secret(node: Node) -> StoredSecret:
    """Read a kept secret."""
    fields = node.fields("origin", "value sealed sha256 hmacSha256 salt", echo=False)
    found = fields["origin"].text()
    if found not in list(SecretOrigin):
        fields["origin"].fail("must be generated, config or server")
    origin, shape = SecretOrigin(found), set(fields.members) - {"origin"}
    if shape == {"value"}:
        return StoredSecret(origin, clear=Secret(fields["value"].text()))
    if shape == {"sealed", "sha256"}:
        return StoredSecret(origin, None, fields["sealed"].text(), Fingerprint(fields["sha256"].hex()))
    if shape == {"sealed", "hmacSha256", "salt"}:
        fingerprint = Fingerprint(fields["hmacSha256"].hex(), fields["salt"].hex())
        return StoredSecret(origin, None, fields["sealed"].text(), fingerprint)
    return node.fail("must have `value`, or `sealed` with `sha256`, or `sealed` with `hmacSha256` and `salt`")


def encode_intent(intent: Intent) -> dict[str, object]:
    """Return an intent as JSON, without its name."""
    entry: dict[str, object] = {"op": intent.op, "action": intent.action.value, "sentAt": intent.sent_at}
    if intent.settings is not None:
        entry["settings"] = intent.settings.wire()
    if intent.secret is not None:
        entry["secret"] = encode_secret(intent.secret)
    if intent.id is not None:
        entry["id"] = intent.id
    if intent.seen:
        entry["seen"] = list(intent.seen)
    if intent.expired:
        entry["expired"] = True
    if intent.replaces is not None:
        entry["replaces"] = intent.replaces
    return entry


def decode_intent(node: Node, name: str) -> Intent:
    """Read an intent of the webhook `name`."""
    fields = node.fields("op action sentAt", "settings secret id seen expired replaces")
    action = fields["action"].text()
    if action not in list(ActionKind):
        fields["action"].fail("is no known action")
    return Intent(
        op=fields["op"].filled(),
        action=ActionKind(action),
        name=name,
        sent_at=fields["sentAt"].number(),
        settings=decode_settings(fields["settings"]) if "settings" in fields else None,
        secret=decode_secret(fields["secret"]) if "secret" in fields else None,
        id=fields.text("id"),
        seen=fields.texts("seen"),
        expired=fields["expired"].flag() if "expired" in fields else False,
        replaces=fields.text("replaces"),
    )


def _decode_intents(node: Node, name: str) -> tuple[Intent, ...]:
    return tuple(decode_intent(element, name) for element in node.elements()) or node.fail("must not be empty")
