"""What the measured programs read: configs and states of any size, and the same number of records for octoDNS."""

from __future__ import annotations

from pathlib import Path

from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from sendkit_sync.state.codec import encode_snapshot

SHARED_SECRET = "an-invented-secret-that-many-receivers-share"
"""What `${SHARED}` stands for; every tenth entry has it, the others leave their secret to the tool."""

EVENTS = ("email.bounced", "email.clicked", "email.opened", "email.positive_reply", "email.replied")


def name(number: int) -> str:
    return f"Team {number:05} replies"


def settings(number: int, *, changed: bool = False) -> Settings:
    """Return what the config asks for in entry `number`; no two are alike."""
    host = "new" if changed else "hooks"
    events = tuple(sorted({EVENTS[number % 5], EVENTS[(number + 2) % 5]}))
    return Settings(f"https://{host}.example.com/teams/{number:05}/sendkit", events, *((5, 5000) if number % 7 == 0 else ()))


def write_config(path: Path, numbers: range) -> None:
    """Write a config of the entries `numbers`."""
    lines = ["version: 1", "webhooks:"]
    for number in numbers:
        wanted = settings(number)
        lines += [f"  - name: {name(number)}", f"    url: {wanted.url}", f"    events: [{', '.join(wanted.events)}]"]
        if wanted.retry_attempts is not None:
            lines += [f"    retryAttempts: {wanted.retry_attempts}", f"    timeoutMs: {wanted.timeout_ms}"]
        if number % 10 == 0:
            lines.append("    secret: ${SHARED}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_state(path: Path, numbers: range, api: str, *, changed: int = 0) -> None:
    """Write a state that records `numbers`; the first `changed` of them with another url than the config asks for."""
    webhooks = {}
    for place, number in enumerate(numbers):
        applied = settings(number, changed=place < changed)
        drawn = number % 10 != 0
        secret = Secret(f"{number:064x}" if drawn else SHARED_SECRET)
        webhooks[name(number)] = WebhookRecord(
            id=f"{number:024x}",
            applied=applied,
            confirmed=applied.effective(),
            confirmed_name=name(number),
            secret=StoredSecret(SecretOrigin.GENERATED if drawn else SecretOrigin.CONFIG, secret),
            status="active",
            created_at="2026-01-01T00:00:00.000Z",
        )
    path.write_bytes(encode_snapshot(State("0123456789abcdef", 1, api, "ws_demo", webhooks), "fedcba9876543210"))
    path.chmod(0o600)


def write_zone(folder: Path, count: int) -> None:
    """Write a zone of `count` records for octoDNS, and the settings to compare it with an empty one."""
    (folder / "zones").mkdir()
    (folder / "live").mkdir()
    records = [f"team-{number:05}:\n  ttl: 300\n  type: A\n  value: 192.0.2.{number % 250 + 1}" for number in range(count)]
    (folder / "zones" / "example.com.yaml").write_text("---\n" + "\n".join(records) + "\n", encoding="utf-8")
    provider = "class: octodns.provider.yaml.YamlProvider, default_ttl: 300"
    (folder / "octodns.yaml").write_text(
        f"providers:\n  desired: {{{provider}, directory: {folder}/zones}}\n"
        f"  target: {{{provider}, directory: {folder}/live}}\n"
        "zones:\n  example.com.: {sources: [desired], targets: [target]}\n",
        encoding="utf-8",
    )
