"""Finds, reads and joins the config files, and collects every problem with its place."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..diagnostics import Diagnostic, Severity, Span, printable
from ..errors import ConfigError
from ..model import Secret, Settings, Webhook
from .checks import MIN_SECRET, Finding, check_event, check_name, check_url, has_control
from .schema import check_schema
from .variables import fill, literal_secret, secret_variable
from .yaml_events import LINE_BREAK, Document, Map, Place, Problem, Refused, near_secret, read_yaml

MAX_BYTES = 64 * 1024 * 1024
MAX_DIAGNOSTICS = 1000
DEFAULT_STATE = "sendkit.state.json"

_KEY = re.compile(r"([\w-]+)[\"']?\s*:")
_WIDTH = 160
_SHOWN = [
    "version",
    "workspace",
    "state",
    "generateSecret",
    "defaults",
    "webhooks",
    "name",
    "url",
    "renamedFrom",
    "events",
    "retryAttempts",
    "timeoutMs",
    "https",
    "http",
]


@dataclass(frozen=True, slots=True)
class Config:
    """What the config files ask for, joined; `webhooks` are sorted by name."""

    webhooks: tuple[Webhook, ...]
    workspace: str | None
    state_path: str
    generate_secret: str
    warnings: tuple[Diagnostic, ...]

    def digest(self) -> str:
        """Return the SHA-256 of the desired webhooks as hex, with the origins of the secrets in their place."""
        rows = [
            {"name": one.name, "secret": one.secret_origin, "renamedFrom": one.renamed_from, **one.settings.wire()}
            for one in self.webhooks
        ]
        text = json.dumps(rows, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class _File:
    path: Path
    shown: str
    data: bytes = b""
    document: Document = field(default_factory=Document)
    problems: list[Problem] = field(default_factory=list)

    def add(self, place: Place, message: str, severity: Severity = Severity.ERROR) -> None:
        self.problems.append(Problem(place, message, severity))

    def findings(self, place: Place, findings: Iterable[Finding]) -> None:
        for severity, message in findings:
            self.add(place, message, severity)

    def span(self, place: Place) -> Span:
        return Span(self.shown, *place)


class _Loader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.files: list[_File] = []
        self.secrets: set[str] = set()
        self.webhooks: dict[str, Webhook] = {}
        self.former: dict[str, str] = {}
        self.shared: dict[str, tuple[str, Span]] = {}

    def find(self, paths: Sequence[str]) -> None:
        seen: set[Path] = set()
        for given in paths:
            path = Path(given)
            try:
                found = [path]
                if path.is_dir():
                    found = sorted(one for one in path.iterdir() if one.suffix in {".yaml", ".yml"} and not one.is_dir())
                    if not found:
                        self.files.append(_File(path, printable(given, 1000)))
                        self.files[-1].add((1, 1), "the folder holds no *.yaml and no *.yml")
                for one in found:
                    if (real := one.resolve()) not in seen:
                        seen.add(real)
                        self.files.append(_File(one, printable(str(one), 1000)))
                        self.read(self.files[-1])
            except (OSError, RuntimeError, ValueError) as error:
                self.files.append(_File(path, printable(given, 1000)))
                self.files[-1].add((1, 1), f"cannot be read: {_reason(error)}")

    def read(self, file: _File) -> None:
        try:
            with file.path.open("rb") as stream:
                file.data = stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            file.add((1, 1), f"cannot be read: {_reason(error)}")
            return
        if len(file.data) > MAX_BYTES:
            file.data = b""
            file.add((1, 1), "larger than 64 MiB")
            return
        try:
            file.document = read_yaml(file.data)
        except Refused as refused:
            file.problems.append(refused.problem)
            return
        file.problems += file.document.problems
        file.problems += check_schema(file.document.root)

    def text(self, file: _File, node: Any, key: str | int, place: Place) -> str | None:
        """Return a text with its variables filled in; None where it is none or one of them is missing."""
        value = node[key]
        if not isinstance(value, str):
            return None
        filled, wrong = fill(value, self.env)
        for message in wrong:
            file.add(place, message)
        return None if wrong else filled

    def take(self, file: _File) -> None:
        """Take over the top-level keys of a file."""
        root = file.document.root
        if not isinstance(root, Map):
            return
        for key in ("workspace", "state", "generateSecret"):
            if key not in root:
                continue
            place = root.values_at[key]
            text = self.text(file, root, key, place)
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

    def take_webhooks(self, file: _File) -> None:
        root = file.document.root
        if not isinstance(root, Map) or not isinstance(root.get("webhooks"), list):
            return
        defaults = root["defaults"] if isinstance(root.get("defaults"), Map) else {}
        for entry in root["webhooks"]:
            if isinstance(entry, Map):
                self.webhook(file, entry, defaults)

    def webhook(self, file: _File, entry: Map, defaults: Mapping[str, Any]) -> None:
        texts: dict[str, str] = {}
        for key in ("name", "url", "renamedFrom"):
            # What is empty in the file itself was reported by the schema.
            if entry.get(key):
                place = entry.values_at[key]
                text = self.text(file, entry, key, place)
                if text is not None:
                    texts[key] = text if key == "url" else text.strip()
                    file.findings(place, check_url(text) if key == "url" else check_name(texts[key], key))
        events: set[str] = set()
        listed = entry.get("events")
        if isinstance(listed, list):
            for index, raw in enumerate(listed):
                at = listed.items_at[index]  # type: ignore[attr-defined]
                event = self.text(file, listed, index, at) if raw else None
                if event is not None:
                    file.findings(at, check_event(event))
                    if event in events and raw != event:
                        file.add(at, "the event is given twice")
                    events.add(event)
        secret, origin = self.secret(file, entry)
        name = texts.get("name")
        if not name:
            return
        span = file.span(entry.values_at["name"])
        if name in self.webhooks:
            shown = printable(name, 60)
            file.add((span.line, span.column), f"the name `{shown}` is already taken at {self.webhooks[name].span}")
            return
        numbers = [entry.get(key, defaults.get(key)) for key in ("retryAttempts", "timeoutMs")]
        retry, timeout = (int(one) if isinstance(one, int | float) and abs(one) < 1e100 else None for one in numbers)
        former = texts.get("renamedFrom")
        if former is not None:
            other = self.former.setdefault(former, name)
            if other != name:
                place = entry.values_at["renamedFrom"]
                file.add(place, f"`{printable(other, 60)}` is renamed from `{printable(former, 60)}` already")
        settings = Settings(texts.get("url", ""), tuple(sorted(events)), retry, timeout)
        self.webhooks[name] = Webhook(name, settings, secret, origin, former, span)

    def secret(self, file: _File, entry: Map) -> tuple[Secret | None, str]:
        raw = entry.get("secret")
        if not isinstance(raw, str) or not raw:
            generate = self.shared.get("generateSecret", ("client", None))[0]
            return None, "server" if generate == "server" else "generated"
        place = entry.values_at["secret"]
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

    def diagnostics(self) -> list[Diagnostic]:
        result: list[Diagnostic] = []
        total = 0
        last: Span | None = None
        for file in self.files:
            # Aliases show one place many times.
            problems = sorted(dict.fromkeys(file.problems), key=lambda one: one.place)
            total += len(problems)
            room = MAX_DIAGNOSTICS - len(result)
            lines = LINE_BREAK.split(file.data.decode("utf-8", "replace").removeprefix("\ufeff")) if problems and room else []
            for problem in problems[:room]:
                last = file.span(problem.place)
                excerpt, caret = self.excerpt(file, problem, lines)
                result.append(Diagnostic(problem.severity, last, problem.message, excerpt, caret))
        if last is not None and total > len(result):
            left = [one for file in self.files for one in file.problems if one.severity is Severity.ERROR]
            severity = Severity.ERROR if left else Severity.WARNING
            result.append(Diagnostic(severity, last, f"{total - len(result)} more problems are not shown"))
        return result

    def excerpt(self, file: _File, problem: Problem, lines: list[str]) -> tuple[str | None, int]:
        line, column = problem.place
        if not 0 < line <= len(lines) or not lines[line - 1].strip() or line in file.document.secret_lines:
            return None, 0
        text = lines[line - 1]
        keys = _KEY.findall(text)
        # A URL with "@" may hold a password, and an unknown key may be a badly misspelt `secret`.
        if (
            "@" in text
            or re.search("(?<!generate)sec|(?<!generateSe)cret", text, re.IGNORECASE)
            or any(near_secret(key) or not get_close_matches(key[:40], _SHOWN, 1, 0.6) for key in keys)
        ):
            return None, 0
        # Where reading stopped, a line without a key may go on a secret that began above it.
        if problem.syntax and not keys:
            return None, 0
        if any(part and part in text for secret in self.secrets for part in (secret, secret.strip())):
            return None, 0
        start = 0 if column <= _WIDTH else column - _WIDTH // 2
        return printable(text[start:], _WIDTH), len(printable(text[start : column - 1], _WIDTH))


def _reason(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or "not a usable path")


def load_config(paths: Sequence[str], env: Mapping[str, str], *, state_given: bool = False) -> Config:
    """Return what the files at `paths` ask for; raise `ConfigError` with everything that is wrong."""
    loader = _Loader(env)
    loader.find(paths)
    for file in loader.files:
        loader.take(file)
    for file in loader.files:
        loader.take_webhooks(file)
    state = loader.state_path(state_given)
    found = loader.diagnostics()
    if any(problem.severity is Severity.ERROR for file in loader.files for problem in file.problems) or not loader.files:
        raise ConfigError(found)
    shared = {key: value for key, (value, _span) in loader.shared.items()}
    webhooks = tuple(loader.webhooks[name] for name in sorted(loader.webhooks))
    return Config(webhooks, shared.get("workspace"), state, shared.get("generateSecret", "client"), tuple(found))
