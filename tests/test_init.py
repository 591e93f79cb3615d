"""What `init` writes: real tools accept it, it overwrites nothing, and its steps work against a local bare repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_end_to_end import KEY, KILLER, REPOSITORY

from sendkit_sync.cli.init_command import TEMPLATES
from sendkit_sync.cli.main import run
from sendkit_sync.errors import ExitCode
from sendkit_sync.simulator import Fault, Simulator

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ALL = ["--github", "--gitlab", "--pre-commit", "--kubernetes", "--systemd", "--recipient", RECIPIENT]
BIN = Path(sys.executable).parent
PATH = os.pathsep.join([str(BIN), os.environ["PATH"], str(Path.home() / "go" / "bin")])
FAKE_GH = """\
import json, pathlib, sys
store = pathlib.Path(__file__).with_name("comments.json")
comments = json.loads(store.read_text()) if store.exists() else []
words = sys.argv[1:]
method = words[words.index("-X") + 1] if "-X" in words else "GET"
path = next(word for word in words if word.startswith("repos/"))
if method == "GET":
    print(json.dumps(comments))
else:
    body = pathlib.Path(words[words.index("-F") + 1].removeprefix("body=@")).read_text()
    if method == "POST":
        comments.append({"id": len(comments) + 1, "user": {"login": "github-actions[bot]"}, "body": body})
    else:
        next(one for one in comments if str(one["id"]) == path.rsplit("/", 1)[1])["body"] = body
    store.write_text(json.dumps(comments))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    assert run(["init", str(folder), *ALL]) == 0
    return folder


def tool(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def check(*words: str | Path, cwd: Path) -> None:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def step(file: Path, job: str, name: str) -> str:
    steps: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"][job]["steps"]
    return next(str(one["run"]) for one in steps if name in (one.get("name"), one.get("run")))


class TestFiles:
    def test_the_config_is_valid_and_names_its_schema(self, written: Path, capsys: pytest.CaptureFixture[str]):
        assert run(["validate", "-c", str(written / "webhooks.yaml"), "--strict"]) == 0
        assert "1 webhook: valid." in capsys.readouterr().out
        first = (written / "webhooks.yaml").read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=./webhooks.schema.json"
        schema = json.loads((written / "webhooks.schema.json").read_text(encoding="utf-8"))
        assert schema == json.loads((REPOSITORY / "schemas" / "webhooks.schema.json").read_text(encoding="utf-8"))

    def test_nothing_is_overwritten(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        (tmp_path / "webhooks.yaml").write_text("mine\n", encoding="utf-8")
        (tmp_path / ".gitignore").write_text("mine\n", encoding="utf-8")
        assert run(["init", str(tmp_path)]) == 0
        assert (tmp_path / "webhooks.yaml").read_text(encoding="utf-8") == "mine\n"
        assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "mine\n"
        assert "add to it: sendkit.state.json*" in capsys.readouterr().out

    def test_a_state_in_clear_is_ignored_by_git(self, tmp_path: Path):
        assert run(["init", str(tmp_path)]) == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "webhooks.schema.json", "webhooks.yaml"]
        assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "sendkit.state.json*\n"

    @pytest.mark.parametrize("words", [["--github"], ["--gitlab"], ["--recipient", "age1no"]], ids=" ".join)
    def test_a_pipeline_needs_a_key_to_seal_for(self, tmp_path: Path, words: list[str]):
        assert run(["init", str(tmp_path), *words]) == ExitCode.USAGE
        assert list(tmp_path.iterdir()) == []

    def test_every_place_is_filled_in(self, written: Path):
        for path in written.rglob("*"):
            assert path.is_dir() or "@@" not in path.read_text(encoding="utf-8"), path

    def test_the_action_runs_the_same_scripts(self):
        steps = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
        ran = [one["run"] for one in steps]
        for script in ("comment-github.sh", "commit-state.sh"):
            assert (TEMPLATES / script).read_text(encoding="utf-8") in ran


class TestTools:
    def test_actionlint(self, written: Path):
        check(tool("actionlint"), written / ".github/workflows/sendkit-sync.yml", cwd=written)

    def test_yamllint(self, written: Path):
        rules = "{extends: default, rules: {line-length: {max: 140}, document-start: disable}}"
        ours = [REPOSITORY / "action.yml", REPOSITORY / ".pre-commit-hooks.yaml"]
        check(tool("yamllint"), "--strict", "-d", rules, written, *ours, cwd=written)

    @pytest.mark.parametrize(
        ("schema", "path"),
        [
            ("vendor.github-workflows", ".github/workflows/sendkit-sync.yml"),
            ("vendor.gitlab-ci", ".gitlab-ci.yml"),
            ("vendor.github-actions", REPOSITORY / "action.yml"),
        ],
    )
    def test_check_jsonschema(self, written: Path, schema: str, path: str | Path):
        check(sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path, cwd=written)

    def test_a_kubernetes_validator(self, written: Path):
        check(tool("kubernetes-validate"), "--strict", "kubernetes/sendkit-sync.yaml", cwd=written)

    def test_systemd(self, written: Path, tmp_path: Path):
        analyze = tool("systemd-analyze")
        for path in (written / "systemd").iterdir():
            text = path.read_text(encoding="utf-8")
            program = next((line.split()[0] for line in text.splitlines() if line.startswith("ExecStart=")), "ExecStart=")
            (tmp_path / path.name).write_text(text.replace(program, "ExecStart=/bin/true"), encoding="utf-8")
        check(analyze, "verify", tmp_path / "sendkit-sync.timer", tmp_path / "sendkit-sync.service", cwd=tmp_path)

    def test_pre_commit(self, written: Path, tmp_path: Path):
        pre_commit = tool("pre-commit")
        check(pre_commit, "validate-manifest", REPOSITORY / ".pre-commit-hooks.yaml", cwd=tmp_path)
        for name in (".pre-commit-config.yaml", "webhooks.yaml"):
            shutil.copy(written / name, tmp_path / name)
        environment = _environment() | {"PRE_COMMIT_HOME": str(tmp_path / ".cache")}
        for words in (["git", "init", "-q"], ["git", "add", "webhooks.yaml", ".pre-commit-config.yaml"]):
            subprocess.run(words, cwd=tmp_path, check=True)
        hook = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 60}
        good = subprocess.run([pre_commit, "run"], check=False, **hook)  # type: ignore[call-overload]
        assert good.returncode == 0, good.stdout + good.stderr
        (tmp_path / "webhooks.yaml").write_text("version: 2\n", encoding="utf-8")
        subprocess.run(["git", "add", "webhooks.yaml"], cwd=tmp_path, check=True)
        bad = subprocess.run([pre_commit, "run"], check=False, **hook)  # type: ignore[call-overload]
        assert bad.returncode == 1
        assert "webhooks.yaml:1:" in bad.stdout


