"""From a pull request to SendKit: the plan that was reviewed is applied, once, and its record gets back to the branch."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sendkit_sync.ci.__main__ import steps
from sendkit_sync.cli.main import run
from sendkit_sync.core.errors import ExitCode
from sendkit_sync.simulator import Fault, Simulator
from support.forge_api import BOT_ID, COMMENT_TOKEN, GITHUB_TOKEN, PUSH_TOKEN, ForgeApi
from support.forge_jobs import Jobs, Outcome, action, environment, git, pipeline, workflow
from support.waiting import wait_for
from support.workspace import KEY, KILLER, REPOSITORY

pyrage = pytest.importorskip("pyrage", reason="the extra age is not installed")
pytestmark = pytest.mark.timeout(300)
RECIPIENT, ADDED = sorted(str(pyrage.x25519.Identity.generate().to_public()) for _ in range(2))
EMPTY = f"version: 1\nencryption: {{age: {{recipients: [{RECIPIENT}]}}}}\nwebhooks:\n"
Job = Callable[[Path, str], Outcome]


def entry(name: str) -> str:
    return f"  - name: {name}\n    url: https://{name.lower()}.example.com/in\n    events: [email.replied]\n"


def config(*names: str) -> dict[str, str]:
    text = EMPTY + "".join(map(entry, names))
    return {"webhooks.yaml": text if names else text.replace("webhooks:", "webhooks: []")}


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    with Simulator() as simulator, ForgeApi(tmp_path / "r.git") as api:
        made = Jobs(tmp_path, api, simulator)
        assert run(["init", str(tmp_path / "written"), "--github", "--gitlab", "--recipient", RECIPIENT]) == 0
        written = {
            str(path.relative_to(tmp_path / "written")): path.read_text(encoding="utf-8")
            for path in (tmp_path / "written").rglob("*")
            if path.is_file()
        }
        made.start(written | config())
        yield made


@pytest.fixture(params=["workflow", "action", "pipeline"])
def job(request: pytest.FixtureRequest, jobs: Jobs) -> Job:
    """Return what runs the plan or the apply job in a clone: the workflow, the action, or GitLab's pipeline."""

    def of_workflow(place: Path, name: str) -> Outcome:
        return jobs.github(place, workflow(place, name), "pull_request" if name == "plan" else "push")

    def of_action(place: Path, name: str) -> Outcome:
        made, declared = action()
        defaults = {one: str(about.get("default", "")) for one, about in declared.items()}
        assert defaults["reviewed"] == "${{ github.event_name == 'push' }}"
        given = {"command": name, "api-key": KEY, "token": GITHUB_TOKEN, "reviewed": "true"}
        return jobs.github(place, made, "pull_request" if name == "plan" else "push", defaults | given)

    def of_pipeline(place: Path, name: str) -> Outcome:
        source = "merge_request_event" if name == "plan" else "push"
        return jobs.gitlab(place, pipeline(place, f"sendkit-{name}"), source)

    return {"workflow": of_workflow, "action": of_action, "pipeline": of_pipeline}[request.param]


def apply_job(jobs: Jobs, place: Path, event: str = "push", **more: str) -> Outcome:
    return jobs.github(place, workflow(place, "apply"), event, **more)


def test_what_was_reviewed_is_applied_and_recorded(jobs: Jobs, job: Job):
    jobs.api.say("Looks good")
    proposed = jobs.propose("one", config("CRM"))
    planned = job(proposed, "plan")
    assert planned.good, planned.said
    jobs.commit(proposed, config("CRM", "Bounces"), "one")
    assert job(proposed, "plan").good
    (comment,) = [one["body"] for one in jobs.api.comments if one["body"] != "Looks good"]
    assert "2 to create" in comment
    assert "Bounces" in comment
    applied = job(jobs.clone(commit=jobs.merge("one")), "apply")
    assert applied.good, applied.said
    assert jobs.simulator.webhooks()
    jobs.check_recorded("CRM", "Bounces")
    assert KEY not in applied.said
    for token in (GITHUB_TOKEN, COMMENT_TOKEN, PUSH_TOKEN):
        assert token not in planned.said + applied.said


