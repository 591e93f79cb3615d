"""Live webhooks as a config file that `validate` accepts; without secrets."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from ..model import DEFAULT_RETRY_ATTEMPTS, DEFAULT_TIMEOUT_MS, Live

HEADER = (
    "# Written by `sendkit-sync export`. Secrets are not in it: `sendkit-sync import --matching` records what the API shows.\n"
)


class _Quoted(str):
    """A text that is written in double quotes, so that no reader makes a number or a variable of it."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(_Quoted, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"'))


def config_text(live: Sequence[Live]) -> tuple[str, list[str]]:
    """Return the YAML of the webhooks sorted by name and id, and warnings about those that need a look.

    A name that several bear is told apart by the id; a webhook that no config can hold is left out.
    """
    entries: list[dict[str, object]] = []
    warnings: list[str] = []
    taken: set[str] = set()
    for webhook in sorted(live, key=lambda one: (one.name, one.id)):
        name = webhook.name.strip()
        if not name or not name.isprintable() or not webhook.settings.url.isprintable() or not webhook.settings.events:
            warnings.append(f"{webhook.id} is left out: its name, url or events fit no config")
            continue
        if name in taken:
            warnings.append(f"{webhook.id} has the name of another webhook: its id was added to it")
            name = f"{name} ({webhook.id})"
        taken.add(name)
        entries.append(_entry(name, webhook))
    text = yaml.dump({"version": 1, "webhooks": entries}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return HEADER + text, warnings


def _entry(name: str, webhook: Live) -> dict[str, object]:
    settings = webhook.settings
    entry: dict[str, object] = {
        "name": _literal(name),
        "url": _literal(settings.url),
        "events": [_literal(event) for event in settings.events],
    }
    if settings.retry_attempts not in (None, DEFAULT_RETRY_ATTEMPTS):
        entry["retryAttempts"] = settings.retry_attempts
    if settings.timeout_ms not in (None, DEFAULT_TIMEOUT_MS):
        entry["timeoutMs"] = settings.timeout_ms
    return entry


def _literal(text: str) -> _Quoted:
    return _Quoted(text.replace("${", "$${"))
