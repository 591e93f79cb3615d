"""Writes live webhooks as a valid config file, without secrets.

All that a server chose stands in double quotes, so what the output escapes (`core.diagnostics.inert`) keeps its value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import yaml

from ..core.diagnostics import Severity
from ..core.model import LiveWebhook
from .checks import check_event, check_name, check_url
from .schema import fits

HEADER = (
    "# Written by `sendkit-sync export`, without secrets. `sendkit-sync import --matching` records those that the API shows.\n"
)


class _Quoted(str):
    """A text that is written in double quotes."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(_Quoted, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"'))


def config_text(live: Sequence[LiveWebhook], workspace: str | None = None) -> tuple[str, list[str]]:
    """Return the YAML of the webhooks, sorted by name and id, and warnings about those that need attention.

    If several webhooks share a name, each gets its `id`, and all but the first also have it appended to the name. A webhook
    that no config can express is left out. `workspace` is written to the file if all webhooks say that they belong to it.
    """
    entries: list[dict[str, object]] = []
    warnings: list[str] = []
    taken: set[str] = set()
    count = Counter(webhook.name for webhook in live)
    for webhook in sorted(live, key=lambda one: (one.name, one.id)):
        entry = _entry(webhook)
        wrong = list(_wrong(webhook, entry))
        if wrong:
            warnings.append(f"{webhook.id} is left out: {'; '.join(wrong)}")
            continue
        name = str(entry["name"])
        if name in taken:
            while name in taken:
                name = f"{name} ({webhook.id})"
            warnings.append(
                f"{webhook.id} has the same name as another webhook, so its id was appended: apply renames it in SendKit, "
                "unless you change the name"
            )
        taken.add(name)
        named = {"name": name, "id": webhook.id} if count[webhook.name] > 1 else {"name": name}
        entries.append({key: _written(value) for key, value in (named | entry | named).items()})
    document: dict[str, object] = {"version": 1}
    if workspace is not None and {webhook.workspace_id for webhook in live} == {workspace}:
        document["workspace"] = _written(workspace)
    document["webhooks"] = entries
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return HEADER + text, warnings


def _entry(webhook: LiveWebhook) -> dict[str, object]:
    return {"name": webhook.name, **webhook.settings.wire()}


def _wrong(webhook: LiveWebhook, entry: Mapping[str, object]) -> Iterator[str]:
    """Yield the reasons why no config can express `entry`."""
    findings = [*check_name(webhook.name, "name"), *check_url(webhook.settings.url)]
    for event in webhook.settings.events:
        findings += check_event(event)
    errors = dict.fromkeys(message for severity, message in findings if severity is Severity.ERROR)
    yield from errors
    if not errors and not fits({"version": 1, "webhooks": [entry]}):
        yield "a config cannot express its events or numbers"


def _written(value: object) -> object:
    """Return `value` with every text quoted, so that none is read as a number or a variable."""
    if isinstance(value, list):
        return [_written(item) for item in value]
    return _Quoted(value.replace("${", "$${")) if isinstance(value, str) else value
