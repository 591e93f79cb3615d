"""Jobs as a forge runs them: the real steps of a workflow, an action or a pipeline, in fresh clones of a bare repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sendkit_sync.simulator import Simulator
from support.forge_api import COMMENT_TOKEN, GITHUB_TOKEN, PUSH_TOKEN, ForgeApi
from support.workspace import KEY, REPOSITORY

BIN = Path(sys.executable).parent
WHO = ["-c", "user.name=A", "-c", "user.email=a@example.com"]


def environment(**more: str) -> dict[str, str]:
    """Return what a job has in its environment, whatever machine this is."""
    foreign = ("SENDKIT", "SOPS", "STATE_PUSH", "GIT_", "GITHUB_", "CI", "GITLAB", "PIP_", "COV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    ours = {"PATH": path, "PYTHONPATH": str(REPOSITORY), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return clean | ours | {"CI": "true"} | more


def git(place: Path, *words: str) -> str:
    done = subprocess.run(["git", *WHO, *words], cwd=place, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Outcome:
    """What a job came to: whether it went well, the names of the steps that ran, and all that it said."""

    good: bool = True
    ran: list[str] = field(default_factory=list)
    said: str = ""


@dataclass
class Jobs:
    """A bare repository `r.git` in `folder`, the forge's API, and SendKit."""

    folder: Path
    api: ForgeApi
    simulator: Simulator
    count: int = 0

    def clone(self, branch: str = "main", commit: str | None = None) -> Path:
        """Return a fresh clone, at `commit` or at the tip of `branch`."""
        self.count += 1
        place = self.folder / f"clone{self.count}"
        source = (self.folder / "r.git").as_uri()
        if commit is None:
            git(self.folder, "clone", "-q", "--branch", branch, source, place.name)
            return place
        # As a forge checks a job's commit out: no branch, and nothing of what was before.
        place.mkdir()
        git(place, "init", "-q")
        git(place, "remote", "add", "origin", source)
        git(place, "fetch", "-q", "--depth=1", "origin", commit)
        git(place, "checkout", "-q", "--detach", "FETCH_HEAD")
        return place

    def start(self, files: Mapping[str, str]) -> None:
        """Make the repository, with `files` on main."""
        git(self.folder, "init", "-q", "--bare", "-b", "main", "r.git")
        git(self.folder / "r.git", "config", "uploadpack.allowReachableSHA1InWant", "true")
        place = self.folder / "first"
        git(self.folder, "clone", "-q", "r.git", "first")
        git(place, "checkout", "-q", "-B", "main")
        self.commit(place, files)

    def commit(self, place: Path, files: Mapping[str, str], branch: str = "main") -> str:
        """Commit `files` and push them; return the commit."""
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text, encoding="utf-8")
        git(place, "add", "-A")
        git(place, "commit", "-q", "-m", "Change")
        git(place, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        commit = git(place, "rev-parse", "HEAD")
        if branch != "main":
            self.api.proposed = commit
        return commit

    def propose(self, branch: str, files: Mapping[str, str]) -> Path:
        """Push a branch off main that changes `files`, and return a clone of it."""
        place = self.clone()
        self.commit(place, files, branch)
        return place

    def merge(self, branch: str) -> str:
        """Merge a branch into main as a forge does, and return the merge commit."""
        place = self.clone()
        git(place, "merge", "-q", "--no-ff", "-m", f"Merge {branch}", f"origin/{branch}")
        git(place, "push", "-q", "origin", "HEAD:refs/heads/main")
        self.api.merged = git(place, "rev-parse", "HEAD")
        return self.api.merged

    def bash(self, place: Path, script: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=place,
            env=environment(SENDKIT_API_URL=self.simulator.url) | dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def github(
        self, place: Path, steps: Sequence[Mapping[str, Any]], event: str, inputs: Mapping[str, str] | None = None, **more: str
    ) -> Outcome:
        """Run the steps of a job as GitHub does, but for those that use an action or install."""
        temp = place.with_name(f"{place.name}.temp")
        temp.mkdir(exist_ok=True)
        (temp / "event.json").write_text(json.dumps({"pull_request": self.api.request()}), encoding="utf-8")
        known = {
            "github.event_name": event,
            "github.token": GITHUB_TOKEN,
            "secrets.SENDKIT_API_KEY": KEY,
            **{f"inputs.{name}": value for name, value in (inputs or {}).items()},
        }
        variables = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "somebody",
            "GITHUB_API_URL": self.api.url,
            "GITHUB_GRAPHQL_URL": f"{self.api.url}/graphql",
            "GITHUB_EVENT_PATH": str(temp / "event.json"),
            "GITHUB_REF_NAME": "7/merge" if event == "pull_request" else "main",
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_SHA": git(place, "rev-parse", "HEAD"),
            "GITHUB_STEP_SUMMARY": str(temp / "summary.md"),
            "RUNNER_TEMP": str(temp),
        }
        outcome = Outcome()
        for step in steps:
            if "run" not in step or step.get("name") == "Install":
                continue
            wanted = step.get("if", "success()")
            if not re.search(r"(always|failure|cancelled|success)\(\)", wanted):
                wanted = f"success() && {wanted}"
            if not _holds(wanted, known, good=outcome.good):
                continue
            given = {name: _filled(value, known) for name, value in step.get("env", {}).items()}
            done = self.bash(place, step["run"], variables | given | more)
            outcome.ran.append(step["name"])
            outcome.said += done.stdout + done.stderr
            outcome.good = outcome.good and done.returncode == 0
        return outcome

    def gitlab(self, place: Path, job: Mapping[str, Any], source: str, **more: str) -> Outcome:
        """Run the scripts of a job as GitLab does, but for installing."""
        request = source == "merge_request_event"
        variables = {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": self.api.url,
            "CI_COMMIT_SHA": git(place, "rev-parse", "HEAD"),
            "CI_DEFAULT_BRANCH": "main",
            "CI_PIPELINE_SOURCE": source,
            "CI_PROJECT_ID": "5",
            "CI_PROJECT_URL": f"{self.api.url}/git/r",
            **(
                {"CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
                if request
                else {"CI_COMMIT_BRANCH": "main"}
            ),
            "SENDKIT_COMMENT_TOKEN": COMMENT_TOKEN,
            **({} if request else {"SENDKIT_API_KEY": KEY, "STATE_PUSH_TOKEN": PUSH_TOKEN}),
            **more,
        }
        variables |= gitlab_variables(job, variables)
        done = self.bash(place, "\n".join(job["script"]), variables)
        after = self.bash(place, "\n".join(job.get("after_script", [])), variables)
        return Outcome(done.returncode == 0, [], done.stdout + done.stderr + after.stdout + after.stderr)

    def check_recorded(self, *names: str) -> None:
        """Assert that a fresh clone knows each name by its one live webhook, and that git holds no secret in clear."""
        fresh = self.clone()
        live = {webhook["name"]: webhook for webhook in self.simulator.webhooks()}
        assert sorted(webhook["name"] for webhook in self.simulator.webhooks()) == sorted(names)
        state = json.loads((fresh / "sendkit.state.json").read_text(encoding="utf-8"))
        assert {name: one["id"] for name, one in state["webhooks"].items()} == {name: live[name]["_id"] for name in names}
        assert not (fresh / "sendkit.state.json.journal").exists()
        history = git(fresh, "log", "-p", "--all")
        assert KEY not in history
        for webhook in live.values():
            assert webhook["secret"] not in history


def gitlab_variables(job: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """Return what the first rule that holds adds; asserts that one does, and not only by hand."""
    for rule in job["rules"]:
        text = re.sub(r"\$(\w+)", lambda found: repr(variables.get(found[1], "")), rule["if"])
        if eval(text.replace("&&", " and ").replace("||", " or "), {}):
            assert "when" not in rule, f"not started: {rule}"
            return dict(rule.get("variables", {}))
    raise AssertionError("no rule holds")


def workflow(place: Path, job: str) -> list[dict[str, Any]]:
    """Return the steps of a job of the workflow that `init` wrote."""
    text = (place / ".github" / "workflows" / "sendkit-sync.yml").read_text(encoding="utf-8")
    steps: list[dict[str, Any]] = yaml.safe_load(text)["jobs"][job]["steps"]
    return steps


def action() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the steps and the inputs of the composite action."""
    whole = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
    return whole["runs"]["steps"], whole["inputs"]


def pipeline(place: Path, job: str) -> dict[str, Any]:
    """Return a job of the pipeline that `init` wrote."""
    found: dict[str, Any] = yaml.safe_load((place / ".gitlab-ci.yml").read_text(encoding="utf-8"))[job]
    return found


def _filled(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ *(.+?) *\}\}", lambda found: known[found[1]], text)


def _holds(expression: str, known: Mapping[str, str], *, good: bool) -> bool:
    text = re.sub(r"\b(?:github|inputs|secrets)\.[\w.-]+", lambda found: repr(known[found[0]]), expression)
    for name, value in {"always": True, "success": good, "failure": not good, "cancelled": False}.items():
        text = text.replace(f"{name}()", str(value))
    return bool(eval(text.replace("&&", " and ").replace("||", " or "), {}))
