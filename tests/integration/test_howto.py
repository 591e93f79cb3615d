"""The how-to pages, followed step by step: each command of each page is run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from sendkit_sync.simulator import Simulator
from support import fake_hosts
from support.forge_api import ForgeApi
from support.forge_jobs import Jobs, action, environment, git, pipeline, workflow
from support.workspace import KEY, REPOSITORY

pytestmark = pytest.mark.timeout(300)
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "docs" / "howto").glob("*.md"))}


def blocks(page: str) -> list[str]:
    """Return the shell blocks of a page, in order."""
    return re.findall(r"^```sh\n(.+?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel of this project, in place of the package registry."""
    folder = tmp_path_factory.mktemp("wheels")
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*words, str(REPOSITORY)], check=True, capture_output=True, timeout=100)
    return folder


@dataclass
class Reader:
    """Somebody who follows a page: a home, a machine to work on, and a shell that keeps its folder and its variables."""

    folder: Path
    simulator: Simulator
    wheels: Path
    shell: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home, self.machine = self.folder / "home", self.folder / "machine"
        self.home.mkdir()
        fake_hosts.install(self.machine / "bin")
        for name in ("opt", "etc/systemd/system", "var/lib"):
            (self.machine / name).mkdir(parents=True)
        self.cwd = self.home

    def environment(self) -> dict[str, str]:
        ours = environment(SENDKIT_API_URL=self.simulator.url)
        # As a person has it: not CI, and the installed package, not the checked-out one.
        del ours["CI"], ours["PYTHONPATH"]
        ours |= fake_hosts.OFFLINE | {"PIP_FIND_LINKS": str(self.wheels), "HOME": str(self.home), "MACHINE": str(self.machine)}
        return ours | {"PATH": f"{self.machine / 'bin'}:{ours['PATH']}"} | self.shell

    def follow(self, block: str, typed: str = "") -> str:
        """Run a block as it stands, but for the folders of the system, and return what it printed."""
        script = re.sub(r"(?<![\w.~])/(opt|etc|var)/", rf"{self.machine}/\1/", block)
        after = self.folder / "after"
        script = f"set -e\n{script}\npwd > '{after}'\nenv -0 >> '{after}'\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.cwd,
            env=self.environment(),
            input=typed,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert KEY not in done.stdout + done.stderr
        where, _, variables = after.read_text(encoding="utf-8").partition("\n")
        self.cwd = Path(where)
        pairs = (pair.split("=", 1) for pair in variables.split("\0") if "=" in pair)
        self.shell = {name: value for name, value in pairs if name.startswith(("SOPS", "SENDKIT"))}
        return done.stdout

    def check_made(self) -> str:
        """Assert that the webhook of `init` is live, once; return its secret."""
        (live,) = self.simulator.webhooks()
        assert live["name"] == "CRM Sync"
        return str(live["secret"])


@pytest.fixture
def reader(tmp_path: Path, wheels: Path) -> Iterator[Reader]:
    with Simulator() as simulator:
        yield Reader(tmp_path, simulator, wheels)


def missing(*programs: str) -> pytest.MarkDecorator:
    absent = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}")


AGE_KEYGEN = f"""\
#!{sys.executable}
import os, sys
import pyrage
if sys.argv[1] == "-o":
    identity = pyrage.x25519.Identity.generate()
    text = f"# public key: {{identity.to_public()}}\\n{{identity}}\\n"
    os.write(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), text.encode())
else:
    print(pyrage.x25519.Identity.from_str(open(sys.argv[2]).read().split()[-1]).to_public())
"""


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_a_repository_on_a_forge(reader: Reader, forge: str, tmp_path: Path):
    pytest.importorskip("pyrage", reason="the extra age is not installed")
    (reader.machine / "bin" / "age-keygen").write_text(AGE_KEYGEN, encoding="utf-8")
    (reader.machine / "bin" / "age-keygen").chmod(0o755)
    identity, start, push, read = blocks(forge)
    with ForgeApi(tmp_path / "r.git") as api:
        jobs = Jobs(tmp_path, api, reader.simulator)
        jobs.start({"README.md": "ours\n"})
        reader.cwd = jobs.clone()
        git(reader.cwd, "config", "user.name", "A")
        git(reader.cwd, "config", "user.email", "a@example.com")
        for block in (identity, start, push):
            reader.follow(block)
        proposed, job = jobs.clone("webhooks"), {"github": "pull_request", "gitlab": "merge_request_event"}[forge]
        api.proposed = git(proposed, "rev-parse", "HEAD")
        run_plan = jobs.github(proposed, workflow(proposed, "plan"), job) if forge == "github" else None
        planned = run_plan or jobs.gitlab(proposed, pipeline(proposed, "sendkit-plan"), job)
        assert planned.good, planned.said
        assert "1 to create" in api.comments[0]["body"]
        merged = jobs.clone(commit=jobs.merge("webhooks"))
        run_apply = jobs.github(merged, workflow(merged, "apply"), "push") if forge == "github" else None
        applied = run_apply or jobs.gitlab(merged, pipeline(merged, "sendkit-apply"), "push")
        assert applied.good, applied.said
        jobs.check_recorded("CRM Sync")
        assert reader.follow(read).splitlines()[-1] == reader.check_made()
        names = git(reader.cwd, "ls-files").split()
        assert "webhooks.yaml" in names
        assert not [name for name in names if "keys.txt" in name]


