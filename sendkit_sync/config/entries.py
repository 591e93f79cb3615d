"""Reads one config entry into a desired webhook, and records each problem with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from ..core.diagnostics import Severity, printable
from ..core.fields import FIELDS, KEYS, Field, Kind, Settings, Value
from ..core.model import WEBHOOK_ID, DesiredWebhook, Secret
from ..core.names import normalized
from ..core.policy import Lifecycle, Policy
from .checks import EVENTS, KNOWN_EVENTS, check_bare_variable, check_event, check_name, check_secret, check_url
from .problems import File
from .tree import Map, Seq
from .variables import fill, literal_secret, secret_variable
from .yaml_events import Problem


class EntryReader:
    """Reads entries with the variables of `env`. `secrets` collects all texts that no message may show."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.sources: dict[str, str | None] = {}
        """The config files by the path that is shown of them, each relative to the state."""
        self.secrets: set[str] = set()
        self._lists: dict[tuple[str, ...], tuple[str, ...]] = {}

    def webhook(self, file: File, entry: Map, defaults: Mapping[str, Any], *, server_secrets: bool) -> DesiredWebhook | None:
        """Return the desired webhook of `entry`, or None if it has no usable name."""
        name = self._name(file, entry, "name")
        lifecycle, policy = self._lifecycle(file, entry), self._policy(file, entry)
        settings = Settings.of({field.key: self._value(file, entry, defaults, field) for field in FIELDS})
        renamed_from = self._name(file, entry, "renamedFrom")
        secret, origin = self._secret(file, entry, server_secrets=server_secrets)
        if not name:
            return None
        span = file.span(entry.place_of("name"))
        webhook_id = entry.get("id")
        known_id = webhook_id if isinstance(webhook_id, str) and WEBHOOK_ID.fullmatch(webhook_id) else None
        return DesiredWebhook(name, settings, secret, origin, renamed_from, span, lifecycle, policy, known_id)

    def _lifecycle(self, file: File, entry: Map) -> Lifecycle:
        flags = tuple(entry.get(key) is True for key in ("preventDelete", "sensitiveUrl"))
        return _one_lifecycle(*flags, self.sources.get(file.shown))

    def _policy(self, file: File, entry: Map) -> Policy:
        if _POLICY_KEYS.isdisjoint(entry):
            return _NO_POLICY
        listed = entry.get("ignoreChanges")
        ignored = tuple(sorted({key for key in listed if key in KEYS})) if isinstance(listed, list) else ()
        managed = entry.get("manageSecret") is not False
        for key in ("secret", "exportAs") if not managed else ():
            if key in entry:
                file.add(entry.place_of(key), f"`{key}` has no meaning with `manageSecret: false`; remove one of them")
        export_as = self.text(file, entry, "exportAs") if entry.get("exportAs") else None
        if export_as is not None and not _VARIABLE.fullmatch(export_as):
            file.add(entry.place_of("exportAs"), "`exportAs` must be letters, digits and _, and not start with a digit")
        return Policy(ignored, managed, export_as)

    def policies(self, file: File) -> Iterator[tuple[str, Policy]]:
        """Yield name and policy of the entries that have one; the variables of other fields need not be set."""
        listed = file.document.root.get("webhooks") if isinstance(file.document.root, Map) else None
        scratch = File(file.path, file.shown)
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, Map) and not _POLICY_KEYS.isdisjoint(entry):
                name = self._name(scratch, entry, "name")
                if name:
                    yield name, self._policy(scratch, entry)

    def text(self, file: File, node: Map | Seq, key: Any) -> str | None:
        """Return a text with its variables expanded; None if it is not text or a variable is missing."""
        value = node[key]
        if not isinstance(value, str):
            return None
        if "$" in value:
            for severity, message in check_bare_variable(value, str(key) if isinstance(node, Map) else "events"):
                file.add(node.place_of(key), message, severity)
        if "${" not in value:
            return value
        filled, wrong = fill(value, self.env)
        for message in wrong:
            file.add(node.place_of(key), message)
        return None if wrong else filled

    def _name(self, file: File, entry: Map, key: str) -> str | None:
        # The schema has reported a value that is empty in the file itself.
        text = self.text(file, entry, key) if entry.get(key) else None
        if text is None:
            return None
        name = normalized(text)
        for severity, message in check_name(name, key):
            file.add(entry.place_of(key), message, severity)
        return name

    def _value(self, file: File, entry: Map, defaults: Mapping[str, Any], field: Field) -> Value:
        """Return the value of a field; empty or None if it is left out or unusable."""
        key = field.key
        node = entry if key in entry or not isinstance(defaults, Map) else defaults
        raw = node.get(key)
        match field.kind:
            case Kind.TEXT:
                return self.text(file, node, key) if raw else field.parse(raw)
            case Kind.URL:
                url = self.text(file, node, key) if raw else None
                sensitive = entry.get("sensitiveUrl") is True
                if sensitive and url:
                    self.secrets |= {url, str(raw)}
                for severity, message in check_url(url, sensitive=sensitive) if url is not None else ():
                    file.add(node.place_of(key), message, severity)
                return url or ""
            case Kind.TEXTS:
                listed = tuple(sorted(self._texts(file, raw, events=key == "events")))
                return self._lists.setdefault(listed, listed)
            case Kind.COUNT:
                if not isinstance(raw, int | float) or abs(raw) >= 1e100:
                    return None
                low, high = field.row.usual or (raw, raw)
                if field.row.least <= raw and not low <= raw <= high:
                    file.add(node.place_of(key), f"`{key}` is outside the documented range, {low}-{high}", Severity.WARNING)
                return int(raw)
            case Kind.FLAG:
                return field.parse(raw)

    def _texts(self, file: File, listed: Any, *, events: bool) -> set[str]:
        found: set[str] = set()
        for index, raw in enumerate(listed if isinstance(listed, Seq) else ()):
            text = self.text(file, listed, index) if raw else None
            if text is None:
                continue
            if text not in found:
                file.problems += _event_problems(listed, index, text) if events and text not in KNOWN_EVENTS else ()
            elif raw != text:
                file.add(listed.place_of(index), "the event is given twice" if events else "the text is given twice")
            found.add(text)
        return found

    def _secret(self, file: File, entry: Map, *, server_secrets: bool) -> tuple[Secret | None, str]:
        raw = entry.get("secret")
        if not isinstance(raw, str) or not raw:
            return None, "server" if server_secrets else "generated"
        place = entry.place_of("secret")
        if variable := secret_variable(raw):
            origin, text = f"env:{variable}", self.env.get(variable, "")
            # In a run for a fork, secrets are empty variables.
            if not text:
                file.add(place, f"the environment variable {printable(variable, 80)} is not set", Severity.WARNING)
                return None, origin
        else:
            literal = literal_secret(raw)
            self.secrets.add(raw)
            if literal is None:
                file.add(
                    place, "in `secret`, `${NAME}` must be the whole value, without a default; write `$${` for a literal `${`"
                )
                return None, "literal"
            origin, text = "literal", literal
            file.add(place, "the secret is in the file in clear; write `${NAME}` and set SENDKIT_SECRET_NAME", Severity.WARNING)
        self.secrets.add(text)
        secret = _LAST_BREAK.sub("", text)
        self.secrets.add(secret)
        if secret != text:
            file.add(place, "the secret ends with a line break, which is removed", Severity.WARNING)
        for severity, message in check_secret(secret):
            file.add(place, message, severity)
        return Secret(secret), origin


def _event_problems(listed: Seq, index: int, event: str) -> Iterator[Problem]:
    for severity, message in check_event(event):
        misspelt = (event, EVENTS) if severity is Severity.WARNING else None
        yield Problem(listed.place_of(index), message, severity, misspelt=misspelt)


_POLICY_KEYS = frozenset({"ignoreChanges", "manageSecret", "exportAs"})
_NO_POLICY = Policy()
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,252}", re.ASCII)
_one_lifecycle = lru_cache(maxsize=1024)(Lifecycle)
_LAST_BREAK = re.compile(r"(?:\r\n|\n|\r)\Z")
