"""What keeps the commands fast, without a clock: what agrees, what is not loaded, and what is counted."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from sendkit_sync.applying.create import Creator
from sendkit_sync.applying.executor import Executor
from sendkit_sync.applying.pool import Step
from sendkit_sync.applying.results import Result
from sendkit_sync.applying.settings import RunSettings
from sendkit_sync.cli.main import run
from sendkit_sync.config.accept import compiled
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import DesiredWebhook, LiveWebhook, Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from sendkit_sync.core.outcomes import Succeeded
from sendkit_sync.core.redaction import REDACTOR, Redactor
from sendkit_sync.core.schemas import schema
from sendkit_sync.planning.planner import make_plan
from sendkit_sync.secrets.clear import ClearCipher
from sendkit_sync.state import open_ledger, read_store
from sendkit_sync.state.codec import encode_snapshot
from support.counting import calls
from support.memory import Disk, MemoryStore
from support.world import CountingRng, FakeClock, World

WEBHOOKS = schema("webhooks")
QUICK = compiled(WEBHOOKS)
WHOLE = Draft7Validator(WEBHOOKS)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(allow_nan=True),
    st.sampled_from([1.0, 0.0, -1.0, 2.5]),
    st.sampled_from(["", "a", "client", "server", "other"]),
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
)
webhook = st.dictionaries(
    st.sampled_from([*WEBHOOKS["properties"]["webhooks"]["items"]["properties"], "secrte"]), anything, max_size=8
) | st.fixed_dictionaries(
    {"name": st.text(max_size=2), "url": st.just("u"), "events": st.lists(st.sampled_from(["a", "b", ""]), max_size=3)},
    optional={"retryAttempts": scalars, "timeoutMs": scalars, "secret": scalars},
)
config = st.fixed_dictionaries(
    {"version": st.sampled_from([1, 1.0, True, "1", 2]), "webhooks": st.lists(webhook, max_size=3)},
    optional={
        "workspace": scalars,
        "generateSecret": scalars,
        "defaults": st.dictionaries(st.sampled_from(["retryAttempts", "timeoutMs", "x"]), scalars, max_size=2),
        "more": scalars,
    },
)


@settings(max_examples=300, deadline=None)
@given(config | anything)
@example({"version": 1, "webhooks": [{"name": "a", "url": "u", "events": ["a"], "retryAttempts": 0}]})
def test_the_quick_check_accepts_nothing_that_jsonschema_refuses(data: Any):
    if QUICK(data):
        assert WHOLE.is_valid(data)


def test_the_quick_check_accepts_what_people_write():
    entry = {"name": "a", "url": "u", "events": ["a", "b"], "secret": "${S}", "retryAttempts": 3, "timeoutMs": 1.0}
    whole = {"version": 1, "workspace": "w", "state": "s", "generateSecret": "server", "defaults": {"retryAttempts": 0}}
    assert QUICK({**whole, "webhooks": [entry, {**entry, "renamedFrom": "b"}]})
    assert QUICK({"version": 1, "webhooks": []})


def test_a_rule_that_the_quick_check_does_not_know_is_left_to_jsonschema():
    for rules in ({"type": "string", "pattern": "a"}, {"not": {}}, {"type": "object"}, {"type": "array", "contains": {}}):
        assert not compiled(rules)("b")
        assert not compiled({"type": "array", "items": rules})(["b"])


REPOSITORY = Path(__file__).parent.parent.parent
API = "https://api.sendkit.ai"
NEVER = {"asyncio", "concurrent", "email", "http", "random", "secrets", "socket", "ssl", "subprocess"}
NEVER |= {
    "deepdiff",
    "jsonschema",
    "requests",
    "urllib3",
    "sendkit_sync.api.client",
    "sendkit_sync.api.transport",
    "sendkit_sync.applying",
    "sendkit_sync.simulator",
}
LITTLE = NEVER | {"dataclasses", "hashlib", "json", "logging", "yaml", "sendkit_sync.core.errors", "sendkit_sync.core.model"}
LITTLE |= {"sendkit_sync.config", "sendkit_sync.planning", "sendkit_sync.render", "sendkit_sync.secrets", "sendkit_sync.state"}
LOAD = """\
import sys
from sendkit_sync.cli.main import run
code = run(sys.argv[1:])
sys.stderr.write("\\n".join(sys.modules))
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["plan"], NEVER),
        (["plan", "--format", "json"], NEVER),
        (["plan", "--format", "markdown"], NEVER),
        (["validate"], NEVER),
        (["validate", "--format", "json"], NEVER),
        (["--version"], LITTLE),
        (["--help"], LITTLE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_quick_command_loads_nothing_that_it_does_not_use(words: list[str], unwanted: set[str], tmp_path: Path):
    for file in ("webhooks.yaml", "sendkit.state.json"):
        shutil.copy(REPOSITORY / "tests" / "scenarios" / "no-changes" / file, tmp_path / file)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SENDKIT", "COV", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *words],
        cwd=tmp_path,
        env=clean | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.splitlines())
    assert "sendkit_sync.cli.main" in loaded
    assert sorted(unwanted & loaded) == []


