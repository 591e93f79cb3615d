"""Joins the config files into the desired webhooks, and collects every problem with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.diagnostics import Diagnostic, Severity, Span, printable
from ..core.errors import ConfigError
from ..core.model import DesiredWebhook, Secret, Settings
from .checks import EVENTS, KNOWN_EVENTS, MIN_SECRET, check_event, check_name, check_url, has_control
from .files import read_files
from .problems import File, diagnostics_of
from .tree import Map, Place, Seq
from .variables import fill, literal_secret, secret_variable
from .yaml_events import Problem

DEFAULT_STATE = "sendkit.state.json"


@dataclass(frozen=True, slots=True)
class Config:
    """What the config files ask for, joined; `webhooks` are sorted by name, `recipients` are the age keys to seal to."""

    webhooks: tuple[DesiredWebhook, ...]
    workspace: str | None
    state_path: str
    generate_secret: str
    recipients: tuple[str, ...]
    warnings: tuple[Diagnostic, ...]

    def digest(self) -> str:
        """Return the SHA-256 of the desired webhooks as hex, with the origins of the secrets in their place."""
        import hashlib

        # Row for row what the JSON of the whole list is: that itself is large.
        encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
        digest = hashlib.sha256(b"[")
        for number, one in enumerate(self.webhooks):
            row = {"name": one.name, "secret": one.secret_origin, "renamedFrom": one.renamed_from, **one.settings.wire()}
            digest.update((("," if number else "") + encode(row)).encode())
        digest.update(b"]")
        return digest.hexdigest()


class _Loader:
    def __init__(self, env: Mapping[str, str], files: Sequence[File]) -> None:
        self.env = env
        self.files = files
        self.secrets: set[str] = set()
        self.lists: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.webhooks: dict[str, DesiredWebhook] = {}
        self.former: dict[str, tuple[str, File, Place]] = {}
        self.recipients: tuple[tuple[str, ...], Span] | None = None
        self.shared: dict[str, tuple[str, Span]] = {}

    def text(self, file: File, node: Map | Seq, key: Any) -> str | None:
        """Return a text with its variables filled in; None where it is none or one of them is missing."""
        value = node[key]
        if not isinstance(value, str):
            return None
        if "${" not in value:
            return value
        filled, wrong = fill(value, self.env)
        for message in wrong:
            file.add(node.place_of(key), message)
        return None if wrong else filled

    def take(self, file: File) -> None:
        """Take over the top-level keys of a file."""
        root = file.document.root
        if not isinstance(root, Map):
            return
        for key in ("workspace", "state", "generateSecret"):
            if key not in root:
                continue
            place = root.place_of(key)
            text = self.text(file, root, key)
            if text is None:
                continue
            if not text.strip() or has_control(text):
                if root[key]:
                    file.add(place, f"`{key}` must not be empty or hold control characters")
                continue
            value = str(file.path.parent / text) if key == "state" else text
            if key in self.shared and self.shared[key][0] != value:
                file.add(place, f"`{key}` differs from the one at {self.shared[key][1]}")
            self.shared.setdefault(key, (value, file.span(place)))
        recipients = _recipients(root)
        if recipients:
            place = root.place_of("encryption")
            if self.recipients is not None and self.recipients[0] != recipients:
                file.add(place, f"`encryption` differs from the one at {self.recipients[1]}")
            self.recipients = self.recipients or (recipients, file.span(place))

    def take_webhooks(self, file: File) -> None:
        root = file.document.root
        if not isinstance(root, Map) or not isinstance(root.get("webhooks"), list):
            return
        defaults = root["defaults"] if isinstance(root.get("defaults"), Map) else {}
        entries = root["webhooks"]
        for number, entry in enumerate(entries):
            entries[number] = None  # let go of: a large file and its webhooks are never both in memory, whole
            if isinstance(entry, Map):
                self.webhook(file, entry, defaults)

    def webhook(self, file: File, entry: Map, defaults: Mapping[str, Any]) -> None:
        texts: dict[str, str] = {}
        for key in ("name", "url", "renamedFrom"):
            # What is empty in the file itself was reported by the schema.
            if entry.get(key):
                text = self.text(file, entry, key)
                if text is not None:
                    texts[key] = text if key == "url" else text.strip()
                    for severity, message in check_url(text) if key == "url" else check_name(texts[key], key):
                        file.add(entry.place_of(key), message, severity)
        events = self.events(file, entry.get("events"))
        secret, origin = self.secret(file, entry)
        name = texts.get("name")
        if not name:
            return
        span = file.span(entry.place_of("name"))
        if name in self.webhooks:
            shown = printable(name, 60)
            file.add((span.line, span.column), f"the name `{shown}` is already taken at {self.webhooks[name].span}")
            return
        numbers = [entry.get(key, defaults.get(key)) for key in ("retryAttempts", "timeoutMs")]
        retry, timeout = (int(one) if isinstance(one, int | float) and abs(one) < 1e100 else None for one in numbers)
        former = texts.get("renamedFrom")
        if former is not None:
            place = entry.place_of("renamedFrom")
            other, _, _ = self.former.setdefault(former, (name, file, place))
            if other != name:
                file.add(place, f"`{printable(other, 60)}` is renamed from `{printable(former, 60)}` already")
        listed = tuple(sorted(events))
        settings = Settings(texts.get("url", ""), self.lists.setdefault(listed, listed), retry, timeout)
        self.webhooks[name] = DesiredWebhook(name, settings, secret, origin, former, span)

    def check_renames(self) -> None:
        """Refuse a `renamedFrom` that names another entry: which of the two the recorded webhook is, nobody could tell."""
        for former, (name, file, place) in self.former.items():
            if former in self.webhooks and former != name:
                there = self.webhooks[former].span
                file.add(
                    place,
                    f"`{printable(former, 60)}` is also the name of the entry at {there}; "
                    "take this line out if the rename is applied, else leave that entry out until it is",
                )

    def check_routes(self) -> None:
        """Warn of an entry that has the URL and the events of another."""
        if len({webhook.settings.url for webhook in self.webhooks.values()}) == len(self.webhooks):
            return  # as a rule; a dict of routes would stay in the way of a large plan
        files = {file.shown: file for file in self.files}
        routes: dict[tuple[str, tuple[str, ...]], str] = {}
        for webhook in self.webhooks.values():
            route = (webhook.settings.url, webhook.settings.events)
            twin = routes.setdefault(route, webhook.name)
            if all(route) and twin != webhook.name and webhook.span is not None:
                message = f"`{printable(twin, 60)}` has this URL and these events too: each delivery is made twice"
                files[webhook.span.file].add((webhook.span.line, webhook.span.column), message, Severity.WARNING)

    def events(self, file: File, listed: Any) -> set[str]:
        events: set[str] = set()
        if not isinstance(listed, Seq):
            return events
        for index, raw in enumerate(listed):
            event = self.text(file, listed, index) if raw else None
            if event is None:
                continue
            if event not in KNOWN_EVENTS:
                for severity, message in check_event(event):
                    misspelt = (event, EVENTS) if severity is Severity.WARNING else None
                    file.problems.append(Problem(listed.place_of(index), message, severity, misspelt=misspelt))
            if raw != event and event in events:
                file.add(listed.place_of(index), "the event is given twice")
            events.add(event)
        return events

    def secret(self, file: File, entry: Map) -> tuple[Secret | None, str]:
        raw = entry.get("secret")
        if not isinstance(raw, str) or not raw:
            generate = self.shared.get("generateSecret", ("client", None))[0]
            return None, "server" if generate == "server" else "generated"
        place = entry.place_of("secret")
        if variable := secret_variable(raw):
            origin, text = f"env:{variable}", self.env.get(variable, "")
            # A run for a fork gets its secrets as empty variables.
            if not text:
                file.add(place, f"the environment variable {printable(variable, 80)} is not set", Severity.WARNING)
                return None, origin
        else:
            literal = literal_secret(raw)
            self.secrets.add(raw)
            if literal is None:
                file.add(
                    place, "`secret` takes `${NAME}` as its whole value and without a default, or `$${` for a literal `${`"
                )
                return None, "literal"
            origin, text = "literal", literal
            file.add(place, "the secret stands in the file; write `${NAME}` and set SENDKIT_SECRET_NAME", Severity.WARNING)
        self.secrets.add(text)
        if not text.strip():
            file.add(place, "`secret` must not be empty")
        elif not _is_utf8(text):
            file.add(place, "the secret is not UTF-8")
        elif len(text) < MIN_SECRET:
            file.add(place, f"the secret is shorter than {MIN_SECRET} characters", Severity.WARNING)
        return Secret(text), origin

    def state_path(self, state_given: bool) -> str:
        if "state" in self.shared:
            return self.shared["state"][0]
        if not self.files:
            return DEFAULT_STATE
        first = self.files[0].path
        for file in self.files:
            if not state_given and file.path.parent.resolve() != first.parent.resolve():
                file.add((1, 1), "config files in several folders need `state` or --state")
                break
        return str(first.parent / DEFAULT_STATE)


def _recipients(root: Map) -> tuple[str, ...]:
    """Return the sorted age recipients; those that are none were reported by the schema."""
    encryption = root.get("encryption")
    age = encryption.get("age") if isinstance(encryption, Map) else None
    listed = age.get("recipients") if isinstance(age, Map) else None
    return tuple(sorted(one for one in listed if isinstance(one, str))) if isinstance(listed, list) else ()


def _is_utf8(text: str) -> bool:
    """Tell whether `text` can be written: undecodable bytes of the environment come as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def load_config(paths: Sequence[str], env: Mapping[str, str], *, state_given: bool = False, entries: bool = True) -> Config:
    """Return what the files at `paths` ask for; raise `ConfigError` with everything that is wrong.

    Without `entries` the webhooks are left out, and the variables that they name need not be set.
    """
    loader = _Loader(env, read_files(paths))
    for file in loader.files:
        loader.take(file)
    for file in loader.files if entries else ():
        loader.take_webhooks(file)
    loader.check_renames()
    loader.check_routes()
    state = loader.state_path(state_given)
    if not entries and any(file.problems for file in loader.files):
        return load_config(paths, env, state_given=state_given)  # all of the problems, and no secret in what is shown of them
    found = diagnostics_of(loader.files, loader.secrets)
    if any(problem.severity is Severity.ERROR for file in loader.files for problem in file.problems) or not loader.files:
        raise ConfigError(found)
    shared = {key: value for key, (value, _span) in loader.shared.items()}
    webhooks = tuple(loader.webhooks[name] for name in sorted(loader.webhooks))
    return Config(
        webhooks,
        shared.get("workspace"),
        state,
        shared.get("generateSecret", "client"),
        loader.recipients[0] if loader.recipients is not None else (),
        tuple(found),
    )
