"""The journal: a header and one checksummed JSON line an entry, and what each entry does to the records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..core.errors import ErrorCode, StateInvalidError
from ..core.model import ActionKind, Intent, State, StoredSecret, WebhookRecord
from .codec import Snapshot, decode_intent, decode_recorded, decode_secret, encode_intent, encode_recorded, encode_secret
from .node import Fields, Node, parse, text_of

_HINT = (
    "Nothing was overwritten. Restore the journal, or move it aside and keep it: it may record calls and secrets that "
    "are recorded nowhere else. Then run `sendkit-sync import --matching` before the next apply."
)


@dataclass(slots=True)
class MutableState:
    """The records while they change; each change costs one entry, whatever the number of webhooks."""

    workspace_id: str | None
    webhooks: dict[str, WebhookRecord]
    pending: dict[str, tuple[Intent, ...]]
    staged: dict[str, StoredSecret]
    ids: Counter[str]
    """How many names are recorded with an id: one, but for a state that was mended by hand."""
    observed_workspace_id: str | None
    list_worked: bool
    recipients: tuple[str, ...]

    @classmethod
    def of(cls, state: State) -> MutableState:
        ids = Counter(recorded.id for recorded in state.webhooks.values())
        mappings = dict(state.webhooks), dict(state.pending), dict(state.staged)
        return cls(state.workspace_id, *mappings, ids, state.observed_workspace_id, state.list_worked, state.recipients)

    def onto(self, state: State) -> State:
        """Return `state` with a copy of all that is kept here in place of its own."""
        return replace(
            state,
            workspace_id=self.workspace_id,
            webhooks=dict(self.webhooks),
            pending=dict(self.pending),
            staged=dict(self.staged),
            observed_workspace_id=self.observed_workspace_id,
            list_worked=self.list_worked,
            recipients=self.recipients,
        )

    def put(self, name: str, recorded: WebhookRecord) -> None:
        """Record `recorded` under `name`, in the place of what is there."""
        self.take(name)
        self.webhooks[name] = recorded
        self.ids[recorded.id] += 1

    def take(self, name: str) -> WebhookRecord | None:
        """Drop the record of `name` and return it, if there is one."""
        former = self.webhooks.pop(name, None)
        if former is not None:
            self.ids[former.id] -= 1
        return former


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: its JSON, and what it does to a book."""

    body: dict[str, object]
    change: Callable[[MutableState], None]


@dataclass(frozen=True, slots=True)
class Header:
    """What a journal belongs to."""

    journal: str
    lineage: str
    base_serial: int

    def line(self) -> bytes:
        return encode_line({"journal": self.journal, "lineage": self.lineage, "baseSerial": self.base_serial, "version": 1})


