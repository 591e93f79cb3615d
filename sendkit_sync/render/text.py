"""A plan for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from ..diagnostics import printable
from ..model import ActionKind
from ..planning.plan import Action, Plan
from .words import SIGNS, blocked_text, notes, remarks, rows, shown_name, summary_line, unrecorded_text

Paint = Callable[[str, str], str]

COLOURS = {
    ActionKind.CREATE: "green",
    ActionKind.UPDATE: "yellow",
    ActionKind.ADOPT: "cyan",
    ActionKind.DELETE: "red",
    ActionKind.FORGET: "magenta",
}


def painter(colour: bool) -> Paint:
    """Return what colours a text, or leaves it alone."""
    if not colour:
        return lambda text, _: text
    import click

    return lambda text, name: click.style(text, fg=name)


def _action(action: Action, paint: Paint) -> list[str]:
    title = f'{SIGNS[action.kind]} {action.kind} "{shown_name(action.name)}"'
    if action.id is not None:
        title += f" ({printable(action.id)})"
    lines = ["  " + paint(title, COLOURS[action.kind])]
    lines += [f"      # {line}" for line in remarks(action)]
    lines += ["      " + paint(f"! {line}", "red") for line in blocked_text(action)]
    fields = rows(action)
    width = max((len(path) for path, _ in fields), default=0)
    width = max(width, len("secret")) + 2
    for path, values in fields:
        label = path
        for value in values:
            shown = value
            if value.startswith("+ "):
                shown = paint(value, "green")
            elif value.startswith("- "):
                shown = paint(value, "red")
            lines.append(f"      {label:<{width}}{shown}")
            label = ""
    return lines


def plan_text(plan: Plan, *, colour: bool) -> str:
    """Return the plan as lines, each with its end."""
    paint = painter(colour)
    blocks = [_action(action, paint) for action in plan.actions]
    for heading, names in notes(plan):
        block = [paint(heading, "yellow")]
        block += [f'  "{shown_name(name)}"' + (f": {advice}" if advice else "") for name, advice in names]
        blocks.append(block)
    unrecorded = unrecorded_text(plan)
    if unrecorded is not None:
        blocks.append([unrecorded])
    blocks.append([summary_line(plan)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"
