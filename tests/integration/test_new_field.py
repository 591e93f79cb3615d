"""A new field of the API is one row of `core/fields.py` and one line of a schema: a copy of the package gets both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.workspace import KEY, REPOSITORY

AFTER = "    @classmethod\n    def of("
"""What follows the last row of the table."""

FIELDS = {
    "text": ("str | None", "Kind.TEXT", {"type": "string"}, "for the ${TEAM}", "for sales"),
    "count": ("int | None", "Kind.COUNT, default=1", {"type": "integer"}, 7, 8),
    "flag": ("bool | None", "Kind.FLAG, default=False", {"type": "boolean"}, True, False),
    "texts": ("tuple[str, ...]", "Kind.TEXTS", {"type": "array", "items": {"type": "string"}}, ["b", "a"], ["c"]),
}
Run = Callable[..., subprocess.CompletedProcess[str]]


def package_with(folder: Path, annotation: str, row: str, schema: dict[str, Any]) -> None:
    """Copy the package to `folder`, with the field `extra`."""
    for name in ("sendkit_sync", "schemas"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    table = folder / "sendkit_sync" / "core" / "fields.py"
    default = "()" if "TEXTS" in row else "None"
    line = f'    extra: {annotation} = dataclasses.field(default={default}, metadata=_row("extra", {row}))\n\n'
    text = table.read_text(encoding="utf-8")
    assert text.count(AFTER) == 1
    table.write_text(text.replace(AFTER, line + AFTER), encoding="utf-8")
    path = folder / "schemas" / "webhooks.schema.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["properties"]["webhooks"]["items"]["properties"]["extra"] = schema
    path.write_text(json.dumps(document), encoding="utf-8")


@contextmanager
def simulator_of(package: Path) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "sendkit_sync", "simulator", "--port", "0"],
        cwd=package,
        env=os.environ | {"PYTHONPATH": str(package)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        # A server that says nothing must not hang the test.
        guard = threading.Timer(30, process.kill)
        guard.start()
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[3]
        finally:
            guard.cancel()
            process.terminate()


def config(value: object) -> str:
    entry = {"name": "A", "url": "https://a.example.com/in", "events": ["email.sent"], "extra": value}
    return json.dumps({"version": 1, "webhooks": [entry]})


@pytest.mark.parametrize("kind", FIELDS)
def test_a_field_of_one_row_and_one_line_is_validated_planned_sent_recorded_shown_and_exported(kind: str, tmp_path: Path):
    annotation, row, schema, first, second = FIELDS[kind]
    meant = sorted(first) if isinstance(first, list) else "for the sales" if isinstance(first, str) else first
    shown = ", ".join(meant) if isinstance(meant, list) else str(meant).lower() if isinstance(meant, bool) else str(meant)
    package_with(tmp_path, annotation, row, schema)
    path = tmp_path / "webhooks.yaml"
    with simulator_of(tmp_path) as url:

        def run(*words: str, code: int = 0) -> str:
            environment = {"SENDKIT_API_URL": url, "SENDKIT_API_KEY": KEY, "SENDKIT_VAR_TEAM": "sales"}
            done = subprocess.run(
                [sys.executable, "-m", "sendkit_sync", *words],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(tmp_path)} | environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == code, done.stderr
            return done.stdout + done.stderr

        path.write_text(config({"a": "mapping"}), encoding="utf-8")
        assert "`extra` must be" in run("validate", code=65)
        path.write_text(config(first), encoding="utf-8")
        run("validate")
        for form in ("text", "json", "markdown", "html"):
            assert "extra" in run("plan", "--format", form)
        assert shown in run("plan")
        run("apply", "--yes")
        recorded = json.loads((tmp_path / "sendkit.state.json").read_text(encoding="utf-8"))["webhooks"]["A"]
        assert recorded["applied"]["extra"] == recorded["confirmed"]["extra"] == meant
        assert yaml.safe_load(run("export"))["webhooks"][0]["extra"] == meant
        assert "extra" in run("state", "show", "A")
        assert "No changes." in run("plan", "--refresh", "--detailed-exitcode")
        path.write_text(config(second), encoding="utf-8")
        assert "1 to update" in run("plan")
        run("apply", "--yes")
        assert "No changes." in run("plan", "--refresh", "--detailed-exitcode")