def encode_line(body: dict[str, object]) -> bytes:
    """Return a line of the journal with its checksum."""
    return json.dumps({**body, "sum": _checksum(body)}, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _checksum(body: dict[str, object]) -> str:
    import hashlib

    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def decode_line(raw: bytes, where: str) -> Node:
    """Return the object that a line holds; raises `StateInvalidError` where its checksum does not match."""
    node = parse(text_of(raw, where), where)
    if not isinstance(node.value, dict):
        node.fail("must be an object")
    body = dict(node.value)
    if body.pop("sum", None) != _checksum(body):
        raise StateInvalidError(ErrorCode.JOURNAL_DAMAGED, "the checksum of the line does not match", where=where)
    return Node(body, where)


def replay(snapshot: Snapshot, raw: bytes, where: str) -> tuple[State, str]:
    """Return the state with the journal `raw` replayed onto it, at the same serial, and the journal's id.

    A torn last line is left out. A journal that the snapshot has folded in already changes nothing.
    """
    try:
        return _replayed(snapshot, raw, where)
    except StateInvalidError as error:
        error.hint = _HINT  # not what helps a snapshot: a journal has no backup
        raise


def _replayed(snapshot: Snapshot, raw: bytes, where: str) -> tuple[State, str]:
    lines = raw.split(b"\n")[:-1]
    if not lines:
        raise StateInvalidError(ErrorCode.JOURNAL_DAMAGED, "the journal has no header", where=where)
    fields = decode_line(lines[0], f"{where}:1").fields("journal lineage baseSerial version")
    header = Header(fields.filled("journal"), fields.filled("lineage"), fields["baseSerial"].count())
    if fields["version"].count() != 1:
        raise StateInvalidError(ErrorCode.JOURNAL_VERSION, "the journal has a newer version", where=where)
    state = snapshot.state
    if header.journal == snapshot.journal:
        return state, header.journal
    if (header.lineage, header.base_serial) != (state.lineage, state.serial):
        raise StateInvalidError(
            ErrorCode.JOURNAL_MISMATCH,
            f"the journal belongs to serial {header.base_serial} of lineage {json.dumps(header.lineage)}, "
            f"the state is serial {state.serial} of lineage {json.dumps(state.lineage)}",
            where=where,
        )
    book = MutableState.of(state)
    for number, line in enumerate(lines[1:], 2):
        decode_entry(decode_line(line, f"{where}:{number}")).change(book)
    return book.onto(state), header.journal


def begin(intent: Intent) -> Entry:
    def change(book: MutableState) -> None:
        others = tuple(one for one in book.pending.get(intent.name, ()) if one.op != intent.op)
        book.pending[intent.name] = (*others, intent)

    return Entry({"do": "begin", "name": intent.name, "intent": encode_intent(intent)}, change)


def restamp(name: str, op: str, sent_at: float) -> Entry:
    def change(book: MutableState) -> None:
        if name in book.pending:
            book.pending[name] = tuple(one.sent_again(sent_at) if one.op == op else one for one in book.pending[name])

    return Entry({"do": "restamp", "name": name, "op": op, "sentAt": sent_at}, change)


def record(name: str, recorded: WebhookRecord, replaces: str | None) -> Entry:
    def change(book: MutableState) -> None:
        former = book.take(replaces if replaces is not None else name)
        book.put(name, recorded)
        staged = book.staged.pop(replaces if replaces is not None else name, None)
        if staged is not None and not staged.same_as(recorded.secret):
            book.staged[name] = staged
        made = former is None or former.id != recorded.id
        over = {recorded.id} if former is None else {recorded.id, former.id}
        for other, intents in list(book.pending.items()):
            # A change of the same webhook does not settle attempts to create another one.
            left = tuple(one for one in intents if one.id not in over and not (made and other == name and one.id is None))
            if not left:
                del book.pending[other]
            elif len(left) < len(intents):
                book.pending[other] = left

    body: dict[str, object] = {"do": "record", "name": name, "recorded": encode_recorded(recorded)}
    return Entry(body if replaces is None else {**body, "replaces": replaces}, change)


def drop(name: str, op: str) -> Entry:
    def change(book: MutableState) -> None:
        left = tuple(one for one in book.pending.pop(name, ()) if one.op != op)
        if left:
            book.pending[name] = left

    return Entry({"do": "drop", "name": name, "op": op}, change)


def expire(name: str) -> Entry:
    def change(book: MutableState) -> None:
        if name in book.pending:
            book.pending[name] = tuple(
                replace(one, expired=True) if one.action is ActionKind.CREATE else one for one in book.pending[name]
            )

    return Entry({"do": "expire", "name": name}, change)


def forget(name: str) -> Entry:
    def change(book: MutableState) -> None:
        book.take(name)
        book.pending.pop(name, None)
        book.staged.pop(name, None)

    return Entry({"do": "forget", "name": name}, change)


def workspace(workspace_id: str | None) -> Entry:
    def change(book: MutableState) -> None:
        book.workspace_id = workspace_id

    return Entry({"do": "workspace", "workspaceId": workspace_id}, change)


def observed_workspace(workspace_id: str | None) -> Entry:
    def change(book: MutableState) -> None:
        book.observed_workspace_id = workspace_id

    return Entry({"do": "observedWorkspace", "workspaceId": workspace_id}, change)


def list_worked() -> Entry:
    def change(book: MutableState) -> None:
        book.list_worked = True

    return Entry({"do": "listWorked"}, change)


def recipients(listed: tuple[str, ...]) -> Entry:
    def change(book: MutableState) -> None:
        book.recipients = listed

    return Entry({"do": "recipients", "recipients": list(listed)}, change)


def stage(name: str, secret: StoredSecret) -> Entry:
    def change(book: MutableState) -> None:
        book.staged[name] = secret

    return Entry({"do": "stage", "name": name, "secret": encode_secret(secret)}, change)


def unstage(name: str) -> Entry:
    def change(book: MutableState) -> None:
        book.staged.pop(name, None)

    return Entry({"do": "unstage", "name": name}, change)


def _stage_of(fields: Fields) -> Entry:
    return stage(fields.text("name"), decode_secret(fields["secret"]))


def _record_of(node: Node) -> Entry:
    fields = node.fields("do name recorded", "replaces")
    return record(fields.text("name"), decode_recorded(fields["recorded"]), fields.maybe_text("replaces"))


def _begin_of(fields: Fields) -> Entry:
    return begin(decode_intent(fields["intent"], fields.text("name")))


def _restamp_of(fields: Fields) -> Entry:
    return restamp(fields.text("name"), fields.text("op"), fields["sentAt"].time())


def _drop_of(fields: Fields) -> Entry:
    return drop(fields.text("name"), fields.text("op"))


def _list_worked_of(node: Node) -> Entry:
    node.fields("do")
    return list_worked()


_DECODERS: dict[str, Callable[[Node], Entry]] = {
    "begin": lambda node: _begin_of(node.fields("do name intent")),
    "restamp": lambda node: _restamp_of(node.fields("do name op sentAt")),
    "record": _record_of,
    "drop": lambda node: _drop_of(node.fields("do name op")),
    "expire": lambda node: expire(node.fields("do name").text("name")),
    "forget": lambda node: forget(node.fields("do name").text("name")),
    "stage": lambda node: _stage_of(node.fields("do name secret")),
    "unstage": lambda node: unstage(node.fields("do name").text("name")),
    "workspace": lambda node: workspace(node.fields("do workspaceId")["workspaceId"].text_or_null()),
    "observedWorkspace": lambda node: observed_workspace(node.fields("do workspaceId")["workspaceId"].text_or_null()),
    "listWorked": _list_worked_of,
    "recipients": lambda node: recipients(node.fields("do recipients").texts("recipients")),
}


def decode_entry(node: Node) -> Entry:
    """Read one line after the header."""
    members = dict(node.items())
    decoder = _DECODERS.get(members["do"].text()) if "do" in members else None
    return decoder(node) if decoder is not None else node.fail("is no known entry")
