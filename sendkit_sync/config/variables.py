"""Expands `${NAME}`: in fields from `SENDKIT_VAR_NAME`, in a secret from `SENDKIT_SECRET_NAME`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..core.diagnostics import printable

_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
"""What follows the `${` of a variable."""

_WHOLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")


def fill(text: str, env: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return `text` with its variables expanded, and the problems with them."""
    plain, *pieces = text.split("${")
    parts: list[str] = []
    wrong: dict[str, None] = {}
    # Each piece is looked at once, so the work grows with the text and no faster.
    for piece in pieces:
        if plain.endswith("$"):
            parts.append(plain[:-1] + "${")
            plain = piece
            continue
        parts.append(plain)
        found = _REFERENCE.match(piece)
        if found is None:
            wrong["`${` does not start a variable `${NAME}`; write `$${` for a literal `${`"] = None
            plain = ""
            continue
        plain = piece[found.end() :]
        variable = f"SENDKIT_VAR_{found[1]}"
        value = env.get(variable)
        if value is None and found[2] is None:
            wrong[f"the environment variable {printable(variable, 80)} is not set"] = None
        parts.append(value or found[2] or "")
    parts.append(plain)
    return "".join(parts), list(wrong)


def secret_variable(text: str) -> str | None:
    """Return the name of the variable that holds the secret, or None for a literal secret."""
    found = _WHOLE.match(text)
    return f"SENDKIT_SECRET_{found.group(1)}" if found else None


def literal_secret(text: str) -> str | None:
    """Return the text of a literal secret, or None if it uses a variable in a way that is not allowed."""
    return text.replace("$${", "${") if text.count("${") == text.count("$${") else None
