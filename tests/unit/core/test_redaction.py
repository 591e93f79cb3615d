"""What is redacted: every known secret, whole or a piece of it, however it is written."""

from __future__ import annotations

import base64
import json
import sys
import threading
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st

from sendkit_sync.core.model import SENSITIVE, Secret
from sendkit_sync.core.redaction import RUN, Redactor

DRAWN = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SUPPLIED = "Canary Secret: p@ss/word+50% of it"


def redactor_of(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(Secret(secret))
    return redactor


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WAYS = {
    "as it is": DRAWN,
    "all but the last character": DRAWN[:-1],
    "its first half": DRAWN[:32],
    "its middle": DRAWN[7:23],
    "upper case": DRAWN.upper(),
    "in groups": " ".join(DRAWN[place : place + 4] for place in range(0, 64, 4)),
    "spaced": " ".join(DRAWN),
    "with colons": ":".join(DRAWN[place : place + 2] for place in range(0, 64, 2)),
    "over two lines": f"{DRAWN[:20]}\n    {DRAWN[20:]}",
    "base64": packed(DRAWN),
    "base64 within a longer one": packed(f"secret={DRAWN}&name=CRM"),
    "base64 behind a letter": "x" + packed(f"secret={DRAWN}"),
    "base64, one further": packed(f"secret:={DRAWN}&name=CRM"),
    "base64, two further": packed(f"a secret={DRAWN}&name=CRM"),
    "base64 for a URL": base64.urlsafe_b64encode(f"???>>>{DRAWN}".encode()).decode(),
    "base64 of upper case": packed(DRAWN.upper()),
    "a basic login": "Basic " + packed(f"user:{DRAWN}"),
    "JSON": json.dumps({"secret": DRAWN}),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_secret_is_left(way: str):
    shown = redactor_of("another-secret-of-some-length", DRAWN).clean(f"it says {WAYS[way]} or so")
    assert SENSITIVE in shown
    assert shown.startswith("it says ")
    assert shown.endswith(" or so")
    squeezed = "".join(filter(str.isalnum, shown)).lower()
    assert not any(DRAWN[place : place + 8] in squeezed for place in range(57)), shown
    assert packed(DRAWN)[8:16] not in shown


@pytest.mark.parametrize(
    "written",
    [SUPPLIED, SUPPLIED.swapcase(), quote(SUPPLIED), packed(SUPPLIED), json.dumps(SUPPLIED), SUPPLIED.replace(" ", "\n")],
)
def test_a_supplied_secret_is_found_however_it_is_written(written: str):
    assert "canary" not in redactor_of(SUPPLIED).clean(f"it says {written}").lower()


def test_shorter_pieces_stay():
    assert redactor_of(DRAWN).clean(f"id {DRAWN[:15]}, {DRAWN[20:35]}") == f"id {DRAWN[:15]}, {DRAWN[20:35]}"


def test_a_short_secret_is_found_whole_only():
    assert redactor_of("hunter2").clean("hunter2 Hunter2 hunter") == f"{SENSITIVE} Hunter2 hunter"


@running(deadline=None, max_examples=300)
@given(
    st.text(min_size=RUN, max_size=80),
    st.data(),
    st.text(max_size=30),
    st.text(max_size=30),
)
def test_every_run_of_a_secret_is_found(secret: str, data: st.DataObject, before: str, after: str):
    chars = [char for char in secret if char.isalnum()]
    if len(chars) < RUN:
        return
    start = data.draw(st.integers(0, len(chars) - RUN))
    run = "".join(chars[start : start + RUN])
    shown = redactor_of(secret).clean(f"{before}|{run}|{after}")
    assert SENSITIVE in shown


@running(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([DRAWN, SUPPLIED, DRAWN.upper(), "x", " text ", "hunter2", "sk_abcdefgh"]), max_size=8), st.data()
)
def test_a_secret_at_the_cut_is_redacted_like_any_other(parts: list[str], data: st.DataObject):
    text = "".join(parts)
    redactor = redactor_of(DRAWN, SUPPLIED, "hunter2")
    limit = data.draw(st.integers(0, len(text) + 5))
    shown = redactor.clean(text, limit)
    assert redactor.clean(text).startswith(shown)
    assert len(shown) <= limit + len(SENSITIVE) * (len(parts) + 1)


def steps(call: object) -> int:
    """Return how many lines of the redactor run for `call`."""
    count = 0

    def trace(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    former = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        call()  # type: ignore[operator]
    finally:
        sys.settrace(former)
    return count


def test_what_is_cut_off_costs_nothing():
    redactor = redactor_of(DRAWN, SUPPLIED)
    redactor.clean("learn them")
    short, long = f"{DRAWN} no " * 100, f"{DRAWN} no " * 100_000
    assert steps(lambda: redactor.clean(long, 1200)) == steps(lambda: redactor.clean(short, 1200))


@pytest.mark.parametrize("unit", [DRAWN, DRAWN[:16] + " ", DRAWN[:15], "a" * 64, "A", packed(DRAWN) + "="])
def test_no_text_costs_more_than_its_length(unit: str):
    redactor = redactor_of(DRAWN, SUPPLIED, "a" * 64)
    redactor.clean("learn them")
    texts = (unit * (20_000 // len(unit)))[:10_000], (unit * (20_000 // len(unit)))[:20_000]
    half, whole = (steps(lambda text=text: redactor.clean(text)) for text in texts)  # type: ignore[misc]
    assert whole < 2.3 * half


def test_it_serves_several_threads():
    redactor, failed = Redactor(), []

    def clean(number: int) -> None:
        for turn in range(50):
            secret = f"{number:032x}{turn:032x}"
            redactor.add(Secret(secret))
            failed.extend([secret] if secret in redactor.clean(f"it is {secret}.") else [])

    threads = [threading.Thread(target=clean, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
