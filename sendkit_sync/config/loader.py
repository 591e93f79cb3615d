"""Merges the config files into the desired webhooks, and collects all problems with their places."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.api_address import checked_address
from ..core.diagnostics import Diagnostic, Severity, Span, printable
from ..core.errors import ConfigError, UsageError
from ..core.model import DesiredWebhook
from ..core.names import masked_url, visible_form
from ..core.policy import Policy
from ..core.store_address import address_problem, is_url
from .checks import has_control
from .entries import EntryReader
from .files import read_files
from .problems import File, diagnostics_of
from .tree import Map, Place

DEFAULT_STATE = "sendkit.state.json"


@dataclass(frozen=True, slots=True)
class Config:
    """The merged config. `webhooks` are sorted by name; `recipients` are the age public keys to encrypt for."""

    webhooks: tuple[DesiredWebhook, ...]
    workspace: str | None
    state_path: str
    generate_secret: str
    recipients: tuple[str, ...]
    warnings: tuple[Diagnostic, ...]
    api_url: str | None = None
    sources: tuple[str, ...] = ()
    """The config files that were read, each relative to the state."""
    policies: Mapping[str, Policy] = field(default_factory=dict)
    """Policies by name, of the entries that have one; they are known without the webhooks too."""

    def digest(self) -> str:
        """Return the SHA-256 of the desired webhooks and the recipients as hex.

        It covers the origins of secrets, not the secrets, and the digest of a sensitive URL.
        """
        import hashlib

        # Same as hashing the JSON of the whole list, which would be large.
        encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
        digest = hashlib.sha256(b"[")
        for number, one in enumerate(self.webhooks):
            row = {"name": one.name, "secret": one.secret_origin, "renamedFrom": one.renamed_from, **_digested(one)}
            digest.update((("," if number else "") + encode(row)).encode())
        digest.update(b"]")
        if self.recipients:
            digest.update(encode({"recipients": self.recipients}).encode())
        return digest.hexdigest()


def _digested(webhook: DesiredWebhook) -> dict[str, object]:
    """Return what a digest covers of an entry; the keys that most entries leave out only where they are set."""
    lifecycle, policy = webhook.lifecycle, webhook.policy
    row: dict[str, object] = webhook.settings.wire()
    if lifecycle.sensitive_url:
        row["url"] = masked_url(webhook.settings.url)
    row |= {key: True for key, value in lifecycle.flags.items() if value}
    if webhook.id is not None:
        row["id"] = webhook.id
    if policy.ignore_changes:
        row["ignoreChanges"] = policy.ignore_changes
    if not policy.manage_secret:
        row["manageSecret"] = False
    return row


class _Loader:
    def __init__(self, env: Mapping[str, str], files: Sequence[File]) -> None:
        self.files = files
        self.by_shown = {file.shown: file for file in files}
        self.reader = EntryReader(env)
        self.webhooks: dict[str, DesiredWebhook] = {}
        self.former: dict[str, tuple[str, File, Place]] = {}
        self.variables: dict[str, DesiredWebhook] = {}
        self.ids: dict[str, DesiredWebhook] = {}
        self.recipients: tuple[tuple[str, ...], Span] | None = None
        self.shared: dict[str, tuple[str, Span]] = {}

    def take(self, file: File) -> None:
        """Read the top-level keys of a file."""
        root = file.document.root
        if not isinstance(root, Map):
            return
        for key in ("apiUrl", "workspace", "state", "generateSecret"):
            if key not in root:
                continue
            place = root.place_of(key)
            text = self.reader.text(file, root, key)
            if text is None:
                continue
            if not text.strip() or has_control(text):
                if root[key]:
                    file.add(place, f"`{key}` must not be empty or contain control characters")
                continue
            text = text.rstrip("/") if key == "apiUrl" else text
            problem = _PROBLEMS[key](text) if key in _PROBLEMS else None
            if problem is not None:
                file.add(place, problem)
                continue
            value = _state_address(file, text) if key == "state" else text
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
            entries[number] = None  # released: a large file and its webhooks must not both be in memory
            if isinstance(entry, Map):
                self.take_webhook(file, entry, defaults)

    def take_webhook(self, file: File, entry: Map, defaults: Mapping[str, Any]) -> None:
        server_secrets = self.shared.get("generateSecret", ("client", None))[0] == "server"
        webhook = self.reader.webhook(file, entry, defaults, server_secrets=server_secrets)
        if webhook is None:
            return
        name, former = webhook.name, webhook.renamed_from
        if name in self.webhooks:
            shown = printable(name, 60)
            file.add(entry.place_of("name"), f"the name `{shown}` is already taken at {self.webhooks[name].span}")
            return
        if former is not None:
            place = entry.place_of("renamedFrom")
            other, _, _ = self.former.setdefault(former, (name, file, place))
            if other != name:
                file.add(place, f"`{printable(other, 60)}` is already renamed from `{printable(former, 60)}`")
        if webhook.id is not None and (holder := self.ids.setdefault(webhook.id, webhook)) is not webhook:
            file.add(entry.place_of("id"), f"`{webhook.id}` is already the id of the entry at {holder.span}")
        variable = webhook.policy.export_as
        if variable is not None and (other_entry := self.variables.setdefault(variable, webhook)) is not webhook:
            file.add(entry.place_of("exportAs"), f"`{variable}` is already the variable of the entry at {other_entry.span}")
        self.webhooks[name] = webhook

    def policies(self) -> dict[str, Policy]:
        return {name: webhook.policy for name, webhook in self.webhooks.items() if webhook.policy != Policy()}

    def check_any_webhooks(self) -> None:
        """Report an error if no file has `webhooks`. That never means that no webhooks are desired."""
        roots = [file.document.root for file in self.files]
        if all(isinstance(root, Map) and "webhooks" not in root for root in roots) and self.files:
            which = "the file has no" if len(roots) == 1 else "none of the files has"
            self.files[0].add((1, 1), f"{which} `webhooks`; write `webhooks: []` for no webhooks")

    def check_renames(self) -> None:
        """Report a `renamedFrom` that names another entry: it would be ambiguous which one the recorded webhook is."""
        for former, (name, file, place) in self.former.items():
            if former in self.webhooks and former != name:
                there = self.webhooks[former].span
                file.add(
                    place,
                    f"`{printable(former, 60)}` is also the name of the entry at {there}; remove this line if the rename "
                    "is applied, otherwise remove that entry until it is",
                )

    def check_looks(self) -> None:
        """Warn about an entry whose name looks like the name of another one."""
        if all(name.isascii() for name in self.webhooks):
            return
        seen: dict[str, DesiredWebhook] = {}
        for webhook in self.webhooks.values():
            other = seen.setdefault(visible_form(webhook.name), webhook)
            if other is not webhook:
                self.warn(webhook, f"the name looks like the name of the entry at {other.span}, but differs")

    def warn(self, webhook: DesiredWebhook, message: str) -> None:
        """Record a warning at the name of `webhook`."""
        if webhook.span is not None:
            place = webhook.span.line, webhook.span.column
            self.by_shown[webhook.span.file].add(place, message, Severity.WARNING)

    def check_routes(self) -> None:
        """Warn about an entry with the same URL and events as another one."""
        if len({webhook.settings.url for webhook in self.webhooks.values()}) == len(self.webhooks):
            return  # the usual case; a dict of routes would take memory that a large plan needs
        routes: dict[tuple[str, tuple[str, ...]], str] = {}
        for webhook in self.webhooks.values():
            route = (webhook.settings.url, webhook.settings.events)
            other = routes.setdefault(route, webhook.name)
            if all(route) and other != webhook.name:
                self.warn(webhook, f"`{printable(other, 60)}` has the same URL and events: every event is delivered twice")

    def state_path(self) -> str:
        if "state" in self.shared:
            return self.shared["state"][0]
        if not self.files:
            return DEFAULT_STATE
        for file in self.files:
            if not file.regular:
                file.add(
                    (1, 1),
                    "standard input, pipes and devices need `state` or --state, because no state can be stored next to them",
                )
                return DEFAULT_STATE
        first = self.files[0].path
        for file in self.files:
            if file.path.parent.resolve() != first.parent.resolve():
                file.add((1, 1), "config files in several folders need `state` or --state")
                break
        return str(first.parent / DEFAULT_STATE)


def _api_problem(text: str) -> str | None:
    try:
        checked_address(text)
    except UsageError as error:
        return error.what
    return None


_PROBLEMS = {"state": address_problem, "apiUrl": _api_problem}


def _sources(files: Sequence[File], state: str) -> dict[str, str | None]:
    """Map the shown path of each file to its path relative to the state, or to the working directory for a store's URL."""
    base = os.curdir if is_url(state) else os.path.join(state, os.pardir)  # noqa: PTH118 - Path would follow no `..`
    return {file.shown: os.path.relpath(file.path, base) if file.regular else None for file in files}


