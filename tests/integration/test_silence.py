"""No output and no file shows a secret: all commands, with canaries, in success and failure, at the highest verbosity."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest import mock

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrage import x25519

from sendkit_sync.cli.main import COMMANDS, cli, run
from sendkit_sync.cli.output import logs
from sendkit_sync.core import failpoints
from sendkit_sync.core.clock import SystemClock
from sendkit_sync.core.model import Secret
from sendkit_sync.core.redaction import Redactor
from sendkit_sync.simulator import Fault, Simulator

QUICK = ("--retry-for", "0s", "--timeout", "2s")
"""Flags of the commands that call the API, so that a failure is not tried again for minutes."""

CALLS: dict[str, list[list[str]]] = {
    "validate": [["validate"], ["validate", "--strict", "--format", "github"], ["validate", "--format", "json"]],
    "plan": [
        *(["plan", "--format", form] for form in ("text", "json", "markdown", "html")),
        ["plan", "--refresh", "--step-summary", "--out", "saved.json", *QUICK],
    ],
    "status": [["status", "--format", form, *QUICK] for form in ("text", "json", "html")],
    "apply": [
        ["apply", "--yes", "--settle", "0s", *QUICK],
        ["apply", "--yes", "--refresh", "--prune", "--force", "--format", "json", "--settle", "0s", *QUICK],
        ["apply", "--yes", "--plan", "saved.json", "--settle", "0s", *QUICK],
    ],
    "state list": [["state", "list"]],
    "state show": [["state", "show", "Supplied"], ["state", "show", "Drawn"]],
    "state resolve": [["state", "resolve", "Drawn", "--not-created"]],
    "state forget": [["state", "forget", "Written", "--yes"]],
    "import": [["import", "--matching", *QUICK]],
    "export": [["export", *QUICK]],
    "test": [["test", "Drawn", *QUICK], ["test", "--all", "--format", "json", *QUICK]],
    "trigger": [["trigger", "Drawn", "--to", "http://127.0.0.1:9/", "--timeout", "1s"]],
    "secret get": [["secret", "get", "Drawn"], ["secret", "get", "Supplied", "--previous"]],
    "secret export": [
        ["secret", "export", "--format", "json"],
        ["secret", "export", "--format", "env-json"],
        ["secret", "export", "--format", "dotenv", "--output", "asked-for"],
        ["secret", "export", "--format", "kubernetes"],
        ["secret", "export", "--format", "github-actions", "--output", "asked-for"],
    ],
    "secret import": [["secret", "import", "--format", form, "-"] for form in ("dotenv", "json")],
    "secret set": [["secret", "set", "Written"], ["secret", "set", "Drawn"]],
    "secret rotate": [["secret", "rotate", "Drawn", "--yes", *QUICK], ["secret", "rotate", "Supplied", "--yes", *QUICK]],
    "secret stage": [["secret", "stage", "Drawn"]],
    "secret activate": [["secret", "activate", "Drawn", *QUICK]],
    "secret unstage": [["secret", "unstage", "Drawn", "--yes"]],
    "secret retire": [["secret", "retire", "Drawn", "--yes"]],
    "secret rekey": [["secret", "rekey"]],
    "state encrypt": [["state", "encrypt"]],
    "reconcile": [["reconcile", "--metrics-file", "m.prom", "--settle", "0s", *QUICK]],
    "state merge": [["state", "merge", *["sendkit.state.json"] * 3]],
    "state pull": [["state", "pull"]],
    "state unlock": [["state", "unlock", "--yes"]],
    "state migrate": [["state", "migrate", "--to", "moved.json"]],
    "init": [["init", "started", "--kubernetes", "--systemd"]],
}
"""Every command but those in `WITHOUT`, in an order in which each has something to do."""

ASKED_FOR = {"secret get", "secret export", "state pull"}
"""The commands whose output is the secrets, or the state as it is; all else that they write is searched."""

IDENTITY = "SOPS_AGE_KEY"

WITHOUT = {"simulator": "has no key and no state", "demo": "has a test of its own below"}

STATE_FILES = [f"{name}{end}" for name in ("sendkit.state.json", "moved.json") for end in ("", ".journal", ".backup")]
ODD = st.text(alphabet="\"'\\/+ %&=\u00e9\u20ac\t\n`$<>#:@;|", max_size=6)
CORE = st.text(alphabet="abcdefghjkmnpqrstuvwxyz23456789", min_size=24, max_size=24)
FAULTS = [
    None,
    Fault("POST", status=400),
    Fault("POST", status=401),
    Fault("POST", status=500),
    Fault("POST", when="after", kind="drop"),
    Fault("POST", when="after", kind="cut"),
    Fault("POST", kind="garbage", status=200),
    Fault("POST", when="after", kind="no-id"),
    Fault("POST", kind="redirect", status=307),
    Fault("PATCH", status=400),
    Fault("GET", nth=1, status=403),
]


@dataclass
class Canaries:
    """The texts that must not be seen, each with a core that no quoting changes."""

    key: str
    supplied: str
    written: str
    cores: list[str] = field(default_factory=list)

    def environment(self, url: str) -> dict[str, str]:
        return {"SENDKIT_API_URL": url, "SENDKIT_API_KEY": self.key, "SENDKIT_SECRET_CANARY": self.supplied}

    def config(self, *, changed: bool, recipient: str | None = None) -> str:
        literal = json.dumps(self.written.replace("${", "$${"), ensure_ascii=False)
        path = "changed" if changed else "in"
        return (
            "version: 1\nwebhooks:\n"
            f"  - {{name: Supplied, url: 'https://s.example.com/{path}', events: [email.sent], secret: '${{CANARY}}'}}\n"
            f"  - {{name: Drawn, url: 'https://d.example.com/{path}', events: [email.sent]}}\n"
            f"  - name: Written\n    url: https://w.example.com/{path}\n    events: [email.sent]\n    secret: {literal}\n"
            + (f"encryption: {{age: {{recipients: [{recipient}]}}}}\n" if recipient else "")
        )


@st.composite
def canaries(draw: st.DrawFn) -> Canaries:
    cores = draw(st.lists(CORE, min_size=3, max_size=3, unique=True))
    supplied, written = (draw(ODD) + core + draw(ODD) for core in cores[1:])
    return Canaries("sk_" + cores[0], supplied, written, cores)


def needles(core: str) -> list[bytes]:
    """Return what gives `core` away: its beginning, its end, and the same within base64, wherever it begins there."""
    found = [core[:10], core[-10:]]
    for before in range(3):
        coded = base64.b64encode(b"." * before + core.encode()).decode()
        found.append(coded[4:20])
    return [needle.encode() for needle in found]


def assert_silent(shown: bytes, cores: list[str], where: str) -> None:
    for core in cores:
        for needle in needles(core):
            assert needle not in shown, f"{where} gives a secret away"


def assert_no_file_tells(folder: Path, known: set[str], cores: list[str]) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in known:
            assert_silent(path.read_bytes(), cores, path.name)


class Written(io.TextIOWrapper):
    """A stream as a process has it, of text over bytes, that gives back what was written."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="surrogateescape", write_through=True)

    def getvalue(self) -> str:
        return self.buffer.getvalue().decode("utf-8", "surrogateescape")  # type: ignore[attr-defined]


