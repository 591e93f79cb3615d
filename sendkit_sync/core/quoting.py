"""Quotes names for commands and config lines that a message shows for copying."""

from __future__ import annotations

import json
import re
import shlex

from .diagnostics import is_visible, printable

PLAIN = re.compile(r"[A-Za-z](?:[\w .-]*[\w.-])?", re.ASCII)
YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def shell_name(name: str) -> str:
    """Return a name as one printable shell argument. Flags must come before a name that starts with `-`."""
    if printable(name, len(name)) == name:
        word = shlex.quote(name)
    else:
        escaped = "".join(_escaped(char) for char in name)
        word = f"$'{escaped}'"
    return f"-- {word}" if name.startswith("-") else word


def _escaped(char: str) -> str:
    """Return a character as it is written inside `$'...'` for bash and zsh in a UTF-8 locale."""
    if char in "\\'":
        return f"\\{char}"
    return char if is_visible(char) and char not in "#:" else f"\\U{ord(char):08x}"


def resolve_command(name: str, webhook_id: str = "ID") -> str:
    """Return the command that resolves an unresolved create by hand."""
    flag, word = f"--id {webhook_id}", shell_name(name)
    return f"sendkit-sync state resolve {flag} {word}" if word.startswith("--") else f"sendkit-sync state resolve {word} {flag}"


def yaml_name(name: str) -> str:
    """Return a name as it is written in the config."""
    plain = PLAIN.fullmatch(name) and name.lower() not in YAML_WORDS
    return printable(name if plain else json.dumps(name, ensure_ascii=False), 512)
