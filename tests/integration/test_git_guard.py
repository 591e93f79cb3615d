"""Secrets in clear where a commit would take them along: a warning from plan, an error from apply in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sendkit_sync.app.git_guard import taken_by_git
from sendkit_sync.cli.main import run
from sendkit_sync.simulator import Simulator

CONFIG = "version: 1\nwebhooks:\n  - name: CRM\n    url: https://crm.example.com/in\n    events: [email.replied]\n"
SEALED = CONFIG + "encryption:\n  age:\n    recipients: [{}]\n"
WARNING = "the state contains secrets in clear and is in a git work tree that does not ignore it"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "webhooks.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def apply_in(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("SENDKIT_API_URL", simulator.url)
    monkeypatch.setenv("SENDKIT_API_KEY", "sk_canary_git")
    return run(["apply", "--yes"])


def test_plan_warns_and_goes_on(tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    assert run(["plan"]) == 0
    out, err = capsys.readouterr()
    assert "1 to create" in out
    assert WARNING in err
    assert "`encryption`" in err
    assert ".gitignore" in err


def test_apply_is_refused_in_ci_before_any_call(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CI", "true")
    with Simulator() as simulator:
        assert apply_in(simulator, monkeypatch) == 1
        assert simulator.requests == []
    assert WARNING in capsys.readouterr().err
    assert [path.name for path in tree.glob("sendkit.state.json*")] == ["sendkit.state.json.lock"]


@pytest.mark.parametrize("words", [["import", "--matching"], ["reconcile"]], ids=" ".join)
def test_whatever_writes_secrets_is_refused_in_ci(
    tree: Path, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CI", "true")
    with Simulator() as simulator:
        monkeypatch.setenv("SENDKIT_API_URL", simulator.url)
        monkeypatch.setenv("SENDKIT_API_KEY", "sk_canary_git")
        assert run(words) == 1
        assert simulator.requests == []
    assert WARNING in capsys.readouterr().err
    assert [path.name for path in tree.glob("sendkit.state.json*")] == ["sendkit.state.json.lock"]


def test_apply_warns_only_where_a_person_runs_it(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with Simulator() as simulator:
        assert apply_in(simulator, monkeypatch) == 0
    assert WARNING in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ignore", "taken"),
    [
        ("sendkit.state.json*\n", False),
        ("*.json*\n", False),
        ("sendkit.state.json\n", True),
        ("sendkit.state.json\n*.journal\n*.backup\n", True),
        ("", True),
    ],
    ids=["all", "wider", "without the backup", "without what a killed run leaves", "none"],
)
def test_every_file_that_holds_secrets_must_be_ignored(tree: Path, ignore: str, taken: bool):
    (tree / ".gitignore").write_text(ignore, encoding="utf-8")
    assert taken_by_git("sendkit.state.json", os.environ) is taken


def test_a_state_that_is_tracked_is_taken_whatever_is_ignored(tree: Path):
    (tree / "sendkit.state.json").write_text("{}", encoding="utf-8")
    git(tree, "add", "-f", "sendkit.state.json")
    (tree / ".gitignore").write_text("sendkit.state.json*\n", encoding="utf-8")
    assert taken_by_git("sendkit.state.json", os.environ)


def test_a_link_out_of_the_tree_is_followed(tree: Path, tmp_path_factory: pytest.TempPathFactory):
    outside = tmp_path_factory.mktemp("outside") / "sendkit.state.json"
    (tree / "sendkit.state.json").symlink_to(outside)
    assert not taken_by_git("sendkit.state.json", os.environ)


def test_a_name_that_begins_with_a_dash_is_no_flag(tree: Path):
    assert taken_by_git("--stdin", os.environ)


def test_another_repository_in_the_environment_does_not_decide(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    (other / ".git" / "info" / "exclude").write_text("*\n", encoding="utf-8")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert taken_by_git("sendkit.state.json", os.environ)


@pytest.mark.parametrize(("ignore", "warned"), [("", True), (".env\n", False)], ids=["not ignored", "ignored"])
def test_an_export_into_the_tree_is_warned_of(
    tree: Path, ignore: str, warned: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (tree / ".gitignore").write_text("sendkit.state.json*\n" + ignore, encoding="utf-8")
    with Simulator() as simulator:
        assert apply_in(simulator, monkeypatch) == 0
        assert run(["secret", "export", "--format", "dotenv", "--output", ".env"]) == 0
    assert (".env contains secrets, and git may commit it; add it to .gitignore" in capsys.readouterr().err) is warned
    assert (tree / ".env").exists()


def test_without_git_the_doubt_is_said(tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert run(["plan"]) == 0
    err = capsys.readouterr().err
    assert WARNING not in err
    assert "git could not be asked" in err


@pytest.mark.parametrize("why", ["no git", "a damaged repository", "a .gitignore that takes for ever"])
def test_in_ci_what_git_could_not_be_asked_about_is_refused(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, why: str
):
    monkeypatch.setenv("CI", "true")
    match why:
        case "no git":
            monkeypatch.setenv("PATH", "")
        case "a damaged repository":
            (tree / ".git" / "HEAD").write_text("nonsense")
        case _:
            monkeypatch.setattr("sendkit_sync.app.git_guard.TIMEOUT_S", 0.3)
            (tree / "webhooks.yaml").write_text(f"state: {'a' * 60}.json\n{CONFIG}", encoding="utf-8")
            (tree / ".gitignore").write_text("*a" * 25 + "b\n")
    with Simulator() as simulator:
        assert apply_in(simulator, monkeypatch) == 1
        assert simulator.requests == []
    assert "git could not be asked" in capsys.readouterr().err
    assert not [path for path in tree.glob("*.json*") if not path.name.endswith(".lock")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_work_tree_of_another_user_is_looked_at_too(tree: Path):
    for path in (tree, tree / ".git"):
        os.chown(path, 4711, 4711)
    assert subprocess.run(["git", "status"], cwd=tree, check=False, capture_output=True).returncode == 128
    assert taken_by_git("sendkit.state.json", os.environ)


def test_git_is_not_given_what_it_does_not_need(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path_factory.mktemp("bin")
    (folder / "git").write_text(f'#!/bin/sh\n{{ env; echo "$@"; }} > "{folder}/seen"\nexit 1\n', encoding="utf-8")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for name in ("SENDKIT_API_KEY", "SENDKIT_SECRET_CRM", "SENDKIT_VAR_X", "SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "canary-of-the-environment")
    assert taken_by_git("sendkit.state.json", os.environ)
    seen = (folder / "seen").read_text(encoding="utf-8")
    assert "check-ignore" in seen
    assert "canary" not in seen


def test_outside_a_work_tree_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "webhooks.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["plan"]) == 0
    assert WARNING not in capsys.readouterr().err


def test_a_sealed_state_may_be_committed(tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    pyrage = pytest.importorskip("pyrage")
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    (tree / "webhooks.yaml").write_text(SEALED.format(recipient), encoding="utf-8")
    monkeypatch.setenv("CI", "true")
    with Simulator() as simulator:
        assert apply_in(simulator, monkeypatch) == 0
    assert run(["plan"]) == 0
    assert WARNING not in capsys.readouterr().err


def test_encryption_over_a_state_in_clear_still_warns(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    pyrage = pytest.importorskip("pyrage")
    with Simulator() as simulator:
        assert apply_in(simulator, monkeypatch) == 0
        capsys.readouterr()
        recipient = str(pyrage.x25519.Identity.generate().to_public())
        (tree / "webhooks.yaml").write_text(SEALED.format(recipient), encoding="utf-8")
        assert run(["plan"]) == 0
    err = capsys.readouterr().err
    assert WARNING in err
    assert "the state contains secrets in clear" in err
    assert "state encrypt" in err
