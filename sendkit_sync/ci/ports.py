"""What a job asks of the forge that it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged pull request: its name as people write it, and what this tool's comments on it say."""

    name: str
    comments: tuple[str, ...]


class Forge(Protocol):
    """The forge of one job. The methods raise `ApiError` and `ApiUnreachableError`."""

    @property
    def branch(self) -> str:
        """The branch that the job runs for."""
        ...

    def comment(self, body: str) -> str:
        """Let the one comment on the job's pull request say `body`; return what was done, as a sentence."""
        ...

    def merged(self) -> Merged | None:
        """Return the pull request, from within the repository, that made the job's commit; None where there is none."""
        ...
