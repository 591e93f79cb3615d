"""A job on GitHub: its pull request, and the comment there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ApiError, ErrorCode
from ..core.model import Secret
from ..core.ports import Merged
from .calls import RIGHTS, Calls, variable
from .review import MARK

READS_ONLY = "dependabot[bot]"
"""Whose pull requests get a token that cannot comment, although they come from within the repository."""


class GitHub:
    """The forge, as the variables of a job on it tell."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @property
    def branch(self) -> str:
        """The branch that the job runs for."""
        return variable(self._environment, "GITHUB_REF_NAME")

    @property
    def proposed(self) -> str:
        """The last commit of the pull request that the job plans."""
        return str(self._request["head"]["sha"])

    @property
    def _request(self) -> dict[str, Any]:
        event = json.loads(Path(variable(self._environment, "GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))
        request: dict[str, Any] = event["pull_request"]
        return request

    def comment(self, body: str) -> str:
        """Make or update the comment; none on a pull request whose token can only read."""
        request = self._request
        if not self._from_within(request) or self._environment.get("GITHUB_ACTOR") == READS_ONLY:
            return "No comment: the token of this pull request can only read. The plan is in the job's summary."
        with self._calls() as calls:
            found = next(self._ours(calls, request["number"]), None)
            if found is None:
                calls.call("POST", f"{self._home}/issues/{request['number']}/comments", {"body": body})
                return "Commented."
            calls.call("PATCH", f"{self._home}/issues/comments/{found['id']}", {"body": body})
            return "Comment updated."

    def merged(self) -> Merged | None:
        """Return the pull request that made the job's commit."""
        commit = variable(self._environment, "GITHUB_SHA")
        with self._calls() as calls:
            for request in calls.pages(f"{self._home}/commits/{commit}/pulls"):
                made = request["merged_at"] is not None and request["merge_commit_sha"] == commit
                if made and request["base"]["ref"] == self.branch and self._from_within(request):
                    number = request["number"]
                    bodies = tuple(one["body"] for one in self._ours(calls, number))
                    return Merged(f"pull request #{number}", request["head"]["sha"], bodies)
        return None

    @property
    def _graphql(self) -> str:
        return variable(self._environment, "GITHUB_GRAPHQL_URL")

    @property
    def _home(self) -> str:
        return "/repos/" + variable(self._environment, "GITHUB_REPOSITORY")

    def _from_within(self, request: Mapping[str, Any]) -> bool:
        head = request["head"]["repo"]  # null where the fork is gone
        return head is not None and head["full_name"] == variable(self._environment, "GITHUB_REPOSITORY")

    def _ours(self, calls: Calls, number: int) -> Any:
        """Yield the comments of whom the token belongs to; those of anybody else are not looked at."""
        answer = calls.call("POST", "", {"query": "{ viewer { databaseId } }"}, base=self._graphql)
        try:
            me = answer["data"]["viewer"]["databaseId"]
        except (TypeError, KeyError):
            raise ApiError(
                ErrorCode.FORGE_BAD_ANSWER, "GitHub does not say whose token this is", where=self._graphql, hint=RIGHTS
            ) from None
        for one in calls.pages(f"{self._home}/issues/{number}/comments"):
            if one["user"] is not None and one["user"]["id"] == me and (one["body"] or "").startswith(MARK):
                yield one

    def _calls(self) -> Calls:
        token = variable(self._environment, "GITHUB_TOKEN", "Give it to the step: GITHUB_TOKEN: ${{ github.token }}")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        return Calls(variable(self._environment, "GITHUB_API_URL"), headers, Secret(token))
