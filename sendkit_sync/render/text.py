"""Renders a plan for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from ..core.diagnostics import printable
from ..core.model import ActionKind
from ..planning.plan import Action, Plan
from .words import (
    SIGNS,
    Line,
    Note,
    blocked_text,
    comparison_text,
    fields,
    notes,
    remarks,
    shown_name,
    summary_line,
    unknown_text,
    unrecorded_text,
)

Paint = Callable[[str, str], str]

FEW = 3
"""Up to so many names are listed without -v."""

COLOURS = {
    ActionKind.CREATE: "green",
    ActionKind.UPDATE: "yellow",
    ActionKind.ADOPT: "cyan",
    ActionKind.DELETE: "red",
    ActionKind.FORGET: "magenta",
}


def painter(colour: bool) -> Paint:
    """Return a function that colors a text, or leaves it as it is."""
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
    shown = fields(action)
    width = max([len("secret"), *(len(path) for path, _ in shown)]) + 2
    for path, pieces in shown:
        label = path
        for text in _rows(path, pieces, paint):
            lines.append(f"      {label:<{width}}{text}")
            label = ""
    return lines


def _rows(path: str, pieces: list[Line], paint: Paint) -> list[str]:
    """Return the lines of a field: one per event, `before -> after` for any other field."""
    if path == "events":
        tints = {"+": "green", "-": "red"}
        return [paint(f"{sign} {text}", tints[sign]) if sign else text for sign, text in pieces]
    return [" -> ".join(text for _, text in pieces)]


def _note(note: Note, paint: Paint, *, whole: bool) -> list[str]:
    shown = note.entries if whole or note.first or len(note.entries) <= FEW else note.entries[:1]
    rows = [f"  {_named(name)}{': ' if name and advice else ''}{advice}" for name, advice in shown]
    if len(shown) < len(note.entries):
        rows.append(f"  and {len(note.entries) - len(shown)} more; -v lists all")
    return [paint(note.heading, "red" if note.first and note.urgent else "yellow"), *rows]


def _named(name: str) -> str:
    return f'"{shown_name(name)}"' if name else ""


def plan_text(plan: Plan, *, colour: bool, whole: bool = True) -> str:
    """Return the plan as text that ends with a line break. Without `whole`, one name stands for a long list of them."""
    paint = painter(colour)
    found = notes(plan)
    blocks = [_note(note, paint, whole=whole) for note in found if note.first]
    blocks += [_action(action, paint) for action in plan.actions]
    blocks += [_note(note, paint, whole=whole) for note in found if not note.first]
    blocks += [[text] for text in (unrecorded_text(plan), unknown_text(plan)) if text is not None]
    blocks.append([summary_line(plan), comparison_text(plan)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"
