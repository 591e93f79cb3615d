"""The JSON Schemas that come with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast


def schema(name: str) -> dict[str, Any]:
    """Return the schema `NAME.schema.json`, from the package or, in a checkout, from the repository."""
    package = Path(__file__).parent.parent
    path = package / "schemas" / f"{name}.schema.json"
    if not path.is_file():
        path = package.parent / "schemas" / f"{name}.schema.json"
    return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
