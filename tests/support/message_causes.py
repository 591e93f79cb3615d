"""For every error code of the project, what brings it about."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyrage

from sendkit_sync.api.client import Client
from sendkit_sync.ci.__main__ import steps
from sendkit_sync.core import failpoints
from sendkit_sync.core.clock import SystemClock, SystemRng
from sendkit_sync.core.errors import ErrorCode, StateIOError
from sendkit_sync.core.model import Secret, SecretOrigin, State
from sendkit_sync.secrets.age import AgeCipher
from sendkit_sync.secrets.export import Key, Slot, kubernetes
from sendkit_sync.simulator import Fault
from sendkit_sync.state import open_ledger, read_store
from sendkit_sync.state.codec import encode_snapshot
from sendkit_sync.state.journal import encode_line
from sendkit_sync.state.node import Node, text_of
from sendkit_sync.state.stores.file import FileStore
from sendkit_sync.state.stores.head import Head, Pointer, decode_head, encode_head
from sendkit_sync.state.stores.lease import LeaseStore
from sendkit_sync.state.stores.objects import ObjectRegister
from support.bench import CRM, Bench
from support.fake_register import Cell, fake_store
from support.world import Crash, FakeClock

Cause = Callable[[Bench], object]
CAUSES: dict[str, Cause] = {}
"""`CODE`, or `CODE/WHICH` where several texts share a code, to what ends in that error."""

ID = "664a1b2c3d4e5f6a7b8c9d0e"
HOOK = {"_id": ID, "name": "CRM", "url": "https://crm.example.com/in", "events": ["email.replied"]}
SECOND = '  - {name: Other, url: "https://other.example.com/in", events: [email.sent]}\n'
IDENTITY = pyrage.x25519.Identity.generate()
SEALED = CRM + f"encryption: {{age: {{recipients: [{IDENTITY.to_public()}]}}}}\n"


def site(key: str) -> Callable[[Cause], Cause]:
    def note(cause: Cause) -> Cause:
        assert key not in CAUSES, key
        CAUSES[key] = cause
        return cause

    return note


def plain(key: str, *words: str, given: bytes = b"", **environment: str) -> None:
    """Note a site that one command leads to, in a folder with nothing but the config."""

    def cause(b: Bench) -> None:
        b.set(**environment)
        b.run(*words, given=given)

    CAUSES[key] = cause


def applied(key: str, *words: str, given: bytes = b"", **environment: str) -> None:
    """Note a site that one command leads to after an apply."""

    def cause(b: Bench) -> None:
        b.apply()
        b.set(**environment)
        b.run(*words, given=given)

    CAUSES[key] = cause


# The address, the key and the workspace.

REFRESH = ("plan", "--refresh", "--retry-for", "0s", "--timeout", "5s")
plain("address_invalid/not_a_url", *REFRESH, SENDKIT_API_URL="https://[")
plain(
    "address_invalid/not_plain",
    *REFRESH,
    SENDKIT_API_URL="https://a.example.com/?q",
)
plain(
    "address_invalid/not_https",
    *REFRESH,
    SENDKIT_API_URL="http://a.example.com",
)
plain(
    "address_invalid/credentials",
    *REFRESH,
    SENDKIT_API_URL="https://u:p@a.example.com",
)
plain(
    "api_key_invalid",
    *REFRESH,
    SENDKIT_API_KEY="sk_a b",
)
plain("workspace_missing", *REFRESH, SENDKIT_API_KEY="sk_user_a")
plain("workspace_invalid", *REFRESH, SENDKIT_API_KEY="sk_user_a", SENDKIT_WORKSPACE_ID="w w")
plain("api_key_missing", "apply", "--yes", SENDKIT_API_KEY="")
plain("api_key_unreadable", "--api-key-file", "no/key", *REFRESH)
plain(
    "api_key_refused",
    *REFRESH,
    SENDKIT_API_KEY="no_key_of_sendkit",
)


@site("output_lost")
def _(b: Bench) -> None:
    with Path("/dev/full").open("w") as full:
        b.patch.setattr("sys.stdout", full)
        b.run("plan")


@site("workspace_conflict")
def _(b: Bench) -> None:
    b.write("workspace: ws_1\n" + CRM)
    b.run("plan", SENDKIT_WORKSPACE_ID="ws_2")


@site("api_mismatch/run")
def _(b: Bench) -> None:
    b.apply()
    b.run("plan", SENDKIT_API_URL=b.nobody())


@site("id_recorded_twice")
def _(b: Bench) -> None:
    b.apply()
    b.state(lambda state: state["webhooks"]["CRM"].update(id=ID))
    b.state(lambda state: state["webhooks"].update(Other=state["webhooks"]["CRM"]))
    b.write(CRM + SECOND)
    b.run("plan")


# What the API answers to reads.


def answers(key: str, *replies: tuple[int, object], command: tuple[str, ...] = REFRESH) -> None:
    def cause(b: Bench) -> None:
        b.run(*command, SENDKIT_API_URL=b.serve(*replies))

    CAUSES[key] = cause


answers("api_error/status", (418, {"message": "short and stout"}))
answers("not_the_api", (403, b"<html>Access denied</html>"))
answers("protocol_error/no_list", (200, {"data": 1}))
answers("protocol_error/no_id", (200, {"data": [{"_id": 1}]}))
answers("protocol_error/no_cursor", (200, {"data": [], "pagination": {"hasMore": True}}))
PAGE = {"data": [HOOK], "pagination": {"hasMore": True, "nextCursor": "same"}}
answers("protocol_error/circle", (200, PAGE))
answers("protocol_error/no_webhook", (200, {"data": 1}), command=("import", "CRM", ID))
answers("protocol_error/another_webhook", (200, {"data": {"_id": "other"}}), command=("import", "CRM", ID))


@site("protocol_error/no_end")
def _(b: Bench) -> None:
    b.patch.setattr("sendkit_sync.api.client.MAX_PAGES", 2)

    def page(number: int) -> tuple[int, object]:
        return 200, {"data": [HOOK], "pagination": {"hasMore": True, "nextCursor": str(number)}}

    b.run(*REFRESH, SENDKIT_API_URL=b.serve(last=page))


@site("protocol_error/too_large")
def _(b: Bench) -> None:
    b.patch.setattr("sendkit_sync.api.client.MAX_WEBHOOKS", 0)
    b.run(*REFRESH, SENDKIT_API_URL=b.serve((200, {"data": [HOOK]})))


@site("protocol_error/no_workspaces")
def _(b: Bench) -> None:
    client(b.serve((200, {"data": 1}))).workspaces()


@site("protocol_error/no_result")
def _(b: Bench) -> None:
    client(b.serve((200, {"data": 1}))).test(ID)


@site("api_unreachable")
def _(b: Bench) -> None:
    b.run(*REFRESH, SENDKIT_API_URL=b.nobody())


@site("api_error/cut")
def _(b: Bench) -> None:
    b.patch.setattr("sendkit_sync.api.sender.REPEATS", 1)
    b.simulator.add_fault(Fault("GET", kind="cut"))
    b.run(*REFRESH)


@site("no_endpoint")
def _(b: Bench) -> None:
    client(b.serve((501, b""))).list()


@site("no_list")
def _(b: Bench) -> None:
    b.simulator.list_enabled = False
    b.run("import", "--matching")


@site("list_not_found")
def _(b: Bench) -> None:
    b.run("apply", "--yes", SENDKIT_API_URL=f"{b.simulator.url}/v1")


@site("list_gone")
def _(b: Bench) -> None:
    b.apply()
    b.simulator.list_enabled = False
    b.run(*REFRESH)


@site("workspace_mismatch/key")
def _(b: Bench) -> None:
    b.write("workspace: ws_acme\n" + CRM)
    b.apply()


@site("run_stopped")
def _(b: Bench) -> None:
    client(b.serve((500, b"")), stopped=True).list()


def client(address: str, *, stopped: bool = False) -> Client:
    stop = threading.Event()
    if stopped:
        stop.set()
    clock, rng = SystemClock(), SystemRng()
    quiet: dict[str, Any] = {"on_wait": lambda why: None, "on_call": lambda method, outcome: None}
    return Client(address, Secret("sk_key"), None, timeout_s=5, retry_for_s=0, clock=clock, rng=rng, stop=stop, **quiet)


# Adopting.

plain("import_arguments", "import", "CRM")
plain("not_in_config", "import", "Unknown", ID)
plain("not_live", "import", "CRM", ID)


def with_id(key: str, prepare: Callable[[Bench], object]) -> None:
    """Note a site that the `id` of an entry leads to."""

    def cause(b: Bench) -> None:
        prepare(b)
        b.write(CRM.replace("name: CRM,", f"name: CRM, id: {ID},"))
        b.apply()

    CAUSES[key] = cause


def _recorded_as_other(b: Bench) -> None:
    b.write(CRM.replace("name: CRM,", "name: Other,"))
    b.apply()
    b.state(lambda state: state["webhooks"]["Other"].update(id=ID))


def _recorded_as_another(b: Bench) -> None:
    b.apply()
    b.state(lambda state: state["webhooks"]["CRM"].update(id="5" * 24))


def _of_another_workspace(b: Bench) -> None:
    b.write(CRM.replace("CRM", "Other").replace("crm", "other"))
    b.apply()
    live(b)
    b.state(lambda state: state.update(observedWorkspaceId="ws_recorded"))


with_id("not_live/id", lambda b: None)
with_id("id_differs", _recorded_as_another)
with_id("id_recorded/id", _recorded_as_other)
with_id("create_unresolved/id", Bench.leave_unresolved)
with_id("workspace_mismatch/id", _of_another_workspace)


def live(b: Bench, **fields: object) -> None:
    b.simulator.store.create("ws_demo", {"name": "CRM", "url": "https://x.example.com", "events": ["email.sent"], **fields}, ID)


@site("name_recorded")
def _(b: Bench) -> None:
    b.apply()
    b.state(lambda state: state["webhooks"]["CRM"].update(id="5" * 24))
    live(b, name="Second")
    b.run("import", "CRM", ID)


@site("create_unresolved/import")
def _(b: Bench) -> None:
    b.leave_unresolved()
    live(b)
    b.run("import", "CRM", ID)


@site("id_recorded/import")
def _(b: Bench) -> None:
    b.apply()
    b.write(CRM + SECOND)
    b.state(lambda state: state["webhooks"]["CRM"].update(id=ID))
    live(b)
    b.run("import", "Other", ID)


@site("workspace_mismatch/import")
def _(b: Bench) -> None:
    b.apply()
    b.write(CRM + SECOND)
    live(b)
    b.state(lambda state: state.update(observedWorkspaceId="ws_recorded"))
    b.run("import", "Other", ID)


@site("update_unanswered/import")
def _(b: Bench) -> None:
    b.apply()
    b.state(lambda state: state["webhooks"]["CRM"].update(id=ID))
    live(b)
    b.simulator.add_fault(Fault("PATCH", status=500))
    b.run("secret", "rotate", "CRM", "--yes", "--retry-for", "0s")
    b.run("import", "CRM", ID)


@site("workspace_mismatch/apply")
def _(b: Bench) -> None:
    b.apply()
    b.state(lambda state: state.update(observedWorkspaceId="ws_recorded"))
    b.write(CRM + SECOND)
    b.apply()


# Planning and applying.

plain("no_terminal", "apply")
plain(
    "plan_options_conflict",
    "apply",
    "--plan",
    "p",
    "--prune",
)
plain("target_matches_nothing", "plan", "--target", "CMR")
plain(
    "too_many_changes",
    "reconcile",
    "--max-changes",
    "0",
)


@site("secret_missing")
def _(b: Bench) -> None:
    b.write(CRM.replace("}", ', secret: "${CRM}"}'))
    b.apply()


@site("declined")
def _(b: Bench) -> None:
    b.patch.setattr("sendkit_sync.cli.commands.apply.ask", lambda question: False)
    b.run("apply")


@site("limits_exceeded")
def _(b: Bench) -> None:
    b.apply()
    b.write("version: 1\nwebhooks: []\n")
    b.apply("--prune")


@site("secrets_in_git/unknown")
def _(b: Bench) -> None:
    b.git("init", ".")
    b.set(CI="true", PATH="")
    b.apply()


@site("secrets_in_git/not_ignored")
def _(b: Bench) -> None:
    b.git("init", ".")
    b.set(CI="true")
    b.apply()


@site("config_invalid")
def _(b: Bench) -> None:
    b.write("version: 1\n")
    b.run("validate", "--format", "json")
    b.run("plan")


# Saved plans.


def saved(key: str, change: Callable[[Bench], object] = lambda b: None) -> None:
    def cause(b: Bench) -> None:
        b.run("plan", "--out", "p.json")
        change(b)
        b.apply("--plan", "p.json")

    CAUSES[key] = cause


saved("plan_invalid/syntax", lambda b: b.write("{", "p.json"))
saved("plan_invalid/nesting", lambda b: b.write("[" * 100_000, "p.json"))
saved("plan_invalid/schema", lambda b: b.write('{"format_version": "1.0"}', "p.json"))
saved("plan_invalid/too_large", lambda b: os.truncate("p.json", 300 << 20))
saved(
    "plan_version",
    lambda b: b.write('{"format_version": "2.0"}', "p.json"),
)
saved("plan_unreadable", lambda b: Path("p.json").unlink())
saved("plan_stale/config", lambda b: b.write(CRM + SECOND))
saved("plan_stale/state", lambda b: b.apply())
saved("plan_stale/address", lambda b: b.set(SENDKIT_API_URL=b.nobody()))


@site("plan_stale/plan")
def _(b: Bench) -> None:
    b.run("plan", "--out", "p.json")
    plan = json.loads(Path("p.json").read_text())
    plan["plan"]["summary"]["create"] = 7
    b.write(json.dumps(plan), "p.json")
    b.apply("--plan", "p.json")


plain("plan_not_written", "plan", "--out", "no/p.json")
plain("plan_overwrites_file", "plan", "--out", "webhooks.yaml")
plain("variable_missing/step_summary", "plan", "--step-summary")
plain(
    "summary_not_written",
    "plan",
    "--step-summary",
    GITHUB_STEP_SUMMARY="no/summary.md",
)

# The record by hand.

plain("nothing_recorded", "state", "list")
applied("not_recorded", "state", "show", "CMR")
plain("resolve_arguments", "state", "resolve", "CRM")
plain("id_invalid", "state", "resolve", "CRM", "--id", "CRM Sync")
applied("not_unresolved", "state", "resolve", "CRM", "--not-created")
applied("no_encryption/encrypt", "state", "encrypt")


@site("id_recorded/resolve")
def _(b: Bench) -> None:
    b.leave_unresolved()
    b.write(CRM.replace("CRM", "Second"))
    b.apply("--allow-duplicate")
    b.state(lambda state: state["webhooks"]["Second"].update(id=ID))
    b.run("state", "resolve", "CRM", "--id", ID)


@site("create_unresolved/forget")
def _(b: Bench) -> None:
    b.apply()
    intent = {
        "op": "o",
        "action": "create",
        "sentAt": 1.0,
        "settings": {"url": "https://x.example.com", "events": ["email.sent"]},
    }
    b.state(lambda state: state["pending"].update(CRM=[intent]))
    b.run("state", "forget", "CRM", "--yes")


# Secrets.

plain("stage_arguments", "secret", "stage")
plain("not_recorded/stage", "secret", "stage", "Other")
applied("secret_not_staged", "secret", "unstage", "CRM", "--yes")
applied("secret_not_staged/activate", "secret", "activate", "CRM")


@site("secret_staged")
def _(b: Bench) -> None:
    b.run("secret", "stage", "CRM")
    b.run("secret", "stage", "CRM")


@site("secret_staged/rotate")
def _(b: Bench) -> None:
    b.apply()
    b.run("secret", "stage", "CRM")
    b.run("secret", "rotate", "CRM", "--yes")


@site("secret_from_config/stage")
def _(b: Bench) -> None:
    b.write(CRM.replace("}\n", ", secret: '${CRM}'}\n"))
    b.run("secret", "stage", "CRM", SENDKIT_SECRET_CRM="canary-secret-of-the-config")


@site("create_unresolved/stage")
def _(b: Bench) -> None:
    b.leave_unresolved()
    b.run("secret", "stage", "CRM")


def half_activated(b: Bench) -> None:
    """Send a staged secret without hearing of it."""
    b.apply()
    b.run("secret", "stage", "CRM")
    b.simulator.add_fault(Fault("PATCH", when="after", kind="drop"))
    with contextlib.suppress(SystemExit):
        b.run("secret", "activate", "CRM", "--retry-for", "0s")


@site("update_unanswered/unstage")
def _(b: Bench) -> None:
    half_activated(b)
    b.run("secret", "unstage", "CRM", "--yes")


@site("secret_in_doubt")
def _(b: Bench) -> None:
    half_activated(b)
    b.run("secret", "retire", "CRM", "--yes")


@site("declined/forget")
def _(b: Bench) -> None:
    b.apply()
    b.patch.setattr("sendkit_sync.cli.commands.state.ask", lambda question: False)
    b.run("state", "forget", "CRM")


@site("declined/trigger")
def _(b: Bench) -> None:
    b.apply()
    b.patch.setattr("sendkit_sync.cli.commands.trigger.ask", lambda question: False)
    b.run("trigger", "CRM", "--to", "https://crm.example.com/")


@site("declined/rotate")
def _(b: Bench) -> None:
    b.apply()
    b.patch.setattr("sendkit_sync.cli.commands.secret.ask", lambda question: False)
    b.run("secret", "rotate", "CRM")


applied("secret_not_recorded", "secret", "get", "CRM", "--previous")
applied(
    "secret_recorded",
    "secret",
    "set",
    "CRM",
    given=b"a-secret-of-some-length",
)
applied("no_encryption/rekey", "secret", "rekey")
applied("secret_invalid/empty", "secret", "set", "CRM")
applied("secret_invalid/encoding", "secret", "set", "CRM", given=b"\xff")
applied(
    "secret_invalid/zero_byte",
    "secret",
    "set",
    "CRM",
    given=b"a\0",
)
applied("secret_invalid/too_long", "secret", "set", "CRM", given=b"x" * 70_000)
GITHUB_EXPORT = ("secret", "export", "--format", "github-actions")
applied("stdout_not_masked/no_github_env", *GITHUB_EXPORT)
applied(
    "secrets_not_written",
    "secret",
    "export",
    "--format",
    "json",
    "--output",
    "no/s",
)
applied(
    "output_not_a_file",
    *("secret", "export", "--format", "json", "--output", "/dev/null"),
)
applied(
    "export_name_invalid/kubernetes",
    *("secret", "export", "--format", "kubernetes", "--secret-name", "My_Secrets"),
)
CAUSES["export_name_invalid/key_too_long"] = lambda b: kubernetes({Key("N" * 300, Slot.CURRENT): Secret("x")}, "s")


@site("output_exists")
def _(b: Bench) -> None:
    b.apply()
    b.write("{}", "there.json")
    b.run("secret", "export", "--format", "json", "--output", "there.json")


@site("output_exists/dotenv")
def _(b: Bench) -> None:
    b.apply()
    b.write("this is not dotenv\n'\n", "there.env")
    b.run("secret", "export", "--format", "dotenv", "--output", "there.env")


@site("stdout_not_masked/file")
def _(b: Bench) -> None:
    b.apply()
    with Path("out").open("w") as file:
        b.patch.setattr(sys, "stdout", file)
        b.run(*GITHUB_EXPORT, GITHUB_ENV="env")


@site("secret_from_config")
def _(b: Bench) -> None:
    b.write(CRM.replace("}", ', secret: "${CRM}"}'))
    b.run("secret", "rotate", "CRM", "--yes", SENDKIT_SECRET_CRM="a-secret-of-some-length")


@site("secret_unmanaged")
def _(b: Bench) -> None:
    b.write(CRM.replace("}", ", manageSecret: false}"))
    b.run("secret", "rotate", "CRM", "--yes")


@site("api_mismatch/pinned")
def _(b: Bench) -> None:
    b.write(f"apiUrl: https://api.example.com\n{CRM}")
    b.run("plan")


@site("update_unanswered/rotate")
def _(b: Bench) -> None:
    b.apply()
    b.write(CRM.replace("/in", "/new"))
    b.simulator.add_fault(Fault("PATCH", status=500))
    b.apply()
    b.run("secret", "rotate", "CRM", "--yes", "--retry-for", "0s")


@site("export_name_taken")
def _(b: Bench) -> None:
    b.write(CRM + SECOND.replace("Other", "crm"))
    b.apply("--allow-duplicate")
    b.run("secret", "export", "--format", "dotenv")


def encrypted(key: str, *words: str, **environment: str) -> None:
    def cause(b: Bench) -> None:
        b.write(SEALED)
        b.apply()
        b.set(**environment)
        b.run(*words)

    CAUSES[key] = cause


GET = ("secret", "get", "CRM")
encrypted("secret_unreadable", *GET)
encrypted("identity_invalid/none", *GET, SOPS_AGE_KEY="# none")
encrypted("identity_unreadable", *GET, SOPS_AGE_KEY_FILE="no/key.txt")
encrypted("identity_unreadable/command", *GET, SOPS_AGE_KEY_CMD="false")
encrypted("identity_invalid/malformed", *GET, SOPS_AGE_KEY="AGE-SECRET-KEY-1")
encrypted(
    "identity_mismatch",
    *GET,
    SOPS_AGE_KEY=str(pyrage.x25519.Identity.generate()),
)


def clear(b: Bench) -> None:
    b.apply()
    b.write(SEALED)


@site("secrets_in_clear/state")
def _(b: Bench) -> None:
    clear(b)
    b.apply()


@site("secrets_in_clear/one")
def _(b: Bench) -> None:
    clear(b)
    b.run(*GET, SOPS_AGE_KEY=str(IDENTITY))


@site("secret_tampered/copied")
def _(b: Bench) -> None:
    b.write(SEALED.replace("encryption", SECOND + "encryption"))
    b.apply()
    b.state(lambda state: state["webhooks"]["CRM"].update(secret=state["webhooks"]["Other"]["secret"]))
    b.run(*GET, SOPS_AGE_KEY=str(IDENTITY))


@site("secret_tampered/content")
def _(b: Bench) -> None:
    b.write(SEALED)
    b.apply()
    seal = base64.b64encode(pyrage.encrypt(b"[]", [IDENTITY.to_public()])).decode()
    b.state(lambda state: state["webhooks"]["CRM"]["secret"].update(encrypted=seal))
    b.run(*GET, SOPS_AGE_KEY=str(IDENTITY))


@site("secret_tampered/moved")
def _(b: Bench) -> None:
    cipher = AgeCipher([str(IDENTITY.to_public())], "https://a", "l", SystemRng(), {"SOPS_AGE_KEY": str(IDENTITY)})
    cipher.decrypt(("CRM",), cipher.encrypt("Other", Secret("x"), SecretOrigin.GENERATED))


@site("recipient_invalid/config")
def _(b: Bench) -> None:
    AgeCipher(["age1x"], "https://a", "l", SystemRng(), {})


@site("recipient_invalid/none")
def _(b: Bench) -> None:
    AgeCipher([], "https://a", "l", SystemRng(), {})


@site("extra_missing/encryption")
def _(b: Bench) -> None:
    b.patch.setitem(sys.modules, "pyrage", None)
    b.write(SEALED)
    b.apply()


@site("no_encryption/read")
def _(b: Bench) -> None:
    b.write(SEALED)
    b.apply()
    b.write(CRM)
    b.run(*GET)


@site("no_encryption/write")
def _(b: Bench) -> None:
    b.write(SEALED)
    b.apply()
    b.write(CRM + SECOND)
    b.apply()


# Other commands.

plain("recipient_invalid/init", "init", "n", "--recipient", "x")
plain("encryption_required", "init", "n", "--github")
plain("file_not_written", "init", "webhooks.yaml/n")
plain("state_folder_missing", "plan", "--state", "no/s.json")
plain("unknown_command", "aply")
plain("fault_invalid", "simulator", "--fault", "FETCH /")


@site("simulator_failed")
def _(b: Bench) -> None:
    b.run("simulator", "--port", str(b.simulator.url.rpartition(":")[2]))


plain("metrics_not_written", "reconcile")
plain("test_arguments", "test")
applied("trigger_url_invalid", "trigger", "CRM", "--to", "ftp://crm.example.com/")
applied("input_too_large", "trigger", "CRM", "--to", "http://localhost/", "--data", "-", given=b"x" * (1024 * 1024 + 1))
applied("secret_not_staged/trigger", "trigger", "CRM", "--to", "http://localhost/", "--staged")
applied("secret_recorded/import", "secret", "import", "--format", "json", "-", given=b'{"CRM": "canary-another-secret"}')
applied("secrets_unreadable/line", "secret", "import", "--format", "dotenv", "-", given=b"'\n")
applied("secrets_unreadable/json", "secret", "import", "--format", "json", "-", given=b"{")
applied("no_test_endpoint", "test", "CRM")
applied("gone_in_sendkit", "test", "CRM")
applied("test_unanswered", "test", "CRM")


@site("extra_missing/metrics")
def _(b: Bench) -> None:
    b.patch.setattr("importlib.util.find_spec", lambda name: None)
    b.run("reconcile", "--metrics-file", "m.prom")


@site("extra_missing/watch")
def _(b: Bench) -> None:
    b.patch.setattr("importlib.util.find_spec", lambda name: None)
    b.run("status", "--watch")


plain("no_terminal/watch", "status", "--watch")


def metrics(b: Bench) -> None:
    from sendkit_sync.app.metrics import Figures, write

    write("no/m.prom", Figures(), now=0.0, duration_s=0.0, good=True)


CAUSES["metrics_not_written"] = metrics


def tested(key: str, fault: Fault) -> None:
    def cause(b: Bench) -> None:
        b.apply()
        b.state(lambda state: state["webhooks"]["CRM"].update(id=ID))
        b.simulator.add_fault(fault)
        b.run("test", "CRM", "--retry-for", "0s")

    CAUSES[key] = cause


tested("gone_in_sendkit", Fault("PATCH"))
tested("no_test_endpoint", Fault("POST", status=501))
tested("test_unanswered", Fault("POST", kind="cut"))

# The state on disk.


@site("state_locked")
def _(b: Bench) -> None:
    with ledger():
        b.patch.setattr("sendkit_sync.state.stores.file_lock._holder", lambda descriptor: "me@here (pid 1, since today, apply)")
        b.apply()


def ledger() -> Any:
    url = os.environ["SENDKIT_API_URL"]
    return open_ledger("sendkit.state.json", api=url, clock=SystemClock(), rng=SystemRng(), purpose="apply")


@site("file_io/unreadable")
def _(b: Bench) -> None:
    b.run("plan", "--state", "webhooks.yaml/state.json")


@site("journal_deleted")
def _(b: Bench) -> None:
    with ledger() as book:
        Path("sendkit.state.json.journal").unlink()
        book.set_workspace("w")


@site("state_fenced")
def _(b: Bench) -> None:
    with ledger():
        for end in (".journal", ".lock"):
            Path(f"sendkit.state.json{end}").unlink()
        with ledger() as other:
            other.set_workspace("w")


def full(book: Any) -> None:
    """Have the disk refuse the next entry, and go on as if nothing were."""

    def refuse(data: bytes) -> None:
        raise StateIOError(
            ErrorCode.FILE_IO, "cannot write the journal: No space left on device", where="sendkit.state.json.journal"
        )

    book._term.append = refuse
    try:
        book.set_workspace("w")
    except StateIOError:
        return


@site("state_write_failed/append")
def _(b: Bench) -> None:
    with ledger() as book:
        full(book)


@site("state_write_failed/closed")
def _(b: Bench) -> None:
    with ledger() as book:
        full(book)
        book.set_workspace("v")


@site("file_io/not_regular")
def _(b: Bench) -> None:
    os.mkfifo("sendkit.state.json")
    b.run("plan")


@site("lock_not_ours")
def _(b: Bench) -> None:
    b.write("# by Poetry", "poetry.lock")
    b.apply("--state", "poetry")


@site("state_keeps_changing")
def _(b: Bench) -> None:
    class Restless(FileStore):
        def _snapshot_is(self, raw: bytes | None) -> bool:
            return False

    read_store(Restless("sendkit.state.json"))


@site("api_mismatch/ledger")
def _(b: Bench) -> None:
    b.apply()
    b.set(SENDKIT_API_URL="https://other.example.com")
    with ledger():
        raise AssertionError


@site("snapshot_missing")
def _(b: Bench) -> None:
    b.write("", "sendkit.state.json.journal")
    b.run("plan")


def at_address(key: str, address: str) -> None:
    """Note a site that a plan with this address of the state leads to."""
    CAUSES[key] = lambda b: b.run("plan", "--state", address)


at_address("state_address_invalid/scheme", "ftp://host/state")
at_address("state_address_invalid/unreadable", "postgresql://db:port/x")
at_address("state_address_invalid/option", "s3://bucket/key?retries=3")
at_address("state_address_holds_credential", "postgresql://me:pw@db/x")
at_address("state_address_invalid/object", "s3://bucket")
at_address(
    "state_address_invalid/endpoint",
    "s3://bucket/key?endpoint=http://store.example.com",
)


at_address("state_address_invalid/table", "postgresql://127.0.0.1/db?table=a-b")
at_address("state_address_invalid/tls", "postgresql://db.example.com/db?sslmode=require")


plain("resend_too_soon", "apply", "--yes", "--resend-after", "90s", "--state", "postgresql://127.0.0.1/db")


@site("server_secrets_need_a_file")
def _(b: Bench) -> None:
    b.write(CRM + "generateSecret: server\n")
    b.run("apply", "--yes", "--state", "postgresql://127.0.0.1/db")


@site("declined/unlock")
def _(b: Bench) -> None:
    cell = Cell()
    b.patch.setattr("sendkit_sync.app.unlock.store_at", lambda address: fake_store(cell))
    b.patch.setattr("sendkit_sync.cli.commands.state.ask", lambda question: False)
    with lease(cell):
        b.run("state", "unlock", "--state", "s3://bucket/key")


applied("no_lease", "state", "unlock")
applied("same_store", "state", "migrate", "--to", "./sendkit.state.json")
applied("no_move", "state", "migrate", "--to", "other.json", "--abort")
plain("nothing_recorded/move", "state", "migrate", "--to", "other.json")


@site("state_moved")
def _(b: Bench) -> None:
    b.apply()
    b.run("state", "migrate", "--to", "other.json")
    b.run("plan")


def begun(b: Bench) -> None:
    """Begin a move of the state to other.json, and be killed."""

    def die(name: str) -> None:
        if name == "move-begun":
            raise Crash

    b.apply()
    with b.patch.context() as patch, contextlib.suppress(Crash):
        patch.setattr(failpoints, "hook", die)
        b.run("state", "migrate", "--to", "other.json")


@site("state_moving")
def _(b: Bench) -> None:
    begun(b)
    b.run("plan")


@site("destination_in_use/lineage")
def _(b: Bench) -> None:
    b.apply("--state", "other.json", "--allow-duplicate")
    b.apply("--allow-duplicate")
    b.run("state", "migrate", "--to", "other.json")


@site("destination_in_use/moving")
def _(b: Bench) -> None:
    begun(b)
    b.apply("--state", "new.json", "--allow-duplicate")
    b.run("state", "migrate", "--to", "sendkit.state.json", "--state", "new.json")


@site("destination_in_use/abort")
def _(b: Bench) -> None:
    begun(b)
    b.apply("--state", "other.json", "--allow-duplicate")
    b.run("state", "migrate", "--to", "other.json", "--abort")


@site("extra_missing/postgres")
def _(b: Bench) -> None:
    b.patch.setitem(sys.modules, "psycopg", None)
    b.run("plan", "--state", "postgresql://127.0.0.1/db")


@site("extra_missing/cloud")
def _(b: Bench) -> None:
    b.patch.setitem(sys.modules, "obstore", None)
    b.run("plan", "--state", "s3://bucket/key")


@site("store_object_missing")
def _(b: Bench) -> None:
    import obstore
    from obstore.store import MemoryStore

    store = MemoryStore()
    obstore.put(store, "key", encode_head(Head(1, "n"), Pointer("0" * 64, 5), None, []))
    read_store(LeaseStore(ObjectRegister(store, "key", "s3://bucket/key"), SystemClock()))


@site("state_version/format")
def _(b: Bench) -> None:
    decode_head(encode_line({"format": 2}).rstrip(), "s3://bucket/key", "", lambda pointer: b"")


@site("state_locked/lease")
def _(b: Bench) -> None:
    b.patch.setattr("sendkit_sync.state.stores.lease.shown_holder", lambda card: "me@here (pid 1, since today, apply)")
    stop = threading.Event()
    stop.set()
    with lease(Cell()) as term, term.store.locked(clock=FakeClock(), purpose="apply", timeout_s=0.0, stop=stop):
        raise AssertionError


@contextlib.contextmanager
def lease(cell: Cell) -> Iterator[Any]:
    store = fake_store(cell)
    with store.locked(clock=FakeClock(), purpose="apply", timeout_s=0.0, stop=threading.Event()) as term:
        yield SimpleNamespace(store=store, term=term, register=store._register)


@site("lease_ended/interrupted")
def _(b: Bench) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with lease(Cell()) as held:
        with b.patch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(held.register, "swap", interrupt)
            held.term.append(b"line\n")
        held.term.append(b"line\n")


@site("lease_ended/given_back")
def _(b: Bench) -> None:
    with lease(Cell()) as held:
        pass
    held.term.append(b"line\n")


@site("state_fenced/lease")
def _(b: Bench) -> None:
    cell = Cell()
    with lease(cell) as held:
        fake_store(cell).unlock()
        held.term.append(b"line\n")


@site("store_failed")
def _(b: Bench) -> None:
    cell = Cell()
    cell.away = True
    read_store(fake_store(cell))


def on_disk(key: str, raw: str) -> None:
    """Note a site that a state file with this text leads to."""

    def cause(b: Bench) -> None:
        b.write(raw, "sendkit.state.json")
        b.run("plan")

    CAUSES[key] = cause


on_disk("state_empty", "")


def merging(key: str, other: Callable[[dict[str, Any]], object], *, journal: bool = False, theirs: str = "theirs.json") -> None:
    """Note what `state merge` says of a state and a copy of it that `other` changed."""

    @site(key)
    def cause(b: Bench) -> None:
        b.apply()
        document = json.loads((b.folder / "sendkit.state.json").read_text(encoding="utf-8"))
        other(document)
        b.write(json.dumps(document), "theirs.json")
        if journal:
            b.write("", "theirs.json.journal")
        b.write("", "base.json")
        b.run("state", "merge", "base.json", "sendkit.state.json", theirs)


merging("merge_conflict/workspace", lambda state: state.update(observedWorkspaceId="other"))
merging("merge_conflict/journal", lambda state: None, journal=True)
merging("nothing_recorded/merge", lambda state: None, theirs="none.json")
on_disk("state_conflict_markers", "<<<<<<< HEAD\n{}")
on_disk("state_version", '{"version": 2}')
on_disk("state_not_json/syntax", "{")
on_disk("state_not_json/duplicate_key", '{"a": 1, "a": 2}')
on_disk("state_not_json/nesting", "[" * 100_000)
CAUSES["state_not_json/encoding"] = lambda b: text_of(b"\xff", "sendkit.state.json")


def changed(key: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Note a site that a change of a good state leads to."""

    def cause(b: Bench) -> None:
        b.apply()
        b.state(change)
        b.run("plan")

    CAUSES[key] = cause


