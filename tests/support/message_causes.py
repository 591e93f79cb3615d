"""For every place where an error of the project is made, what brings it about."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage

from sendkit_sync.api.client import Client
from sendkit_sync.ci.__main__ import steps
from sendkit_sync.core.clock import SystemClock, SystemRng
from sendkit_sync.core.errors import StateIOError
from sendkit_sync.core.model import Secret, SecretOrigin, State
from sendkit_sync.secrets.age import AgeCipher
from sendkit_sync.secrets.export import kubernetes
from sendkit_sync.state import open_ledger, read_store
from sendkit_sync.state.codec import encode_snapshot
from sendkit_sync.state.journal import encode_line
from sendkit_sync.state.node import Node, text_of
from sendkit_sync.state.stores.file import FileStore
from support.bench import CRM, Bench, Fault

Cause = Callable[[Bench], object]
CAUSES: dict[str, Cause] = {}
"""`MODULE CLASS: TEXT`, as `message_sites` finds it, to what ends in that error."""

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
    CAUSES[key] = lambda b: b.run(*words, given=given, **environment)


def applied(key: str, *words: str, given: bytes = b"", **environment: str) -> None:
    """Note a site that one command leads to after an apply."""

    def cause(b: Bench) -> None:
        b.apply()
        b.run(*words, given=given, **environment)

    CAUSES[key] = cause


# The address, the key and the workspace.

REFRESH = ("plan", "--refresh", "--retry-for", "0s", "--timeout", "5s")
plain("api/address.py UsageError: the API address is not a URL", *REFRESH, SENDKIT_API_URL="https://[")
plain(
    "api/address.py UsageError: the API address must be a plain URL: scheme, host, and perhaps a port and a path",
    *REFRESH,
    SENDKIT_API_URL="https://a.example.com/?q",
)
plain(
    "api/address.py UsageError: the API address must begin with https:// (http:// only for this machine)",
    *REFRESH,
    SENDKIT_API_URL="http://a.example.com",
)
plain(
    "api/address.py UsageError: the API address must not hold a user name or a password",
    *REFRESH,
    SENDKIT_API_URL="https://u:p@a.example.com",
)
NOT_ASCII = "holds a space, a line break or a character that is not ASCII"
plain(
    "api/client.py KeyRefusedError: the API key is empty, or holds a space, a line break or a character that is not ASCII",
    *REFRESH,
    SENDKIT_API_KEY="sk_a b",
)
plain("api/client.py UsageError: a platform key needs a workspace", *REFRESH, SENDKIT_API_KEY="sk_user_a")
plain(
    f"api/client.py UsageError: the workspace id {NOT_ASCII}", *REFRESH, SENDKIT_API_KEY="sk_user_a", SENDKIT_WORKSPACE_ID="w w"
)
plain("cli/wiring.py KeyRefusedError: no API key", "apply", "--yes", SENDKIT_API_KEY="")
plain("cli/wiring.py KeyRefusedError: the API key file cannot be read", "--api-key-file", "no/key", *REFRESH)
plain(
    "api/client.py KeyRefusedError: the API refused the key: {...}",
    *REFRESH,
    SENDKIT_API_KEY="no_key_of_sendkit",
)


@site("cli/wiring.py InvalidError: {...} name different workspaces")
def _(b: Bench) -> None:
    b.write("workspace: ws_1\n" + CRM)
    b.run("plan", SENDKIT_WORKSPACE_ID="ws_2")


@site("cli/wiring.py InvalidError: the state was recorded with {...}, this run is for {...}")
def _(b: Bench) -> None:
    b.apply()
    b.run("plan", SENDKIT_API_URL=b.nobody())


@site('cli/wiring.py InvalidError: "{...}" and "{...}" are both recorded as {...}')
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

    CAUSES[f"api/client.py {key}"] = cause


answers("ApiError: the API answered {...}: {...}", (418, {"message": "short and stout"}))
answers("_protocol_error: the answer holds no list of webhooks", (200, {"data": 1}))
answers("_protocol_error: the list holds a webhook without a valid id", (200, {"data": [{"_id": 1}]}))
answers("_protocol_error: the list goes on, but the API gives no cursor", (200, {"data": [], "pagination": {"hasMore": True}}))
PAGE = {"data": [HOOK], "pagination": {"hasMore": True, "nextCursor": "same"}}
answers("_protocol_error: the list comes in a circle: a cursor came twice", (200, PAGE))
answers("_protocol_error: the answer holds no webhook", (200, {"data": 1}), command=("import", "CRM", ID))
answers("_protocol_error: the answer holds another webhook", (200, {"data": {"_id": "other"}}), command=("import", "CRM", ID))


@site("api/client.py _protocol_error: the list has no end after {...} pages")
def _(b: Bench) -> None:
    b.patch.setattr("sendkit_sync.api.client.MAX_PAGES", 2)

    def page(number: int) -> tuple[int, object]:
        return 200, {"data": [HOOK], "pagination": {"hasMore": True, "nextCursor": str(number)}}

    b.run(*REFRESH, SENDKIT_API_URL=b.serve(last=page))


@site("api/client.py _protocol_error: the answer holds no result of the test")
def _(b: Bench) -> None:
    client(b.serve((200, {"data": 1}))).test(ID)


@site("api/client.py ApiUnreachableError: {...}")
def _(b: Bench) -> None:
    b.run(*REFRESH, SENDKIT_API_URL=b.nobody())


@site("api/client.py ApiError: {...}")
def _(b: Bench) -> None:
    b.patch.setattr("sendkit_sync.api.client.READ_TRIES", 1)
    b.simulator.add_fault(Fault("GET", kind="cut"))
    b.run(*REFRESH)


@site("api/client.py NoEndpointError: the API answered {...}: {...}")
def _(b: Bench) -> None:
    client(b.serve((501, b""))).list()


@site("cli/wiring.py RefusedError: the server has no list of webhooks (it answered {...})")
def _(b: Bench) -> None:
    b.simulator.list_enabled = False
    b.run("import", "--matching")


@site("api/client.py ApiError: the run was stopped")
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

plain("cli/commands/import_.py UsageError: say NAME and ID, or --matching", "import", "CRM")
plain('cli/commands/import_.py RefusedError: the config has no webhook "{...}"', "import", "Unknown", ID)
plain("cli/commands/import_.py RefusedError: there is no live webhook {...}", "import", "CRM", ID)


def live(b: Bench, **fields: object) -> None:
    b.simulator.store.create("ws_demo", {"name": "CRM", "url": "https://x.example.com", "events": ["email.sent"], **fields}, ID)


@site('applying/adopt.py RefusedError: "{...}" is recorded already, as {...}')
def _(b: Bench) -> None:
    b.apply()
    b.state(lambda state: state["webhooks"]["CRM"].update(id="5" * 24))
    live(b, name="Second")
    b.run("import", "CRM", ID)


@site('applying/adopt.py RefusedError: "{...}" has a create without an outcome')
def _(b: Bench) -> None:
    b.leave_unresolved()
    live(b)
    b.run("import", "CRM", ID)


@site('applying/adopt.py RefusedError: {...} is recorded already, as "{...}"')
def _(b: Bench) -> None:
    b.apply()
    b.write(CRM + SECOND)
    b.state(lambda state: state["webhooks"]["CRM"].update(id=ID))
    live(b)
    b.run("import", "Other", ID)


@site("applying/adopt.py RefusedError: {...} belongs to workspace {...}, the state to {...}")
def _(b: Bench) -> None:
    b.apply()
    b.write(CRM + SECOND)
    live(b)
    b.state(lambda state: state.update(workspaceId="ws_recorded"))
    b.run("import", "Other", ID)


@site("applying/adopt.py RefusedError: a new secret of {...} was sent, and has no outcome yet")
def _(b: Bench) -> None:
    b.apply()
    b.state(lambda state: state["webhooks"]["CRM"].update(id=ID))
    live(b)
    b.simulator.add_fault(Fault("PATCH", status=500))
    b.run("secret", "rotate", "CRM", "--retry-for", "0s")
    b.run("import", "CRM", ID)


@site("applying/preflight.py RefusedError: the key belongs to workspace {...}, the state to {...}")
def _(b: Bench) -> None:
    b.apply()
    b.state(lambda state: state.update(workspaceId="ws_recorded"))
    b.write(CRM + SECOND)
    b.apply()


# Planning and applying.

plain("cli/commands/apply.py UsageError: there is no terminal to ask on", "apply")
plain(
    "cli/commands/apply.py UsageError: --refresh, --prune and --target are part of a saved plan",
    "apply",
    "--plan",
    "p",
    "--prune",
)
plain('cli/commands/plan.py UsageError: --target "{...}" matches no webhook', "plan", "--target", "CMR")
plain(
    "cli/commands/reconcile.py RefusedError: the plan has more changes than --max-changes {...}: {...}",
    "reconcile",
    "--max-changes",
    "0",
)


@site("cli/commands/apply.py InvalidError: {...} is not set{...}")
def _(b: Bench) -> None:
    b.write(CRM.replace("}", ', secret: "${CRM}"}'))
    b.apply()


@site("cli/commands/apply.py RefusedError: not applied")
def _(b: Bench) -> None:
    b.patch.setattr("sendkit_sync.cli.commands.apply._ask", lambda: False)
    b.patch.setattr(os, "isatty", lambda descriptor: True)
    terminal = type("Terminal", (), {"isatty": lambda self: True})()
    b.patch.setattr("sendkit_sync.cli.commands.apply.sys", type("Sys", (), {"stdin": terminal, "stderr": sys.stderr}))
    b.run("apply")


@site("cli/session.py RefusedError: {...}")
def _(b: Bench) -> None:
    b.apply()
    b.write("version: 1\nwebhooks: []\n")
    b.apply("--prune")


@site("cli/git_guard.py RefusedError: {...}")
def _(b: Bench) -> None:
    b.git("init", ".")
    b.set(CI="true")
    b.apply()


@site("config/loader.py ConfigError: {...}")
def _(b: Bench) -> None:
    b.write("version: 1\n")
    b.run("validate", "--format", "json")
    b.run("plan")


# Saved plans.


def saved(key: str, change: Callable[[Bench], object] = lambda b: None, maker: str = "_no_plan") -> None:
    def cause(b: Bench) -> None:
        b.run("plan", "--out", "p.json")
        change(b)
        b.apply("--plan", "p.json")

    CAUSES[f"app/saved_plan.py {maker}: {key}"] = cause


saved("it is no JSON", lambda b: b.write("{", "p.json"))
saved("it is no JSON that can be read", lambda b: b.write("[" * 100_000, "p.json"))
saved("{...} does not fit the schema", lambda b: b.write('{"format_version": "1.0"}', "p.json"))
saved("it is larger than {...} MiB", lambda b: os.truncate("p.json", 300 << 20))
saved(
    "the plan was saved by another version of sendkit-sync",
    lambda b: b.write('{"format_version": "2.0"}', "p.json"),
    "PlanFileError",
)
saved("the plan cannot be read: {...}", lambda b: Path("p.json").unlink(), "PlanFileError")
saved("the configuration has changed since", lambda b: b.write(CRM + SECOND), "_stale")
saved("the recorded state has changed since", lambda b: b.apply(), "_stale")
saved("it was made for another API address or workspace", lambda b: b.set(SENDKIT_API_URL=b.nobody()), "_stale")


@site("app/saved_plan.py _stale: the same plan cannot be made any more")
def _(b: Bench) -> None:
    b.run("plan", "--out", "p.json")
    plan = json.loads(Path("p.json").read_text())
    plan["plan"]["summary"]["create"] = 7
    b.write(json.dumps(plan), "p.json")
    b.apply("--plan", "p.json")


plain("app/saved_plan.py StateIOError: the plan cannot be written: {...}", "plan", "--out", "no/p.json")
plain("app/saved_plan.py UsageError: --out {...} is a file that holds no saved plan", "plan", "--out", "webhooks.yaml")
plain("cli/output/step_summary.py UsageError: {...} is not set", "plan", "--step-summary")
plain(
    "cli/output/step_summary.py StateIOError: the step summary cannot be written: {...}",
    "plan",
    "--step-summary",
    GITHUB_STEP_SUMMARY="no/summary.md",
)

# The record by hand.

plain("cli/opened.py RefusedError: nothing is recorded yet", "state", "list")
applied('cli/opened.py RefusedError: "{...}" is not recorded', "state", "show", "CMR")
plain("cli/commands/state.py UsageError: say either --id ID or --not-created", "state", "resolve", "CRM")
plain("cli/commands/state.py UsageError: that is no id of a webhook", "state", "resolve", "CRM", "--id", "CRM Sync")
applied('cli/commands/state.py RefusedError: "{...}" is not unresolved', "state", "resolve", "CRM", "--not-created")
applied("cli/commands/state.py RefusedError: the config has no `encryption`", "state", "encrypt")


@site("cli/commands/state.py RefusedError: {...} is recorded already")
def _(b: Bench) -> None:
    b.leave_unresolved()
    b.write(CRM.replace("CRM", "Second"))
    b.apply("--allow-duplicate")
    b.state(lambda state: state["webhooks"]["Second"].update(id=ID))
    b.run("state", "resolve", "CRM", "--id", ID)


@site('cli/commands/state.py RefusedError: "{...}" has a create without an outcome')
def _(b: Bench) -> None:
    b.apply()
    intent = {
        "op": "o",
        "action": "create",
        "sentAt": 1.0,
        "settings": {"url": "https://x.example.com", "events": ["email.sent"]},
    }
    b.state(lambda state: state["pending"].update(CRM=[intent]))
    b.run("state", "forget", "CRM")


# Secrets.

applied('cli/commands/secret.py RefusedError: no {...}secret of "{...}" is recorded', "secret", "get", "CRM", "--previous")
applied(
    'cli/commands/secret.py RefusedError: a secret of "{...}" is recorded',
    "secret",
    "set",
    "CRM",
    given=b"a-secret-of-some-length",
)
applied("cli/commands/secret.py RefusedError: the config has no `encryption`", "secret", "rekey")
applied("cli/commands/secret.py UsageError: standard input holds no secret", "secret", "set", "CRM")
applied("cli/commands/secret.py UsageError: the secret is not UTF-8", "secret", "set", "CRM", given=b"\xff")
applied(
    "cli/commands/secret.py UsageError: the secret holds a zero byte, which no variable can hold",
    "secret",
    "set",
    "CRM",
    given=b"a\0",
)
applied("cli/commands/secret.py UsageError: the secret is longer than {...} bytes", "secret", "set", "CRM", given=b"x" * 70_000)
GITHUB_EXPORT = ("secret", "export", "--format", "github-actions")
applied("cli/delivering.py UsageError: GITHUB_ENV is not set", *GITHUB_EXPORT)
applied(
    "cli/private_file.py StateIOError: the secrets cannot be written: {...}",
    "secret",
    "export",
    "--format",
    "json",
    "--output",
    "no/s",
)
applied(
    "cli/private_file.py RefusedError: secrets are written to a plain file only, no link, folder or device",
    *("secret", "export", "--format", "json", "--output", "/dev/null"),
)
applied(
    "secrets/export.py UsageError: the name of a Kubernetes Secret holds lower-case letters, digits, - and . only",
    *("secret", "export", "--format", "kubernetes", "--secret-name", "My_Secrets"),
)
CAUSES["secrets/export.py RefusedError: {...}... is longer than the {...} characters of a key"] = lambda b: kubernetes(
    {"N" * 300: Secret("x")}, "s"
)


@site("cli/delivering.py UsageError: stdout is a file, and the runner would not see there what to mask")
def _(b: Bench) -> None:
    b.apply()
    with Path("out").open("w") as file:
        b.patch.setattr(sys, "stdout", file)
        b.run(*GITHUB_EXPORT, GITHUB_ENV="env")


@site('cli/commands/secret.py RefusedError: the secret of "{...}" comes from the config')
def _(b: Bench) -> None:
    b.write(CRM.replace("}", ', secret: "${CRM}"}'))
    b.run("secret", "rotate", "CRM", SENDKIT_SECRET_CRM="a-secret-of-some-length")


@site('applying/update.py RefusedError: a change of "{...}" has no outcome yet')
def _(b: Bench) -> None:
    b.apply()
    b.write(CRM.replace("/in", "/new"))
    b.simulator.add_fault(Fault("PATCH", status=500))
    b.apply()
    b.run("secret", "rotate", "CRM", "--retry-for", "0s")


@site("secrets/export.py RefusedError: {...} would both be {...}")
def _(b: Bench) -> None:
    b.write(CRM + SECOND.replace("Other", "crm"))
    b.apply("--allow-duplicate")
    b.run("secret", "export", "--format", "dotenv")


def encrypted(key: str, *words: str, **environment: str) -> None:
    def cause(b: Bench) -> None:
        b.write(SEALED)
        b.apply()
        b.run(*words, **environment)

    CAUSES[key] = cause


GET = ("secret", "get", "CRM")
encrypted('core/decryption.py SecretUnreadableError: the secret of "{...}" is sealed', *GET)
encrypted(
    "secrets/age.py SecretUnreadableError: the environment names an identity, but holds none", *GET, SOPS_AGE_KEY="# none"
)
encrypted("secrets/age.py SecretUnreadableError: the identity file cannot be read", *GET, SOPS_AGE_KEY_FILE="no/key.txt")
encrypted(
    "secrets/age.py SecretUnreadableError: the identity in the environment is not valid", *GET, SOPS_AGE_KEY="AGE-SECRET-KEY-1"
)
encrypted(
    'secrets/age.py SecretUnreadableError: the identity does not open the secret of "{...}"',
    *GET,
    SOPS_AGE_KEY=str(pyrage.x25519.Identity.generate()),
)


@site('secrets/age.py SecretUnreadableError: the seal of "{...}" holds no secret of this tool')
def _(b: Bench) -> None:
    b.write(SEALED)
    b.apply()
    seal = base64.b64encode(pyrage.encrypt(b"[]", [IDENTITY.to_public()])).decode()
    b.state(lambda state: state["webhooks"]["CRM"]["secret"].update(encrypted=seal))
    b.run(*GET, SOPS_AGE_KEY=str(IDENTITY))


@site('secrets/age.py SecretUnreadableError: the seal that stands at "{...}" was made for another webhook or API address')
def _(b: Bench) -> None:
    cipher = AgeCipher([str(IDENTITY.to_public())], "https://a", SystemRng(), {"SOPS_AGE_KEY": str(IDENTITY)})
    cipher.decrypt(("CRM",), cipher.encrypt("Other", Secret("x"), SecretOrigin.GENERATED))


@site("secrets/age.py InvalidError: a recipient in `encryption` is no valid age1... recipient")
def _(b: Bench) -> None:
    AgeCipher(["age1x"], "https://a", SystemRng(), {})


@site("secrets/age.py InvalidError: nothing can be sealed for the recipients in `encryption`")
def _(b: Bench) -> None:
    AgeCipher([], "https://a", SystemRng(), {})


@site("secrets/age.py MissingExtraError: encryption")
def _(b: Bench) -> None:
    b.patch.setitem(sys.modules, "pyrage", None)
    b.write(SEALED)
    b.apply()


@site('secrets/clear.py SecretUnreadableError: the secret of "{...}" is sealed, and the config has no encryption')
def _(b: Bench) -> None:
    b.write(SEALED)
    b.apply()
    b.write(CRM)
    b.run(*GET)


@site("cli/wiring.py InvalidError: the state is sealed, and the config has no `encryption`")
def _(b: Bench) -> None:
    b.write(SEALED)
    b.apply()
    b.write(CRM + SECOND)
    b.apply()


# Other commands.

plain("cli/commands/init.py UsageError: a recipient is no age public key", "init", "n", "--recipient", "x")
plain("cli/commands/init.py UsageError: the pipeline commits the state, so its secrets must be sealed", "init", "n", "--github")
plain("cli/commands/init.py SyncError: cannot be written: {...}", "init", "webhooks.yaml/n")
plain("state/stores/file.py StateIOError: there is no such folder for the state", "plan", "--state", "no/s.json")
plain("cli/groups.py UsageError: {...}", "aply")
plain("cli/commands/simulator.py UsageError: {...}", "simulator", "--fault", "FETCH /")


@site("cli/commands/simulator.py UsageError: the simulator cannot start: {...}")
def _(b: Bench) -> None:
    b.run("simulator", "--port", str(b.simulator.url.rpartition(":")[2]))


plain("app/metrics.py StateIOError: the metrics cannot be written: {...}", "reconcile")
applied("cli/commands/test.py RefusedError: the server sends no test payloads: {...}", "test", "CRM")
applied('cli/commands/test.py RefusedError: "{...}" ({...}) is gone in SendKit', "test", "CRM")
applied("cli/commands/test.py ApiError: {...}", "test", "CRM")


@site("app/metrics.py MissingExtraError: --metrics-file")
def _(b: Bench) -> None:
    b.patch.setattr("importlib.util.find_spec", lambda name: None)
    b.run("reconcile", "--metrics-file", "m.prom")


def metrics(b: Bench) -> None:
    from sendkit_sync.app.metrics import Figures, write

    write("no/m.prom", Figures(), now=0.0, duration_s=0.0, good=True)


CAUSES["app/metrics.py StateIOError: the metrics cannot be written: {...}"] = metrics


def tested(key: str, fault: Fault) -> None:
    def cause(b: Bench) -> None:
        b.apply()
        b.state(lambda state: state["webhooks"]["CRM"].update(id=ID))
        b.simulator.add_fault(fault)
        b.run("test", "CRM", "--retry-for", "0s")

    CAUSES[f"cli/commands/test.py {key}"] = cause


tested('RefusedError: "{...}" ({...}) is gone in SendKit', Fault("PATCH"))
tested("RefusedError: the server sends no test payloads: {...}", Fault("POST", status=501))
tested("ApiError: {...}", Fault("POST", kind="cut"))

# The state on disk.


@site("state/stores/file_lock.py LockedError: the state is locked by {...}")
def _(b: Bench) -> None:
    with ledger():
        b.patch.setattr("sendkit_sync.state.stores.file_lock._holder", lambda descriptor: "me@here (pid 1, since today, apply)")
        b.apply()


def ledger() -> Any:
    url = os.environ["SENDKIT_API_URL"]
    return open_ledger("sendkit.state.json", api=url, clock=SystemClock(), rng=SystemRng(), purpose="apply")


@site("core/files.py StateIOError: {...}: {...}")
def _(b: Bench) -> None:
    Path("sendkit.state.json").mkdir()
    b.run("plan")


@site("state/stores/file.py JournalGoneError: the journal was deleted while the run was under way")
def _(b: Bench) -> None:
    with ledger() as book:
        Path("sendkit.state.json.journal").unlink()
        book.set_workspace("w")


@site("state/stores/file.py StateIOError: another run took the state over, for the lock file or the journal was deleted")
def _(b: Bench) -> None:
    with ledger():
        for end in (".journal", ".lock"):
            Path(f"sendkit.state.json{end}").unlink()
        with ledger() as other:
            other.set_workspace("w")


def full(book: Any) -> None:
    """Have the disk refuse the next entry, and go on as if nothing were."""

    def refuse(data: bytes) -> None:
        raise StateIOError("cannot write the journal: No space left on device", where="sendkit.state.json.journal")

    book._term.append = refuse
    try:
        book.set_workspace("w")
    except StateIOError:
        return


@site("state/ledger.py StateIOError: the journal could not be written; the next run recovers it")
def _(b: Bench) -> None:
    with ledger() as book:
        full(book)


@site("state/ledger.py StateIOError: nothing more is recorded: {...}")
def _(b: Bench) -> None:
    with ledger() as book:
        full(book)
        book.set_workspace("v")


@site("state/stores/file.py StateIOError: the state keeps changing")
def _(b: Bench) -> None:
    class Restless(FileStore):
        def _snapshot_is(self, raw: bytes | None) -> bool:
            return False

    read_store(Restless("sendkit.state.json"))


@site("state/snapshots.py StateInvalidError: the state belongs to the API at {...}, not to {...}")
def _(b: Bench) -> None:
    b.apply()
    b.set(SENDKIT_API_URL="https://other.example.com")
    with ledger():
        raise AssertionError


@site("state/snapshots.py StateInvalidError: the state is missing although its journal is there")
def _(b: Bench) -> None:
    b.write("", "sendkit.state.json.journal")
    b.run("plan")


def on_disk(key: str, raw: str) -> None:
    """Note a site that a state file with this text leads to."""

    def cause(b: Bench) -> None:
        b.write(raw, "sendkit.state.json")
        b.run("plan")

    CAUSES[f"state/{key}"] = cause


on_disk("codec.py StateInvalidError: the state is empty", "")
on_disk("codec.py StateInvalidError: the state has merge-conflict marks", "<<<<<<< HEAD\n{}")
on_disk("codec.py StateInvalidError: the state has version {...}, this tool knows version {...}", '{"version": 2}')
on_disk("node.py StateInvalidError: is not JSON at line {...}, column {...}: {...}", "{")
on_disk("node.py StateInvalidError: is not valid: an object has the same key twice", '{"a": 1, "a": 2}')
on_disk("node.py StateInvalidError: is not JSON that can be read: a number or the nesting is out of bounds", "[" * 100_000)
CAUSES["state/node.py StateInvalidError: is not UTF-8 at byte {...}"] = lambda b: text_of(b"\xff", "sendkit.state.json")


def changed(key: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Note a site that a change of a good state leads to."""

    def cause(b: Bench) -> None:
        b.apply()
        b.state(change)
        b.run("plan")

    CAUSES[f"state/{key}"] = cause


