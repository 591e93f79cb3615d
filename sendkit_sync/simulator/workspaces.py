"""The simulator's workspaces: which keys reach them, how their ids are shown, and `GET /v1/workspaces`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core.model import PLATFORM_KEY_PREFIX
from .store import ApiError, Json

DEMO_WORKSPACE = "ws_demo"
ID_FORMS = ("same", "other")

Keys = Mapping[str, Sequence[str]]
"""Key to the workspaces that it reaches; of a workspace key only the first counts."""


class Workspaces:
    """What each key reaches. Without `keys`, any key that begins with `sk_` fits.

    `known` are the workspaces of platform keys that `keys` does not name; without it they reach any workspace.
    With `id_form` "other", webhooks show another id of their workspace than the header takes and the list gives.
    """

    def __init__(self, keys: Keys | None, known: Sequence[str] | None, id_form: str) -> None:
        if id_form not in ID_FORMS:
            raise ValueError(f"id_form {id_form!r} is not one of {', '.join(ID_FORMS)}")
        self.keys = keys
        self.known = known
        self.id_form = id_form

    def of(self, api_key: str | None, bearer: str | None, workspace: str | None) -> str:
        """Return the workspace that a request acts on, or raise what the API answers to its headers."""
        key, reached = self._key(api_key, bearer)
        if key.startswith(PLATFORM_KEY_PREFIX):
            if not workspace:
                raise ApiError(400, "X-Workspace-Id header is required with a platform key")
            if reached is not None and workspace not in reached:
                raise ApiError(403, "No access to this workspace")
            return workspace
        if workspace is not None:
            raise ApiError(400, "X-Workspace-Id header is not allowed with a workspace key")
        return reached[0] if reached else DEMO_WORKSPACE

    def listed(self, api_key: str | None, bearer: str | None, used: Iterable[str | None]) -> list[Json]:
        """Return what a key sees of the workspaces; `used` are those of a platform key that reaches any."""
        key, reached = self._key(api_key, bearer)
        found = reached or sorted({DEMO_WORKSPACE, *filter(None, used)})
        if not key.startswith(PLATFORM_KEY_PREFIX):
            found = found[:1] if reached else [DEMO_WORKSPACE]
        return [{"id": workspace, "name": f"Workspace {workspace}"} for workspace in found]

    def shown(self, data: Any) -> Any:
        """Return `data` of an answer, a webhook or a list of them, with the workspaces' ids as webhooks show them."""
        if self.id_form == "same":
            return data
        if isinstance(data, list):
            return [self.shown(item) for item in data]
        if isinstance(data, dict) and "workspaceId" in data:
            return {**data, "workspaceId": other_id(data["workspaceId"])}
        return data

    def _key(self, api_key: str | None, bearer: str | None) -> tuple[str, Sequence[str] | None]:
        if api_key is not None and bearer is not None:
            raise ApiError(400, "Send the API key in one place: X-Api-Key or Authorization")
        key = api_key if api_key is not None else bearer
        if not key:
            raise ApiError(401, "API key is missing")
        reached = self.known if self.keys is None else self.keys.get(key)
        if not key.startswith("sk_") or (self.keys is not None and not reached):
            raise ApiError(401, "Invalid API key")
        return key, reached


def other_id(workspace: str) -> str:
    """Return the other form of a workspace's id: `ws_...` of 24 hex digits, and 24 hex digits of anything else."""
    if len(workspace) == 24 and set(workspace) <= set("0123456789abcdef"):
        return f"ws_{workspace[:12]}"
    return hashlib.sha256(workspace.encode()).hexdigest()[:24]
