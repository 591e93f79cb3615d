"""A disk that is full, refuses, or goes away: found before the first call where it can be, and else nothing is lost."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from sendkit_sync.simulator import Simulator
from support.runs import QUICK, Runs, at_point, config_of
from support.strace import calls_on_the_state, strace, with_strace
from support.waiting import SIGNALLED

FEW = ["Anna", "Berta", "Carla"]
COMMAND = (sys.executable, "-m", "sendkit_sync")
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_SETPCAP = 24, 1, 8
ERRORS = {"write": "ENOSPC", "openat": "EMFILE"}
"""What a system call fails with, where it is not an input/output error."""


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with Simulator() as simulator:
        folder = tmp_path / "job"
        folder.mkdir()
        yield Runs(folder, simulator, FEW)


def apply(runs: Runs, program: Sequence[str], *words: str, before: Callable[[], object] | None = None) -> int:
    """Apply in a process of its own, one call after the other; return the exit code."""
    clean = {name: value for name, value in runs.environment().items() if not name.startswith(("COVERAGE", "COV_"))}
    done = subprocess.run(
        [*program, *QUICK, "--parallelism", "1", *words],
        cwd=runs.folder,
        env=clean | {"PYTHONDONTWRITEBYTECODE": "1"},  # a limit would cut compiled modules, which are read afterwards
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=before,
    )
    runs.outputs += [done.stdout, done.stderr]
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode


class TestBeforeTheFirstCall:
    def test_a_full_disk(self, runs: Runs):
        code = apply(runs, COMMAND, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
        assert (code, runs.simulator.requests) == (74, [])
        runs.check_recovers()

    def test_a_folder_that_takes_no_new_file(self, runs: Runs):
        if os.geteuid() == 0 and not may_give_up_rights():
            pytest.skip("root may write to any folder, and cannot give that up here")
        assert runs.apply_here() == 0
        runs.simulator.requests.clear()
        runs.folder.chmod(0o500)
        try:
            code = apply(runs, COMMAND, before=as_anybody)
        finally:
            runs.folder.chmod(0o700)
        assert (code, runs.simulator.requests) == (74, [])

    @with_strace
    @pytest.mark.parametrize("call", ["fsync", "rename", "flock", "openat"])
    def test_a_file_system_that_refuses_a_call(self, runs: Runs, call: str):
        code = apply(runs, strace(runs, "-e", f"inject={call}:error=EROFS"))
        assert (code, runs.simulator.requests) == (74, [])
        runs.check_recovers()

    def test_a_sealing_key_that_does_not_seal(self, runs: Runs, monkeypatch: pytest.MonkeyPatch):
        pyrage = pytest.importorskip("pyrage", reason="the extra age is not installed")
        recipient = pyrage.x25519.Identity.generate().to_public()
        runs.write(f"{config_of(FEW)}generateSecret: server\nencryption: {{age: {{recipients: [{recipient}]}}}}\n")

        def refuse(*_: object) -> bytes:
            raise pyrage.EncryptError("no")

        monkeypatch.setattr(pyrage, "encrypt", refuse)
        assert (runs.apply_here(), runs.simulator.requests) == (65, [])

    def test_a_folder_that_is_not_there(self, runs: Runs):
        code = apply(runs, COMMAND, "--state", str(runs.folder / "nowhere" / "state.json"))
        assert (code, runs.simulator.requests) == (74, [])


def may_give_up_rights() -> bool:
    found = re.search(r"^CapEff:\t([0-9a-f]+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> CAP_SETPCAP & 1)


def as_anybody() -> None:
    """Give up what lets root write to any folder; harmless for anybody else."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


