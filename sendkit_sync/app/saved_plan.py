"""Saved plans. Each is bound to what it was made from, so that apply does exactly what was reviewed, or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.diagnostics import printable
from ..core.errors import ErrorCode, PlanFileError, RefusedError, StateIOError, UsageError
from ..core.files import replace_file
from ..core.model import State
from ..core.schemas import schema
from ..planning.plan import Plan
from ..planning.scope import PlanScope
from ..render.json import dump, plan_document

VERSION = "1.0"
MAX_BYTES = 256 * 1024 * 1024
MOST_DIFFERENCES = 5
_START = b'{\n  "format_version": '
_UNBOUND = frozenset({"tool_version", "state", "live"})
"""Keys that may differ. The state is compared earlier, before resolving; the others cause no action."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """The content of a file: how the plan was made, and the plan as `plan --format json` prints it."""

    refresh: bool
    options: PlanScope
    api: str
    workspace_id: str | None
    plan: Mapping[str, Any]

    def check_base(self, state: State | None) -> None:
        """Raise `RefusedError` if `state`, as it was before the run, is not the one the plan was made from."""
        base = self.plan["state"]
        if base["lineage"] is None:
            if state is None or (not state.webhooks and not state.pending):
                return
        elif state is not None and (base["lineage"], base["serial"]) == (state.lineage, state.serial):
            return
        raise _stale("the state has changed since then")

    def check(self, plan: Plan) -> None:
        """Raise `RefusedError` if `plan`, made now, differs from the saved one."""
        if (plan.api, plan.workspace_id) != (self.api, self.workspace_id):
            raise _stale("it was made for another API address or workspace")
        now = plan_document(plan)
        if now["config_digest"] != self.plan["config_digest"]:
            raise _stale("the config has changed since then", _differences(self.plan, now))
        if {key: now[key] for key in now.keys() - _UNBOUND} != {key: self.plan[key] for key in self.plan.keys() - _UNBOUND}:
            raise _stale("the plan would be different now", _differences(self.plan, now))


def save(path: str, plan: Plan, *, refresh: bool, prune: bool) -> None:
    """Write `plan` to `path`, mode 0600. It contains no secrets.

    Raises `UsageError` if `path` is a file with other content, and `StateIOError` if it cannot be written.
    """
    document = {
        "format_version": VERSION,
        "options": {"refresh": refresh, "prune": prune, "targets": list(plan.targets)},
        "api": plan.api,
        "workspace_id": plan.workspace_id,
        "plan": plan_document(plan),
    }
    try:
        _refuse_other_file(path)
        replace_file(path, dump(document).encode("ascii"))
    except OSError as error:
        raise StateIOError(
            ErrorCode.PLAN_NOT_WRITTEN,
            f"the plan cannot be written: {error.strerror}",
            where=path,
            hint="Name another file with --out.",
        ) from error


def _refuse_other_file(path: str) -> None:
    """Raise `UsageError` if the plan would overwrite another file, such as the state or a config."""
    if not Path(path).is_file():
        return
    with Path(path).open("rb") as file:
        head = file.read(len(_START))
    if not _START.startswith(head):
        raise UsageError(
            ErrorCode.PLAN_OVERWRITES_FILE,
            f"--out {printable(path)} would overwrite a file that is not a saved plan",
            hint="Nothing was written. Name another file with --out.",
        )


def load(path: str) -> SavedPlan:
    """Read a saved plan. Raises `PlanFileError` if it is damaged, too large or of another version."""
    document = _read(path)
    version = document.get("format_version") if isinstance(document, dict) else None
    if isinstance(version, str) and version != VERSION:
        raise PlanFileError(
            ErrorCode.PLAN_VERSION, "the plan was saved by another version of sendkit-sync", where=path, hint=_AGAIN
        )
    _check(path, "saved-plan", document)
    _check(path, "plan", document["plan"], "plan")
    made = document["options"]
    options = PlanScope(made["prune"], tuple(made["targets"]))
    return SavedPlan(made["refresh"], options, document["api"], document["workspace_id"], document["plan"])


def _read(path: str) -> Any:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlanFileError(
            ErrorCode.PLAN_UNREADABLE, f"the plan cannot be read: {error.strerror}", where=path, hint=_AGAIN
        ) from error
    if len(data) > MAX_BYTES:
        raise _no_plan(path, f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise _no_plan(f"{path}:{error.lineno}:{error.colno}", "it is not JSON") from error
    except (ValueError, RecursionError) as error:
        raise _no_plan(path, "its JSON cannot be parsed") from error


def _check(path: str, name: str, part: Any, *steps: str) -> None:
    """Raise `PlanFileError` if `part`, at `steps` in the file, does not match the schema `name`."""
    from jsonschema import Draft7Validator

    for problem in Draft7Validator(schema(name)).iter_errors(part):
        place = "/".join(str(step) for step in (*steps, *problem.absolute_path)) or "its top level"
        raise _no_plan(path, f"{printable(place)} does not match the schema")


def _no_plan(where: str, reason: str) -> PlanFileError:
    return PlanFileError(ErrorCode.PLAN_INVALID, f"the file is not a saved plan: {reason}", where=where, hint=_AGAIN)


_AGAIN = "Create it again: sendkit-sync plan --out FILE"


def _stale(reason: str, differences: Sequence[str] = ()) -> RefusedError:
    shown = [
        *differences[:MOST_DIFFERENCES],
        *([f"{len(differences) - MOST_DIFFERENCES} more"] * (len(differences) > MOST_DIFFERENCES)),
    ]
    what = f"the saved plan is stale: {reason}" + (f" ({'; '.join(shown)})" if shown else "")
    return RefusedError(ErrorCode.PLAN_STALE, what, hint=f"Nothing was changed in SendKit. {_AGAIN}")


def _differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what today's plan does differently from the saved one, a line for each action and field."""
    from deepdiff import DeepDiff

    before, after = (
        {f'{one["action"]} "{printable(one["name"], 60)}"': one for one in plan["actions"]} for plan in (saved, now)
    )
    lines = []
    for kind, items in DeepDiff(before, after, ignore_order=True, view="tree").items():
        for item in items:
            title, *path = item.path(output_format="list")
            if path:
                lines.append(f"{title}: {printable('/'.join(map(str, path)), 60)} differs")
            else:
                lines.append(f"it would {'no longer' if kind == 'dictionary_item_removed' else 'also'} {title}")
    return sorted(dict.fromkeys(lines))
