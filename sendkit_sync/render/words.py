"""What all renderers say in the same words."""

from __future__ import annotations

import json
import re
import shlex

from ..diagnostics import printable
from ..model import DEFAULT_RETRY_ATTEMPTS, DEFAULT_TIMEOUT_MS, SENSITIVE, ActionKind
from ..planning.plan import Action, BlockerKind, JsonValue, Plan, Reason

SIGNS = {
    ActionKind.CREATE: "+",
    ActionKind.UPDATE: "~",
    ActionKind.ADOPT: ">",
    ActionKind.DELETE: "-",
    ActionKind.FORGET: "x",
}

FIELDS = ("name", "url", "events", "retryAttempts", "timeoutMs", "secret")

REASONS = {
    Reason.DRIFT: "it was changed outside since the last apply",
    Reason.MISSING: "it is recorded, but gone on the live side",
    Reason.RETRY: "an earlier attempt has no known outcome, and may be sent again",
    Reason.RENAMED: "it is renamed (renamedFrom)",
    Reason.ORPHAN: "it is recorded, but no longer in the config",
}
"""Reasons worth a line; new and changed speak for themselves."""

PLAIN = re.compile(r"[A-Za-z](?:[\w .-]*[\w.-])?", re.ASCII)
YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def shown_name(name: str) -> str:
    """Return a name fit to print."""
    return printable(name, 256)


def secret_text(action: Action) -> str:
    """Return what stands for the secret of a desired webhook."""
    origin = action.desired.secret_origin if action.desired is not None else ""
    if origin == "generated":
        return "(sensitive, generated)"
    if origin.startswith("env:"):
        return f"(sensitive, from {printable(origin[4:])})"
    return SENSITIVE


def masked(path: str, value: JsonValue) -> JsonValue:
    """Return the value of a field; of a secret never more than that there is one."""
    return SENSITIVE if path == "secret" and value is not None else value


def value_text(path: str, value: JsonValue) -> str:
    """Return a value as one printable line."""
    value = masked(path, value)
    if value is None:
        return "(none)" if path == "secret" else "(default)"
    if isinstance(value, list):
        return ", ".join(printable(item) for item in value)
    return printable(str(value), 2048)


def event_lines(before: JsonValue, after: JsonValue) -> list[str]:
    """Return the events that come with `+`, then those that go with `-`."""
    old = before if isinstance(before, list) else []
    new = after if isinstance(after, list) else []
    return [f"+ {printable(event)}" for event in new if event not in old] + [
        f"- {printable(event)}" for event in old if event not in new
    ]


DEFAULTS = {"retryAttempts": DEFAULT_RETRY_ATTEMPTS, "timeoutMs": DEFAULT_TIMEOUT_MS}


def rows(action: Action) -> list[tuple[str, list[str]]]:
    """Return the fields of an action with the lines that tell about each; a default tells nothing and is left out."""
    if action.changes:
        found = []
        for change in action.changes:
            if change.path == "events":
                lines = event_lines(change.before, change.after)
            elif change.path == "secret":
                lines = [f"{value_text('secret', change.before)} -> {secret_text(action)}"]
            else:
                lines = [f"{value_text(change.path, change.before)} -> {value_text(change.path, change.after)}"]
            found.append((change.path, lines))
        return found
    view = action.after if action.after is not None else action.before
    if view is None:
        return []
    found = []
    for path in FIELDS[1:]:
        value = view.get(path)
        if path == "secret" and (value is not None or action.kind is ActionKind.CREATE):
            found.append((path, [secret_text(action)]))
        elif value is not None and value != DEFAULTS.get(path):
            found.append((path, [value_text(path, value)]))
    return found


def _yaml(name: str) -> str:
    """Return a name as it can be written in the config."""
    plain = PLAIN.fullmatch(name) and name.lower() not in YAML_WORDS
    return printable(name if plain else json.dumps(name, ensure_ascii=False), 512)


