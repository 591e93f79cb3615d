"""Every place in the code where an error of the project, or a problem of a config, is made; found in the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sendkit_sync.core import errors

CODE = Path(errors.__file__).parent.parent
OTHERS = ("options.py", "errors.py")
"""Their `fail` is click's, and the classes themselves."""
FIXED = {"ConfigError": "config_invalid", "MissingExtraError": "extra_missing", "LockedError": "state_locked"}
"""Classes of one code, which their calls do not name."""
MAKERS = {
    "_ended": "lease_ended",
    "invalid": "state_address_invalid",
    "fail": "state_value_invalid",
    "_no_plan": "plan_invalid",
    "_stale": "plan_stale",
    "_protocol_error": "protocol_error",
}
"""Functions that make an error of one code, of the text that they are given last."""


def template(node: ast.expr | None) -> str:
    """Return a text of the code with `{...}` for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{...}" for part in node.values)  # type: ignore[misc]
    return "{...}"


def _calls(node: ast.AST, names: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield the code and the text of each error made below `node`; `names` holds texts given to a name before."""
    if isinstance(node, ast.FunctionDef):
        if node.name in MAKERS:
            return
        names = {}
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        names.setdefault(node.targets[0].id, []).append(template(node.value))
    if isinstance(node, ast.Call) and (found := _made(node)) is not None:
        code, text = found
        for each in names.get(text.id, ["{...}"]) if isinstance(text, ast.Name) else [template(text)]:
            yield code, each
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, names)


def _made(call: ast.Call) -> tuple[str, ast.expr] | None:
    """Return the code and the text of the error that `call` makes, if it makes one."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    for place, argument in enumerate(call.args):
        if isinstance(argument, ast.Attribute) and getattr(argument.value, "id", "") == "ErrorCode":
            return argument.attr.lower(), call.args[place + 1]
    texts = [argument for argument in call.args if isinstance(argument, ast.Constant | ast.JoinedStr | ast.Name)]
    if name in MAKERS and texts:
        return MAKERS[name], call.args[1] if name == "_no_plan" else texts[0]
    return (FIXED[name], ast.Constant("{...}")) if name in FIXED else None


def sites() -> set[tuple[str, str]]:
    """Return the code and the text of every error that the project makes."""
    found: set[tuple[str, str]] = set()
    for path in CODE.rglob("*.py"):
        if path.parent.name != "simulator" and path.name not in OTHERS:
            found |= set(_calls(ast.parse(path.read_text(encoding="utf-8")), {}))
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
