"""The use case `init`: writes a starter config, and files for CI and schedulers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ErrorCode, SyncError, UsageError
from ..core.files import create_file
from ..core.schemas import schema
from ..core.store_address import parse_address
from ..version import __version__

TEMPLATES = Path(__file__).parent.parent / "templates"
RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
PLACES = {
    "github": {".github/workflows/sendkit-sync.yml": "github.yml"},
    "gitlab": {".gitlab-ci.yml": "gitlab.yml"},
    "pre_commit": {".pre-commit-config.yaml": "pre-commit.yaml"},
    "kubernetes": {"kubernetes/sendkit-sync.yaml": "kubernetes.yaml"},
    "systemd": {f"systemd/sendkit-sync.{kind}": f"sendkit-sync.{kind}" for kind in ("service", "timer")},
}
"""The files that each flag writes, with their templates."""

_FOR_FILES = re.compile(r"^ *# @file\n(.*?)^ *# @end\n", re.MULTILINE | re.DOTALL)
_FOR_STORES = re.compile(r"^( *)# @store (.*\n)", re.MULTILINE)
"""The parts of a template that are only for a state in a file, or only for a state in a store."""

IGNORED_CLEAR = "sendkit.state.json*\n"
IGNORED_ENCRYPTED = "sendkit.state.json.backup\nsendkit.state.json.lock\n"

MERGED = "sendkit.state.json merge=sendkit-sync\n"
"""Lets git merge states webhook by webhook, in each clone that has the driver set up."""


@dataclass(frozen=True, slots=True)
class InitRequest:
    """The target folder, the recipients of new secrets, and the keys of `PLACES` to write files for."""

    folder: str = "."
    recipients: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    store: str | None = None
    """The URL of the store that keeps the state; without one it is a file."""


@dataclass(frozen=True, slots=True)
class StarterFile:
    """A file that was written, or left as it was, with `advice` on what to change in it."""

    path: Path
    written: bool
    advice: tuple[str, ...] = ()


def init(request: InitRequest) -> Iterator[StarterFile]:
    """Write the files one by one, but none that exists. Raises `SyncError` if one cannot be written."""
    if any(RECIPIENT.fullmatch(recipient) is None for recipient in request.recipients):
        raise UsageError(
            ErrorCode.RECIPIENT_INVALID,
            "a recipient is not an age public key",
            hint="It starts with age1. Create a key pair with age-keygen.",
        )
    extras = "age" if request.store is None else f"age,{parse_address(request.store).kind.extra}"
    if {"github", "gitlab"} & set(request.places) and not request.recipients and request.store is None:
        raise UsageError(
            ErrorCode.ENCRYPTION_REQUIRED,
            "the pipeline commits the state, so its secrets must be encrypted",
            hint="Pass --recipient AGE1... with your age public key. Create a key pair with age-keygen.",
        )
    for path, text in _files(request, extras).items():
        yield _write(Path(request.folder), path, text)


def _files(request: InitRequest, extras: str) -> dict[str, str]:
    """Return the text of each file by its path."""
    import json

    encrypted = "".join(f"      - {recipient}\n" for recipient in request.recipients)
    encryption = f"encryption:\n  age:\n    recipients:\n{encrypted}" if encrypted else ""
    state = "" if request.store is None else f"state: {json.dumps(request.store)}\n"
    values = {"encryption": encryption, "version": __version__, "state": state, "extras": extras}
    files = {
        "webhooks.yaml": _filled("webhooks.yaml", values, stored=request.store is not None),
        "webhooks.schema.json": json.dumps(schema("webhooks"), indent=2, ensure_ascii=False) + "\n",
        ".gitignore": IGNORED_ENCRYPTED if encrypted else IGNORED_CLEAR,
    }
    if encrypted and request.store is None:
        files[".gitattributes"] = MERGED
    for place in request.places:
        for path, template in PLACES[place].items():
            files[path] = _filled(template, values, stored=request.store is not None)
    return files


def _filled(name: str, values: dict[str, str], *, stored: bool) -> str:
    """Return a template with its `@@name@@` placeholders filled in, for a state in a store or in a file."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    text = _FOR_FILES.sub("" if stored else r"\1", text)
    text = _FOR_STORES.sub(r"\1\2" if stored else "", text)
    return re.sub(r"@@(\w+)@@", lambda found: values[found[1]], text)


def _write(folder: Path, path: str, text: str) -> StarterFile:
    target = folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            there = target.read_text(encoding="utf-8", errors="replace")
            return StarterFile(target, written=False, advice=tuple(_advice(path, text, there)))
        create_file(str(target), text.encode())
    except OSError as error:
        raise SyncError(
            ErrorCode.FILE_NOT_WRITTEN,
            f"cannot be written: {error.strerror}",
            where=str(target),
            hint="Fix that and run init again. Existing files are kept.",
        ) from error
    return StarterFile(target, written=True)


def _advice(path: str, text: str, there: str) -> Iterator[str]:
    """Yield what to change in an existing file so that it matches the others."""
    if path == ".gitattributes" and MERGED.strip() not in there.splitlines():
        yield f"add this to it: {MERGED.strip()}"
    elif path == ".gitignore":
        lines = set(there.split())
        missing = [line for line in text.split() if line not in lines]
        if missing:
            yield f"add this to it: {', '.join(missing)}"
        if text == IGNORED_ENCRYPTED and IGNORED_CLEAR.strip() in lines:
            yield f"remove this from it: {IGNORED_CLEAR.strip()} (the pipeline commits the state)"
    elif path == "webhooks.yaml":
        missing = [recipient for recipient in re.findall(RECIPIENT, text) if recipient not in there]
        if missing:
            yield f"add this to it: encryption: {{age: {{recipients: [{', '.join(missing)}]}}}}"
    elif path == "webhooks.schema.json" and text != there:
        yield "it differs from the schema of this version; delete it and run init again"
