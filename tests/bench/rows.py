"""The rows of the table: what is measured against what, and how a ratio is made of one round."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import inputs
from measure import BIN, PYTHON, TOOL, Run, Series, run, service

import sendkit_sync.core.schemas

HERE = Path(__file__).parent
API = "https://api.sendkit.ai"
SECRETS = {"SENDKIT_SECRET_SHARED": inputs.SHARED_SECRET}
LATENCY_S = 0.05
PLANS = {"no changes": 0, "all new": 2, "1,000 changed": 2}
"""The plans of 10,000, each with the exit code of `--detailed-exitcode`."""

Ratio = Callable[[dict[str, float]], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `ratio` is made of each round of `series`, over the field `of` of its runs.

    `shown` are the programs whose seconds stand at the end of the line. Seconds of the processor are what is judged
    where nothing waits: they depend less on what else the machine does.
    """

    what: str
    against: str
    limit: float
    series: Series
    ratio: Ratio
    shown: tuple[str, ...] = ()
    of: str = "cpu_s"


def _over(one: str, other: str) -> Ratio:
    return lambda runs: runs[one] / runs[other]


def _python(code: str, folder: Path) -> Callable[[], Run]:
    return lambda: run([PYTHON, "-c", code], folder)


def _tool(*words: str, folder: Path, code: int = 0) -> Callable[[], Run]:
    return lambda: run([TOOL, *words], folder, SECRETS, code)


def _folder(path: Path, wanted: range, recorded: range, changed: int = 0) -> Path:
    """Return a new folder with a config and, where something is recorded, a state."""
    path.mkdir()
    # In a process of its own, so that this one stays small: see `measure.run`.
    writer = multiprocessing.Process(target=_write, args=(path, wanted, recorded, changed))
    writer.start()
    writer.join()
    return path


def _write(path: Path, wanted: range, recorded: range, changed: int) -> None:
    inputs.write_config(path / "webhooks.yaml", wanted)
    if recorded:
        inputs.write_state(path / "sendkit.state.json", recorded, API, changed=changed)


def start_up(home: Path) -> list[Row]:
    """Small commands, against Python that only imports what they cannot do without."""
    folder = _folder(home / "small", range(5), range(5))
    series = Series(
        {
            "plan": _tool("plan", "--detailed-exitcode", folder=folder),
            "validate": _tool("validate", folder=folder),
            "version": _tool("--version", folder=folder),
            "help": _tool("--help", folder=folder),
            "yaml": _python("import yaml, jsonschema, click", folder),
            "click": _python("import click", folder),
        }
    )
    click, yaml = "python that imports click", "python that imports yaml, jsonschema, click"
    return [
        Row("`plan` of 5", yaml, 0.9, series, _over("plan", "yaml"), ("plan", "yaml")),
        Row("`validate` of 5", yaml, 0.8, series, _over("validate", "yaml"), ("validate", "yaml")),
        Row("`--version`", click, 1.1, series, _over("version", "click"), ("version", "click")),
        Row("`--help`", click, 1.2, series, _over("help", "click"), ("help", "click")),
    ]


def large_plans(home: Path) -> list[Row]:
    """Plans of 10,000, against the floor program and against octoDNS."""
    all_of_them = range(10_000)
    recorded = {"no changes": all_of_them, "all new": range(0), "1,000 changed": all_of_them}
    programs: dict[str, Callable[[], Run]] = {}
    for number, (kind, code) in enumerate(PLANS.items()):
        folder = _folder(home / f"large-{number}", all_of_them, recorded[kind], 1000 if kind == "1,000 changed" else 0)
        programs[kind] = _tool("plan", "--detailed-exitcode", folder=folder, code=code)
    zone = home / "zone"
    zone.mkdir()
    inputs.write_zone(zone, 10_000)
    schema = home / "webhooks.schema.json"
    package = Path(sendkit_sync.core.schemas.__file__).parent.parent
    shutil.copy(package / "schemas" / "webhooks.schema.json", schema)
    config = str(home / "large-0" / "webhooks.yaml")
    programs["floor"] = lambda: run([PYTHON, str(HERE / "floor.py"), config, str(schema)], home)
    programs["octodns"] = lambda: run([str(BIN / "octodns-sync"), "--config-file", str(zone / "octodns.yaml")], zone)
    programs["validate"] = _tool("validate", folder=home / "large-0")
    series = Series(programs)
    commands = {"validate": "`validate` of 10,000"} | {kind: f"`plan` of 10,000, {kind}" for kind in PLANS}
    rows = [
        Row(what, "libyaml's events, jsonschema-rs", limit, series, _over(name, "floor"), (name, "floor"))
        for (name, what), limit in zip(commands.items(), (1.5, 2.0, 2.2, 2.6), strict=True)
    ]
    rows += [
        Row(f"peak memory of {what}", "the same floor", 1.3, series, _over(name, "floor"), of="peak_kib")
        for name, what in commands.items()
    ]
    return rows + [
        Row(commands[kind], "`octodns-sync` of 10,000", 0.2, series, _over(kind, "octodns"), (kind, "octodns"))
        for kind in PLANS
    ]