def remarks(action: Action) -> list[str]:
    """Return why an action is in the plan, where that is worth a line."""
    lines = [REASONS[action.reason]] if action.reason in REASONS else []
    if action.drifted and action.reason is not Reason.DRIFT:
        lines.append(REASONS[Reason.DRIFT])
    return lines


def blocked_text(action: Action) -> list[str]:
    """Return by what a create is blocked, and what to do about it; nothing where it is not."""
    blocker = action.blocked_by
    if blocker is None:
        return []
    which = f'"{shown_name(blocker.name)}"' + (f" ({printable(blocker.id)})" if blocker.id is not None else "")
    match blocker.kind:
        case BlockerKind.ORPHAN:
            return [
                f"blocked: it looks like {which}, which is recorded and no longer in the config",
                f"if it is the same webhook, add `renamedFrom: {_yaml(blocker.name)}`; if not, pass --allow-duplicate",
            ]
        case BlockerKind.UNRESOLVED:
            return [
                f"blocked: it looks like {which}, whose create may have happened",
                f"{resolve_text(blocker.name)}; to create it all the same, pass --allow-duplicate",
            ]
        case BlockerKind.LIVE:
            adopt = f"sendkit-sync import {_shell(action.name)} {printable(blocker.id or 'ID')}"
            return [
                f"blocked: it looks like the live webhook {which}, which is not recorded",
                f"if it is yours, run `{adopt}`; if not, pass --allow-duplicate",
            ]


def resolve_text(name: str) -> str:
    """Return what to do about an unresolved webhook."""
    return f"run apply again, or `sendkit-sync state resolve {_shell(name)}`"


def _shell(name: str) -> str:
    """Return a name as a shell takes it."""
    return shlex.quote(shown_name(name))


def notes(plan: Plan) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the headings below the actions, each with names and what to do about them."""
    found = [
        ("Orphans (recorded, no longer in the config, left alone):", [(name, "") for name in plan.orphans]),
        (
            "Unresolved (the call may or may not have happened):",
            [(name, resolve_text(name)) for name in plan.unresolved],
        ),
        (
            "Missing secrets (recorded without a secret):",
            [(name, f"run `sendkit-sync secret set {_shell(name)} < FILE`") for name in plan.missing_secrets],
        ),
        ("Expired attempts (no trace was found, and nobody wants them any more):", [(name, "") for name in plan.expired]),
    ]
    if plan.refreshed is not None:
        found.append(("Inactive on the live side:", [(name, "") for name in plan.refreshed.inactive]))
        found.append(
            (
                "Another secret on the live side (the recorded one is kept; give the webhook a new one):",
                [(name, "") for name in plan.refreshed.other_secrets],
            )
        )
    return [(heading, names) for heading, names in found if names]


def unrecorded_text(plan: Plan) -> str | None:
    """Return the sentence on live webhooks that nobody recorded, if there are any."""
    if plan.refreshed is None or not plan.refreshed.unrecorded:
        return None
    count = plan.refreshed.unrecorded
    return f"{count} live webhook{' is' if count == 1 else 's are'} not recorded."


def summary_line(plan: Plan) -> str:
    """Return the last line of a plan."""
    if not plan.pending:
        if plan.unchanged == 1:
            return "No changes. 1 webhook matches the recorded state."
        return f"No changes. {plan.unchanged} webhooks match the recorded state."
    parts = [f"{plan.count(kind)} to {kind}" for kind in (ActionKind.CREATE, ActionKind.UPDATE, ActionKind.DELETE)]
    parts += [f"{plan.count(kind)} to {kind}" for kind in (ActionKind.ADOPT, ActionKind.FORGET) if plan.count(kind)]
    if plan.blocked:
        parts.append(f"{len(plan.blocked)} blocked")
    return f"Plan: {', '.join(parts)}. {plan.unchanged} unchanged."
