"""The file of metrics: whole, readable, labelled, and never in the way of a run."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import ClassVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sendkit_sync.app.metrics import METRICS, PREFIX, SUCCESS, WHOSE, Figures, write
from sendkit_sync.core.errors import StateIOError
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import DeliveryStats, LiveWebhook

Sample = tuple[str, frozenset[tuple[str, str]]]


def samples(path: Path) -> dict[Sample, float]:
    """Return the samples of a file by name, without the prefix, and labels."""
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    return {
        (one.name.removeprefix(PREFIX), frozenset(one.labels.items())): one.value
        for family in families
        for one in family.samples
    }


def value(path: Path, name: str, **labels: str) -> float | None:
    return next((found for (one, about), found in samples(path).items() if one == name and set(labels.items()) <= about), None)


def full(workspace: str = "ws_1", state: str = "/states/1.json", number: int = 1) -> Figures:
    """Return figures with a value for every metric."""
    figures = Figures(workspace, state)
    for metric in METRICS:
        figures.set(metric.name, number, *metric.labels)
    return figures


def test_every_series_says_whose_it_is(tmp_path: Path):
    write(str(tmp_path / "m.prom"), full(), now=1.0, duration_s=1.0, good=True)
    found = samples(tmp_path / "m.prom")
    assert {name for name, _ in found} == {metric.name for metric in METRICS}
    assert all({("workspace", "ws_1"), ("state", "/states/1.json")} <= labels for _, labels in found)


@pytest.mark.parametrize(
    ("workspace", "state"), [("ws_2", "/states/1.json"), ("ws_1", "/states/2.json"), ("", "/states/2.json")]
)
def test_two_files_share_no_series(tmp_path: Path, workspace: str, state: str):
    write(str(tmp_path / "a.prom"), full(), now=1.0, duration_s=1.0, good=True)
    write(str(tmp_path / "b.prom"), full(workspace, state), now=1.0, duration_s=1.0, good=True)
    assert not samples(tmp_path / "a.prom").keys() & samples(tmp_path / "b.prom").keys()


def test_a_folder_for_the_processes_of_another_program_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "not there"))
    monkeypatch.setattr("prometheus_client.values.ValueClass", lambda *_: pytest.fail("a value was kept elsewhere"))
    write(str(tmp_path / "m.prom"), full(), now=1.0, duration_s=1.0, good=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m.prom"]


def test_a_share_without_modes_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    write(str(tmp_path / "m.prom"), full(), now=1.0, duration_s=1.0, good=True)
    assert value(tmp_path / "m.prom", "last_run_success") == 1


def test_a_reader_always_finds_a_whole_file_that_it_may_read(tmp_path: Path):
    path = tmp_path / "m.prom"
    write(str(path), full(), now=0.0, duration_s=0.0, good=True)
    seen: list[tuple[bytes, int]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set() or not seen:
            with path.open("rb") as file:
                seen.append((file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)))

    reader = threading.Thread(target=read)
    former = os.umask(0o077)
    try:
        reader.start()
        for number in range(200):
            write(str(path), full(number=number), now=1.0, duration_s=1.0, good=True)
    finally:
        os.umask(former)
        done.set()
        reader.join()
    assert {mode for _, mode in seen} == {0o644}
    assert all(
        text.startswith(b"# HELP ") and text.endswith(b"\n") and text.count(b"# HELP") == len(METRICS) for text, _ in seen
    )
    assert [one.name for one in tmp_path.iterdir()] == ["m.prom"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path, make: object):
    make(tmp_path / "m.prom")  # type: ignore[operator]
    before = (tmp_path / "m.prom").stat()
    with pytest.raises(StateIOError, match="the metrics cannot be written: not a regular file"):
        write(str(tmp_path / "m.prom"), full(), now=0.0, duration_s=0.0, good=True)
    assert (tmp_path / "m.prom").stat().st_ino == before.st_ino
    assert [one.name for one in tmp_path.iterdir()] == ["m.prom"]


class TestLastSuccess:
    """A run that fails keeps when the last one did not."""

    def test_it_outlives_failures(self, tmp_path: Path):
        path = tmp_path / "m.prom"
        write(str(path), full(), now=1000.0, duration_s=1.0, good=True)
        write(str(path), full(), now=2000.0, duration_s=1.0, good=False)
        assert value(path, SUCCESS) == 1000
        assert value(path, "last_run_timestamp_seconds") == 2000

    def test_a_run_that_could_not_read_its_config_keeps_the_labels(self, tmp_path: Path):
        path = tmp_path / "m.prom"
        write(str(path), full(), now=1000.0, duration_s=1.0, good=True)
        write(str(path), Figures(), now=2000.0, duration_s=1.0, good=False)
        assert value(path, SUCCESS, workspace="ws_1", state="/states/1.json") == 1000
        assert value(path, "last_run_success", workspace="ws_1", state="/states/1.json") == 0

    def test_it_is_not_that_of_another_state(self, tmp_path: Path):
        path = tmp_path / "m.prom"
        write(str(path), full(), now=1000.0, duration_s=1.0, good=True)
        write(str(path), Figures("ws_1", "/states/2.json"), now=2000.0, duration_s=1.0, good=False)
        assert value(path, SUCCESS) is None

    def test_it_is_read_from_a_file_without_labels(self, tmp_path: Path):
        path = tmp_path / "m.prom"
        path.write_text(f"{PREFIX}{SUCCESS} 1000.0\n", encoding="utf-8")
        write(str(path), full(), now=2000.0, duration_s=1.0, good=False)
        assert value(path, SUCCESS, workspace="ws_1") == 1000

    @pytest.mark.parametrize("damage", [b"\xff\x00{", b"{", b"sendkit_sync_last_success_timestamp_seconds{a", b""])
    def test_a_damaged_file_is_replaced(self, tmp_path: Path, damage: bytes):
        path = tmp_path / "m.prom"
        path.write_bytes(damage)
        write(str(path), Figures("w", "s"), now=2000.0, duration_s=1.0, good=False)
        assert value(path, SUCCESS) is None
        assert value(path, "last_run_timestamp_seconds") == 2000


class TestSeen:
    """What SendKit counts of the recorded webhooks."""

    LIVE: ClassVar = {
        "A": LiveWebhook("1", "A", Settings("u", ()), status="active", stats=DeliveryStats(5, 2, "2026-01-02T03:04:05.000Z")),
        "B": LiveWebhook("2", "B", Settings("u", ()), status="inactive", stats=DeliveryStats(7, None, None)),
    }

    def write(self, path: Path, *, single: bool) -> None:
        figures = Figures("w", "s")
        figures.seen(self.LIVE, single=single)
        write(str(path), figures, now=1.0, duration_s=1.0, good=True)

    def test_sums_name_no_webhook(self, tmp_path: Path):
        self.write(tmp_path / "m.prom", single=False)
        assert value(tmp_path / "m.prom", "deliveries") == 12
        assert value(tmp_path / "m.prom", "delivery_failures") == 2
        assert {name for _, labels in samples(tmp_path / "m.prom") for name, _ in labels} == set(WHOSE)

    def test_each_webhook_has_its_own_where_asked_for(self, tmp_path: Path):
        path = tmp_path / "m.prom"
        self.write(path, single=True)
        assert value(path, "webhook_deliveries_total", webhook="A") == 5
        assert value(path, "webhook_delivery_failures_total", webhook="A") == 2
        assert value(path, "webhook_delivery_failures_total", webhook="B") is None
        assert value(path, "webhook_last_delivery_timestamp_seconds", webhook="A") == 1767323045
        assert (value(path, "webhook_active", webhook="A"), value(path, "webhook_active", webhook="B")) == (1, 0)


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "new\nline", "\udcff", "}{=,"])
def test_a_name_never_gets_out_of_its_label(tmp_path: Path, name: str):
    figures = Figures("w", name)
    figures.set("webhook_active", 1, name)
    write(str(tmp_path / "m.prom"), figures, now=1.0, duration_s=1.0, good=True)
    shown = name.encode("utf-8", "replace").decode()
    assert value(tmp_path / "m.prom", "webhook_active", webhook=shown, state=shown) == 1