def test_the_jobs_install_what_they_name(reader: Reader, tmp_path: Path):
    """The `Install` steps of the workflow, the pipeline and the action, which the other tests leave out."""
    assert reader.follow(f"sendkit-sync init written --github --gitlab --recipient {'age1' + 'q' * 58}")
    steps = [*workflow(reader.cwd / "written", "plan"), *workflow(reader.cwd / "written", "apply"), *action()[0]]
    scripts = {step["run"] for step in steps if step.get("name") == "Install"}
    text = yaml.safe_load((reader.cwd / "written" / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    scripts |= set(text[".sendkit-sync"]["before_script"])
    assert len(scripts) == 2
    for number, script in enumerate(sorted(scripts)):
        place = tmp_path / f"installed{number}"
        reader.shell = {"PIP_TARGET": str(place), "SOURCE": str(REPOSITORY)}
        reader.follow(script)
        assert (place / "sendkit_sync" / "ci" / "__main__.py").exists()


def test_the_action_is_used_as_the_page_shows():
    (block,) = re.findall(r"^```yaml\n(jobs:.+?)^```", PAGES["github"], re.DOTALL | re.MULTILINE)
    shown = yaml.safe_load(block)["jobs"]
    written = yaml.safe_load((REPOSITORY / "sendkit_sync/templates/github.yml").read_text(encoding="utf-8"))["jobs"]
    inputs = action()[1]
    for name, job in shown.items():
        assert job["permissions"] == written[name]["permissions"]
        given = job["steps"][-1]["with"]
        assert set(given) <= set(inputs)
        assert given["command"] == name
        assert {one for one, about in inputs.items() if about.get("required")} <= set(given)
    assert shown["apply"]["concurrency"] == written["apply"]["concurrency"]


def test_cron(reader: Reader):
    set_up, key, try_it, add = blocks("cron")
    reader.follow(set_up)
    reader.follow(key, typed=f"{KEY}\n")
    assert (reader.home / "webhooks" / "api-key").stat().st_mode & 0o777 == 0o600
    dry, real = reader.follow(try_it).splitlines()
    assert (dry, real) == (
        "Dry run: Plan: 1 to create, 0 to update, 0 to delete. 0 unchanged.",
        "Reconciled: 1 created, 0 updated, 0 deleted. 1 in sync.",
    )
    reader.follow(add)
    reader.follow("(crontab -l; echo '# another') | crontab -")
    line = (reader.machine / "crontab").read_text(encoding="utf-8").splitlines()[0]
    *times, command = line.split(maxsplit=5)
    assert times == ["*/15", "*", "*", "*", "*"]
    assert "%" not in command  # cron makes a line break of it
    kept = {"PYTHONPATH": fake_hosts.PACKAGES, "SENDKIT_API_URL": reader.simulator.url}
    cron = {"HOME": str(reader.home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "reader"}
    for expected in (0, 69):
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=reader.home,
            env=cron | kept,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        last = (reader.home / "webhooks" / "last-run").read_text(encoding="utf-8")
        assert (done.returncode, done.stdout, bool(done.stderr)) == (expected, "", expected != 0)
        assert last.startswith("Not reconciled: " if expected else "Reconciled: 0 created")
        kept["SENDKIT_API_URL"], kept["SENDKIT_SYNC_RETRY_FOR"] = "http://127.0.0.1:9", "0s"
        (reader.home / "webhooks" / "sendkit.state.json").unlink()
    reader.check_made()


def test_systemd(reader: Reader):
    set_up, key, install, start, secret = blocks("systemd")
    reader.follow(set_up)
    reader.follow(key, typed=f"{KEY}\n")
    reader.follow(install)
    assert (reader.machine / "etc/sendkit-sync/api-key").stat().st_mode & 0o777 == 0o600
    assert "Reconciled: 1 created" in reader.follow(start)
    assert reader.follow(secret).strip() == reader.check_made()


CLOUDFLARED = f"""\
#!{sys.executable}
import pathlib, sys
number = pathlib.Path("starts")
count = int(number.read_text()) + 1 if number.exists() else 1
number.write_text(str(count))
assert sys.argv[1:] == ["tunnel", "--url", "http://127.0.0.1:8080"]
print("INF Requesting new quick Tunnel on trycloudflare.com...", file=sys.stderr)
print(f"INF |  https://quiet-lamp-{{count}}.trycloudflare.com  |", file=sys.stderr)
"""


def test_a_tunnel_moves_the_webhook_by_one_patch(reader: Reader):
    (config,) = re.findall(r"^```yaml\n# webhooks.yaml\n(.+?)^```", PAGES["tunnel"], re.DOTALL | re.MULTILINE)
    (reader.home / "webhooks.yaml").write_text(config, encoding="utf-8")
    (reader.machine / "bin" / "cloudflared").write_text(CLOUDFLARED, encoding="utf-8")
    (reader.machine / "bin" / "cloudflared").chmod(0o755)
    start, apply, export, test = blocks("tunnel")
    reader.shell["SENDKIT_API_KEY"] = KEY
    for block in (start, apply, export, test):
        reader.follow(block)
    secret = reader.check_made()
    (before,) = reader.simulator.webhooks()
    assert before["url"] == "https://quiet-lamp-1.trycloudflare.com/webhooks/sendkit"
    assert reader.shell["SENDKIT_SECRET_CRM_SYNC"] == secret
    reader.simulator.requests.clear()
    for block in (start, apply, apply):
        reader.follow(block)
    (after,) = reader.simulator.webhooks()
    changed = {name for name, value in after.items() if value != before[name]}
    assert (after["url"], changed) == ("https://quiet-lamp-2.trycloudflare.com/webhooks/sendkit", {"url", "updatedAt"})
    sent = [(request["method"], request["fields"]) for request in reader.simulator.requests if request["method"] != "GET"]
    assert sent == [("PATCH", ["url"])]


def can_contain() -> bool:
    """Tell whether this process may give a command a root of its own."""
    if os.getuid() != 0 or any(shutil.which(name) is None for name in ("unshare", "setpriv", "chroot")):
        return False
    words = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_contain(), reason="a root file system of one's own takes root, unshare and setpriv")
def test_kubernetes(reader: Reader):
    build, write, key, hand, try_it, change = blocks("kubernetes")
    checkout = reader.home / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv", ".coverage*", "*cache*", "tests", "*.state.json*")
    shutil.copytree(REPOSITORY, checkout, ignore=ignored)
    reader.cwd = checkout
    reader.follow(build)
    reader.cwd = reader.home
    reader.follow(write)
    reader.follow(key, typed=f"{KEY}\n")
    assert (reader.cwd / "api-key").read_text(encoding="utf-8") == KEY
    reader.follow(hand)
    log = reader.follow(try_it).splitlines()
    assert log[-1] == "Reconciled: 1 created, 0 updated, 0 deleted. 1 in sync."
    assert all(line.startswith("{") for line in log[:-1])
    state = reader.machine / "cluster/volumes/sendkit-state/sendkit.state.json"
    assert (state.stat().st_uid, state.stat().st_mode & 0o777) == (10001, 0o600)
    config = reader.cwd / "webhooks.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("/webhooks/sendkit", "/changed"), encoding="utf-8")
    reader.follow(change)
    assert "Reconciled: 0 created, 1 updated" in reader.follow(try_it.replace("first", "second"))
    reader.check_made()


@missing("promtool")
def test_monitoring(reader: Reader):
    set_up, key, *_ = blocks("cron")
    reader.follow(set_up)
    reader.follow(key, typed=f"{KEY}\n")
    (reader.machine / "var/lib/prometheus/node-exporter").mkdir(parents=True)
    write, check, alert, monitor, page = blocks("monitoring")
    assert reader.follow(write) == "Reconciled: 1 created, 0 updated, 0 deleted. 1 in sync.\n"
    assert re.search(r"^sendkit_sync_last_run_success\{.*\} 1\.0$", reader.follow(check), re.MULTILINE)
    shutil.copy(REPOSITORY / "docs" / "monitoring" / "alerts.yaml", reader.cwd)
    assert "SUCCESS: 8 rules found" in reader.follow(alert)
    assert "1 webhook, none with a problem" in reader.follow(monitor)
    reader.follow(page)
    assert "<title>1 webhook, none with a problem" in (reader.cwd / "page" / "index.html").read_text(encoding="utf-8")
    reader.check_made()


def test_every_page_is_followed():
    elsewhere = {"hand-over-secrets"}  # tests/integration/test_hand_over.py
    assert set(PAGES) - elsewhere == {"cron", "github", "gitlab", "kubernetes", "monitoring", "systemd", "tunnel"}
