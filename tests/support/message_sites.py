"""Every place in the code where an error of the project, or a problem of a config, is made; found in the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sendkit_sync.core import errors

CODE = Path(errors.__file__).parent.parent
CLASSES = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.SyncError)}
MAKERS = {"_protocol_error", "_stale", "_no_plan", "fail"}
"""Functions that make an error of the text that they are given."""

OTHERS = {"simulator/server.py", "simulator/request.py", "simulator/store.py", "cli/options.py"}
"""Their `ApiError` and `fail` are others: what the simulator answers, and click's own for a flag."""


def template(node: ast.expr | None) -> str:
    """Return a text of the code with `{...}` for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{...}" for part in node.values)  # type: ignore[misc]
    return "{...}"


def _calls(node: ast.AST, names: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield the class or maker and the text of each error made below `node`; `names` holds texts given to a name before."""
    if isinstance(node, ast.FunctionDef):
        if node.name in MAKERS:
            return
        names = {}
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        names.setdefault(node.targets[0].id, []).append(template(node.value))
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in CLASSES | MAKERS:
            first = node.args[0] if name != "_no_plan" else node.args[1]
            for text in names.get(first.id, ["{...}"]) if isinstance(first, ast.Name) else [template(first)]:
                if text:
                    yield name, text
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, names)


def sites() -> set[str]:
    """Return `MODULE CLASS: TEXT` of every error, the class as it stands there, or who makes it."""
    found = set()
    for path in CODE.rglob("*.py"):
        module = path.relative_to(CODE).as_posix()
        if module not in OTHERS | {"core/errors.py"}:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {f"{module} {name}: {text}" for name, text in _calls(tree, {})}
    return found


NO_PROBLEMS = {"export.py"}
"""Modules of `config` that say something of live webhooks."""


def problems() -> set[str]:
    """Return `MODULE: TEXT` of every problem that a config can have, but for those that are all filled in."""
    found = set()
    for path in (CODE / "config").glob("*.py"):
        if path.name in NO_PROBLEMS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = _problem(node)
            if text is not None and template(text) != "{...}":
                found.add(f"{path.name}: {template(text)}")
    return found


def _problem(node: ast.AST) -> ast.expr | None:
    """Return the text of a problem that is made at `node`: handed to what notes it, or yielded with its severity."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in {"Refused", "Problem", "add"} and len(node.args) > 1:
            return node.args[1]
        if name == "append" and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
            return node.args[0]
    if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        return node.value.elts[1]
    return None
