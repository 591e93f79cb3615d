"""Expands `${NAME}`: in fields from `SENDKIT_VAR_NAME`, in a secret from `SENDKIT_SECRET_NAME`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..core.diagnostics import printable

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")
_WHOLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")


def fill(text: str, env: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return `text` with its variables expanded, and the problems with them."""
    wrong: list[str] = []

    def one(found: re.Match[str]) -> str:
        if found.group() == "$${":
            return "${"
        name, default = found.groups()
        if name is None:
            wrong.append("`${` does not start a variable `${NAME}`; write `$${` for a literal `${`")
            return ""
        variable = f"SENDKIT_VAR_{name}"
        value = env.get(variable)
        if default is not None:
            return value or default
        if value is None:
            wrong.append(f"the environment variable {printable(variable, 80)} is not set")
            return ""
        return value

    return _REFERENCE.sub(one, text), wrong


def secret_variable(text: str) -> str | None:
    """Return the name of the variable that holds the secret, or None for a literal secret."""
    found = _WHOLE.match(text)
    return f"SENDKIT_SECRET_{found.group(1)}" if found else None


def literal_secret(text: str) -> str | None:
    """Return the text of a literal secret, or None if it uses a variable in a way that is not allowed."""
    if any(found.group() != "$${" for found in _REFERENCE.finditer(text)):
        return None
    return text.replace("$${", "${")
