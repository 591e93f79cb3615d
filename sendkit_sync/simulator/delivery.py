"""The test payload that the simulator sends to a webhook."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
from urllib.parse import urlsplit

from .store import Json

TIMEOUT_S = 5.0


def deliver(webhook: Json) -> int:
    """Send a signed test payload, to loopback only; return the receiver's status, 0 for no answer."""
    parts = urlsplit(webhook["url"])
    host = parts.hostname or ""
    if not _is_loopback(host):
        return 200
    payload = {"event": "test", "webhookId": webhook["_id"], "workspaceId": webhook["workspaceId"], "data": {"test": True}}
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Event": "test",
        "X-Webhook-Signature": hmac.new(webhook["secret"].encode("utf-8", "surrogatepass"), body, hashlib.sha256).hexdigest(),
    }
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return 0
    finally:
        connection.close()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
