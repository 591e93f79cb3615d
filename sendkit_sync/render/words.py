"""Texts that all renderers share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.diagnostics import printable
from ..core.fields import DEFAULTS, SHOWN
from ..core.model import SENSITIVE, ActionKind
from ..core.quoting import resolve_command, shell_name, yaml_name
from ..planning.blockers import reason_and_advice
from ..planning.limits import FORCE, exceeded_limits
from ..planning.plan import Action, BlockerKind, JsonValue, Plan, Reason, SecretSource

SIGNS = {
    ActionKind.CREATE: "+",
    ActionKind.UPDATE: "~",
    ActionKind.ADOPT: ">",
    ActionKind.DELETE: "-",
    ActionKind.FORGET: "x",
}

REASONS = {
    Reason.DRIFT: "it was changed outside since the last apply",
    Reason.MISSING: "it is recorded, but no longer exists in SendKit",
    Reason.RETRY: "an earlier attempt has an unknown outcome and may be sent again",
    Reason.RENAMED: "it is renamed (renamedFrom)",
    Reason.ORPHAN: "it is recorded, but no longer in the config",
    Reason.ADOPTED: "its `id` names a live webhook, which is recorded instead of creating one",
}
"""Reasons that get a line of their own. New and changed are obvious."""


def shown_name(name: str) -> str:
    """Return a printable name."""
    return printable(name, 256)


SOURCES = {
    SecretSource.GENERATED: "generated",
    SecretSource.ATTEMPT: "from an earlier attempt in the state, if it can be read",
    SecretSource.STAGED: "staged",
    SecretSource.RECORDED: "the recorded one if it can be read",
}


def secret_text(action: Action) -> str:
    """Return the text shown in place of the secret of a desired webhook."""
    if action.desired is not None and not action.desired.policy.manage_secret:
        return "(kept elsewhere)"
    origin = action.desired.secret_origin if action.desired is not None else ""
    if action.secret_source in SOURCES:
        return f"(sensitive, {SOURCES[action.secret_source]})"
    if origin == "generated":
        return f"(sensitive, {SOURCES[SecretSource.GENERATED]})"
    if origin.startswith("env:"):
        return f"(sensitive, from {printable(origin[4:])})"
    return SENSITIVE


def masked(path: str, value: JsonValue) -> JsonValue:
    """Return the value of a field, with a secret masked."""
    return SENSITIVE if path == "secret" and value is not None else value


def value_text(path: str, value: JsonValue) -> str:
    """Return a value as one printable line."""
    value = masked(path, value)
    if value is None:
        return "(none)" if path == "secret" else "(default)"
    if isinstance(value, list):
        return ", ".join(printable(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else printable(str(value), 2048)


Line = tuple[str, str]
"""A sign and a text: `-` for a removed value, `+` for a new one, empty for an unchanged one."""


def _event_lines(before: JsonValue, after: JsonValue) -> list[Line]:
    """Return the new events, then the removed ones."""
    old = before if isinstance(before, list) else []
    new = after if isinstance(after, list) else []
    added = [("+", printable(event)) for event in new if event not in old]
    return added + [("-", printable(event)) for event in old if event not in new]


def fields(action: Action) -> list[tuple[str, list[Line]]]:
    """Return the fields of an action, each with its lines. Unchanged defaults are left out."""
    if not action.changes:
        return [(path, [("", text)]) for path, text in _one_sided(action)]
    found = []
    for change in action.changes:
        after = secret_text(action) if change.path == "secret" else value_text(change.path, change.after)
        lines = [("-", value_text(change.path, change.before)), ("+", after)]
        found.append((change.path, _event_lines(change.before, change.after) if change.path == "events" else lines))
    return found


def _one_sided(action: Action) -> Iterator[tuple[str, str]]:
    """Yield the fields of an action that has only one side."""
    view = action.after if action.after is not None else action.before
    for path in SHOWN[1:] if view is not None else ():
        value = view.get(path) if view is not None else None
        if path == "secret" and (value is not None or action.kind is ActionKind.CREATE):
            yield path, secret_text(action)
        elif value is not None and value != DEFAULTS.get(path):
            yield path, value_text(path, value)


def remarks(action: Action) -> list[str]:
    """Return why an action is in the plan, unless it is obvious."""
    lines = [REASONS[action.reason]] if action.reason in REASONS else []
    if action.kind is ActionKind.UPDATE and not action.sends:
        lines.append("nothing is sent to SendKit: only what is recorded changes")
    if action.reason is Reason.ADOPTED and action.live is None:
        lines.append("what would change is not known: only --refresh and apply read it")
    if action.drifted and action.reason is not Reason.DRIFT:
        lines.append(REASONS[Reason.DRIFT])
    return lines


def blocked_text(action: Action) -> list[str]:
    """Return what blocks an action and what to do about it; empty if nothing does."""
    blocker = action.blocked_by
    if blocker is None:
        return []
    if not blocker.kind.duplicate:
        reason, advice = reason_and_advice(blocker.name, blocker.kind)
        return [f"blocked: {reason}", advice]
    which = f'"{shown_name(blocker.name)}"' + (f" ({printable(blocker.id)})" if blocker.id is not None else "")
    match blocker.kind:
        case BlockerKind.ORPHAN:
            return [
                f"blocked: it looks like {which}, which is recorded but no longer in the config",
                f"if it is the same webhook, add `renamedFrom: {yaml_name(blocker.name)}`; if not, pass --allow-duplicate",
            ]
        case BlockerKind.UNRESOLVED:
            return [
                f"blocked: it looks like {which}, whose create may have happened",
                f"{resolve_text(blocker.name)}; to create it anyway, pass --allow-duplicate",
            ]
        case _:
            adopt = f"sendkit-sync import {shell_name(action.name)} {printable(blocker.id or 'ID')}"
            return [
                f"blocked: it looks like the live webhook {which}, which is not recorded",
                f"if it is the same webhook, run `{adopt}`; if not, pass --allow-duplicate",
            ]


def resolve_text(name: str) -> str:
    """Return what to do about an unresolved webhook."""
    return f"run apply again, or `{resolve_command(name)}` (or `--not-created` instead of `--id ID`)"


@dataclass(frozen=True, slots=True)
class Note:
    """Names that a plan lists besides its actions, each with advice or an empty text."""

    title: str
    meaning: str
    entries: tuple[tuple[str, str], ...]
    """Names and what to do about each; without a name, a sentence about the whole plan."""
    urgent: bool = False
    first: bool = False
    """Whether it stands above the actions: whoever reviews the plan must not overlook it."""

    @property
    def heading(self) -> str:
        """The line above the names."""
        return f"{self.title} ({self.meaning}):" if self.meaning else f"{self.title}:"

    @property
    def anchor(self) -> str:
        """The anchor for links to it."""
        return self.title.lower().replace(" ", "-")


def notes(plan: Plan) -> list[Note]:
    """Return what a plan reports besides its actions, the most urgent first."""
    from_state = tuple((name, SOURCES[source]) for name, source in plan.secrets_from_state)
    unresolved = tuple((name, resolve_text(name)) for name in plan.unresolved)
    missing = tuple((name, supply_text(name)) for name in plan.missing_secrets)
    inactive = plan.refreshed.inactive if plan.refreshed is not None else ()
    other_secrets = plan.refreshed.other_secrets if plan.refreshed is not None else ()
    refused = tuple(("", f"{text}. {FORCE}") for text in exceeded_limits(plan))
    found = [
        Note("Refused", "apply carries out nothing of this plan", refused, True, first=True),
        Note(
            "Secrets from the state",
            "these are sent; whoever can change the state can choose them",
            from_state,
            True,
            first=True,
        ),
        Note("Recipients", "new secrets will be encrypted for these age keys", _recipients(plan), first=True),
        Note("Unresolved", "it is unknown whether the create happened", unresolved, urgent=True),
        Note("Missing secrets", "the webhook is recorded without its secret", missing, urgent=True),
        Note("Orphans", "recorded, but no longer in the config; kept without --prune", _bare(plan.orphans)),
        Note("Expired attempts", "no match was found, and they are no longer in the config", _bare(plan.expired)),
        Note("Inactive in SendKit", "", _bare(inactive)),
        Note("Different secret in SendKit", "the recorded one is kept; rotate the secret", _bare(other_secrets)),
    ]
    return [note for note in found if note.entries]


def _recipients(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Return the recipients where a secret may be encrypted for them, or where they are other ones than before."""
    found = plan.recipients
    if not (found.changed or plan.actions):
        return ()
    rows = [(one, "added" if one in found.added else "") for one in found.listed]
    return (*rows, *((one, "removed; it cannot read new secrets") for one in found.removed))