def _environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SENDKIT", "GIT_", "CI"))}
    return clean | {"PATH": PATH, "PYTHONPATH": str(REPOSITORY), "GIT_CONFIG_GLOBAL": "/dev/null", "CI": "true"}


class Forge:
    """A bare repository that holds what `init` wrote, and jobs that run steps in fresh clones of it."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder, self.simulator, self.count = folder, simulator, 0
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", "bare"], cwd=folder, check=True)
        first = self.clone()
        assert run(["init", str(first), *ALL]) == 0
        self.commit(first, "Start")

    def clone(self) -> Path:
        self.count += 1
        place = self.folder / f"clone{self.count}"
        subprocess.run(["git", "clone", "-q", "bare", place.name], cwd=self.folder, check=True, capture_output=True)
        return place

    def commit(self, place: Path, subject: str) -> None:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        for words in (["add", "-A"], ["checkout", "-q", "-B", "main"], [*who, "commit", "-q", "-m", subject]):
            subprocess.run(["git", *words], cwd=place, check=True)
        subprocess.run(["git", "push", "-q", "origin", "main"], cwd=place, check=True)

    def bash(self, place: Path, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = _environment() | {"SENDKIT_API_URL": self.simulator.url, "SENDKIT_API_KEY": KEY, "BRANCH": "main"}
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=place,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def check_recorded(self) -> None:
        """Assert that a fresh clone knows the one live webhook, and holds no secret in clear."""
        fresh = self.clone()
        assert "No changes." in self.bash(fresh, "sendkit-sync plan --detailed-exitcode").stdout
        (live,) = self.simulator.webhooks()
        text = (fresh / "sendkit.state.json").read_text(encoding="utf-8")
        assert live["_id"] in text
        assert live["secret"] not in text


@pytest.fixture
def forge(tmp_path: Path):
    with Simulator() as simulator:
        yield Forge(tmp_path, simulator)


class TestGitHub:
    APPLY = "sendkit-sync apply --yes"

    def commit_step(self, place: Path) -> str:
        return step(place / ".github/workflows/sendkit-sync.yml", "apply", "Commit the state")

    def test_apply_commits_the_sealed_state(self, forge: Forge):
        job = forge.clone()
        assert step(job / ".github/workflows/sendkit-sync.yml", "apply", self.APPLY) == self.APPLY
        applied = forge.bash(job, self.APPLY)
        assert applied.returncode == 0, applied.stderr
        committed = forge.bash(job, self.commit_step(job))
        assert committed.returncode == 0, committed.stderr
        forge.check_recorded()
        assert forge.bash(job, self.commit_step(job)).returncode == 0

    def test_a_branch_that_moved_on_is_no_obstacle(self, forge: Forge):
        job, other = forge.clone(), forge.clone()
        forge.bash(job, self.APPLY)
        (other / "NOTES").write_text("x\n", encoding="utf-8")
        forge.commit(other, "Meanwhile")
        committed = forge.bash(job, self.commit_step(job))
        assert committed.returncode == 0, committed.stderr
        forge.check_recorded()

    def test_a_killed_run_hands_its_journal_to_the_next(self, forge: Forge):
        job = forge.clone()
        (job.parent / "killer.py").write_text(KILLER, encoding="utf-8")
        killed = forge.bash(job, f'"{sys.executable}" ../killer.py answer-read apply --yes')
        assert killed.returncode != 0
        assert forge.bash(job, self.commit_step(job)).returncode == 0
        following = forge.clone()
        assert (following / "sendkit.state.json.journal").exists()
        applied = forge.bash(following, f"{self.APPLY} --resend-after 0s")
        assert applied.returncode == 0, applied.stderr
        assert forge.bash(following, self.commit_step(following)).returncode == 0
        assert not (forge.clone() / "sendkit.state.json.journal").exists()
        forge.check_recorded()

    def test_one_comment_is_updated_in_place(self, forge: Forge, tmp_path: Path):
        tool("jq")
        fake = tmp_path / "fake"
        fake.mkdir()
        (fake / "gh").write_text(f"#!{sys.executable}\n{FAKE_GH}", encoding="utf-8")
        (fake / "gh").chmod(0o755)
        job = forge.clone()
        workflow = job / ".github/workflows/sendkit-sync.yml"
        summary = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "RUNNER_TEMP": str(tmp_path)}
        github = {"GITHUB_REPOSITORY": "o/r", "PULL_REQUEST": "7", "PATH": f"{fake}:{PATH}"} | summary
        plan = next(
            one["run"]
            for one in yaml.safe_load(workflow.read_text())["jobs"]["plan"]["steps"]
            if "plan.md" in one.get("run", "")
        )
        for name in ("CRM Sync", "Renamed"):
            config = (job / "webhooks.yaml").read_text(encoding="utf-8").replace("CRM Sync", name)
            (job / "webhooks.yaml").write_text(config, encoding="utf-8")
            assert forge.bash(job, plan, **github).returncode == 0
            commented = forge.bash(job, step(workflow, "plan", "Comment on the pull request"), **github)
            assert commented.returncode == 0, commented.stderr
        (comment,) = json.loads((fake / "comments.json").read_text(encoding="utf-8"))
        assert comment["body"].startswith("<!-- sendkit-sync -->\n**Plan: 1 to create")
        assert "Renamed" in comment["body"]


class TestGitLab:
    def test_apply_commits_the_sealed_state(self, forge: Forge):
        job = forge.clone()
        script = yaml.safe_load((job / ".gitlab-ci.yml").read_text(encoding="utf-8"))["sendkit-apply"]["script"]
        done = forge.bash(job, "\n".join(script[1:]))
        assert done.returncode == 0, done.stderr
        forge.check_recorded()

    def test_a_failed_apply_still_commits_and_fails(self, forge: Forge):
        job = forge.clone()
        config = (job / "webhooks.yaml").read_text(encoding="utf-8")
        twin = "  - name: Second\n    url: https://x.example.com\n    events: [email.sent]\n"
        (job / "webhooks.yaml").write_text(config + twin, encoding="utf-8")
        forge.commit(job, "Two")
        forge.simulator.add_fault(Fault("POST", nth=1, kind="status", status=400))
        script = yaml.safe_load((job / ".gitlab-ci.yml").read_text(encoding="utf-8"))["sendkit-apply"]["script"]
        done = forge.bash(job, "\n".join(script[1:]))
        assert done.returncode == 1
        (live,) = forge.simulator.webhooks()
        assert live["_id"] in (forge.clone() / "sendkit.state.json").read_text(encoding="utf-8")
