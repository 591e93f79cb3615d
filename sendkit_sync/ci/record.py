"""The state in git: taken from the tip of the branch before a run, and committed back to it after the run.

A job's own commit gives the config; the state is the branch's last one, for another job may have recorded something
since that commit was made. Nothing but the state and its journal is committed, on top of whatever the branch has then.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..app.wiring import read_state
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError, SyncError, UsageError
from ..core.files import replace_file

NOTE = "sendkit-sync-taken.json"
"""What was taken, noted in the folder of git's own files."""

WHO = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "sendkit-sync"), ("EMAIL", "sendkit-sync@localhost"))
}
MESSAGE = "Record the webhooks [skip ci]"
TRIES = 5
"""How often a branch may move on while the state is pushed."""

Blobs = Mapping[str, str | None]
"""File to what git knows its content by, None where there is no such file."""


def take(state_path: str, branch: str) -> str:
    """Bring the branch's last state and journal into the work tree, and return what was taken, as a sentence.

    Raises `RefusedError` where they could not be committed back after a run: then the run must not begin.
    """
    git = Git(Path.cwd())
    git.note.unlink(missing_ok=True)
    real = Path(os.path.realpath(state_path))
    if not real.is_relative_to(git.top):
        hint = f"Keep it in {printable(str(git.top))}, or in a store: the job commits it back to this repository."
        raise UsageError(
            ErrorCode.STATE_OUTSIDE_WORK_TREE, "the state is outside of the git work tree", where=state_path, hint=hint
        )
    state = real.relative_to(git.top).as_posix()
    files = [state, f"{state}.journal"]
    if git.out("check-ignore", "--", *files, may_fail=True):
        hint = f"Remove {Path(state).name}* from .gitignore, and encrypt its secrets with `encryption` in the config."
        raise RefusedError(
            ErrorCode.STATE_IGNORED_BY_GIT,
            "git ignores the state, so it would be lost when the job ends",
            where=state,
            hint=hint,
        )
    tip = git.fetch(branch)
    if not git.works("push", "--quiet", "--dry-run", "origin", f"{tip}:refs/heads/{branch}"):
        hint = "Nothing was changed. Give the job's token permission to push to it."
        raise RefusedError(ErrorCode.STATE_PUSH_REFUSED, f"the state cannot be pushed to {branch}", where=state, hint=hint)
    # What `record` does after the calls, so that git refuses a name before the first one.
    git.commit(tip, dict.fromkeys(files, git.out("hash-object", "-w", "--stdin")))
    there, here = git.blobs(tip, files), git.hashed(files)
    for path in files:
        if here[path] not in (None, there[path], git.blobs("HEAD", files)[path]):
            hint = "An earlier run may have left it. Commit it to the branch, or remove it."
            raise RefusedError(
                ErrorCode.STATE_NOT_COMMITTED, "a state that was never committed is in the way", where=path, hint=hint
            )
    for path, blob in there.items():
        git.put(path, blob)
    note = {"branch": branch, "blobs": there}
    replace_file(str(git.note), json.dumps(note).encode())
    return f"Taken from {branch}: {state}." if there[state] else f"{branch} has no state yet."


def record() -> str:
    """Commit what a run left of the state that was taken, and return what was done, as a sentence.

    Raises `RefusedError` where it must not be committed, or where somebody else has recorded something meanwhile.
    """
    git = Git(Path.cwd())
    if not git.note.exists():
        return "No state was taken, so there is none to record."
    note = json.loads(git.note.read_text(encoding="utf-8"))
    branch, taken = note["branch"], note["blobs"]
    new = git.hashed(taken)
    name, _ = taken
    state_path = git.top / name
    if taken[name] is not None and not state_path.exists():
        hint = "Find out what deleted it in this job. The next apply finds what this job created, and duplicates nothing."
        raise RefusedError(
            ErrorCode.STATE_GONE, "the state file is gone, so nothing was pushed", where=str(state_path), hint=hint
        )
    state = read_state(str(state_path))
    if state is not None and any(secret.clear is not None for secret in state.secrets()):
        hint = "Encrypt them with `encryption` in the config."
        raise RefusedError(
            ErrorCode.STATE_NOT_COMMITTED,
            "the state contains secrets in clear, so it is not committed",
            where=str(state_path),
            hint=hint,
        )
    for _ in range(TRIES):
        tip = git.fetch(branch)
        there = git.blobs(tip, list(taken))
        if there == new:
            return "Nothing new to record."
        if there != taken:
            hint = f"Keep this job's state file, and merge it into {branch} by hand."
            raise RefusedError(
                ErrorCode.STATE_RACED,
                f"another job has changed the state on {branch}",
                where=str(state_path),
                hint=hint,
            )
        if git.works("push", "--quiet", "origin", f"{git.commit(tip, new)}:refs/heads/{branch}"):
            return f"Recorded on {branch}."
    hint = f"Keep this job's state file, and commit it to {branch} by hand."
    what = f"the state cannot be pushed to {branch}"
    raise RefusedError(ErrorCode.STATE_PUSH_REFUSED, what, where=str(state_path), hint=hint)


