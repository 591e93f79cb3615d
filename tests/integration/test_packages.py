"""The built wheel and the sdist work away from the repository, schemas and all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from support.workspace import REPOSITORY, TWO

SCHEMAS = sorted(path.name for path in (REPOSITORY / "schemas").iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True, timeout=100)
    return folder


def check_validate(installed: Path, folder: Path) -> None:
    """Assert that the package in `installed`, and no other, checks a config."""
    (folder / "webhooks.yaml").write_text(TWO, encoding="utf-8")
    where = "import sendkit_sync; print(sendkit_sync.__file__)"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    run = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    assert subprocess.run([sys.executable, "-c", where], check=False, **run).stdout.startswith(str(installed))
    done = subprocess.run([sys.executable, "-m", "sendkit_sync", "validate"], check=False, **run)
    assert (done.returncode, done.stdout) == (0, "2 webhooks: valid.\n"), done.stderr


def test_the_wheel_runs_away_from_the_repository(built: Path, tmp_path: Path):
    wheel = next(built.glob("*.whl"))
    place = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(place), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=100)
    assert sorted(path.name for path in (place / "sendkit_sync" / "schemas").iterdir()) == SCHEMAS
    check_validate(place, tmp_path)


def test_the_sdist_holds_what_a_packager_needs(built: Path, tmp_path: Path):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = next(path for path in tmp_path.iterdir() if path.is_dir())
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "Makefile",
        "tests",
        "sample-config",
        "action.yml",
        "Dockerfile",
    ):
        assert (unpacked / name).exists(), name
    check_validate(unpacked, tmp_path)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_a_valid_draft_7_schema(name: str):
    from jsonschema import Draft7Validator

    Draft7Validator.check_schema(json.loads((REPOSITORY / "schemas" / name).read_text(encoding="utf-8")))


def test_the_config_schema_teaches_an_editor():
    schema = json.loads((REPOSITORY / "schemas" / "webhooks.schema.json").read_text(encoding="utf-8"))
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    webhook = schema["properties"]["webhooks"]["items"]["properties"]
    for key, about in {**schema["properties"], **webhook}.items():
        assert about["title"], key
        assert about["description"], key
        assert about.get("examples"), key
    assert (webhook["retryAttempts"]["default"], webhook["timeoutMs"]["default"]) == (3, 10_000)


@pytest.mark.parametrize("sample", ["minimal.yaml", "full.yaml", "several/sales.yaml", "several/operations.yaml"])
def test_check_jsonschema_accepts_every_sample(sample: str):
    schema, path = REPOSITORY / "schemas" / "webhooks.schema.json", REPOSITORY / "sample-config" / sample
    check = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema), str(path)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