def growing_plans(home: Path) -> list[Row]:
    """What one more webhook costs a plan, with many against with fewer."""
    sizes = (1_000, 10_000, 50_000)
    programs: dict[str, Callable[[], Run]] = {}
    for size in sizes:
        folder = _folder(home / f"growing-{size}", range(size), range(size))
        programs[f"{size:,}"] = _tool("plan", "--detailed-exitcode", folder=folder)
    series = Series(programs)

    def ratio(runs: dict[str, float]) -> float:
        few, more, most = (runs[f"{size:,}"] for size in sizes)
        return ((most - more) / 40_000) / ((more - few) / 9_000)

    return [Row("`plan`: one more, from 10,000 to 50,000", "from 1,000 to 10,000", 1.1, series, ratio, tuple(programs))]


@dataclass(frozen=True, slots=True)
class Apply:
    """Applies a config of `wanted` new entries beside `recorded` ones, against a simulator that has the latter."""

    home: Path
    wanted: int
    recorded: int = 0
    parallelism: int = 10
    latency_s: float = 0.0

    def __call__(self) -> Run:
        folder = self.home / f"apply-{self.wanted}-{self.recorded}"
        state = folder / "sendkit.state.json"
        if not folder.exists():
            _folder(folder, range(self.recorded + self.wanted), range(self.recorded))
            if self.recorded:
                state.rename(folder / "recorded.json")
        for left in folder.glob("sendkit.state.json*"):
            left.unlink()
        with service(self.latency_s, folder / "recorded.json" if self.recorded else None) as address:
            if self.recorded:
                text = (folder / "recorded.json").read_text(encoding="utf-8")
                state.write_text(text.replace(f'"api": "{API}"', f'"api": "{address}"'), encoding="utf-8")
            words = [TOOL, "--api-url", address, "apply", "--yes", "--parallelism", str(self.parallelism), "--format", "json"]
            return run(words, folder, SECRETS | {"SENDKIT_API_KEY": "sk_benchmark"})


def network(home: Path) -> list[Row]:
    """An apply that waits for the network, against nothing but the waiting."""
    return [_waiting(home, 1000, 1.15), _waiting(home, 100, 1.8)]


def _waiting(home: Path, count: int, limit: float) -> Row:
    series = Series({"apply": Apply(home, count, latency_s=LATENCY_S)})
    floor_s = count * LATENCY_S / 10
    what, against = f"`apply` of {count:,} at {LATENCY_S * 1000:g} ms, 10 at once", f"{count:,} x {LATENCY_S * 1000:g} ms / 10"
    return Row(what, against, limit, series, lambda runs: runs["apply"] / floor_s, ("apply",), of="wall_s")


def creates(home: Path) -> list[Row]:
    """What one create costs beside many recorded webhooks, against few; and in a large apply, against a smaller one."""
    more = 1000
    beside = Series(
        {
            f"{count:,} beside {size:,}": Apply(home, count, size, parallelism=1)
            for size in (100, 10_000)
            for count in (1, 1 + more)
        }
    )

    def one(runs: dict[str, float], size: str) -> float:
        return runs[f"{1 + more:,} beside {size}"] - runs[f"1 beside {size}"]

    growing = Series({f"{size:,}": Apply(home, size) for size in (1, 1_000, 10_000)})

    def growth(runs: dict[str, float]) -> float:
        few, some, many = (runs[size] for size in ("1", "1,000", "10,000"))
        return ((many - some) / 9_000) / ((some - few) / 999)

    return [
        Row(
            "one create with 10,000 recorded",
            "one create with 100 recorded",
            1.1,
            beside,
            lambda runs: one(runs, "10,000") / one(runs, "100"),
            tuple(beside.programs),
        ),
        Row("`apply`: one more, from 1,000 to 10,000", "from 1 to 1,000", 1.1, growing, growth, tuple(growing.programs)),
    ]