def _bare(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, "") for name in names)


def supply_text(name: str) -> str:
    """Return what to do about a webhook whose secret is missing."""
    return f"run `sendkit-sync secret set {shell_name(name)} < FILE`"


def comparison_text(plan: Plan) -> str:
    """Return the sentence about what the plan was compared with."""
    if plan.refreshed is None:
        return "Compared with the recorded state only. --refresh also reads SendKit."
    return "Compared with the recorded state and with SendKit."


def unknown_text(plan: Plan) -> str | None:
    """Return the sentence for a plan that knows nothing of what already exists, and only creates."""
    if plan.refreshed is not None or plan.recorded or {action.kind for action in plan.actions} != {ActionKind.CREATE}:
        return None
    return "Nothing is recorded yet. Adopt webhooks that already exist first: sendkit-sync import --matching"


def unrecorded_text(plan: Plan) -> str | None:
    """Return the sentence about live webhooks that are not recorded, if there are any."""
    if plan.refreshed is None or not plan.refreshed.unrecorded:
        return None
    count = plan.refreshed.unrecorded
    return f"{count} live webhook{' is' if count == 1 else 's are'} not recorded."


def summary_line(plan: Plan) -> str:
    """Return the last line of a plan."""
    if not (plan.actions or plan.unresolved):
        what = "Only the recipients of new secrets change." if plan.recipients.changed else "No changes."
        matches = "1 webhook matches" if plan.unchanged == 1 else f"{plan.unchanged} webhooks match"
        return f"{what} {matches} the recorded state."
    parts = [f"{plan.count(kind)} to {kind}" for kind in (ActionKind.CREATE, ActionKind.UPDATE, ActionKind.DELETE)]
    parts += [f"{plan.count(kind)} to {kind}" for kind in (ActionKind.ADOPT, ActionKind.FORGET) if plan.count(kind)]
    if plan.blocked:
        parts.append(f"{len(plan.blocked)} blocked")
    if plan.unresolved:
        parts.append(f"{len(plan.unresolved)} unresolved")
    return f"Plan: {', '.join(parts)}. {plan.unchanged} unchanged."
