"""What `reconcile` tells Prometheus, read by Prometheus' own programs where they are installed."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from sendkit_sync.app.metrics import METRICS, PREFIX
from sendkit_sync.simulator import Fault, Simulator
from support.waiting import wait_for
from support.workspace import Workspace

EXPORTER = next((found for found in map(shutil.which, ("prometheus-node-exporter", "node_exporter")) if found), None)
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
PLATFORM_KEY = "sk_user_canary_5d2c"


def reconcile(workspace: Workspace, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return workspace.run("reconcile", "--settle", "1s", "--retry-for", "1s", "--metrics-file", "m.prom", *words, **environment)


def metrics(workspace: Workspace) -> dict[str, float]:
    """Return the values by name and labels, those of the whole workspace by name alone."""
    text = (workspace.folder / "m.prom").read_text(encoding="utf-8")
    whose = r'state="[^"]+",?|workspace="[^"]*",?|,(?=})'
    lines = re.findall(rf"^{PREFIX}(\w+\{{.*\}}) (\S+)$", text, re.MULTILINE)
    return {re.sub(whose, "", name).replace("{}", "").replace(",}", "}"): float(value) for name, value in lines}


def test_they_tell_the_result_of_the_run(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, kind="status", status=400))
    assert reconcile(workspace).returncode == 1
    found = metrics(workspace)
    counts = {"desired": 2, "in_sync": 1, "drifted": 0, "unresolved": 0, "secret_missing": 0, "inactive": 0}
    assert {name: found[f"webhooks_{name}"] for name in counts} == counts
    assert found['last_run_changes{action="create",status="done"}'] == 1
    assert found['last_run_changes{action="create",status="failed"}'] == 1
    assert found['last_run_api_calls{code="400",method="POST"}'] == 1
    assert found["last_run_success"] == 0
    assert "last_success_timestamp_seconds" not in found
    assert reconcile(workspace).returncode == 0
    found = metrics(workspace)
    assert found["last_success_timestamp_seconds"] == found["last_run_timestamp_seconds"]
    assert [path.name for path in workspace.folder.glob("m.prom*")] == ["m.prom"]


def test_they_tell_what_sendkit_counts(workspace: Workspace):
    reconcile(workspace)
    first, second = workspace.simulator.webhooks()
    stats = {"totalDelivered": 40, "totalFailed": 2, "lastDeliveredAt": "2026-01-02T03:04:05.000Z"}
    workspace.simulator.change(first["_id"], stats=stats)
    workspace.simulator.change(second["_id"], status="inactive")
    assert reconcile(workspace).returncode == 0
    found = metrics(workspace)
    assert (found["deliveries"], found["delivery_failures"], found["webhooks_inactive"]) == (40, 2, 1)
    assert not any("webhook=" in name for name in found)
    assert reconcile(workspace, "--metrics-per-webhook").returncode == 0
    found = metrics(workspace)
    assert found[f'webhook_deliveries_total{{webhook="{first["name"]}"}}'] == 40
    assert found[f'webhook_delivery_failures_total{{webhook="{first["name"]}"}}'] == 2
    assert found[f'webhook_active{{webhook="{second["name"]}"}}'] == 0


def test_the_program_of_another_folder_crashes_no_run(workspace: Workspace):
    done = reconcile(workspace, PROMETHEUS_MULTIPROC_DIR=str(workspace.folder / "not there"))
    assert (done.returncode, done.stderr) == (0, "")
    assert metrics(workspace)["last_run_success"] == 1


def test_where_they_cannot_be_written_the_run_warns_and_fails_after_its_work(workspace: Workspace):
    done = workspace.run("reconcile", "--metrics-file", "no/m.prom")
    assert done.returncode == 1
    assert done.stderr == "warning: no/m.prom: the metrics cannot be written: No such file or directory\n"
    assert done.stdout.endswith("2 in sync. The metrics could not be written.\n")
    workspace.check_each_made_once("CRM Sync", "Analytics")


def test_a_run_without_a_readable_config_keeps_its_series(workspace: Workspace):
    reconcile(workspace)
    before = (workspace.folder / "m.prom").read_text(encoding="utf-8")
    workspace.write("version: 1\nwebhook: []\n")
    assert reconcile(workspace).returncode == 65
    after = (workspace.folder / "m.prom").read_text(encoding="utf-8")
    labels = {re.search(r"\{.*\}", text).group() for text in (before, after)}  # type: ignore[union-attr]
    assert len(labels) == 1
    assert re.search(rf"^{PREFIX}last_run_success{{.*}} 0\.0$", after, re.MULTILINE)


@needs_promtool
def test_promtool_accepts_names_help_and_types(workspace: Workspace):
    assert PROMTOOL is not None
    reconcile(workspace)
    assert reconcile(workspace, "--metrics-per-webhook").returncode == 0
    text = (workspace.folder / "m.prom").read_text(encoding="utf-8")
    assert {name.partition("{")[0] for name in metrics(workspace)} >= {one.name for one in METRICS if not one.labels}
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def scrape(folder: Path) -> str:
    """Return what the node exporter answers for the files in `folder`."""
    assert EXPORTER is not None
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
    words = ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={folder}"]
    process = subprocess.Popen(
        [EXPORTER, *words, f"--web.listen-address={address}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    answer = ""

    def answered() -> bool:
        nonlocal answer
        try:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as response:
                answer = response.read().decode()
        except OSError:
            return False
        return True

    try:
        wait_for(answered, "the node exporter")
    finally:
        process.terminate()
        process.wait(timeout=20)
    return answer


@pytest.mark.skipif(EXPORTER is None, reason="the node exporter is not installed")
def test_two_workspaces_on_one_host_are_collected_without_an_error(tmp_path: Path):
    collected = tmp_path / "collected"
    collected.mkdir()
    with Simulator(keys={PLATFORM_KEY: ["ws_a", "ws_b"]}) as simulator:
        for name in ("ws_a", "ws_b"):
            (tmp_path / name).mkdir()
            workspace = Workspace(tmp_path / name, simulator)
            words = ["--metrics-file", str(collected / f"{name}.prom"), "--metrics-per-webhook"]
            for _ in range(2):
                done = reconcile(workspace, *words, SENDKIT_API_KEY=PLATFORM_KEY, SENDKIT_WORKSPACE_ID=name)
                assert done.returncode == 0, done.stderr
    answer = scrape(collected)
    assert "collected before" not in answer
    assert "node_textfile_scrape_error 0\n" in answer
    for metric in METRICS:
        workspaces = set(re.findall(rf'^{PREFIX}{metric.name}\{{.*workspace="(\w+)"', answer, re.MULTILINE))
        assert workspaces == ({"ws_a", "ws_b"} if "last_delivery" not in metric.name else set()), metric.name
