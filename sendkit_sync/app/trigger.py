"""The use case `trigger`: signs a delivery here and sends it to a receiver, once rightly and once wrongly."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..core.decryption import decrypt
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError, UsageError
from ..core.model import Secret, StoredSecret
from ..core.redaction import REDACTOR
from .checks import not_recorded
from .context import Context, Source
from .secrets import recorded_config, secret_not_recorded
from .wiring import cipher_for, send_once, system_clock, system_rng

EVENT = "email.replied"
MAX_BODY = 1024 * 1024
"""Maximum size of a body, in bytes."""

Approve = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class TriggerRequest:
    """Which delivery to send where. `body` is sent as it is; None stands for a sample. `staged`: sign with the next secret."""

    name: str
    url: str
    event: str = EVENT
    body: bytes | None = None
    staged: bool = False
    source: Source = field(default_factory=Source)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered; `error` says why there is no status. `duration_s` in seconds."""

    status: int | None
    duration_s: float
    error: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the receiver took the delivery."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Triggered:
    """The answers to the request with the right signature and to the one with a wrong one."""

    right: Answer
    wrong: Answer

    @property
    def verifies(self) -> bool:
        """Whether the receiver takes deliveries and checks their signatures."""
        return self.right.accepted and self.wrong.status is not None and not self.wrong.accepted


def trigger(context: Context, request: TriggerRequest, approve: Approve = lambda _: True) -> Triggered:
    """Send a delivery with the recorded secret of a webhook, then the same with a wrong signature; SendKit is not asked.

    Redirects are not followed. Off loopback, asks `approve` first: without a timestamp, whoever sees a signed delivery can
    replay it. Raises `UsageError` for an invalid URL, and `RefusedError` without approval or if there is no such secret.
    """
    host = _host(request.url)
    secret = _secret(context, request)
    shown = printable(host, 256)
    question = f"Send a signed delivery to {shown}? Whoever sees it can send it again, with a signature that verifies."
    if not _is_loopback(host) and not approve(question):
        raise RefusedError(ErrorCode.DECLINED, "declined", hint="Nothing was sent.")
    body = sample(request.event) if request.body is None else request.body
    right = _send(context, request, body, secret)
    return Triggered(right, _send(context, request, body, Secret(system_rng().secret())))


def sample(event: str) -> bytes:
    """Return an invented body: SendKit documents none."""
    data = {"conversationId": "sample", "leadId": "sample", "leadEmail": "lead@example.com", "messageId": "sample"}
    return json.dumps({"event": event, "data": data, "sample": "invented by sendkit-sync trigger"}).encode()


def _secret(context: Context, request: TriggerRequest) -> Secret:
    config, state = recorded_config(context, request.source)
    name, path = request.name, config.state_path
    record = state.webhooks.get(name) if state is not None else None
    stored: StoredSecret | None = record.secret if record is not None else None
    if request.staged:
        stored = state.staged.get(name) if state is not None else None
        if stored is None:
            raise RefusedError(
                ErrorCode.SECRET_NOT_STAGED,
                f'no secret is staged for "{printable(name)}"',
                hint="Run: sendkit-sync secret stage NAME",
            )
    elif record is None:
        raise not_recorded(name, path)
    if stored is None:
        raise secret_not_recorded(name, path)
    return decrypt(cipher_for(config, context, state), (name, *(record.former_names if record is not None else ())), stored)


def _send(context: Context, request: TriggerRequest, body: bytes, secret: Secret) -> Answer:
    signature = hmac.digest(secret.reveal().encode("utf-8", "surrogatepass"), body, "sha256").hex()
    headers = {"Content-Type": "application/json", "X-Webhook-Event": request.event, "X-Webhook-Signature": signature}
    began = system_clock().monotonic()
    outcome = send_once(context, request.url, headers, body)
    took_s = system_clock().monotonic() - began
    return Answer(outcome, took_s) if isinstance(outcome, int) else Answer(None, took_s, REDACTOR.clean(outcome))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not url.isascii() or any(char <= " " for char in url):
        raise UsageError(
            ErrorCode.TRIGGER_URL_INVALID, "--to is not a URL", hint="For example: --to http://localhost:8000/webhooks/sendkit"
        )
    return host


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