def place(number: int) -> Settings:
    return Settings(f"https://hooks.example.com/{number:06}", ("email.opened", "email.replied"))


def record(number: int, *, changed: bool = False) -> WebhookRecord:
    settings = place(number + 1_000_000 if changed else number)
    secret = StoredSecret(SecretOrigin.GENERATED, Secret(f"{number:064x}"))
    return WebhookRecord(f"{number:024x}", settings, settings.effective(), f"Team {number:06}", secret, "active", "2026-01-01")


def state_of(count: int, *, changed: bool = False) -> State:
    return State("l", 1, API, webhooks={f"Team {number:06}": record(number, changed=changed) for number in range(count)})


def write_config(folder: Path, count: int) -> None:
    entries = "".join(
        f"  - name: Team {number:06}\n    url: {place(number).url}\n    events: [email.opened, email.replied]\n"
        for number in range(count)
    )
    (folder / "webhooks.yaml").write_text(f"version: 1\nwebhooks:\n{entries}", encoding="utf-8")


def grows_linearly(count: Callable[[int], int]) -> float:
    """Return what one more of a thing costs at 400 against what it costs at 200; the first call does not count."""
    count(10)
    few, more, most = count(100), count(200), count(400)
    return ((most - more) / 200) / ((more - few) / 100)


