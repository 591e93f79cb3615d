"""A job on GitLab: its merge request, and the note there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..core.model import Secret
from ..core.ports import Merged
from .calls import Calls, variable
from .review import MARK

TOKEN = "SENDKIT_COMMENT_TOKEN"


class GitLab:
    """The forge, as the variables of a job on it tell."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @property
    def branch(self) -> str:
        """The branch that the job runs for."""
        return variable(self._environment, "CI_COMMIT_BRANCH")

    @property
    def proposed(self) -> str:
        """The last commit of the merge request that the job plans."""
        merged = self._environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")  # in a pipeline for the merged result
        return merged or variable(self._environment, "CI_COMMIT_SHA")

    def comment(self, body: str) -> str:
        """Make or update the note; none where there is no token for it, as in a fork."""
        if not self._environment.get(TOKEN):
            return f"No comment: {TOKEN} is not set. The plan is in the job's log and its artifacts."
        notes = f"{self._home}/merge_requests/{variable(self._environment, 'CI_MERGE_REQUEST_IID')}/notes"
        with self._calls() as calls:
            found = next(self._ours(calls, notes), None)
            if found is None:
                calls.call("POST", notes, {"body": body})
                return "Commented."
            calls.call("PUT", f"{notes}/{found['id']}", {"body": body})
            return "Comment updated."

    def merged(self) -> Merged | None:
        """Return the merge request that made the job's commit."""
        commit = variable(self._environment, "CI_COMMIT_SHA")
        project = int(variable(self._environment, "CI_PROJECT_ID"))
        with self._calls() as calls:
            for request in calls.pages(f"{self._home}/repository/commits/{commit}/merge_requests"):
                made = request["state"] == "merged" and request["target_branch"] == self.branch
                # By a merge commit, by a squashed one, or by fast-forward.
                if made and commit in [request.get(key) for key in ("merge_commit_sha", "squash_commit_sha", "sha")]:
                    if request["source_project_id"] != project:
                        return None
                    notes = f"{self._home}/merge_requests/{request['iid']}/notes"
                    bodies = tuple(one["body"] for one in self._ours(calls, notes))
                    return Merged(f"merge request !{request['iid']}", request["sha"], bodies)
        return None

    @property
    def _home(self) -> str:
        return "/projects/" + variable(self._environment, "CI_PROJECT_ID")

    def _ours(self, calls: Calls, notes: str) -> Iterator[dict[str, Any]]:
        me = calls.call("GET", "/user")["id"]
        return (one for one in calls.pages(notes) if one["author"]["id"] == me and one["body"].startswith(MARK))

    def _calls(self) -> Calls:
        token = variable(self._environment, TOKEN, "Set it as a variable of the project: a token with the scope api.")
        return Calls(variable(self._environment, "CI_API_V4_URL"), {"PRIVATE-TOKEN": token}, Secret(token))