@pytest.mark.parametrize("job", ["workflow", "pipeline"], indirect=True)
def test_a_failed_apply_fails_the_job_and_is_recorded(jobs: Jobs, job: Job):
    assert job(jobs.propose("one", config("CRM", "Bounces")), "plan").good
    jobs.simulator.add_fault(Fault("POST", nth=1, kind="status", status=400))
    applied = job(jobs.clone(commit=jobs.merge("one")), "apply")
    assert not applied.good
    jobs.check_recorded(*[webhook["name"] for webhook in jobs.simulator.webhooks()])
    assert len(jobs.simulator.webhooks()) == 1


@pytest.mark.parametrize("job", ["action", "pipeline"], indirect=True)
def test_a_plan_that_was_not_shown_is_refused(jobs: Jobs, job: Job):
    proposed = jobs.propose("one", config("CRM"))
    assert job(proposed, "plan").good
    jobs.commit(proposed, config("CRM", "Bounces"), "one")
    applied = job(jobs.clone(commit=jobs.merge("one")), "apply")
    assert not applied.good
    assert re.search(r"the plan is not the one that (pull request #7|merge request !7) showed for its last", applied.said)
    assert jobs.simulator.requests == []


class TestWhatIsReviewed:
    def test_a_change_that_was_merged_in_between_is_no_obstacle(self, jobs: Jobs):
        shown = []
        for branch, name in (("one", "CRM"), ("two", "Bounces")):
            place = jobs.propose(branch, config(name))
            assert jobs.github(place, workflow(place, "plan"), "pull_request").good
            shown.append((jobs.api.proposed, [jobs.api.comments.pop()]))
        jobs.api.proposed, jobs.api.comments = shown[0]
        assert apply_job(jobs, jobs.clone(commit=jobs.merge("one"))).good
        jobs.api.proposed, jobs.api.comments = shown[1]
        both = jobs.clone()
        jobs.api.merged = jobs.commit(both, config("CRM", "Bounces"))
        applied = apply_job(jobs, jobs.clone(commit=jobs.api.merged))
        assert applied.good, applied.said
        jobs.check_recorded("CRM", "Bounces")

    def test_on_gitlab_too_a_plan_is_of_what_there_will_be(self, jobs: Jobs):
        """Its pipelines see the branch alone, which may be older than the last record."""
        place = jobs.propose("one", config("CRM"))
        assert jobs.gitlab(place, pipeline(place, "sendkit-plan"), "merge_request_event").good
        first = jobs.clone(commit=jobs.merge("one"))
        one = jobs.api.proposed
        place = jobs.propose("two", config("CRM", "Bounces"))
        two, jobs.api.proposed = jobs.api.proposed, one
        assert jobs.gitlab(first, pipeline(first, "sendkit-apply"), "push").good
        jobs.api.comments.clear()
        jobs.api.proposed = two
        assert jobs.gitlab(place, pipeline(place, "sendkit-plan"), "merge_request_event").good
        assert "1 to create" in jobs.api.comments[0]["body"]
        second = jobs.clone(commit=jobs.merge("two"))
        applied = jobs.gitlab(second, pipeline(second, "sendkit-apply"), "push")
        assert applied.good, applied.said
        jobs.check_recorded("CRM", "Bounces")

    def test_a_push_without_a_pull_request_waits_for_a_person(self, jobs: Jobs):
        hostile = dict.fromkeys(
            ("click.py", "json.py", "sendkit_sync/__init__.py"), "raise SystemExit('ran what was checked out')"
        )
        commit = jobs.commit(jobs.clone(), config("CRM") | hostile)
        refused = apply_job(jobs, jobs.clone(commit=commit))
        assert not refused.good
        assert "no merged pull request" in refused.said
        assert "start the job by hand" in refused.said
        assert jobs.simulator.requests == []
        by_hand = apply_job(jobs, jobs.clone(), "workflow_dispatch")
        assert by_hand.good, by_hand.said
        assert by_hand.ran == ["Take the last state", "Plan", "Apply", "Record the state"]
        jobs.check_recorded("CRM")

    def test_where_nothing_changes_nothing_is_to_be_reviewed(self, jobs: Jobs):
        applied = apply_job(jobs, jobs.clone())
        assert applied.good, applied.said
        assert "Compare with the reviewed plan" in applied.ran


