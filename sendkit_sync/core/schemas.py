"""The JSON schemas that ship with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast


def schema(name: str) -> dict[str, Any]:
    """Return the schema `NAME.schema.json`, from the package's folder or, in a checkout, from beside it."""
    package = Path(__file__).parent.parent
    path = package / "schemas" / f"{name}.schema.json"
    if not path.is_file():
        path = package.parent / "schemas" / f"{name}.schema.json"
    return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
