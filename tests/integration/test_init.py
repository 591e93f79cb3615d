"""What `init` writes, and the files that the repository offers: nothing is overwritten, and real tools accept each."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sendkit_sync.cli.main import run
from sendkit_sync.core.errors import ExitCode
from support.forge_jobs import environment
from support.workspace import REPOSITORY

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ALL = ["--github", "--gitlab", "--pre-commit", "--kubernetes", "--systemd", "--recipient", RECIPIENT]


STORE = "s3://bucket/sendkit/state.json?region=eu-west-1"


@pytest.fixture(scope="module", params=["file", "store"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    store = ["--store", STORE] if request.param == "store" else []
    assert run(["init", str(folder), *ALL, *store]) == 0
    return folder


def tool(name: str) -> str:
    found = shutil.which(name, path=environment()["PATH"])
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def check(*words: str | Path, cwd: Path, good: bool = True, **more: str) -> str:
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode == 0) is good, done.stdout + done.stderr
    return done.stdout + done.stderr


class TestFiles:
    def test_the_config_is_valid_and_names_its_schema(self, written: Path, capsys: pytest.CaptureFixture[str]):
        assert run(["validate", "-c", str(written / "webhooks.yaml"), "--strict"]) == 0
        assert "1 webhook: valid." in capsys.readouterr().out
        first = (written / "webhooks.yaml").read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=./webhooks.schema.json"
        schema = json.loads((written / "webhooks.schema.json").read_text(encoding="utf-8"))
        assert schema == json.loads((REPOSITORY / "schemas" / "webhooks.schema.json").read_text(encoding="utf-8"))

    def test_nothing_is_overwritten(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        assert run(["init", str(tmp_path), *ALL]) == 0
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) == 10
        for path in files:
            path.write_text("mine\n", encoding="utf-8")
        capsys.readouterr()
        assert run(["init", str(tmp_path), *ALL]) == 0
        assert {path.read_text(encoding="utf-8") for path in files} == {"mine\n"}
        said = capsys.readouterr().out
        assert said.count("left as it is: ") == 10
        assert "written: " not in said

    def test_a_file_that_stays_is_told_what_the_others_need(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        assert run(["init", str(tmp_path)]) == 0
        (tmp_path / "webhooks.schema.json").write_text("{}", encoding="utf-8")
        capsys.readouterr()
        assert run(["init", str(tmp_path), "--github", "--recipient", RECIPIENT]) == 0
        advice = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
        assert advice == [
            f"  add this to it: encryption: {{age: {{recipients: [{RECIPIENT}]}}}}",
            "  it differs from the schema of this version; delete it and run init again",
            "  add this to it: sendkit.state.json.backup, sendkit.state.json.lock",
            "  remove this from it: sendkit.state.json* (the pipeline commits the state)",
        ]

    def test_what_fits_needs_no_advice(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        for _ in range(2):
            assert run(["init", str(tmp_path), *ALL]) == 0
        assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]

    def test_a_state_in_clear_is_ignored_by_git(self, tmp_path: Path):
        assert run(["init", str(tmp_path)]) == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "webhooks.schema.json", "webhooks.yaml"]
        check("git", "init", "-q", cwd=tmp_path)
        files = [f"sendkit.state.json{end}" for end in ("", ".journal", ".backup", ".lock", ".tmp")]
        assert check("git", "check-ignore", *files, cwd=tmp_path).split() == files

    @pytest.mark.parametrize("words", [["--github"], ["--gitlab"], ["--recipient", "age1no"]], ids=" ".join)
    def test_a_pipeline_needs_a_key_to_seal_for(self, tmp_path: Path, words: list[str]):
        assert run(["init", str(tmp_path), *words]) == ExitCode.USAGE
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("there", ["a file", "a folder", "a link to nowhere"])
    def test_what_is_in_the_way_of_a_file_is_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], there: str):
        folder = tmp_path / "new"
        if there == "a file":
            folder.write_text("no folder")
        elif there == "a folder":
            (folder / "webhooks.yaml").mkdir(parents=True)
        else:
            folder.mkdir()
            (folder / "webhooks.yaml").symlink_to("nowhere")
        assert run(["init", str(folder)]) == ExitCode.FAILED
        assert f"error: {folder / 'webhooks.yaml'}: cannot be written: " in capsys.readouterr().err

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        (tmp_path / "file").write_text("", encoding="utf-8")
        assert run(["init", str(tmp_path / "file" / "folder")]) == ExitCode.FAILED
        assert "cannot be written" in capsys.readouterr().err

    def test_with_a_store_no_job_takes_records_or_keeps_a_state(self, tmp_path: Path):
        assert run(["init", str(tmp_path), "--store", STORE, "--github", "--gitlab", "--kubernetes", "--systemd"]) == 0
        assert f'state: "{STORE}"' in (tmp_path / "webhooks.yaml").read_text()
        for path in (path for path in tmp_path.rglob("*") if path.is_file() and path.suffix in (".yml", ".service")):
            text = path.read_text()
            for word in ("ci take", "ci record", "contents: write", "STATE_PUSH_TOKEN", "sendkit.state.json", "StateDirectory"):
                assert word not in text, path
        kubernetes = (tmp_path / "kubernetes/sendkit-sync.yaml").read_text()
        assert "PersistentVolumeClaim" not in kubernetes
        assert "sendkit-store" in kubernetes

    @pytest.mark.parametrize("address", ["s3://key:hunter22@bucket/key", "ftp://host/state", "state.json"])
    def test_a_store_that_is_none_is_refused(self, tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]):
        assert run(["init", str(tmp_path), "--store", address]) == 65
        assert "hunter22" not in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_every_place_is_filled_in(self, written: Path):
        for path in written.rglob("*"):
            assert path.is_dir() or "@@" not in path.read_text(encoding="utf-8"), path


class TestForges:
    def test_actionlint(self, written: Path):
        assert Path(tool("shellcheck")).exists()  # actionlint runs it on every step
        check(tool("actionlint"), written / ".github/workflows/sendkit-sync.yml", cwd=written)

    def test_zizmor_finds_nothing_that_could_be_abused(self, written: Path):
        check(tool("zizmor"), "--offline", written / ".github/workflows", REPOSITORY / "action.yml", cwd=written)

    def test_shellcheck_reads_the_pipeline(self, written: Path, tmp_path: Path):
        import yaml

        pipeline = yaml.safe_load((written / ".gitlab-ci.yml").read_text(encoding="utf-8"))
        jobs = [one for one in pipeline.values() if isinstance(one, dict)]
        scripts = [one[part] for one in jobs for part in ("before_script", "script", "after_script") if part in one]
        assert len(scripts) >= 3
        for number, script in enumerate(scripts):
            (tmp_path / f"{number}.sh").write_text("\n".join(script) + "\n", encoding="utf-8")
        # The credential helper is read by another shell, later.
        check(tool("shellcheck"), "--shell=bash", "--exclude=SC2016", *sorted(tmp_path.glob("*.sh")), cwd=tmp_path)

    def test_yamllint(self, written: Path):
        rules = (
            "{extends: default, rules: {line-length: {max: 140}, document-start: disable,"
            " comments: {min-spaces-from-content: 1}}}"
        )
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


class TestMachines:
    def test_a_kubernetes_validator(self, written: Path, tmp_path: Path):
        check(tool("kubernetes-validate"), "--strict", "kubernetes/sendkit-sync.yaml", cwd=written)
        text = (written / "kubernetes" / "sendkit-sync.yaml").read_text(encoding="utf-8")
        (tmp_path / "wrong.yaml").write_text(text.replace("runAsNonRoot", "runAsNobody"), encoding="utf-8")
        check(tool("kubernetes-validate"), "--strict", "wrong.yaml", cwd=tmp_path, good=False)

    def test_systemd(self, written: Path, tmp_path: Path):
        analyze = tool("systemd-analyze")
        for path in (written / "systemd").iterdir():
            text = path.read_text(encoding="utf-8").replace("/opt/sendkit-sync/bin/sendkit-sync", "/bin/true")
            (tmp_path / path.name).write_text(text, encoding="utf-8")
        said = check(analyze, "verify", tmp_path / "sendkit-sync.timer", tmp_path / "sendkit-sync.service", cwd=tmp_path)
        assert "sendkit-sync" not in said
        check(analyze, "security", "--offline=yes", "--threshold=25", tmp_path / "sendkit-sync.service", cwd=tmp_path)

    def test_hadolint(self, tmp_path: Path):
        check(tool("hadolint"), REPOSITORY / "Dockerfile", cwd=tmp_path)


class TestPreCommit:
    @staticmethod
    def repository(folder: Path, config: Path) -> None:
        for name in (".pre-commit-config.yaml", "webhooks.yaml"):
            shutil.copy(config / name, folder / name)
        check("git", "init", "-q", cwd=folder)
        check("git", "add", ".", cwd=folder)

    def test_the_hook_of_init_stops_a_bad_config(self, written: Path, tmp_path: Path):
        pre_commit = tool("pre-commit")
        home = {"PRE_COMMIT_HOME": str(tmp_path / ".cache")}
        self.repository(tmp_path, written)
        assert "Passed" in check(pre_commit, "run", cwd=tmp_path, **home)
        (tmp_path / "webhooks.yaml").write_text("version: 2\n", encoding="utf-8")
        check("git", "add", "webhooks.yaml", cwd=tmp_path)
        assert "webhooks.yaml:1:" in check(pre_commit, "run", cwd=tmp_path, good=False, **home)

    def test_the_hook_of_this_repository_is_installed_and_run(self, written: Path, tmp_path: Path):
        """Without the package registry: what the hook's own environment lacks comes from this one."""
        pre_commit = tool("pre-commit")
        source, place = tmp_path / "source", tmp_path / "place"
        place.mkdir()
        ignored = shutil.ignore_patterns(".git", ".venv", "*cache*", "tests", "*.state.json*")
        shutil.copytree(REPOSITORY, source, ignore=ignored)
        check("git", "init", "-q", cwd=source)
        check("git", "add", ".", cwd=source)
        check("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "Source", cwd=source)
        check(pre_commit, "validate-manifest", ".pre-commit-hooks.yaml", cwd=source)
        self.repository(place, written)
        packages = next(path for path in sys.path if path.endswith("site-packages"))
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PYTHONPATH": packages}
        home = {"PRE_COMMIT_HOME": str(tmp_path / "cache")}
        words = [pre_commit, "try-repo", str(source), "sendkit-sync-validate", "--verbose", "--all-files"]
        assert "1 webhook: valid." in check(*words, cwd=place, **offline, **home)


class TestDockerfile:
    TEXT = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")

    def test_the_image_is_pinned_and_runs_as_nobody(self):
        assert re.findall(r"^ARG BASE=(.+)", self.TEXT, re.MULTILINE) == ["python:3.12.11-slim-bookworm"]
        assert set(re.findall(r"^FROM (\S+)", self.TEXT, re.MULTILINE)) == {"${BASE}"}
        assert re.findall(r"^USER (.+)", self.TEXT, re.MULTILINE)[-1] == "10001:10001"
        assert re.search(r"^ENTRYPOINT \[", self.TEXT, re.MULTILINE)

    def test_no_secret_gets_into_the_image(self):
        ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
        assert {"**/*.state.json*", "**/.env", "**/*api-key*", ".git"} <= set(ignored)