OURS = ("SENDKIT_API_KEY", "SENDKIT_SECRET_", "SOPS_AGE_KEY")
"""How the variables begin that hold what only this tool is to read."""


def without_secrets() -> dict[str, str]:
    """Return the environment for a child process that is not this tool: without the key, secrets and identities."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


class Git:
    """Git in the work tree that holds `folder`. What it complains of goes to stderr as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = self.out("rev-parse", "--show-toplevel", "--absolute-git-dir", may_fail=True).splitlines()
        if len(found) != 2:
            raise UsageError(ErrorCode.NO_WORK_TREE, "this is not a git work tree", hint="Check out the repository first.")
        self._folder = self.top = Path(found[0])
        self.note = Path(found[1]) / NOTE
        self._index = {"GIT_INDEX_FILE": str(Path(found[1]) / "sendkit-sync-index")}

    def fetch(self, branch: str) -> str:
        """Return the branch's last commit."""
        self.out("fetch", "--quiet", "--no-tags", "origin", f"refs/heads/{branch}")
        return self.out("rev-parse", "FETCH_HEAD")

    def blobs(self, commit: str, files: Sequence[str]) -> dict[str, str | None]:
        """Return what `commit` has of `files`."""
        found: dict[str, str | None] = dict.fromkeys(files)
        for entry in filter(None, self.out("ls-tree", "-z", "--full-tree", commit, "--", *files).split("\0")):
            about, _, path = entry.partition("\t")
            found[path] = about.split()[2]
        return found

    def hashed(self, files: Sequence[str] | Blobs) -> dict[str, str | None]:
        """Return what the work tree has of `files`, kept by git from now on."""
        here = {path: (self.top / path).is_file() for path in files}
        return {
            path: self.out("hash-object", "-w", "--no-filters", "--", path) if there else None for path, there in here.items()
        }

    def put(self, path: str, blob: str | None) -> None:
        """Let the file be as git knows it, readable by nobody else."""
        target = self.top / path
        target.unlink(missing_ok=True)
        if blob is not None:
            replace_file(str(target), self._run(["cat-file", "blob", blob], subprocess.PIPE).stdout)

    def commit(self, parent: str, blobs: Blobs) -> str:
        """Return a new commit on top of `parent` that differs from it in `blobs` alone."""
        self.out("read-tree", parent, environment=self._index)
        for path, blob in blobs.items():
            if blob is None:
                self.out("update-index", "--force-remove", "--", path, environment=self._index)
            else:
                self.out("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=self._index)
        return self.out(
            "commit-tree", self.out("write-tree", environment=self._index), "-p", parent, "-m", MESSAGE, environment=WHO
        )

    def works(self, *words: str) -> bool:
        """Run git, and tell whether it went well."""
        return self._run(words, None).returncode == 0

    def out(self, *words: str, may_fail: bool = False, environment: Mapping[str, str] | None = None) -> str:
        """Return what git prints; raises `SyncError` where it fails and that is not expected."""
        done = self._run(words, subprocess.PIPE, environment)
        if done.returncode != 0 and not may_fail:
            raise SyncError(
                ErrorCode.GIT_FAILED,
                f"git {words[0]} failed",
                where=str(self._folder),
                hint="See git's own message above.",
            )
        return os.fsdecode(done.stdout).strip("\n")

    def _run(
        self, words: Sequence[str], stdout: int | None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        # In a container the tree often belongs to another user, and git refuses it; the job itself has checked it out.
        return subprocess.run(
            ["git", "-c", "safe.directory=*", *words],
            cwd=self._folder,
            env={**without_secrets(), "GIT_TERMINAL_PROMPT": "0", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            check=False,
        )