class TestWhileCallsAreMade:
    @pytest.mark.parametrize("pages", [3, 4, 5])
    def test_a_disk_that_fills_up(self, runs: Runs, pages: int):
        place = runs.folder / "small"
        place.mkdir()
        with mounted(place, pages * 4096):
            state = ("--state", str(place / "sendkit.state.json"))
            code = apply(runs, COMMAND, *state)
            assert code in (0, 74)
            subprocess.run(["mount", "-o", "remount,size=1m", str(place)], check=True, capture_output=True)
            for _ in range(3):
                code = apply(runs, COMMAND, *state, "--resend-after", "0s")
            assert code == 0, runs.outputs
            for path in place.iterdir():
                (runs.folder / path.name).write_bytes(path.read_bytes())
        runs.check_each_made_once(*FEW)

    @with_strace
    def test_some_of_its_calls_that_fail(self, tmp_path: Path, runs: Runs):
        calls = calls_on_the_state(tmp_path / "whole", runs.simulator)
        for call, number in calls[2 :: len(calls) // 8]:
            fail_at_call(tmp_path / f"{call}-{number}", call, number)

    @pytest.mark.soak
    @pytest.mark.timeout(1200)
    @with_strace
    def test_any_of_its_calls_that_fails(self, tmp_path: Path, runs: Runs):
        for call, number in calls_on_the_state(tmp_path / "whole", runs.simulator):
            fail_at_call(tmp_path / f"{call}-{number}", call, number)

    @pytest.mark.parametrize("point", ["intent-durable", "request-sent", "outcome-buffered"])
    def test_a_folder_that_is_moved_away(self, runs: Runs, point: str):
        away = runs.folder.with_name("away")
        code = apply(runs, at_point(point, 2, f"os.rename({str(runs.folder)!r}, {str(away)!r})"))
        assert code == 74
        away.rename(runs.folder)
        runs.check_recovers()

    def test_nothing_more_is_sent_when_the_folder_is_deleted(self, runs: Runs):
        assert apply(runs, at_point("outcome-durable", 1, f"shutil.rmtree({str(runs.folder)!r})")) == 74
        assert runs.posts() == 1

    @pytest.mark.parametrize("cleaned", [".journal", "*"], ids=["journal", "all"])
    def test_what_is_known_is_kept_when_the_journal_is_deleted_and_nothing_more_is_sent(self, runs: Runs, cleaned: str):
        deed = f"import glob; [os.remove(path) for path in glob.glob('sendkit.state.json{cleaned}')]"
        assert apply(runs, at_point("outcome-durable", 1, deed)) == 74
        assert "the journal was deleted" in runs.outputs[-1]
        assert runs.posts() == 1
        runs.check_each_made_once(runs.simulator.webhooks()[0]["name"])
        runs.check_recovers()

    @pytest.mark.parametrize("count", [1, 2], ids=["first-outcome", "last-outcome"])
    def test_a_deleted_lock_file_lets_another_run_in_and_the_first_stops(self, runs: Runs, count: int):
        lock = str(runs.folder / "sendkit.state.json.lock")
        other = [sys.executable, "-m", "sendkit_sync", *QUICK]
        deed = f"failpoints.hook = lambda name: None; os.remove({lock!r}); subprocess.run({other!r}, check=True)"
        assert apply(runs, at_point("outcome-durable", count, deed)) == 74
        assert "another run took over the state" in runs.outputs[-1]
        assert runs.posts() == len(FEW)
        runs.check_recovers()


@contextlib.contextmanager
def mounted(place: Path, size: int) -> Iterator[None]:
    """Mount a file system of so many bytes at `place`, or skip the test."""
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fail_at_call(folder: Path, call: str, number: int) -> None:
    """Let the system call `number` of the name `call` fail, with nothing done, and recover."""
    folder.mkdir()
    with Simulator() as simulator:
        runs = Runs(folder, simulator, FEW[:2])
        apply(runs, strace(runs, "-e", f"inject={call}:error={ERRORS.get(call, 'EIO')}:when={number}"))
        runs.recover()
        runs.note(failed_calls=1)
        runs.check_recovers()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("place", "count"), [("answer-read", 2), ("outcome-buffered", 1)])
def test_a_signal_between_call_and_record_lets_it_be_recorded(runs: Runs, place: str, count: int, number: signal.Signals):
    assert apply(runs, at_point(place, count, SIGNALLED.format(number=int(number)))) == 130
    assert runs.posts() == 1
    runs.check_each_made_once(runs.simulator.webhooks()[0]["name"])
    runs.check_recovers()
