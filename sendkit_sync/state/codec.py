"""State, records and intents as JSON, and back through a strict decoder that never echoes a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from sys import intern

from ..core.errors import ErrorCode, StateInvalidError
from ..core.fields import FIELDS, Kind, Settings, Value
from ..core.last_run import LastRun
from ..core.model import WEBHOOK_ID, ActionKind, Fingerprint, Intent, Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from ..core.policy import Lifecycle
from .marks import find_mark, refuse
from .node import RESTORE_HINT, Fields, Node, parse

VERSION = 1
_CLEAR = {"origin", "value"}
_ENCRYPTED = {"origin", "encrypted", "sha256"}
_ENCRYPTED_SALTED = {"origin", "encrypted", "hmacSha256", "salt"}
_ORIGINS = {origin.value: origin for origin in SecretOrigin}
_MARK = re.compile("^(?:<<<<<<<|>>>>>>>)", re.MULTILINE)
_NOTHING = re.compile("[\0 \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A decoded snapshot: its state, and the id of the journal that it folded in last."""

    state: State
    journal: str | None


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
        "pending": _encode_pending(state),
        "staged": {name: encode_secret(secret) for name, secret in state.staged.items()},
    }
    if state.observed_workspace_id is not None:
        document["observedWorkspaceId"] = state.observed_workspace_id
    if state.list_worked:
        document["listWorked"] = True
    if state.recipients:
        document["recipients"] = list(state.recipients)
    if state.last_run is not None:
        document["lastRun"] = encode_run(state.last_run)
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can hold
        return (json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _encode_pending(state: State) -> dict[str, object]:
    return {name: [encode_intent(intent) for intent in intents] for name, intents in state.pending.items()}


def same_content(one: State, other: State) -> bool:
    """Tell whether two states are written alike; records that are one and the same are not looked at."""
    return (
        replace(one, webhooks={}, pending={}) == replace(other, webhooks={}, pending={})
        and one.webhooks.keys() == other.webhooks.keys()
        and all(
            other.webhooks[name] is recorded or encode_recorded(other.webhooks[name]) == encode_recorded(recorded)
            for name, recorded in one.webhooks.items()
        )
        and _encode_pending(one) == _encode_pending(other)
    )


MERGE_HINT = (
    "Nothing was overwritten. Undo the merge (git merge --abort), set up git's merge driver as "
    "`sendkit-sync state merge --help` says, and merge again."
)


def decode_snapshot(text: str, where: str) -> Snapshot:
    """Read a snapshot; anything but a whole and valid one is a `StateInvalidError`."""
    if _NOTHING.fullmatch(text):
        raise StateInvalidError(ErrorCode.STATE_EMPTY, "the state is empty", where=where, hint=RESTORE_HINT)
    if ("<<<<<<<" in text or ">>>>>>>" in text) and _MARK.search(text):
        raise StateInvalidError(
            ErrorCode.STATE_CONFLICT_MARKERS, "the state contains merge conflict markers", where=where, hint=MERGE_HINT
        )
    mark = find_mark(text)
    if mark is not None:
        refuse(mark, where)
    node = parse(text, where, _Early(where).build)
    for key, value in node.items():
        if key == "version" and value.count() != VERSION:
            raise StateInvalidError(
                ErrorCode.STATE_VERSION,
                f"the state has version {value.count()}, this tool knows version {VERSION}",
                where=where,
                hint="Use the version of sendkit-sync that wrote it, or a newer one. Nothing was overwritten.",
            )
    fields = node.fields(
        "version lineage serial api workspaceId journal webhooks pending",
        "staged observedWorkspaceId listWorked recipients lastRun",
    )
    journal = fields["journal"]
    state = State(
        fields.filled("lineage"),
        fields["serial"].count(),
        fields.filled("api"),
        fields["workspaceId"].text_or_null(),
        {name: decode_recorded(value) for name, value in fields["webhooks"].items()},
        {name: _decode_intents(value, name) for name, value in fields["pending"].items()},
        {name: decode_secret(value) for name, value in fields["staged"].items()} if "staged" in fields else {},
        fields.maybe_text("observedWorkspaceId"),
        "listWorked" in fields and fields["listWorked"].flag(),
        fields.texts("recipients"),
        decode_run(fields["lastRun"]) if "lastRun" in fields else None,
    )
    return Snapshot(state, None if journal.value is None else journal.filled())


def encode_run(run: LastRun) -> dict[str, object]:
    """Return what the last run did as JSON."""
    about = {"endedAt": run.ended_at, "by": run.by, "command": run.command, "exitCode": run.exit_code}
    return about | {"counts": dict(run.counts)}


def decode_run(node: Node) -> LastRun:
    """Return what the last run did."""
    fields = node.fields("endedAt by command exitCode counts")
    counts = {result: number.count() for result, number in fields["counts"].items()}
    return LastRun(fields["endedAt"].number(), fields.text("by"), fields.text("command"), fields["exitCode"].count(), counts)


class _Early:
    """Decodes each record as soon as it is parsed, so that no whole tree of JSON stands in memory beside the records."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._lists: dict[tuple[str, ...], tuple[str, ...]] = {}

    def build(self, members: dict[str, object]) -> object:
        """Return a record in the place of its members, and anything else as it is."""
        if "applied" not in members:
            return members
        try:
            return decode_recorded(Node(members, self._where), self._lists)
        except StateInvalidError:
            # Not a record, or not a valid one: where it stands is known once all is parsed.
            return members


def encode_recorded(recorded: WebhookRecord) -> dict[str, object]:
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
    for key, secrets in (("previousSecrets", recorded.previous_secrets), ("candidateSecrets", recorded.candidate_secrets)):
        if secrets:
            entry[key] = [encode_secret(secret) for secret in secrets]
    if recorded.former_names:
        entry["formerNames"] = list(recorded.former_names)
    if recorded.applied_name is not None:
        entry["appliedName"] = recorded.applied_name
    return entry | _encode_lifecycle(recorded.lifecycle)


_LIFECYCLE = "preventDelete sensitiveUrl source"
_MAYBE_RECORDED = f"status previousSecrets candidateSecrets createdAt formerNames appliedName {_LIFECYCLE}"


def _encode_lifecycle(lifecycle: Lifecycle) -> dict[str, object]:
    entry: dict[str, object] = {key: True for key, value in lifecycle.flags.items() if value}
    return entry if lifecycle.source is None else {**entry, "source": lifecycle.source}


def _decode_lifecycle(fields: Fields) -> Lifecycle:
    flags = [key in fields and fields[key].flag() for key in ("preventDelete", "sensitiveUrl")]
    return _lifecycle(*flags, fields.maybe_text("source"))


_lifecycle = lru_cache(maxsize=1024)(Lifecycle)
"""Makes one value of many equal ones: a large state has few config files."""


def decode_recorded(node: Node, lists: dict[tuple[str, ...], tuple[str, ...]] | None = None) -> WebhookRecord:
    """Read one recorded webhook; of equal lists of events, those that are in `lists` are taken."""
    if isinstance(node.value, WebhookRecord):
        return node.value
    fields = node.fields("id applied confirmed secret", _MAYBE_RECORDED)
    confirmed = fields["confirmed"].fields(f"name {_REQUIRED}", _OPTIONAL)
    secret, status = fields["secret"], fields.maybe_text("status")
    missing = isinstance(secret.value, dict) and "missing" in secret.value
    if missing and not secret.fields("missing", echo=False)["missing"].flag():
        secret.fail("`missing` can only be true")
    lists = {} if lists is None else lists
    applied = _settings(fields["applied"].fields(_REQUIRED, _OPTIONAL), lists)
    return WebhookRecord(
        id=_id(fields),
        applied=applied,
        confirmed=_settings(confirmed, lists, applied),
        confirmed_name=confirmed.text("name"),
        secret=None if missing else decode_secret(secret),
        status=None if status is None else intern(status),
        created_at=fields.maybe_text("createdAt"),
        previous_secrets=_secrets(fields, "previousSecrets"),
        former_names=fields.texts("formerNames"),
        applied_name=fields.maybe_text("appliedName"),
        candidate_secrets=_secrets(fields, "candidateSecrets"),
        lifecycle=_decode_lifecycle(fields),
    )


def _id(fields: Fields) -> str:
    text = fields.text("id")
    return text if WEBHOOK_ID.fullmatch(text) else fields["id"].webhook_id()


def _secrets(fields: Fields, key: str) -> tuple[StoredSecret, ...]:
    return tuple(map(decode_secret, fields[key].elements())) if key in fields else ()


_REQUIRED = " ".join(field.key for field in FIELDS if field.required)
_OPTIONAL = " ".join(field.key for field in FIELDS if not field.required)


def decode_settings(node: Node) -> Settings:
    """Read the settings of a webhook."""
    return _settings(node.fields(_REQUIRED, _OPTIONAL), {})


def _settings(fields: Fields, lists: dict[tuple[str, ...], tuple[str, ...]], like: Settings | None = None) -> Settings:
    """Read settings; of two equal texts or lists one is kept, for a large state holds most of them more than once."""
    values = [_READ[field.kind](fields, field.key) for field in FIELDS]
    for place, other in enumerate(like.values() if like is not None else ()):
        if values[place] == other:
            values[place] = other
    return Settings(*[lists.setdefault(one, one) if type(one) is tuple else one for one in values])  # type: ignore[arg-type]


_READ: Mapping[Kind, Callable[[Fields, str], Value]] = {
    Kind.TEXT: Fields.maybe_text,
    Kind.URL: Fields.text,
    Kind.TEXTS: Fields.texts,
    Kind.COUNT: Fields.maybe_count,
    Kind.FLAG: Fields.maybe_flag,
}


def encode_secret(secret: StoredSecret) -> dict[str, object]:
    """Return a kept secret as JSON."""
    if secret.clear is not None:
        return {"origin": secret.origin.value, "value": secret.clear.reveal()}
    if secret.encrypted is None or secret.fingerprint is None:
        raise ValueError("a kept secret is in clear, or sealed with a fingerprint")
    entry: dict[str, object] = {"origin": secret.origin.value, "encrypted": secret.encrypted}
    if secret.fingerprint.salt is None:
        return {**entry, "sha256": secret.fingerprint.digest}
    return {**entry, "hmacSha256": secret.fingerprint.digest, "salt": secret.fingerprint.salt}


def decode_secret(node: Node) -> StoredSecret:
    """Read a kept secret."""
    fields = node.fields("origin", "value encrypted sha256 hmacSha256 salt", echo=False)
    found = fields.text("origin")
    origin = _ORIGINS.get(found)
    if origin is None:
        fields["origin"].fail("must be generated, config or server")
    shape = fields.members.keys()
    if shape == _CLEAR:
        return StoredSecret(origin, clear=Secret(fields.text("value")))
    if shape == _ENCRYPTED:
        return StoredSecret(origin, None, fields.text("encrypted"), Fingerprint(fields["sha256"].hex()))
    if shape == _ENCRYPTED_SALTED:
        fingerprint = Fingerprint(fields["hmacSha256"].hex(), fields["salt"].hex())
        return StoredSecret(origin, None, fields.text("encrypted"), fingerprint)
    return node.fail("must have `value`, or `encrypted` with `sha256`, or `encrypted` with `hmacSha256` and `salt`")


def encode_intent(intent: Intent) -> dict[str, object]:
    """Return an intent as JSON, without its name."""
    entry: dict[str, object] = {"op": intent.op, "action": intent.action.value, "sentAt": intent.sent_at}
    if intent.first_sent_at is not None:
        entry["firstSentAt"] = intent.first_sent_at
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
    return entry | _encode_lifecycle(intent.lifecycle)


def decode_intent(node: Node, name: str) -> Intent:
    """Read an intent of the webhook `name`."""
    fields = node.fields("op action sentAt", f"settings secret id seen expired replaces firstSentAt {_LIFECYCLE}")
    action = fields.text("action")
    if action not in list(ActionKind):
        fields["action"].fail("is no known action")
    return Intent(
        op=fields.filled("op"),
        action=ActionKind(action),
        name=name,
        sent_at=fields["sentAt"].time(),
        settings=decode_settings(fields["settings"]) if "settings" in fields else None,
        secret=decode_secret(fields["secret"]) if "secret" in fields else None,
        id=_id(fields) if "id" in fields else None,
        seen=tuple(node.webhook_id() for node in fields["seen"].elements()) if "seen" in fields else (),
        expired=fields["expired"].flag() if "expired" in fields else False,
        first_sent_at=fields["firstSentAt"].time() if "firstSentAt" in fields else None,
        replaces=fields.maybe_text("replaces"),
        lifecycle=_decode_lifecycle(fields),
    )


def _decode_intents(node: Node, name: str) -> tuple[Intent, ...]:
    return tuple(decode_intent(element, name) for element in node.elements()) or node.fail("must not be empty")