@contextlib.contextmanager
def process(folder: Path, environment: dict[str, str], stdin: str = "") -> Iterator[tuple[Written, Written]]:
    """Let `run` see what a new process in `folder` would see, and give what it writes; no wait takes time."""
    out, err = Written(), Written()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SENDKIT", "SOPS", "CI", "GITHUB"))}
    root, own = logging.getLogger(), logging.getLogger("sendkit_sync")
    former = root.level, own.level, list(root.handlers)
    # A new process knows no secret yet.
    logs.REDACTOR.__init__()  # type: ignore[misc]
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, clean | environment, clear=True),
        mock.patch.object(SystemClock, "sleep", lambda _, duration_s, wake: wake.is_set()),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            yield out, err
        finally:
            root.setLevel(former[0])
            own.setLevel(former[1])
            root.handlers[:] = former[2]


def check_all_commands(
    folder: Path, url: str, secret: Canaries, form: str, cores: Callable[[], list[str]], *, encrypted: bool
) -> set[int]:
    """Run every command, and look at all it writes; return the exit codes."""
    codes = set()
    key = x25519.Identity.generate()
    recipient = str(key.to_public()) if encrypted else None
    plain = secret.environment(url) | {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    asked = plain | {IDENTITY: str(key)}
    # What a user wrote or asked for; of the rest, only a state in clear may hold secrets.
    allowed = {"webhooks.yaml", "asked-for"} | ({*STATE_FILES} if not encrypted else set())
    for changed in (False, True):
        (folder / "webhooks.yaml").write_text(secret.config(changed=changed, recipient=recipient), encoding="utf-8")
        for name, words in [(name, words) for name, calls in CALLS.items() for words in calls]:
            environment = asked if name.startswith(("secret", "state encrypt")) else plain
            with process(folder, environment, stdin=secret.written) as (out, err):
                codes.add(run(["-vv", "--log-format", form, *words]))
            shown = err.getvalue() + ("" if name in ASKED_FOR else out.getvalue())
            assert "Traceback" not in shown
            hidden = [*cores(), str(key).removeprefix("AGE-SECRET-KEY-1")]
            assert_silent(shown.encode("utf-8", "surrogatepass"), hidden, " ".join(words))
            assert_no_file_tells(folder, allowed, hidden)
    return codes


@settings(max_examples=200)
@given(st.lists(st.text("abcd", min_size=4, max_size=12), max_size=6), st.text("abcd ", max_size=40))
def test_of_a_known_secret_no_piece_stays_where_it_stood(known: list[str], text: str):
    """Also where several overlap: each character of each is gone, and nothing else."""
    redactor = Redactor()
    for secret in known:
        redactor.add(Secret(secret))
    gone = {
        place
        for secret in known
        for start in range(len(text))
        if text.startswith(secret, start)
        for place in range(start, start + len(secret))
    }
    kept = "".join("*" if place in gone else char for place, char in enumerate(text))
    shown = redactor.clean(text).replace("(sensitive)", "*")
    assert re.sub(r"\*+", "*", shown) == re.sub(r"\*+", "*", kept)


def commands_of(group: click.Group, before: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands_of(found, f"{before}{name} ")
        else:
            yield before + name


def test_every_command_is_driven():
    assert set(commands_of(cli)) == set(CALLS) | set(WITHOUT)
    assert {name.split()[0] for name in CALLS} | set(WITHOUT) == set(COMMANDS)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(canaries(), st.sampled_from(FAULTS), st.sampled_from(["text", "json"]), st.booleans())
def test_no_command_shows_a_secret(secret: Canaries, fault: Fault | None, form: str, encrypted: bool):
    with tempfile.TemporaryDirectory() as folder, Simulator(faults=[fault] if fault else []) as simulator:
        drawn: list[str] = []

        def cores() -> list[str]:
            drawn.extend(str(webhook["secret"]) for webhook in simulator.webhooks() if webhook["name"] == "Drawn")
            return secret.cores + drawn

        codes = check_all_commands(Path(folder), simulator.url, secret, form, cores, encrypted=encrypted)
        assert 0 in codes


@contextlib.contextmanager
def echo(status: int, also: str = "") -> Iterator[str]:
    """Serve an API that answers everything with `status`, and tells `also` and all it was sent in the text of its error."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            told = json.dumps({"error": "Echo", "message": f"{also}{body} {self.headers['X-Api-Key']} {self.path}"}).encode()
            self.send_response(200 if self.command == "GET" and "?" in self.path and status != 403 else status)
            if self.command == "GET" and "?" in self.path and status != 403:
                told = b'{"success": true, "data": [], "pagination": {"hasMore": false}}'
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(canaries(), st.sampled_from([400, 403, 409, 422, 500]), st.sampled_from(["text", "json"]))
def test_a_server_that_echoes_what_it_is_sent_is_not_repeated(secret: Canaries, status: int, form: str):
    with tempfile.TemporaryDirectory() as name, echo(status) as url:
        folder = Path(name)
        (folder / "webhooks.yaml").write_text(secret.config(changed=False), encoding="utf-8")
        for words in (CALLS["apply"][0], CALLS["apply"][1], CALLS["export"][0]):
            with process(folder, secret.environment(url)) as (out, err):
                run(["-vv", "--log-format", form, *words])
            shown = out.getvalue() + err.getvalue()
            drawn = [one.secret.clear.reveal() for one in pending(folder)]
            assert_silent(shown.encode(), secret.cores + drawn, " ".join(words))


def pending(folder: Path) -> list:
    from sendkit_sync.state import read_state

    state = read_state(str(folder / "sendkit.state.json"))
    return [] if state is None else [intent for intents in state.pending.values() for intent in intents if intent.secret]


@settings(max_examples=14, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(canaries(), st.sampled_from(failpoints.NAMES))
def test_an_unexpected_error_does_not_tell_its_values(secret: Canaries, place: str):
    def fail(name: str) -> None:
        if name == place:
            raise ValueError(f"{secret.supplied} {secret.key}")

    with (
        tempfile.TemporaryDirectory() as name,
        Simulator() as simulator,
        mock.patch.object(failpoints, "hook", fail),
    ):
        folder = Path(name)
        (folder / "webhooks.yaml").write_text(secret.config(changed=False), encoding="utf-8")
        with process(folder, secret.environment(simulator.url)) as (out, err):
            run(["-vv", *CALLS["apply"][0]])
        shown = out.getvalue() + err.getvalue()
        assert "Traceback" not in shown
        assert_silent(shown.encode(), secret.cores, place)


MISUSES: dict[str, dict[str, str]] = {
    "a key with a line break": {"SENDKIT_API_KEY": "{core}\nX-Other: 1"},
    "a key with an odd character": {"SENDKIT_API_KEY": "{core}\u00e9"},
    "a bad number in the environment": {"SENDKIT_SYNC_PARALLELISM": "{core}"},
    "a bad duration in the environment": {"SENDKIT_SYNC_TIMEOUT": "{core}"},
    "a bad choice in the environment": {"SENDKIT_SYNC_FORMAT": "{core}"},
    "a bad switch in the environment": {"SENDKIT_SYNC_REFRESH": "{core}"},
    "a bad log format in the environment": {"SENDKIT_SYNC_LOG_FORMAT": "{core}"},
    "a password in the address": {"SENDKIT_API_URL": "https://user:{core}@api.example.com"},
    "a query in the address": {"SENDKIT_API_URL": "http://127.0.0.1:9/?token={core}"},
    "a password in a proxy's address": {
        "SENDKIT_API_URL": "https://api.example.com",
        "https_proxy": "http://user:{core}/x@127.0.0.1:9",
    },
    "a key in the place of its file": {"SENDKIT_SYNC_API_KEY_FILE": "sk_{core}"},
    "an address that nobody answers": {"SENDKIT_API_URL": "http://127.0.0.1:9", "SENDKIT_API_KEY": "{core}"},
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misuse_does_not_repeat_the_value(misuse: str, tmp_path: Path):
    core = "q7wfmzkp3hn5xv2c8rtb4jyd"
    secret = Canaries("sk_good_key", "a-supplied-secret-of-length", "a-written-secret-of-length")
    (tmp_path / "webhooks.yaml").write_text(secret.config(changed=False), encoding="utf-8")
    environment = secret.environment("http://127.0.0.1:9") | {
        name: value.replace("{core}", core) for name, value in MISUSES[misuse].items()
    }
    with process(tmp_path, environment) as (out, err):
        assert run(["-vv", "apply", "--yes", "--retry-for", "0s"]) != 0
    assert err.getvalue()
    assert_silent((out.getvalue() + err.getvalue()).encode(), [core], misuse)
    assert_no_file_tells(tmp_path, set(), [core])


@pytest.mark.parametrize(
    "words",
    [["plan", "--out", "saved.json"], ["state", "forget", "Drawn", "--yes"], ["state", "resolve", "Drawn", "--not-created"]],
)
def test_a_password_in_the_address_is_neither_shown_nor_kept(words: list[str], tmp_path: Path):
    core = "q7wfmzkp3hn5xv2c8rtb4jyd"
    with Simulator() as simulator:
        secret = with_a_state(tmp_path, simulator)
    with process(tmp_path, secret.environment(f"https://user:{core}@api.example.com")) as (out, err):
        assert run(["-vv", *words]) == 64
    assert "user name or a password" in err.getvalue()
    assert_silent((out.getvalue() + err.getvalue()).encode(), [core], words[0])
    assert_no_file_tells(tmp_path, set(), [core])


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SENDKIT_API_KEY", "{core}"),
        ("SENDKIT_SECRET_UNUSED", "{core}"),
        ("SOPS_AGE_KEY", "# a comment\nAGE-SECRET-KEY-1{core}\n"),
        ("NOTHING_OF_OURS", "sk_{core}"),
        ("NOTHING_OF_OURS", "AGE-SECRET-KEY-1{core}"),
    ],
)
def test_a_secret_given_as_a_word_is_not_repeated(variable: str, value: str, tmp_path: Path):
    core = "Q7WFMZKP3HN5XV2C8RTB4JYD"
    text = value.replace("{core}", core)
    word = text.split("\n")[-2] if "\n" in text else text
    for words in (["plan", word], [word], ["state", "show", word, "--state", "none.json"], ["validate", "-c", word]):
        with process(tmp_path, {variable: text}) as (out, err):
            assert run(["-vv", *words]) != 0
        shown = out.getvalue() + err.getvalue()
        assert shown
        assert_silent(shown.encode(), [core], words[0])


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("before", [0, 275], ids=["whole", "where a message is cut"])
def test_what_a_server_says_of_another_secret_is_not_repeated(form: str, before: int, tmp_path: Path):
    """The error of one call may hold the secret of another webhook, and without the line break at its end."""
    core = "q7wfmzkp3hn5xv2c8rtb4jyd"
    secret = Canaries("sk_good_key", f"{core}\n", "a-written-secret-of-length")
    (tmp_path / "webhooks.yaml").write_text(secret.config(changed=False), encoding="utf-8")
    with echo(422, f"is taken: {'.' * before} {core} ") as url:
        for words in (CALLS["apply"][0], CALLS["apply"][1], CALLS["reconcile"][0]):
            with process(tmp_path, secret.environment(url)) as (out, err):
                assert run(["-vv", "--log-format", form, *words]) == 1
            assert "is taken" in out.getvalue() + err.getvalue()
            assert_silent((out.getvalue() + err.getvalue()).encode(), [core], " ".join(words))


MISBEHAVE = """\
import os, resource, sys, threading, warnings
from sendkit_sync.cli.output import logs
from sendkit_sync.cli import main

SECRET = os.environ["SENDKIT_API_KEY"]
resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)

class Odd:
    def __del__(self):
        raise ValueError(SECRET)

def misbehave(*_, **__):
    logs.set_up(0, "text")
    warnings.warn("a warning that holds " + SECRET)
    thread = threading.Thread(target=int, args=[SECRET])
    thread.start()
    thread.join()
    Odd()
    print("core", resource.getrlimit(resource.RLIMIT_CORE)[0])
    return 3

def fail(_):
    raise {error}(SECRET)

main.cli.main = misbehave
if len(sys.argv) > 1:
    main.run = fail
main.main()
"""


def misbehaving(*words: str, error: str = "ValueError") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "default", "-X", "faulthandler", "-c", MISBEHAVE.replace("{error}", error), *words],
        env=os.environ | {"SENDKIT_API_KEY": "canary-of-the-process"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_warning_a_thread_and_a_finalizer_do_not_tell_their_values():
    done = misbehaving()
    assert done.returncode == 3
    assert "canary" not in done.stdout + done.stderr
    assert "a warning that holds (sensitive)" in done.stderr
    assert done.stderr.count("unexpected ValueError") == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("error", "code"), [("ValueError", 1), ("KeyboardInterrupt", 130)])
def test_an_error_that_nobody_caught_does_not_tell_its_values(error: str, code: int):
    done = misbehaving("fail", error=error)
    assert done.returncode == code
    assert done.stderr
    assert "canary" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_crash_leaves_no_core_behind():
    assert misbehaving().stdout == "core 0\n"


def broken(secret: Canaries) -> dict[str, str]:
    """Return configs that are wrong at, in or around a secret."""
    text, core = secret.config(changed=False), secret.cores[2]
    head = "version: 1\nwebhooks:\n  - name: A\n    url: https://a.example.com/in\n    events: [email.sent]\n"
    return {
        "a misspelt key": text.replace('secret: "', 'secrte: "'),
        "a list in its place": head + f"    secret: [{core}, {core}]\n",
        "a mapping in its place": head + f"    secret: {{value: {core}}}\n",
        "a quote left open": head + f'    secret: "{core}\n',
        "a tab before it": head + f"\tsecret: {core}\n",
        "a variable within it": head + f"    secret: {core}${{CANARY}}\n",
        "a default": head + f"    secret: ${{CANARY:-{core}}}\n",
        "an unknown tag": head + f"    secret: !vault {core}\n",
        "a block of lines, badly indented": head + f"    secret: |\n      {core}\n   {core}\n",
        "the same key twice": head + f"    secret: {core}\n    secret: {core}\n",
        "a secret among the events": head.replace("[email.sent]", f"[{core}]") + f"    secret: {core}\n",
    }


@pytest.mark.parametrize("case", broken(Canaries("k", "s", "w", ["", "", "x"])))
@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_a_config_that_is_wrong_at_a_secret_does_not_show_it(case: str, form: str, tmp_path: Path):
    core = "q7wfmzkp3hn5xv2c8rtb4jyd"
    secret = Canaries("sk_key", "a-supplied-secret-of-length", f"{core}", [core] * 3)
    (tmp_path / "webhooks.yaml").write_text(broken(secret)[case], encoding="utf-8")
    with process(tmp_path, secret.environment("http://127.0.0.1:9")) as (out, err):
        run(["-vv", "validate", "--format", form])
        run(["-vv", "plan"])
    shown = out.getvalue() + err.getvalue()
    assert "webhooks.yaml" in shown
    if case != "a secret among the events":  # events are shown; that the same text is a secret is known too late
        assert_silent(shown.encode(), [core], case)


@pytest.mark.parametrize("cut", ["half", "wrong type", "extra key", "bad origin", "merge marks"])
def test_a_damaged_state_does_not_show_what_it_holds(cut: str, tmp_path: Path):
    core = "q7wfmzkp3hn5xv2c8rtb4jyd"
    secret = Canaries("sk_key", f"supplied-{core}", f"written-{core}", [core])
    (tmp_path / "webhooks.yaml").write_text(secret.config(changed=False), encoding="utf-8")
    path = tmp_path / "sendkit.state.json"
    with Simulator() as simulator, process(tmp_path, secret.environment(simulator.url)) as (out, err):
        assert run(CALLS["apply"][0]) == 0
        text = path.read_text(encoding="utf-8")
        damaged = {
            "half": text[: text.rindex(core) + 12],
            "wrong type": text.replace(f'"value": "supplied-{core}"', f'"value": ["supplied-{core}"]'),
            "extra key": text.replace(f'"value": "supplied-{core}"', f'"value": "x", "supplied-{core}": 1'),
            "bad origin": text.replace('"origin": "config"', f'"origin": "{core}"'),
            "merge marks": "<<<<<<< ours\n" + text,
        }[cut]
        assert damaged != text
        path.write_text(damaged, encoding="utf-8")
        assert [run(["-vv", *words]) for words in (["plan"], CALLS["apply"][0], ["state", "list"])] == [65] * 3
    assert_silent((out.getvalue() + err.getvalue()).encode(), [core], cut)


def test_no_command_line_of_a_process_holds_a_secret(tmp_path: Path):
    core = "q7wfmzkp3hn5xv2c8rtb4jyd"
    secret = Canaries(f"sk_{core}", f"supplied-{core}", f"written-{core}", [core])
    (tmp_path / "webhooks.yaml").write_text(secret.config(changed=False), encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=False)
    seen: set[bytes] = set()

    with Simulator() as simulator:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SENDKIT", "CI"))}
        record = simulator.record

        def look(entry: dict) -> None:
            """Look while a call is under way: at the process, and at all that it has started."""
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(path.read_bytes())
            record(entry)

        simulator.record = look  # type: ignore[method-assign]
        done = subprocess.run(
            [sys.executable, "-m", "sendkit_sync", "-vv", *CALLS["apply"][0]],
            cwd=tmp_path,
            env=clean | secret.environment(simulator.url),
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0
    assert any(b"sendkit_sync\0-vv\0apply" in line for line in seen)
    assert_silent(b"\n".join(seen) + done.stdout + done.stderr, [core], "a command line")


def test_the_demo_shows_no_secret_of_the_environment(tmp_path: Path):
    core = "q7wfmzkp3hn5xv2c8rtb4jyd"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
    done = subprocess.run(
        [sys.executable, "-m", "sendkit_sync", "demo"],
        cwd=tmp_path,
        env=clean
        | {"SENDKIT_API_KEY": f"sk_{core}", "SENDKIT_SECRET_X": core}
        | {"SENDKIT_SYNC_CONFIG": f"{core}.yaml", "SENDKIT_SYNC_STATE": str(tmp_path / "state.json")},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert_silent(done.stdout + done.stderr, [core], "demo")
    assert list(tmp_path.iterdir()) == [], "the demo leaves the user's own files alone"


def with_a_state(folder: Path, simulator: Simulator) -> Canaries:
    """Import three webhooks whose secrets the API masks, so that each lacks one; return what was needed for it."""
    secret = Canaries("sk_good_key", "a-supplied-secret-of-length", "a-written-secret-of-length")
    (folder / "webhooks.yaml").write_text(secret.config(changed=False), encoding="utf-8")
    with process(folder, secret.environment(simulator.url)) as (_, err):
        assert run(CALLS["apply"][0]) == 0, err.getvalue()
        for path in folder.glob("sendkit.state.json*"):
            path.unlink()
        assert run(CALLS["import"][0]) == 0, err.getvalue()
    return secret


def test_a_secret_that_is_typed_is_not_shown(tmp_path: Path):
    core = "q7wfmzkp3hn5xv2c8rtb4jyd"
    with Simulator(mask_secrets=True) as simulator:
        secret = with_a_state(tmp_path, simulator)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
        main, side = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "sendkit_sync", "secret", "set", "Drawn"],
            cwd=tmp_path,
            env=clean | secret.environment(simulator.url),
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
        ) as command:
            os.close(side)
            shown = b""
            with contextlib.suppress(OSError):  # Linux answers so when the last writer has gone
                while part := os.read(main, 4096):
                    if b"Secret:" in part:
                        os.write(main, core.encode() + b"\n")
                    shown += part
            os.close(main)
    assert command.returncode == 0, shown
    assert b"is recorded" in shown
    assert_silent(shown, [core], "secret set")


def test_given_bytes_that_are_no_text_are_refused_unseen(tmp_path: Path):
    with Simulator(mask_secrets=True) as simulator:
        secret = with_a_state(tmp_path, simulator)
        for given in (b"\xff-canary", b"canary" * 20_000):
            with process(tmp_path, secret.environment(simulator.url)) as (out, err):
                sys.stdin = io.TextIOWrapper(io.BytesIO(given))
                assert run(["-vv", "secret", "set", "Drawn"]) == 64
            assert "canary" not in out.getvalue() + err.getvalue()