def of_crm(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda state: state["webhooks"]["CRM"].update(fields)


def pending(*intents: object) -> Callable[[dict[str, Any]], object]:
    return lambda state: state["pending"].update(CRM=list(intents))


INTENT = {"op": "o", "action": "create", "sentAt": 1.0}
changed("node.py fail: the key {...} is missing", lambda state: state.pop("serial"))
changed("node.py fail: {...}", lambda state: state.update(more=1))
changed("node.py fail: must be an array", of_crm(formerNames=1))
changed("node.py fail: must be a string", of_crm(status=1))
changed("node.py fail: must not be empty", of_crm(id=""))
changed("codec.py fail: must not be empty", pending())
changed("node.py fail: must be an integer, 0 or more", lambda state: state.update(serial=-1))
changed("node.py fail: must be an object", lambda state: state.update(webhooks=1))
changed("node.py fail: must be true or false", pending(INTENT | {"expired": 1}))
changed("node.py fail: must be a number", pending(INTENT | {"sentAt": "1"}))
changed("codec.py fail: is no known action", pending(INTENT | {"action": "explode"}))
changed("codec.py fail: `missing` can only be true", of_crm(secret={"missing": False}))
changed("codec.py fail: no `previousSecret` is after these", of_crm(earlierSecrets=[]))
changed("codec.py fail: must be generated, config or server", of_crm(secret={"origin": "x", "value": "x"}))
changed(
    "node.py fail: must be lower-case hex digits, two a byte",
    of_crm(secret={"origin": "config", "encrypted": "", "sha256": "X"}),
)
changed(
    "codec.py fail: must have `value`, or `encrypted` with `sha256`, or `encrypted` with `hmacSha256` and `salt`",
    of_crm(secret={"origin": "config"}),
)
CAUSES["state/node.py fail: must be a finite number"] = lambda b: Node(10**400, "sendkit.state.json").number()


def journal(key: str, *lines: object) -> None:
    """Note a site that a journal with these lines, each with its checksum, leads to."""

    def cause(b: Bench) -> None:
        state = encode_snapshot(State("l", 1, b.simulator.url), "last")
        Path("sendkit.state.json").write_bytes(state)
        raw = [encode_line(line) if isinstance(line, dict) else bytes(line) for line in lines]  # type: ignore[call-overload]
        Path("sendkit.state.json.journal").write_bytes(b"".join(raw))
        b.run("plan")

    CAUSES[f"state/journal.py {key}"] = cause


HEADER = {"journal": "j", "lineage": "l", "baseSerial": 1, "version": 1}
journal("StateInvalidError: the journal has no header", b"torn")
journal("StateInvalidError: the checksum of the line does not match", b'{"journal": "j"}\n')
journal("StateInvalidError: the journal is of a newer version", HEADER | {"version": 2})
journal(
    "StateInvalidError: the journal belongs to serial {...} of lineage {...}, the state is serial {...} of lineage {...}",
    HEADER | {"baseSerial": 7},
)
journal("fail: must be an object", b"[]\n")
journal("fail: is no known entry", HEADER, {"entry": "explode"})

# The steps of a job.


def step(key: str, *words: str, before: Callable[[Bench], object] = lambda b: None, **environment: str) -> None:
    def cause(b: Bench) -> None:
        b.job()
        before(b)
        b.run(*words, command=steps, **environment)

    CAUSES[f"ci/{key}"] = cause


def take(b: Bench) -> None:
    b.repository()
    b.run("take", command=steps)


def push_elsewhere(b: Bench) -> None:
    take(b)
    b.apply()
    b.write("version: 1\n", "sendkit.state.json")


step("__main__.py UsageError: this is a step of a job on GitHub or GitLab", "take", GITHUB_ACTIONS="false")
step("calls.py UsageError: {...} is not set", "take", GITHUB_REF_NAME="")
step("record.py UsageError: this is no git work tree", "take")
step("record.py SyncError: git {...} failed", "take", before=Bench.repository, GITHUB_REF_NAME="nowhere")


@site("ci/record.py RefusedError: git ignores the state, so it would be lost with this job")
def _(b: Bench) -> None:
    b.job()
    b.write("*.json\n", ".gitignore")
    take(b)


@site("ci/record.py RefusedError: {...} does not take the state from this job")
def _(b: Bench) -> None:
    b.job()
    b.repository()
    b.git("remote", "set-url", "--push", "origin", "../nowhere.git")
    b.run("take", command=steps)


@site("ci/record.py RefusedError: there is a state here that was never committed")
def _(b: Bench) -> None:
    b.job()
    b.write("{}", "sendkit.state.json")
    take(b)


@site("ci/record.py RefusedError: the state holds secrets in clear and is not committed")
def _(b: Bench) -> None:
    b.job()
    take(b)
    b.apply()
    b.run("record", command=steps)


@site("ci/record.py RefusedError: the state is gone; the branch keeps the one it has")
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


@site("ci/record.py RefusedError: somebody else has recorded something on {...} meanwhile")
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


@site("ci/record.py RefusedError: {...} does not take the state")
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
        b.job(API_URL=b.serve(*replies) if replies else b.nobody())
        b.run("reviewed", "p.json", command=steps)

    CAUSES[f"ci/{key}"] = cause


MERGED = {
    "merged_at": "now",
    "merge_commit_sha": "c",
    "base": {"ref": "main"},
    "number": 7,
    "head": {"repo": {"full_name": "o/r"}},
}
reviewed("__main__.py RefusedError: no merged pull request of this repository made this commit", (200, []))
reviewed("__main__.py RefusedError: the plan is not the one that {...} showed", (200, [MERGED]), (200, []))
reviewed("calls.py ApiError: answered {...} {...}", (403, b""))
reviewed("calls.py ApiError: answered with no JSON", (200, b"<html>"))
reviewed("calls.py ApiUnreachableError: {...}")