def of_crm(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda state: state["webhooks"]["CRM"].update(fields)


def pending(*intents: object) -> Callable[[dict[str, Any]], object]:
    return lambda state: state["pending"].update(CRM=list(intents))


INTENT = {"op": "o", "action": "create", "sentAt": 1.0}
changed("state_value_invalid/missing_key", lambda state: state.pop("serial"))
changed("state_value_invalid/unknown_key", lambda state: state.update(more=1))
changed("state_value_invalid/array", of_crm(formerNames=1))
changed("state_value_invalid/string", of_crm(status=1))
changed("state_value_invalid/empty_text", lambda state: state.update(lineage=""))
changed("state_value_invalid/id", of_crm(id="."))
changed("state_value_invalid/time", pending(INTENT | {"sentAt": -1}))
changed("state_value_invalid/no_intents", pending())
changed("state_value_invalid/count", lambda state: state.update(serial=-1))
changed("state_value_invalid/object", lambda state: state.update(webhooks=1))
changed("state_value_invalid/boolean", pending(INTENT | {"expired": 1}))
changed("state_value_invalid/number", pending(INTENT | {"sentAt": "1"}))
changed("state_value_invalid/time", pending(INTENT | {"sentAt": -1.0}))
changed("state_value_invalid/action", pending(INTENT | {"action": "explode"}))
changed("state_value_invalid/missing", of_crm(secret={"missing": False}))
changed("state_value_invalid/origin", of_crm(secret={"origin": "x", "value": "x"}))
changed(
    "state_value_invalid/hex",
    of_crm(secret={"origin": "config", "encrypted": "", "sha256": "X"}),
)
changed(
    "state_value_invalid/secret",
    of_crm(secret={"origin": "config"}),
)
CAUSES["state_value_invalid/finite"] = lambda b: Node(10**400, "sendkit.state.json").number()


def journal(key: str, *lines: object) -> None:
    """Note a site that a journal with these lines, each with its checksum, leads to."""

    def cause(b: Bench) -> None:
        state = encode_snapshot(State("l", 1, b.simulator.url), "last")
        Path("sendkit.state.json").write_bytes(state)
        raw = [encode_line(line) if isinstance(line, dict) else bytes(line) for line in lines]  # type: ignore[call-overload]
        Path("sendkit.state.json.journal").write_bytes(b"".join(raw))
        b.run("plan")

    CAUSES[key] = cause


HEADER = {"journal": "j", "lineage": "l", "baseSerial": 1, "version": 1}
journal("journal_damaged/header", b"torn")
journal("journal_damaged/checksum", b'{"journal": "j"}\n')
journal("journal_version", HEADER | {"version": 2})
journal(
    "journal_mismatch",
    HEADER | {"baseSerial": 7},
)
journal("state_value_invalid/entry", b"[]\n")
journal("state_value_invalid/unknown_entry", HEADER, {"entry": "explode"})

# The steps of a job.


def step(key: str, *words: str, before: Callable[[Bench], object] = lambda b: None, **environment: str) -> None:
    def cause(b: Bench) -> None:
        b.job()
        before(b)
        b.set(**environment)
        b.run(*words, command=steps)

    CAUSES[key] = cause


def take(b: Bench) -> None:
    b.repository()
    b.run("take", command=steps)


def push_elsewhere(b: Bench) -> None:
    take(b)
    b.apply()
    b.write("version: 1\n", "sendkit.state.json")


step("not_in_a_job", "take", GITHUB_ACTIONS="false")
step("variable_missing/job", "take", GITHUB_REF_NAME="")
step("no_work_tree", "take")
step("state_outside_work_tree", "take", "--state", "../state.json", before=Bench.repository)
step("git_failed", "take", before=Bench.repository, GITHUB_REF_NAME="nowhere")


@site("state_ignored_by_git")
def _(b: Bench) -> None:
    b.job()
    b.write("*.json\n", ".gitignore")
    take(b)


@site("state_push_refused/take")
def _(b: Bench) -> None:
    b.job()
    b.repository()
    b.git("remote", "set-url", "--push", "origin", "../nowhere.git")
    b.run("take", command=steps)


@site("state_not_committed/never")
def _(b: Bench) -> None:
    b.job()
    b.write("{}", "sendkit.state.json")
    take(b)


@site("state_not_committed/clear")
def _(b: Bench) -> None:
    b.job()
    take(b)
    b.apply()
    b.run("record", command=steps)


@site("state_gone")
def _(b: Bench) -> None:
    b.job()
    b.write(SEALED)
    b.repository()
    b.apply()
    b.git("add", "-f", "sendkit.state.json")
    b.git("commit", "-m", "Record")
    b.git("push", "origin", "HEAD:main")
    b.run("take", command=steps)
    Path("sendkit.state.json").unlink()
    b.run("record", command=steps)


@site("state_raced")
def _(b: Bench) -> None:
    b.job()
    b.write(SEALED)
    take(b)
    b.write("{}", "sendkit.state.json")
    b.git("add", "-f", "sendkit.state.json")
    b.git("commit", "-m", "Another's")
    b.git("push", "origin", "HEAD:main")
    Path("sendkit.state.json").unlink()
    b.apply()
    b.run("record", command=steps)


@site("state_push_refused/record")
def _(b: Bench) -> None:
    b.job()
    b.write(SEALED)
    take(b)
    b.apply()
    b.git("remote", "set-url", "--push", "origin", "../nowhere.git")
    b.run("record", command=steps)


def reviewed(key: str, *replies: tuple[int, object]) -> None:
    def cause(b: Bench) -> None:
        b.run("plan", "--out", "p.json")
        address = b.serve(*replies) if replies else b.nobody()
        b.job(API_URL=address, GRAPHQL_URL=address)
        b.run("reviewed", "p.json", command=steps)

    CAUSES[key] = cause


MERGED = {
    "merged_at": "now",
    "merge_commit_sha": "c",
    "base": {"ref": "main"},
    "number": 7,
    "head": {"repo": {"full_name": "o/r"}, "sha": "d"},
}
reviewed("plan_not_reviewed/no_pull_request", (200, []))
VIEWER = {"data": {"viewer": {"databaseId": 5}}}
COMMENT = {"user": {"id": 5}, "body": "<!-- sendkit-sync plan=0 commit=d -->"}
reviewed("plan_not_reviewed/another", (200, [MERGED]), (200, VIEWER), (200, [COMMENT]))
reviewed("plan_not_reviewed/not_shown", (200, [MERGED]), (200, VIEWER), (200, []))
reviewed("forge_error", (403, b""))
reviewed("forge_bad_answer/html", (200, b"<html>"))
reviewed("forge_bad_answer/no_viewer", (200, [MERGED]), (200, {"data": None}))
reviewed("forge_unreachable")