@pytest.mark.parametrize("words", [["plan"], ["plan", "--format", "json"], ["validate"]], ids=" ".join)
@pytest.mark.parametrize("kind", ["no changes", "all new", "all changed"])
def test_what_a_plan_does_grows_with_the_webhooks_and_no_faster(
    words: list[str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    def count(size: int) -> int:
        write_config(tmp_path, size)
        recorded = state_of(0 if kind == "all new" else size, changed=kind == "all changed")
        (tmp_path / "sendkit.state.json").write_bytes(encode_snapshot(recorded, None))
        REDACTOR.__init__()  # type: ignore[misc] - as in a process of its own
        return calls(lambda: run(words))

    assert 0.98 < grows_linearly(count) < 1.02


def test_a_plan_without_changes_spends_few_calls_on_a_webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    found = []
    for size in (10, 100, 200):
        write_config(tmp_path, size)
        (tmp_path / "sendkit.state.json").write_bytes(encode_snapshot(state_of(size), None))
        REDACTOR.__init__()  # type: ignore[misc]
        found.append(calls(lambda: run(["plan"])))
    assert (found[2] - found[1]) / 100 < MOST_CALLS


MOST_CALLS = 400
"""It takes 256; another Python or another library may count otherwise."""


def test_cleaning_a_line_costs_the_same_however_many_secrets_are_known():
    def cost(secrets: int) -> int:
        drawn = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(secrets)]
        redactor = Redactor()
        for secret in drawn:
            redactor.add(Secret(secret))
        redactor.clean("learn them")
        line = f"a line of usual length, with {drawn[7]} in it and nothing else"
        assert redactor.clean(line) == "a line of usual length, with (sensitive) in it and nothing else"
        redactor.add(Secret("f" * 64))
        return calls(lambda: redactor.clean(line))

    few, many = cost(200), cost(10_000)
    assert many < few + 40


class EasyApi:
    """Makes every webhook at once, and has them in its list."""

    def __init__(self) -> None:
        self.live: list[LiveWebhook] = []

    def create(self, name: str, wanted: Settings, secret: Secret | None, before_attempt: Callable[[], None]) -> Succeeded:
        self.live.append(LiveWebhook(f"b{len(self.live):023x}", name, wanted, secret, status="active"))
        return Succeeded(self.live[-1])

    def list(self) -> tuple[LiveWebhook, ...]:
        return tuple(self.live)

    def now(self) -> float:
        return 0.0


def one_by_one(steps: list[Step], *, parallelism: int, halted: Callable[[], bool]) -> Iterator[Result]:
    for step in steps:
        yield step()


class Bench:
    """A state in memory with `recorded` webhooks, and what applies to it."""

    def __init__(self, recorded: int) -> None:
        self.disk = Disk()
        self.clock = FakeClock()
        self.rng = CountingRng()
        self.disk.snapshot = encode_snapshot(state_of(recorded), None)

    def store(self) -> MemoryStore:
        return MemoryStore(self.disk, World(self.clock))

    def ledger(self) -> Any:
        return open_ledger(self.store(), api=API, clock=self.clock, rng=self.rng, purpose="test")

    def apply(self, numbers: range) -> None:
        wanted = [DesiredWebhook(f"New {number:06}", place(number)) for number in numbers]
        api: Any = EasyApi()
        with self.ledger() as ledger:
            executor = Executor.over(
                api,
                ledger,
                ClearCipher(),
                self.clock,
                self.rng,
                RunSettings(),
                threading.Event(),
                run_all=one_by_one,  # type: ignore[arg-type]
            )
            report = executor.execute(make_plan(wanted, ledger.state, api=API, config_digest=""))
            assert report.changed == len(wanted)


def test_what_an_apply_does_grows_with_the_creates_and_no_faster():
    def count(size: int) -> int:
        bench = Bench(0)
        return calls(lambda: bench.apply(range(size)))

    assert 0.98 < grows_linearly(count) < 1.02


class Watched(dict[str, Any]):
    """A mapping that notes when someone goes through all of it."""

    gone_through = 0

    def __iter__(self) -> Iterator[str]:
        self.gone_through += 1
        return super().__iter__()

    def keys(self) -> Any:
        self.gone_through += 1
        return super().keys()

    def values(self) -> Any:
        self.gone_through += 1
        return super().values()

    def items(self) -> Any:
        self.gone_through += 1
        return super().items()

    def copy(self) -> Any:
        self.gone_through += 1
        return super().copy()


def one_create(recorded: int) -> tuple[int, int, int]:
    """Return the calls, the bytes of the journal, and the walks through the records that a create costs beside many."""
    bench = Bench(recorded)
    api: Any = EasyApi()
    with bench.ledger() as ledger:
        creator = Creator(api, ledger, ClearCipher(), bench.rng)
        creator.create(DesiredWebhook("First", place(1)), ())
        ledger._book.webhooks = watched = Watched(ledger._book.webhooks)
        ledger._book.ids = ids = Watched(ledger._book.ids)
        ids.__class__ = type("Ids", (Watched,), {"__missing__": lambda self, key: 0})
        before = len(bench.disk.journal or b"")
        count = calls(lambda: creator.create(DesiredWebhook("Other", place(2)), ()))
        return count, len(bench.disk.journal or b"") - before, watched.gone_through + ids.gone_through


def test_a_create_costs_the_same_beside_100_and_beside_10_000_recorded_webhooks():
    few, many = one_create(100), one_create(10_000)
    assert few == many
    assert few[2] == 0


def test_a_recorded_id_is_known_however_its_record_came_and_goes():
    bench = Bench(2)
    with bench.ledger() as ledger:
        first, second = f"{0:024x}", f"{1:024x}"
        assert ledger.has_id(first)
        assert not ledger.has_id("b" * 24)
        ledger.record("Twin", record(0))
        ledger.forget("Team 000000")
        assert ledger.has_id(first)
        ledger.record("Renamed", record(1), replaces="Team 000001")
        assert ledger.has_id(second)
        ledger.record("Renamed", record(7))
        ledger.forget("Twin")
        assert not ledger.has_id(first)
        assert not ledger.has_id(second)
        assert ledger.has_id(record(7).id)
    with bench.ledger() as ledger:
        assert {one for one in (first, second, record(7).id) if ledger.has_id(one)} == ledger.state.recorded_ids()
    state = read_store(bench.store())
    assert state is not None
    assert state.recorded_ids() == {record(7).id}
