"""Renders a plan in the formats of `--format`."""

from __future__ import annotations

from ...planning.plan import Plan

FORMS = ("text", "json", "markdown", "html")


def shown(plan: Plan, form: str, *, colour: bool = False, whole: bool = True, max_changes: int | None = None) -> str:
    """Return the plan in one of `FORMS`. `colour` and `whole` apply to text."""
    match form:
        case "json":
            from ...render.json import dump, plan_document

            return dump(plan_document(plan, max_changes=max_changes))
        case "markdown":
            from ...render.markdown import plan_markdown

            return plan_markdown(plan)
        case "html":
            from ...render.html import plan_html

            return plan_html(plan)
    from ...render.text import plan_text

    return plan_text(plan, colour=colour, whole=whole)