def _state_address(file: File, text: str) -> str:
    """Return the address of the state: the URL of a store, or a path relative to the file that names it."""
    if is_url(text):
        return text
    return str((file.path.parent if file.regular else Path()) / text)


def _recipients(root: Map) -> tuple[str, ...]:
    """Return the sorted age recipients. The schema has reported invalid ones."""
    encryption = root.get("encryption")
    age = encryption.get("age") if isinstance(encryption, Map) else None
    listed = age.get("recipients") if isinstance(age, Map) else None
    return tuple(sorted(one for one in listed if isinstance(one, str))) if isinstance(listed, list) else ()


def load_config(paths: Sequence[str], env: Mapping[str, str], *, state: str | None = None, entries: bool = True) -> Config:
    """Return the config of the files at `paths`, with `state` in place of the one that they name.

    Raises `ConfigError` with all problems. Without `entries`, the webhooks are not read, and the variables that they use need
    not be set.
    """
    loader = _Loader(env, read_files(paths))
    for file in loader.files:
        loader.take(file)
    loader.check_any_webhooks()
    address = state if state is not None else loader.state_path()
    loader.reader.sources = _sources(loader.files, address)
    # If there is any problem, entries are read too, to report all problems and to know all secrets to hide.
    for file in loader.files if entries or any(file.problems for file in loader.files) else ():
        loader.take_webhooks(file)
    loader.check_renames()
    loader.check_looks()
    loader.check_routes()
    found = diagnostics_of(loader.files, loader.reader.secrets)
    if any(problem.severity is Severity.ERROR for file in loader.files for problem in file.problems) or not loader.files:
        raise ConfigError(found)
    shared = {key: value for key, (value, _span) in loader.shared.items()}
    webhooks = tuple(loader.webhooks[name] for name in sorted(loader.webhooks))
    return Config(
        webhooks,
        shared.get("workspace"),
        address,
        shared.get("generateSecret", "client"),
        loader.recipients[0] if loader.recipients is not None else (),
        tuple(found),
        shared.get("apiUrl"),
        tuple(sorted(source for source in loader.reader.sources.values() if source is not None)),
        loader.policies() if entries else dict(pair for file in loader.files for pair in loader.reader.policies(file)),
    )