@pytest.fixture
def at_hand(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Let the steps run in this process, in a clone on a branch that adds one webhook, for the forge GitHub."""
    place = jobs.propose("one", config("CRM"))
    for name in [name for name in os.environ if name.startswith(("SENDKIT", "GIT_", "GITHUB_", "GITLAB", "CI"))]:
        monkeypatch.delenv(name)
    event = jobs.folder / "event.json"
    event.write_text(json.dumps({"pull_request": jobs.api.request()}), encoding="utf-8")
    job = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": jobs.api.url,
        "GITHUB_GRAPHQL_URL": f"{jobs.api.url}/graphql",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REF_NAME": "main",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_SHA": git(place, "rev-parse", "HEAD"),
        "GITHUB_TOKEN": GITHUB_TOKEN,
    }
    kept = {name: value for name, value in environment().items() if name.startswith("GIT_")}
    for name, value in (job | kept | {"SENDKIT_API_URL": jobs.simulator.url, "SENDKIT_API_KEY": KEY, "CI": "true"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place)
    return jobs


def forge(*words: str) -> int:
    return run(list(words), steps)


def plan() -> None:
    assert run(["plan", "--out", "plan.json"]) == 0
    Path("plan.md").write_text("the plan\n", encoding="utf-8")


class TestComment:
    def test_one_that_somebody_else_made_is_neither_changed_nor_believed(self, at_hand: Jobs, monkeypatch: pytest.MonkeyPatch):
        plan()
        assert forge("comment", "plan.json", "plan.md") == 0
        ours = at_hand.api.comments.pop()["body"]
        at_hand.api.say(ours)
        at_hand.api.merged = os.environ["GITHUB_SHA"]
        assert forge("reviewed", "plan.json") == ExitCode.FAILED
        assert forge("comment", "plan.json", "plan.md") == 0
        assert [one["user"]["id"] for one in at_hand.api.comments] == [1, BOT_ID]
        assert forge("reviewed", "plan.json") == 0

    def test_a_plan_that_was_shown_for_an_earlier_commit_is_not_the_reviewed_one(
        self, at_hand: Jobs, capsys: pytest.CaptureFixture[str]
    ):
        plan()
        assert forge("comment", "plan.json", "plan.md") == 0
        at_hand.api.merged, at_hand.api.proposed = os.environ["GITHUB_SHA"], "f" * 40
        assert forge("reviewed", "plan.json") == ExitCode.FAILED
        assert "is not the one that pull request #7 showed for its last commit" in capsys.readouterr().err

    def test_that_no_plan_was_shown_is_said(self, at_hand: Jobs, capsys: pytest.CaptureFixture[str]):
        """As where the plan was commented with another token."""
        plan()
        at_hand.api.merged = os.environ["GITHUB_SHA"]
        assert forge("reviewed", "plan.json") == ExitCode.FAILED
        assert "pull request #7 has no plan that this job's token commented" in capsys.readouterr().err

    def test_another_recipient_is_to_be_reviewed(self, at_hand: Jobs, capsys: pytest.CaptureFixture[str]):
        assert run(["apply", "--yes"]) == 0
        plan()
        assert forge("reviewed", "plan.json") == 0
        text = Path("webhooks.yaml").read_text(encoding="utf-8")
        Path("webhooks.yaml").write_text(text.replace(RECIPIENT, f"{RECIPIENT}, {ADDED}"), encoding="utf-8")
        plan()
        at_hand.api.merged = os.environ["GITHUB_SHA"]
        assert forge("reviewed", "plan.json") == ExitCode.FAILED
        assert forge("comment", "plan.json", "plan.md") == 0
        assert forge("reviewed", "plan.json") == 0
        assert run(["apply", "--plan", "plan.json", "--yes"]) == 0
        plan()
        assert forge("reviewed", "plan.json") == 0
        assert capsys.readouterr().out.count("The plan has no changes") == 2

    def test_it_is_found_behind_many_others(self, at_hand: Jobs):
        for number in range(250):
            at_hand.api.say(f"comment {number}")
        plan()
        for _ in range(2):
            assert forge("comment", "plan.json", "plan.md") == 0
        assert len(at_hand.api.comments) == 251

    @pytest.mark.parametrize("case", ["fork", "dependabot"])
    def test_a_token_that_only_reads_leaves_it_out(
        self, at_hand: Jobs, case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        if case == "fork":
            at_hand.api.within = False
            Path(os.environ["GITHUB_EVENT_PATH"]).write_text(json.dumps({"pull_request": at_hand.api.request()}))
        else:
            monkeypatch.setenv("GITHUB_ACTOR", "dependabot[bot]")
        plan()
        assert forge("comment", "plan.json", "plan.md") == 0
        assert "No comment" in capsys.readouterr().out
        assert at_hand.api.requests == []

    def test_what_a_fork_showed_is_not_reviewed(self, at_hand: Jobs, capsys: pytest.CaptureFixture[str]):
        plan()
        assert forge("comment", "plan.json", "plan.md") == 0
        at_hand.api.within, at_hand.api.merged = False, os.environ["GITHUB_SHA"]
        assert forge("reviewed", "plan.json") == ExitCode.FAILED
        assert "no merged pull request of this repository" in capsys.readouterr().err

    @pytest.mark.parametrize("flags", [["--prune"], ["--target", "CRM"]], ids=" ".join)
    def test_a_plan_that_was_made_otherwise_is_another(self, at_hand: Jobs, flags: list[str]):
        plan()
        assert forge("comment", "plan.json", "plan.md") == 0
        at_hand.api.merged = os.environ["GITHUB_SHA"]
        assert run(["plan", "--out", "plan.json", *flags]) == 0
        assert forge("reviewed", "plan.json") == ExitCode.FAILED

    def test_the_largest_plan_fits(self, at_hand: Jobs):
        long = "x" * 200
        Path("webhooks.yaml").write_text(EMPTY + "".join(entry(f"W{number}{long}") for number in range(1000)))
        plan()
        with Path("plan.md").open("w", encoding="utf-8") as file:
            done = at_hand.bash(Path.cwd(), "sendkit-sync plan --format markdown", {})
            file.write(done.stdout)
        assert forge("comment", "plan.json", "plan.md") == 0
        assert 50_000 < len(at_hand.api.comments[-1]["body"]) <= 65_536

    @pytest.mark.parametrize(
        ("change", "code", "said"),
        [
            ({"GITHUB_TOKEN": "ghs_canary_wrong"}, ExitCode.FAILED, "answered 401"),
            ({"GITHUB_TOKEN": ""}, ExitCode.USAGE, "GITHUB_TOKEN is not set"),
            ({"GITHUB_API_URL": "http://127.0.0.1:9"}, ExitCode.UNREACHABLE, "cannot be reached"),
            ({"GITHUB_ACTIONS": ""}, ExitCode.USAGE, "only runs in a job"),
        ],
        ids=["refused", "no token", "unreachable", "no job"],
    )
    def test_what_goes_wrong_is_said_without_the_token(
        self,
        at_hand: Jobs,
        change: dict[str, str],
        code: ExitCode,
        said: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ):
        plan()
        for name, value in change.items():
            monkeypatch.setenv(name, value)
        assert forge("comment", "plan.json", "plan.md") == code
        shown = capsys.readouterr()
        assert said in shown.err
        assert "canary" not in shown.err + shown.out

    def test_a_fork_on_gitlab_has_no_token(self, jobs: Jobs):
        place = jobs.propose("one", config("CRM"))
        planned = jobs.gitlab(place, pipeline(place, "sendkit-plan"), "merge_request_event", SENDKIT_COMMENT_TOKEN="")
        assert planned.good, planned.said
        assert "1 to create" in planned.said
        assert "No comment: SENDKIT_COMMENT_TOKEN is not set" in planned.said
        assert jobs.api.requests == []


class TestRecord:
    def test_a_cancelled_job_finishes_the_call_under_way(self, at_hand: Jobs):
        assert forge("take") == 0
        at_hand.simulator.add_fault(Fault("POST", nth=1, when="after", kind="delay", delay_s=3))
        script = next(step["run"] for step in workflow(Path.cwd(), "apply") if step.get("name") == "Apply")
        variables = environment(SENDKIT_API_URL=at_hand.simulator.url, SENDKIT_API_KEY=KEY)
        job = subprocess.Popen(["bash", "-e", "-c", script], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_for(at_hand.simulator.webhooks, "the first webhook")
        job.send_signal(signal.SIGINT)
        said, _ = job.communicate(timeout=60)
        assert job.returncode == ExitCode.INTERRUPTED, said
        assert forge("record") == 0
        at_hand.check_recorded("CRM")

    def test_a_killed_run_hands_its_journal_to_the_next(self, at_hand: Jobs):
        assert forge("take") == 0
        (at_hand.folder / "killer.py").write_text(KILLER, encoding="utf-8")
        script = f"python {at_hand.folder}/killer.py answer-read apply --yes"
        assert at_hand.bash(Path.cwd(), script, {"SENDKIT_API_KEY": KEY}).returncode != 0
        assert forge("record") == 0
        following = at_hand.clone()
        assert (following / "sendkit.state.json.journal").exists()
        at_hand.commit(following, config("CRM"))
        applied = apply_job(at_hand, following, "workflow_dispatch")
        assert applied.good, applied.said
        at_hand.check_recorded("CRM")

    def test_a_branch_that_moved_on_keeps_what_it_has(self, at_hand: Jobs):
        assert forge("take") == 0
        assert run(["apply", "--yes"]) == 0
        at_hand.commit(at_hand.clone(), {"NOTES": "meanwhile\n"})
        assert forge("record") == 0
        assert forge("record") == 0
        at_hand.check_recorded("CRM")
        fresh = at_hand.clone()
        assert (fresh / "NOTES").exists()
        assert git(fresh, "log", "-1", "--format=%s %an") == "Record the webhooks [skip ci] sendkit-sync"
        assert git(fresh, "show", "--name-only", "--format=").split() == ["sendkit.state.json"]

    def test_the_last_state_is_taken_whatever_commit_the_job_is_for(self, at_hand: Jobs):
        assert forge("take") == 0
        assert run(["apply", "--yes"]) == 0
        assert forge("record") == 0
        Path("sendkit.state.json").unlink()
        assert git(Path.cwd(), "status", "--porcelain", "--untracked-files=no") == ""
        assert forge("take") == 0
        assert "CRM" in Path("sendkit.state.json").read_text(encoding="utf-8")
        assert Path("sendkit.state.json").stat().st_mode & 0o777 == 0o600
        assert run(["plan", "--detailed-exitcode"]) == 0

    def test_what_somebody_else_recorded_is_never_overwritten(self, at_hand: Jobs, capsys: pytest.CaptureFixture[str]):
        assert forge("take") == 0
        assert run(["apply", "--yes"]) == 0
        mine = Path("sendkit.state.json").read_bytes()
        at_hand.commit(at_hand.clone(), {"sendkit.state.json": "theirs\n"})
        assert forge("record") == ExitCode.FAILED
        assert "another job has changed the state on main" in capsys.readouterr().err
        assert (at_hand.clone() / "sendkit.state.json").read_text() == "theirs\n"
        assert Path("sendkit.state.json").read_bytes() == mine

    def test_secrets_in_clear_are_never_committed(
        self, at_hand: Jobs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        assert forge("take") == 0
        Path("webhooks.yaml").write_text("version: 1\nwebhooks:\n" + entry("CRM"), encoding="utf-8")
        monkeypatch.setenv("CI", "")
        assert run(["apply", "--yes"]) == 0
        assert forge("record") == ExitCode.FAILED
        assert "secrets in clear" in capsys.readouterr().err
        assert not (at_hand.clone() / "sendkit.state.json").exists()

    def test_a_state_that_is_gone_is_never_removed_from_the_branch(self, at_hand: Jobs, capsys: pytest.CaptureFixture[str]):
        assert forge("take") == 0
        assert run(["apply", "--yes"]) == 0
        assert forge("record") == 0
        assert forge("take") == 0
        Path("sendkit.state.json").unlink()
        assert forge("record") == ExitCode.FAILED
        assert "the state file is gone" in capsys.readouterr().err
        at_hand.check_recorded("CRM")

    def test_what_an_earlier_job_took_is_forgotten(self, at_hand: Jobs, capsys: pytest.CaptureFixture[str]):
        """On a machine that keeps its clone: the next job may be for a commit without a state, and fail to take it."""
        assert forge("take") == 0
        assert run(["apply", "--yes"]) == 0
        assert forge("record") == 0
        assert forge("take") == 0
        Path("sendkit.state.json").unlink()
        git(Path.cwd(), "remote", "set-url", "--push", "origin", f"{at_hand.api.url}/git/r.git")
        assert forge("take") == ExitCode.FAILED
        git(Path.cwd(), "remote", "set-url", "--push", "origin", git(Path.cwd(), "remote", "get-url", "origin"))
        assert forge("record") == 0
        assert "No state was taken" in capsys.readouterr().out
        at_hand.check_recorded("CRM")

    def test_without_a_state_that_was_taken_nothing_is_done(self, at_hand: Jobs, capsys: pytest.CaptureFixture[str]):
        assert forge("record") == 0
        assert "No state was taken" in capsys.readouterr().out


class TestTake:
    """Refused before the first call: what could not be committed back."""

    @pytest.mark.parametrize("case", ["ignored", "no right to push", "left behind", "outside", "in .git"])
    def test_it_is_refused(self, at_hand: Jobs, case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path):
        words: list[str] = []
        if case == "ignored":
            Path(".gitignore").write_text("sendkit.state.json*\n", encoding="utf-8")
        elif case == "no right to push":
            git(Path.cwd(), "remote", "set-url", "--push", "origin", f"{at_hand.api.url}/git/r.git")
        elif case == "left behind":
            Path("sendkit.state.json.journal").write_text("not committed\n", encoding="utf-8")
        else:
            words = ["--state", str(tmp_path / "state.json") if case == "outside" else ".git/state.json"]
        before = sorted(Path.cwd().iterdir())
        assert forge("take", *words) == (ExitCode.USAGE if case == "outside" else ExitCode.FAILED)
        said = {
            "ignored": "git ignores the state",
            "no right to push": "cannot be pushed to main",
            "left behind": "never committed",
            "outside": "the state is outside of the git work tree",
            "in .git": "git update-index failed",
        }
        assert said[case] in capsys.readouterr().err
        assert sorted(Path.cwd().iterdir()) == before
        assert forge("record") == 0

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give a tree to another user")
    def test_a_tree_of_another_user_is_taken_as_in_a_container(self, at_hand: Jobs):
        for path in (Path.cwd(), *Path.cwd().rglob("*")):
            os.chown(path, 12345, 12345)
        done = subprocess.run(["git", "status"], env=environment(), capture_output=True, text=True, check=False)
        assert "dubious ownership" in done.stderr
        assert forge("take") == 0
        assert run(["apply", "--yes"]) == 0
        assert forge("record") == 0
        at_hand.check_recorded("CRM")

    @pytest.mark.parametrize("name", ["--stdin", "-w", "a b, c\u00e9.json"])
    def test_a_name_is_never_an_option_of_git(self, at_hand: Jobs, name: str):
        text = Path("webhooks.yaml").read_text(encoding="utf-8")
        Path("webhooks.yaml").write_text(f"state: {json.dumps(name)}\n{text}", encoding="utf-8")
        assert forge("take") == 0
        assert run(["apply", "--yes"]) == 0
        assert forge("record") == 0
        assert json.loads((at_hand.clone() / name).read_text(encoding="utf-8"))["webhooks"].keys() == {"CRM"}

    def test_a_state_in_a_folder_is_found_by_the_config(self, at_hand: Jobs, monkeypatch: pytest.MonkeyPatch):
        Path("hooks").mkdir()
        Path("hooks/webhooks.yaml").write_text(EMPTY + entry("CRM"), encoding="utf-8")
        monkeypatch.setenv("SENDKIT_SYNC_CONFIG", "hooks/webhooks.yaml")
        assert forge("take") == 0
        assert run(["apply", "--yes"]) == 0
        assert forge("record") == 0
        assert (at_hand.clone() / "hooks" / "sendkit.state.json").exists()


class TestFiles:
    """What holds for every file that runs on a forge."""

    FILES = (
        REPOSITORY / "action.yml",
        REPOSITORY / "sendkit_sync/templates/github.yml",
        REPOSITORY / "sendkit_sync/templates/gitlab.yml",
    )

    def test_nothing_is_put_into_a_shell_by_the_forge(self):
        for path in self.FILES[:2]:
            for step in _steps(path):
                assert "${{" not in step.get("run", ""), step

    def test_actions_are_pinned_by_what_they_are(self):
        for path in self.FILES[:2]:
            for step in _steps(path):
                assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"]), step

    def test_the_action_runs_what_the_workflow_runs(self):
        ours, theirs = ({step["name"]: step["run"] for step in _steps(path) if "run" in step} for path in self.FILES[:2])
        plan = "Plan"
        assert ours.keys() == theirs.keys()
        assert {name: text for name, text in ours.items() if name not in ("Install", plan)} == {
            name: text for name, text in theirs.items() if name not in ("Install", plan)
        }

    def test_one_run_at_a_time_is_never_cancelled(self):
        jobs = yaml.safe_load(self.FILES[1].read_text(encoding="utf-8"))["jobs"]
        assert jobs["apply"]["concurrency"] == {"group": "sendkit-sync-apply", "cancel-in-progress": False}
        gitlab = yaml.safe_load(self.FILES[2].read_text(encoding="utf-8"))["sendkit-apply"]
        assert (gitlab["resource_group"], gitlab["interruptible"]) == ("sendkit-sync", False)

    def test_a_job_may_do_no_more_than_it_needs(self):
        workflow: dict[str, Any] = yaml.safe_load(self.FILES[1].read_text(encoding="utf-8"))
        assert workflow["permissions"] == {}
        assert workflow["jobs"]["plan"]["permissions"] == {"contents": "read", "pull-requests": "write"}
        assert workflow["jobs"]["apply"]["permissions"] == {"contents": "write", "pull-requests": "read"}

    def test_no_command_line_holds_a_token(self, jobs: Jobs):
        jobs.commit(jobs.clone(), config("CRM"))
        place = jobs.clone()
        done = jobs.gitlab(place, pipeline(place, "sendkit-apply"), "web", GIT_TRACE="1")
        assert done.good, done.said
        assert "trace: built-in: git push" in done.said
        assert PUSH_TOKEN not in done.said
        assert PUSH_TOKEN not in (place / ".git" / "config").read_text(encoding="utf-8")
        jobs.check_recorded("CRM")

    def test_without_a_comment_token_a_person_starts_the_apply(self, jobs: Jobs):
        place = jobs.clone()
        with pytest.raises(AssertionError, match=r"not started: .*manual"):
            jobs.gitlab(place, pipeline(place, "sendkit-apply"), "push", SENDKIT_COMMENT_TOKEN="")


def _steps(path: Path) -> list[dict[str, Any]]:
    whole: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "runs" in whole:
        return list(whole["runs"]["steps"])
    return [step for job in whole["jobs"].values() for step in job["steps"]]
