"""The receivers of docs/receivers.md, each started in its runtime; and what a page's code blocks hold."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.waiting import wait_for
from support.workspace import REPOSITORY

PAGE = REPOSITORY / "docs" / "receivers.md"
HELPERS = Path(__file__).parent / "receivers"
SUFFIXES = ("", "_NEXT", "_PREVIOUS")
VARIABLE = "SENDKIT_SECRET_CRM_SYNC"
PROGRAMS = (REPOSITORY / ".venv" / "npm" / "node_modules" / ".bin", REPOSITORY / ".venv" / "programs" / "bin")
"""Where `make` puts programs that are no development dependencies."""


def found(program: str) -> str | None:
    """Return the path of a program that `make` installed or the system has."""
    return shutil.which(program, path=os.pathsep.join(map(str, PROGRAMS))) or shutil.which(program)


def snippets(page: Path = PAGE) -> dict[str, str]:
    """Map each file name that a code block of the page begins with, in a comment, to the block."""
    blocks = re.findall(r"^```\w+\n(.+?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    named = ((re.match(r"(?:<\?php\n)?(?:#|//) ([\w./-]+\.\w+)\n", block), block) for block in blocks)
    return {name[1]: block for name, block in named if name}


def in_place(command: str, *words: str) -> Callable[[Path, int], list[str]]:
    """Return a start that needs no preparation: the program, and the words that follow it."""
    return lambda folder, port: [str(found(command)), *words]


def _go(folder: Path, port: int) -> list[str]:
    if not (folder / "receiver").exists():
        build = ["go", "build", "-o", "receiver", "receiver.go"]
        subprocess.run(build, cwd=folder, check=True, capture_output=True, timeout=110, env=os.environ | {"CGO_ENABLED": "0"})
    return [str(folder / "receiver")]


def _workerd(folder: Path, port: int) -> list[str]:
    """Write the configuration that `wrangler` writes for a Worker of two modules, secrets from the environment."""
    names = [f'(name = "{VARIABLE}{suffix}", fromEnvironment = "{VARIABLE}{suffix}")' for suffix in SUFFIXES]
    modules = [f'(name = "{file}", esModule = embed "{file}")' for file in ("worker.js", "sendkit.js")]
    (folder / "worker.capnp").write_text(
        f"""\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [{", ".join(modules)}],
  bindings = [{", ".join(names)}],
  compatibilityDate = "2025-01-01",
);
""",
        encoding="utf-8",
    )
    return [str(found("workerd")), "serve", "worker.capnp"]


@dataclass(frozen=True)
class Runtime:
    """How to run one receiver of the page: its files, the program it needs, and the command that starts it."""

    name: str
    files: tuple[str, ...]
    program: str
    command: Callable[[Path, int], list[str]]

    @property
    def missing(self) -> str | None:
        """Return why it cannot be run here."""
        return None if found(self.program) else f"{self.program} is not installed"


SERVE = str(HELPERS / "serve.mjs")
ALLOWED = ("--no-prompt", "--allow-net=127.0.0.1", "--allow-env")
RUNTIMES = (
    Runtime("python", ("receiver.py",), sys.executable, in_place(sys.executable, "receiver.py")),
    Runtime("node", ("receiver.mjs",), "node", in_place("node", "receiver.mjs")),
    Runtime("next", ("route.js", "sendkit.js"), "node", in_place("node", SERVE, "route.js", "POST")),
    Runtime("workers", ("worker.js", "sendkit.js"), "workerd", _workerd),
    Runtime("deno", ("index.ts", "sendkit.js"), "deno", in_place("deno", "run", "--no-config", *ALLOWED, "index.ts")),
    Runtime("go", ("receiver.go",), "go", _go),
    Runtime("ruby", ("config.ru",), "ruby", in_place("ruby", str(HELPERS / "rack.rb"), "./config.ru")),
    Runtime("php", ("receiver.php",), "php", lambda _, port: [str(found("php")), "-S", f"127.0.0.1:{port}", "receiver.php"]),
)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_served(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def write_files(runtime: Runtime, folder: Path) -> None:
    """Write the files of a receiver into `folder`, exactly as the page shows them."""
    shown = snippets()
    for file in runtime.files:
        (folder / file).write_text(shown[file], encoding="utf-8")


@contextmanager
def started(runtime: Runtime, folder: Path, secrets: Mapping[str, str], port: int = 0) -> Iterator[str | None]:
    """Run a receiver with `secrets`, by suffix of the variable; yield its URL, or None where it refuses to start."""
    port = port or free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
    ours = {"PORT": str(port), "DENO_SERVE_ADDRESS": f"tcp:127.0.0.1:{port}", "PYTHONPATH": str(REPOSITORY)}
    variables = {VARIABLE + suffix: secrets.get(suffix, "") for suffix in SUFFIXES}
    with (folder / "log").open("wb") as log:
        command = runtime.command(folder, port)
        process = subprocess.Popen(
            command, cwd=folder, env=clean | ours | variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            wait_for(lambda: process.poll() is not None or is_served(port), f"{runtime.name} listens")
            yield None if process.poll() is not None else f"http://127.0.0.1:{port}/webhooks/sendkit"
        finally:
            process.kill()
            process.wait()
