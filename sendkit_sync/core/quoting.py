"""Names as they stand in a command or a config that a message tells people to paste."""

from __future__ import annotations

import json
import re
import shlex

from .diagnostics import printable

PLAIN = re.compile(r"[A-Za-z](?:[\w .-]*[\w.-])?", re.ASCII)
YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def shell_name(name: str) -> str:
    """Return a name, whole and printable, as one argument of a shell; flags go before one that begins with `-`."""
    if name.isprintable():
        word = shlex.quote(name)
    else:
        escaped = "".join(_escaped(char) for char in name)
        word = f"$'{escaped}'"
    return f"-- {word}" if name.startswith("-") else word


def _escaped(char: str) -> str:
    """Return a character within `$'...'`, as bash and zsh read it in a UTF-8 locale."""
    if char in "\\'":
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def resolve_command(name: str, webhook_id: str = "ID") -> str:
    """Return the command that says which webhook an unresolved create made."""
    flag, word = f"--id {webhook_id}", shell_name(name)
    return f"sendkit-sync state resolve {flag} {word}" if word.startswith("--") else f"sendkit-sync state resolve {word} {flag}"


def yaml_name(name: str) -> str:
    """Return a name as it can be written in the config."""
    plain = PLAIN.fullmatch(name) and name.lower() not in YAML_WORDS
    return printable(name if plain else json.dumps(name, ensure_ascii=False), 512)
