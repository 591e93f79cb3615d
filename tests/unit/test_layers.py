"""The rules between the packages: who may import whom, who may print, and how long a file or a function may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
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
TERMINAL = {"click", "rich"}
CONCRETE = ("sendkit_sync.api.client", "sendkit_sync.secrets.age", "sendkit_sync.state.stores", "sendkit_sync.state.ledger")
LONGEST_MODULE, LONGEST_FUNCTION = 350, 50


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def module_of(path: Path) -> str:
    return ".".join(part for part in path.relative_to(REPOSITORY).with_suffix("").parts if part != "__init__")


def type_checking_only(tree: ast.Module) -> set[ast.AST]:
    """Return all nodes that only a type checker sees."""
    blocks = (node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    return {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}


def imports(path: Path, *, types: bool = True) -> Iterator[str]:
    """Yield the full name of everything that a file imports, also within functions; without `types`, what runs only."""
    home = ["sendkit_sync", *path.relative_to(PACKAGE).parent.parts]
    left_out = set() if types else type_checking_only(parsed(path))
    for node in ast.walk(parsed(path)):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parts_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in imports(path))
    return {name[1] for name in names if name[0] == "sendkit_sync" and len(name) > 1}


def calls(path: Path) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}


def test_every_part_has_a_layer():
    assert {part_of(path) for path in FILES} - {"__init__"} == set(LAYERS)


@pytest.mark.parametrize("part", sorted(LAYERS))
def test_imports_point_down(part: str):
    for path in (path for path in FILES if part_of(path) == part):
        for other in parts_imported(path) - {part}:
            allowed = LAYERS[other] < LAYERS[part] or LAYERS[other] == LAYERS[part] == CORE
            assert allowed, f"{path.relative_to(PACKAGE)} imports {other}"


def test_the_public_api_imports_the_use_cases_and_what_they_speak_of():
    assert parts_imported(PACKAGE / "__init__.py") <= {"app", "core", "receivers", "version"}


def test_no_files_import_each_other_in_a_circle():
    modules = {module_of(path): path for path in FILES}

    def targets(path: Path) -> set[str]:
        names = set(imports(path, types=False))
        return {name if name in modules else name.rpartition(".")[0] for name in names} & set(modules)

    left = {module: targets(path) - {module} for module, path in modules.items()}
    while free := {module for module, needed in left.items() if not needed & set(left)}:
        left = {module: needed for module, needed in left.items() if module not in free}
    assert left == {}


@pytest.mark.parametrize("part", ["app", "ci", "cli"])
def test_one_module_names_the_concrete_classes(part: str):
    for path in (path for path in FILES if part_of(path) == part and module_of(path) != "sendkit_sync.app.wiring"):
        named = [name for name in imports(path, types=False) if name.startswith(CONCRETE)]
        assert not named, f"{path.relative_to(PACKAGE)}: {named}"


def test_use_cases_know_no_terminal():
    for path in (path for path in FILES if part_of(path) not in ("cli", "ci", "render")):
        assert not {name.split(".")[0] for name in imports(path)} & TERMINAL, path.relative_to(PACKAGE)


def test_only_the_command_line_prints():
    printing = {"print", "echo", "secho", "click.echo", "click.secho"}
    for path in (path for path in FILES if part_of(path) not in ("cli", "ci")):
        assert not calls(path) & printing, path.relative_to(PACKAGE)


def test_planning_is_pure():
    for path in (path for path in FILES if part_of(path) == "planning"):
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE, path.name
        assert not {"open", "input", "__import__"} & calls(path), path.name


def test_files_and_functions_stay_short():
    for path in FILES:
        assert len(path.read_text().splitlines()) <= LONGEST_MODULE, path.relative_to(PACKAGE)
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{path.relative_to(PACKAGE)}: {node.name}"


def test_no_test_imports_another_test_module():
    for path in sorted((REPOSITORY / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[-1].startswith("test_")], path.name
