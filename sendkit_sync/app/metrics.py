"""Metrics of a reconcile run in Prometheus text format, for the node exporter's textfile collector."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from ..core.clock import epoch_of
from ..core.errors import ErrorCode, MissingExtraError, StateIOError
from ..core.fields import clean
from ..core.files import check_regular, open_regular, replace_file
from ..core.model import INACTIVE, LiveWebhook
from ..core.store_address import is_url, parse_address

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

PREFIX = "sendkit_sync_"
WHOSE = ("workspace", "state")
"""Labels of every series. Without them, the files of two workspaces on one host would have the same series."""

MAX_BYTES = 1024 * 1024
MODE = 0o644
"""Readable for the node exporter, which runs as another user."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name without `PREFIX`, its help text, and its labels besides `WHOSE`."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    counter: bool = False


SUCCESS = "last_success_timestamp_seconds"
METRICS = (
    Metric("last_run_timestamp_seconds", "When the last run ended."),
    Metric(SUCCESS, "When the last run without a failure ended."),
    Metric("last_run_success", "1 if the last run ended without a failure, else 0."),
    Metric("last_run_duration_seconds", "How long the last run took."),
    Metric("last_run_changes", "Changes that the last run planned, by action and result.", ("action", "status")),
    Metric("last_run_api_calls", "API calls of the last run, by method and result.", ("method", "code")),
    Metric("webhooks_desired", "Webhooks in the config."),
    Metric("webhooks_in_sync", "Webhooks that match the config after the run."),
    Metric("webhooks_drifted", "Webhooks that had been changed or deleted outside before the run."),
    Metric("webhooks_unresolved", "Webhooks with a create whose outcome is unknown."),
    Metric("webhooks_secret_missing", "Recorded webhooks whose secret is not recorded."),
    Metric("webhooks_inactive", "Recorded webhooks that SendKit shows as inactive."),
    Metric("deliveries", "Successful deliveries that SendKit counts for the recorded webhooks."),
    Metric("delivery_failures", "Failed deliveries that SendKit counts for the recorded webhooks."),
    Metric("webhook_active", "1 if SendKit shows the webhook as active, else 0.", ("webhook",)),
    Metric("webhook_deliveries_total", "Successful deliveries of the webhook, counted by SendKit.", ("webhook",), counter=True),
    Metric(
        "webhook_delivery_failures_total", "Failed deliveries of the webhook, counted by SendKit.", ("webhook",), counter=True
    ),
    Metric("webhook_last_delivery_timestamp_seconds", "When SendKit last delivered to the webhook.", ("webhook",)),
)
"""All metrics in the order of the file, with the last success among the first two.

Sums over webhooks are gauges, because they fall when a webhook is deleted.
"""

_NAMES = frozenset(metric.name for metric in METRICS)


@dataclass(slots=True, eq=False)
class Figures:
    """The values of one run. `workspace` and `state` are empty until they are known."""

    workspace: str = ""
    state: str = ""
    _values: dict[str, dict[tuple[str, ...], float]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def set(self, name: str, value: float | None, *labels: str) -> None:
        """Set the value of a metric. None leaves it out."""
        assert name in _NAMES, name
        if value is not None:
            self._values.setdefault(name, {})[labels] = value

    def called(self, method: str, outcome: str) -> None:
        """Count an API call. Thread-safe."""
        labels = (method, outcome.partition(",")[0])
        with self._turn:
            calls = self._values.setdefault("last_run_api_calls", {})
            calls[labels] = calls.get(labels, 0) + 1

    def seen(self, live: Mapping[str, LiveWebhook], *, single: bool) -> None:
        """Set the delivery counts of recorded webhooks by name; with `single`, also for each webhook."""
        stats = {name: webhook.stats for name, webhook in live.items()}
        self.set("deliveries", sum(one.delivered or 0 for one in stats.values()))
        self.set("delivery_failures", sum(one.failed or 0 for one in stats.values()))
        for name, one in stats.items() if single else ():
            self.set("webhook_active", float(live[name].status != INACTIVE), name)
            self.set("webhook_deliveries_total", one.delivered, name)
            self.set("webhook_delivery_failures_total", one.failed, name)
            self.set("webhook_last_delivery_timestamp_seconds", epoch_of(one.last_delivered_at), name)

    def collect(self) -> Iterator[Family]:
        """Yield the metric families for `prometheus_client`.

        Not its `Gauge`: with `PROMETHEUS_MULTIPROC_DIR` set, that would store values in the folder of another program.
        """
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for metric in METRICS:
            kind = CounterMetricFamily if metric.counter else GaugeMetricFamily
            family = kind(PREFIX + metric.name, metric.text, labels=WHOSE + metric.labels)
            for labels, value in sorted(self._values.get(metric.name, {}).items()):
                family.add_metric([clean(label) for label in (self.workspace, self.state, *labels)], value)
            if family.samples:
                yield family


def label_of(state_path: str) -> str:
    """Return the label `state`: the absolute path of the state, or the URL of its store without options."""
    return parse_address(state_path).shown if is_url(state_path) else os.path.realpath(state_path)


def check_extra() -> None:
    """Raise `MissingExtraError` if the package that writes metrics is not installed."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise MissingExtraError("--metrics-file", "metrics")


def write(path: str, figures: Figures, *, now: float, duration_s: float, good: bool) -> None:
    """Replace the file at `path` atomically. If the run is not `good`, the time of the last success is kept from that file.

    Values that the run did not get to know are left out. Raises `StateIOError` if the file cannot be written.
    """
    from prometheus_client import CollectorRegistry, generate_latest

    try:
        check_regular(path)
        workspace, state, succeeded_at = _former(path, figures.state)
        if not figures.state:
            figures.workspace, figures.state = workspace, state
        for name, value in {
            "last_run_timestamp_seconds": now,
            SUCCESS: now if good else succeeded_at,
            "last_run_success": float(good),
            "last_run_duration_seconds": duration_s,
        }.items():
            figures.set(name, value)
        registry = CollectorRegistry()
        registry.register(figures)
        # The client's own writer sets no mode, so with a strict umask the node exporter could not read the file.
        replace_file(path, generate_latest(registry), MODE)
    except OSError as error:
        raise StateIOError(
            ErrorCode.METRICS_NOT_WRITTEN,
            f"the metrics cannot be written: {error.strerror or error}",
            where=path,
            hint="Check that its folder exists and is writable.",
        ) from error


def _former(path: str, state: str) -> tuple[str, str, float | None]:
    """Return workspace and state of the metrics at `path`, and the time of the last success.

    Empty if `state` is known and the file is about another one.
    """
    from prometheus_client.parser import text_string_to_metric_families

    workspace, former, succeeded_at = "", "", None
    try:
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", "replace")
        for family in islice(text_string_to_metric_families(text), 2):
            for sample in family.samples:
                workspace, former = (sample.labels.get(label, "") for label in WHOSE)
                if sample.name == PREFIX + SUCCESS:
                    succeeded_at = sample.value
    except (OSError, ValueError):
        pass
    # Files of older versions have no labels.
    return (workspace, former, succeeded_at) if state in ("", former) or not former else ("", "", None)
