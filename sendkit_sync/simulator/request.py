"""A request to the simulator, and its line in the log."""

from __future__ import annotations

import json
import re
from email.message import Message

from .faults import Fault
from .store import ACCEPTED, ApiError, Json

BASE = "/v1/webhooks"
WORKSPACES = "/v1/workspaces"
_KEY = re.compile(r"sk_[A-Za-z0-9_\-]+")


class Request:
    """A request as it was read."""

    def __init__(self, method: str, target: str, headers: Message[str, str], body: bytes) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = body

    def header(self, name: str) -> str | None:
        value = self.headers.get(name)
        return None if value is None else str(value)

    def bearer(self) -> str | None:
        value = self.header("Authorization")
        if value is None:
            return None
        scheme, _, key = value.partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    def json(self) -> object:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ApiError(400, "Body is not valid JSON") from None

    def entry(self, status: int | None, fault: Fault | None, answer: Json | None) -> Json:
        """Return the line for the log; names of headers and of the API's fields only, and no key in the address."""
        entry: Json = {
            "method": self.method,
            "path": _KEY.sub("sk_***", self.path),
            "query": _KEY.sub("sk_***", self.query),
            "status": status,
            "headers": sorted({name.lower() for name in self.headers}),
            "fields": self._fields(),
            "fault": None if fault is None else fault.kind,
        }
        if answer is not None and self.method == "POST" and self.path == BASE and answer.get("success"):
            entry.update(id=answer["data"]["_id"], name=answer["data"]["name"])
        return entry

    def _fields(self) -> list[str]:
        """Return which of the API's fields the body holds, in the API's order."""
        try:
            body = self.json() if self.body else None
        except ApiError:
            return []
        return [field for field in ACCEPTED if field in body] if isinstance(body, dict) else []
