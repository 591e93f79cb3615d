"""Formats of `secret export`: dotenv, JSON, a Kubernetes Secret, GitHub Actions."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError, UsageError
from ..core.model import Secret

PREFIX = "SENDKIT_SECRET_"

FORMS = ("dotenv", "json", "env-json", "kubernetes", "github-actions")
"""The values of `secret export --format`."""


LONGEST_KEY = 253
"""Maximum length of a name and a key in Kubernetes."""

_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def variable_name(name: str) -> str:
    """Return the variable for the webhook `name`. It never changes, and is valid in every shell and in Kubernetes.

    `CRM Sync` becomes `SENDKIT_SECRET_CRM_SYNC`, so that a config can read it as `${CRM_SYNC}`. A non-ASCII character becomes
    its code point.
    """
    parts = [
        char.upper() if char.isascii() and char.isalnum() else "_" if char.isascii() else f"U{ord(char):X}" for char in name
    ]
    return PREFIX + "".join(parts)


class Slot(StrEnum):
    """Which of a webhook's secrets: the value ends the name of its variable."""

    CURRENT = ""
    NEXT = "_NEXT"
    """The staged one."""
    PREVIOUS = "_PREVIOUS"
    """The one that was in force before."""


class Key(NamedTuple):
    """Whose secret it is and which of them; `export_as` is the variable that the config names for the webhook, if it does."""

    name: str
    slot: Slot
    export_as: str | None = None

    def variable(self, slot: Slot) -> str:
        """Return the variable of the webhook's secret in `slot`."""
        return (self.export_as or variable_name(self.name)) + slot


Exported = Mapping[Key, Secret]
"""The secrets to export."""


def variables(secrets: Exported) -> dict[str, Secret]:
    """Map the variable of each secret to it, sorted. Raises `RefusedError` if two secrets would share one."""
    owners: dict[str, Key] = {}
    for key in sorted(secrets):
        variable = key.variable(key.slot)
        if variable in owners:
            both = f'"{printable(owners[variable].name)}" and "{printable(key.name)}"'
            raise RefusedError(
                ErrorCode.EXPORT_NAME_TAKEN,
                f"{both} would both be {variable}",
                hint="Set `exportAs` for one of them, or export each with --only NAME.",
            )
        owners[variable] = key
    return {variable: secrets[owners[variable]] for variable in sorted(owners)}


def merged_dotenv(there: str, secrets: Exported) -> str | None:
    """Return the dotenv file `there` with the lines of these webhooks changed and all others kept as they are.

    A variable of theirs that is not among `secrets` any more, as a former `_NEXT`, goes. None if `there` is no dotenv file.
    """
    from io import StringIO

    from dotenv.parser import parse_stream

    values = variables(secrets)
    ours = {key.variable(slot) for key in secrets for slot in Slot}
    text, done = "", set()
    for binding in parse_stream(StringIO(there)):
        if binding.error:
            return None
        if binding.key not in ours:
            text += binding.original.string
        elif binding.key in values and binding.key not in done:
            done.add(binding.key)
            text += _line(binding.key, values[binding.key])
    if text and not text.endswith("\n"):
        text += "\n"
    return text + "".join(_line(variable, secret) for variable, secret in values.items() if variable not in done)


def _line(variable: str, secret: Secret) -> str:
    return f"{variable}={shlex.quote(secret.reveal())}\n"


def dotenv(secrets: Exported) -> str:
    """Return lines `NAME=value` that a POSIX shell can source.

    Values are quoted only if necessary, because `docker run --env-file` takes quotes as part of the value.
    """
    return "".join(_line(variable, secret) for variable, secret in variables(secrets).items())


def as_json(secrets: Exported) -> str:
    """Return a JSON object of webhook name to secret; with next or previous ones, to an object of those that there are."""
    keys = {Slot.CURRENT: "current", Slot.NEXT: "next", Slot.PREVIOUS: "previous"}
    slots: dict[str, dict[str, str]] = {}
    for key in sorted(secrets):
        slots.setdefault(key.name, {})[keys[key.slot]] = secrets[key].reveal()
    plain = all(key.slot is Slot.CURRENT for key in secrets)
    return json.dumps({name: found["current"] for name, found in slots.items()} if plain else slots, indent=2) + "\n"


def env_json(secrets: Exported) -> str:
    """Return a JSON object of variable to secret, for secret managers and `wrangler secret bulk`."""
    return json.dumps({variable: secret.reveal() for variable, secret in variables(secrets).items()}, indent=2) + "\n"


def kubernetes(secrets: Exported, name: str) -> str:
    """Return the manifest of a Kubernetes Secret called `name`, with the variables as its keys.

    Raises `UsageError` or `RefusedError` if Kubernetes would not accept the name or a key.
    """
    if not _SUBDOMAIN.fullmatch(name) or len(name) > LONGEST_KEY:
        raise UsageError(
            ErrorCode.EXPORT_NAME_INVALID,
            "the name of a Kubernetes Secret may contain only lower-case letters, digits, - and .",
            hint="Pass another name, such as --secret-name sendkit-webhooks.",
        )
    lines = ["apiVersion: v1", "kind: Secret", "metadata:", f"  name: {json.dumps(name)}", "type: Opaque"]
    data = {
        variable: base64.b64encode(secret.reveal().encode()).decode("ascii") for variable, secret in variables(secrets).items()
    }
    if long := [variable for variable in data if len(variable) > LONGEST_KEY]:
        hint = "Set a shorter `exportAs`, or export the others with --only NAME."
        raise RefusedError(
            ErrorCode.EXPORT_NAME_INVALID,
            f"the key {long[0][:60]}... is longer than the {LONGEST_KEY} characters that Kubernetes allows",
            hint=hint,
        )
    lines.append("data:" if data else "data: {}")
    lines += [f'  {variable}: "{value}"' for variable, value in data.items()]
    return "\n".join(lines) + "\n"


def github_masks(secrets: Exported) -> str:
    """Return the workflow commands that make a GitHub runner mask the secrets in its log."""
    lines = [line for secret in variables(secrets).values() for line in secret.reveal().splitlines() if line.strip()]
    return "".join(f"::add-mask::{line.replace('%', '%25')}\n" for line in dict.fromkeys(lines))


def github_environment(secrets: Exported) -> str:
    """Return text for the file `GITHUB_ENV`. Each value is between delimiter lines that it does not contain."""
    text = ""
    for variable, secret in variables(secrets).items():
        value = secret.reveal()
        fence = "end-" + hashlib.sha256(value.encode()).hexdigest()[:16]
        while fence in value:
            fence += "-"
        text += f"{variable}<<{fence}\n{value}\n{fence}\n"
    return text
