"""The figures of a `reconcile` in Prometheus text format, for the node exporter's textfile collector."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import ErrorCode, MissingExtraError, StateIOError

PREFIX = "sendkit_sync_"
SUCCESS = f"{PREFIX}last_success_timestamp_seconds"
MAX_BYTES = 1024 * 1024
MODE = 0o644
RUN = {
    "last_run_timestamp_seconds": "When the last run ended.",
    "last_success_timestamp_seconds": "When the last run without a failure ended.",
    "last_run_success": "Whether the last run ended without a failure.",
    "last_run_duration_seconds": "How long the last run took.",
}
CALLS = {"api_calls": "Calls of the last run, by method and code."}
FIGURES = {
    "wanted": "Webhooks that the config asks for.",
    "in_sync": "Webhooks of the config that are as it says, after the run.",
    "drifted": "Webhooks that were changed outside or were gone, before the run.",
    "created": "Webhooks that the last run created.",
    "updated": "Webhooks that the last run updated.",
    "failed": "Changes that failed or were not attempted in the last run.",
    "unresolved": "Webhooks with a call whose outcome is not known.",
    "secrets_missing": "Recorded webhooks without a secret.",
}


@dataclass(slots=True)
class Figures:
    """What a run came to; `counts` has a number for each of `FIGURES` that is known, `calls` one for each outcome."""

    counts: dict[str, int] = field(default_factory=dict)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def called(self, method: str, outcome: str) -> None:
        """Count a call; safe to use from several threads."""
        with self._turn:
            self.calls[method, outcome.partition(",")[0]] += 1


def check_extra() -> None:
    """Raise `MissingExtraError` where the package that writes metrics is not installed."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise MissingExtraError("--metrics-file", "metrics")


def write(path: str, figures: Figures, *, now: float, duration_s: float, good: bool) -> None:
    """Replace the file at `path`, atomically; of a run that is not `good` the last success stays as it stands there.

    A figure that the run did not come to know is left out. Raises `StateIOError` where the file cannot be written.
    """
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    run = (now, now if good else _last_success(path), float(good), duration_s)
    values = dict(zip(RUN, run, strict=True)) | figures.counts
    for name, text in (RUN | FIGURES).items():
        value = values.get(name)
        if value is not None:
            Gauge(PREFIX + name, text, registry=registry).set(value)
    ((name, text),) = CALLS.items()
    calls = Gauge(PREFIX + name, text, ["method", "code"], registry=registry)
    for (method, code), count in sorted(figures.calls.items()):
        calls.labels(method, code).set(count)
    try:
        _replace(path, generate_latest(registry))
    except OSError as error:
        raise StateIOError(
            ErrorCode.METRICS_NOT_WRITTEN,
            f"the metrics cannot be written: {error.strerror}",
            where=path,
            hint="Check its folder.",
        ) from error


def _replace(path: str, text: bytes) -> None:
    """Put `text` in the place of what is at `path`, readable for the node exporter, which runs as another user.

    The other name does not end in `.prom`, or the collector would read that file too.
    """
    temporary = Path(f"{path}.tmp{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), MODE)  # whatever the umask is
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _last_success(path: str) -> float | None:
    from prometheus_client.parser import text_string_to_metric_families

    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == SUCCESS:
                    return float(sample.value)
    except (OSError, ValueError):
        return None
    return None
