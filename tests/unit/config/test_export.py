"""Live webhooks as a config file: what comes out is valid, means the same, or is warned of."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st

from sendkit_sync.config import load_config
from sendkit_sync.config.export import config_text
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import LiveWebhook
from sendkit_sync.simulator import Simulator
from support.workspace import Workspace

NASTY = (
    "${HOME}",
    "$${X:-y}",
    "$$",
    "a: b # c",
    "'q\"uo\\te",
    "- x",
    "no",
    "~",
    "1e3",
    "010",
    "2024-01-01",
    "*a",
    "!t",
    "%x",
    "<<",
    "nb\u00a0sp",
    "bom\ufeffx",
    "rtl\u202ex",
    "\U0001f600",
    "x" * 5000,
)
UNFIT = ("", "tab\there", "line\nbreak", "\u2028", "del\x7f", "c1\x9b")
texts = st.one_of(st.sampled_from(NASTY + UNFIT), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
urls = st.one_of(texts, texts.map(lambda text: f"https://x.example.com/{text}"))
numbers = st.none() | st.integers(-1, 10**30)
events = st.sets(texts, max_size=3).map(lambda found: tuple(sorted(found)))
ids = st.integers(0, 2**64).map(lambda number: f"{number:024x}")
lives = st.builds(LiveWebhook, ids, texts, st.builds(Settings, urls, events, numbers, numbers))


@running(deadline=None)
@given(st.lists(lives, max_size=5, unique_by=lambda live: live.id))
def test_what_is_exported_means_the_same_or_is_warned_of(tmp_path_factory, live):
    text, warnings = config_text(live)
    path = tmp_path_factory.getbasetemp() / "exported.yaml"
    path.write_text(text, encoding="utf-8")
    entries = {webhook.name: webhook for webhook in load_config([str(path)], {}).webhooks}
    warned = {warning.split(" ", 1)[0]: warning for warning in warnings}
    for webhook in live:
        name = webhook.name.strip()
        if "left out" in warned.get(webhook.id, ""):
            continue
        if webhook.id in warned:
            name = next(name for name in entries if name.endswith(f"({webhook.id})"))
        assert entries.pop(name).settings.effective() == webhook.settings.effective()
    assert not entries


def test_it_survives_export_import_and_plan(tmp_path: Path):
    with Simulator() as simulator:
        workspace = Workspace(tmp_path, simulator)
        for number, name in enumerate(NASTY):
            url = f"https://x{number}.example.com/?q={''.join(name.split())}"
            body = {"name": name, "url": url, "events": ["email.sent", "${E}"], "timeoutMs": number + 1}
            simulator.store.create("ws_demo", body)
        for _ in range(2):
            simulator.store.create("ws_demo", body)
        exported = workspace.run("export")
        assert exported.returncode == 0
        workspace.write(exported.stdout)
        assert workspace.run("validate").returncode == 0
        assert workspace.run("import", "--matching").stdout.endswith(f"{len(NASTY) - 1} webhooks adopted.\n")
        plan = workspace.run("plan", "--refresh").stdout
        assert f"0 to create, 2 to update, 0 to delete, 1 to adopt. {len(NASTY) - 1} unchanged." in plan
        assert exported.stderr.count("its id was appended") == 2
        assert workspace.apply().returncode == 0
        assert len(simulator.webhooks()) == len(NASTY) + 2
        assert "No changes." in workspace.run("plan", "--refresh").stdout


def test_a_platform_key_finds_the_workspace_in_the_file(tmp_path: Path):
    with Simulator() as simulator:
        workspace = Workspace(tmp_path, simulator)
        body = {"name": "A", "url": "https://a.example.com/", "events": ["email.sent"]}
        simulator.store.create("ws_1", body)
        key = {"SENDKIT_API_KEY": "sk_user_canary"}
        workspace.write(workspace.run("export", "--workspace", "ws_1", **key).stdout)
        assert workspace.run("import", "--matching", **key).returncode == 0
        assert workspace.run("plan", "--refresh", "--detailed-exitcode", **key).returncode == 0


def test_what_is_live_is_written_a_default_too():
    settings = Settings("https://x.example.com/", ("email.sent",), 3, 10_000)
    text, _ = config_text([LiveWebhook("1", "X", settings)])
    assert "retryAttempts: 3\n" in text
    assert "timeoutMs: 10000\n" in text
