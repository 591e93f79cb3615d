"""The rules between the packages: who may import whom, and who may print."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
PACKAGE = REPOSITORY / "sendkit_sync"
CI, CLI, APP, MIDDLE, PLANNING, CORE = 5, 4, 3, 2, 1, 0
LAYERS = {
    "__main__": CI,
    "ci": CI,
    "cli": CLI,
    "app": APP,
    **dict.fromkeys(("applying", "render", "config", "state", "api", "secrets", "simulator"), MIDDLE),
    "planning": PLANNING,
    **dict.fromkeys(("core", "receivers", "version"), CORE),
}
FILES = sorted(PACKAGE.rglob("*.py"))
IMPURE = {"os", "io", "time", "random", "requests", "secrets", "socket", "pathlib", "datetime", "subprocess"}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Yield the whole name of all that a file imports, those within functions too."""
    home = ["sendkit_sync", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parts_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in imports(path))
    return {name[1] for name in names if name[0] == "sendkit_sync" and len(name) > 1}


def test_every_part_has_a_layer():
    assert {part_of(path) for path in FILES} - {"__init__"} == set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path):
    part = part_of(path)
    if part == "__init__":
        assert parts_imported(path) <= {"app", "core", "receivers", "version"}
        return
    for other in parts_imported(path) - {part}:
        allowed = LAYERS[other] < LAYERS[part] or LAYERS[other] == LAYERS[part] == CORE
        assert allowed, f"{part} imports {other}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if part_of(path) not in ("cli", "ci")], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_only_the_command_line_prints(path: Path):
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"print", "echo", "secho", "click.echo", "click.secho"}, node.lineno


@pytest.mark.parametrize("path", sorted((PACKAGE / "planning").glob("*.py")), ids=lambda path: path.name)
def test_planning_is_pure(path: Path):
    assert not {name.split(".")[0] for name in imports(path)} & IMPURE
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    assert not {"open", "input", "__import__"} & set(calls)


TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_no_test_imports_another_test_module(path: Path):
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.split(".")[-1].startswith("test_")]
