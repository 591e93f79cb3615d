"""The webhooks in memory, and the API's rules for them; without HTTP."""

from __future__ import annotations

import base64
import binascii
import copy
import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from ..core.fields import FIELDS, Field, Kind

Json = dict[str, Any]

BY_KEY = {field.key: field for field in FIELDS}
REQUIRED = ("name", *(field.key for field in FIELDS if field.required))
ACCEPTED = ("name", *BY_KEY, "secret", "status")


class ApiError(Exception):
    """An error that the API answers."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def body(self) -> Json:
        """Return the API's error body."""
        return error_body(self.status, self.message)


def success_body(data: Any) -> Json:
    """Return the API's answer with `data`."""
    return {"success": True, "data": data}


def error_body(status: int, message: str) -> Json:
    """Return an error body in the API's form."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return {"error": phrase, "message": message, "code": status}


class Store:
    """The webhooks of all workspaces; safe for threads."""

    def __init__(self, *, mask_secrets: bool, page_form: str) -> None:
        if page_form not in ("cursor", "pages"):
            raise ValueError(f"page_form {page_form!r} is neither cursor nor pages")
        self._mask = mask_secrets
        self._page_form = page_form
        self.clock_offset_s = 0.0
        self._lock = threading.RLock()
        self._items: dict[str, Json] = {}
        self._workspaces: dict[str, dict[str, Json]] = {}
        self._order: dict[str, int] = {}
        self._made = 0

    def all(self) -> list[Json]:
        """Return whole copies of all live webhooks, oldest first."""
        with self._lock:
            return copy.deepcopy(list(self._items.values()))

    def workspaces(self) -> list[str]:
        """Return the workspaces that ever held a webhook."""
        with self._lock:
            return list(self._workspaces)

    def create(self, workspace: str, body: object, webhook_id: str | None = None) -> Json:
        """Make a webhook, under `webhook_id` or a new id, and answer it whole."""
        fields = _checked(body, whole=True)
        now = self._now()
        item: Json = {
            "_id": webhook_id or secrets.token_hex(12),
            "workspaceId": workspace,
            "name": fields["name"],
            **{key: fields.get(key, field.row.default) for key, field in BY_KEY.items()},
            "secret": fields.get("secret") or secrets.token_hex(32),
            "status": "active",
            "createdBy": "simulator",
            "createdAt": now,
            "updatedAt": now,
            "stats": {"totalDelivered": 0, "totalFailed": 0, "lastDeliveredAt": None},
        }
        with self._lock:
            self._made += 1
            self._items[item["_id"]] = item
            self._workspaces.setdefault(workspace, {})[item["_id"]] = item
            self._order[item["_id"]] = self._made
            return _written(item)

    def get(self, workspace: str, webhook_id: str) -> Json:
        """Answer one webhook as a read shows it."""
        with self._lock:
            return self._shown(self._find(workspace, webhook_id))

    def whole(self, workspace: str, webhook_id: str) -> Json:
        """Return one webhook with its secret, for a delivery."""
        with self._lock:
            return copy.deepcopy(self._find(workspace, webhook_id))

    def patch(self, workspace: str, webhook_id: str, body: object) -> Json:
        """Change what is sent, and answer as create does."""
        with self._lock:
            item = self._find(workspace, webhook_id)
            item.update(_checked(body, whole=False), updatedAt=self._now())
            return _written(item)

    def remove(self, workspace: str, webhook_id: str) -> Json:
        """Delete one webhook."""
        with self._lock:
            self._find(workspace, webhook_id)
            self.drop(webhook_id)
        return {"message": "Webhook deleted"}

    def delivered(self, webhook_id: str, *, success: bool) -> None:
        """Count a delivery."""
        with self._lock:
            item = self._items.get(webhook_id)
            if item is not None:
                item["stats"]["totalDelivered" if success else "totalFailed"] += 1
                if success:
                    item["stats"]["lastDeliveredAt"] = self._now()

    def drop(self, webhook_id: str) -> None:
        """Remove a webhook behind the API's back; KeyError where there is none."""
        with self._lock:
            item = self._items.pop(webhook_id)
            del self._workspaces[item["workspaceId"]][webhook_id]
            del self._order[webhook_id]

    def change(self, webhook_id: str, fields: Mapping[str, Any]) -> None:
        """Set fields behind the API's back; KeyError where there is no such webhook."""
        with self._lock:
            self._items[webhook_id].update({"updatedAt": self._now(), **copy.deepcopy(dict(fields))})

    def page(self, workspace: str, query: Mapping[str, str]) -> Json:
        """Answer one page of a workspace's webhooks."""
        limit = _number(query.get("limit", "25"), "limit", 100)
        with self._lock:
            items = list(self._workspaces.get(workspace, {}).values())
            total = len(items)
            if self._page_form == "pages":
                page = _number(query.get("page", "1"), "page", None)
                shown = items[(page - 1) * limit : page * limit]
                about: Json = {"total": total, "page": page, "limit": limit, "pages": -(-total // limit)}
            else:
                after = _after(query["cursor"]) if query.get("cursor") else 0
                rest = [item for item in items if self._order[item["_id"]] > after]
                shown = rest[:limit]
                more = len(rest) > limit
                cursor = _cursor(self._order[shown[-1]["_id"]]) if more else None
                about = {"limit": limit, "total": total, "hasMore": more, "nextCursor": cursor}
            return {"success": True, "data": [self._shown(item) for item in shown], "pagination": about}

    def _now(self) -> str:
        now = datetime.now(UTC) + timedelta(seconds=self.clock_offset_s)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _find(self, workspace: str, webhook_id: str) -> Json:
        item = self._items.get(webhook_id)
        if item is None or item["workspaceId"] != workspace:
            raise ApiError(404, "Webhook not found")
        return item

    def _shown(self, item: Json) -> Json:
        shown = copy.deepcopy(item)
        if self._mask:
            shown["secret"] = f"{item['secret'][:12]}..."
        return shown


def _written(item: Json) -> Json:
    return {key: copy.deepcopy(value) for key, value in item.items() if key != "stats"}


def _checked(body: object, *, whole: bool) -> Json:
    if not isinstance(body, dict):
        raise ApiError(400, "Body must be a JSON object")
    fields: Json = {key: body[key] for key in ACCEPTED if key in body and (key != "status" or not whole)}
    for key in REQUIRED:
        if whole and key not in fields:
            raise ApiError(400, f"{key} is required")
    for key, value in fields.items():
        problem = _problem(key, value)
        if problem:
            raise ApiError(400, f"{key} {problem}")
    if "name" in fields:
        fields["name"] = fields["name"].strip()
    return copy.deepcopy(fields)


def _problem(key: str, value: object) -> str | None:
    if key in ("name", "secret"):
        return None if isinstance(value, str) and value.strip() else "must be a non-empty string"
    if key == "status":
        return None if value in ("active", "inactive") else "must be active or inactive"
    return _field_problem(BY_KEY[key], value)


def _field_problem(field: Field, value: object) -> str | None:
    match field.kind:
        case Kind.TEXT:
            return None if isinstance(value, str) else "must be a string"
        case Kind.URL:
            return None if isinstance(value, str) and _is_url(value) else "must be an http or https URL"
        case Kind.TEXTS:
            fine = isinstance(value, list) and value and all(isinstance(text, str) and text.strip() for text in value)
            return None if fine else "must be a non-empty array of strings"
        case Kind.COUNT:
            least = field.row.least
            fine = isinstance(value, int) and not isinstance(value, bool) and value >= least
            return None if fine else f"must be an integer of at least {least}"
        case Kind.FLAG:
            return None if isinstance(value, bool) else "must be true or false"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _number(text: str, key: str, most: int | None) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if number < 1 or (most is not None and number > most):
        raise ApiError(400, f"{key} must be an integer from 1" + (f" to {most}" if most else ""))
    return number


def _cursor(order: int) -> str:
    return base64.urlsafe_b64encode(f"after:{order}".encode()).decode()


def _after(cursor: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
        if word == "after":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise ApiError(400, "Invalid cursor")
