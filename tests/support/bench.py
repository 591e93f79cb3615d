"""A folder, a simulator and the command in this process, to bring about what it complains of."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest

from sendkit_sync.cli.main import cli
from sendkit_sync.core.errors import ConfigError, SyncError
from sendkit_sync.simulator import Fault, Simulator

CRM = 'version: 1\nwebhooks:\n  - {name: CRM, url: "https://crm.example.com/in", events: [email.replied]}\n'
FOREIGN = ("SENDKIT", "SOPS_", "GITHUB_", "GITLAB", "CI")
GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
Reply = tuple[int, object]


class Bench:
    """One try: what `run` ends in, after the folder was brought into the state that leads there."""

    def __init__(self, folder: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, keep: contextlib.ExitStack) -> None:
        self.folder, self.simulator, self.patch, self._keep = folder, simulator, monkeypatch, keep
        self.addresses = [simulator.url]
        monkeypatch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(FOREIGN)]:
            monkeypatch.delenv(name)
        self.set(SENDKIT_API_URL=simulator.url, SENDKIT_API_KEY="sk_key", GIT_CONFIG_GLOBAL=os.devnull)
        self.set(XDG_CONFIG_HOME=os.devnull)  # no age keys of whoever runs the tests
        self.write(CRM)

    def set(self, **environment: str) -> None:
        for name, value in environment.items():
            self.patch.setenv(name, value)

    def write(self, text: str, name: str = "webhooks.yaml") -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self, *words: str, given: bytes = b"", command: click.Command = cli, **environment: str) -> None:
        """Run the command; its errors come out as they are."""
        self.set(**environment)
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        command.main(list(words), prog_name="sendkit-sync", standalone_mode=False)

    def apply(self, *words: str) -> None:
        self.run("apply", "--yes", "--settle", "0s", "--retry-for", "0s", *words)

    def leave_unresolved(self) -> None:
        """Have a create whose outcome nobody knows."""
        self.simulator.list_enabled = False
        self.simulator.add_fault(Fault("POST", nth=1, when="before", status=500))
        self.apply()

    def state(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the state file by hand."""
        path = self.folder / "sendkit.state.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document)
        path.write_text(json.dumps(document), encoding="utf-8")

    def serve(self, *replies: Reply, last: Callable[[int], Reply] | None = None) -> str:
        """Serve these answers one after the other, the last again and again; return the address."""
        count = iter(range(10**6))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = next(count)
                status, body = last(number) if last is not None else replies[min(number, len(replies) - 1)]
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_PATCH = do_GET

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self._keep.callback(server.server_close)
        self._keep.callback(thread.join)
        self._keep.callback(server.shutdown)
        self.addresses.append(f"http://127.0.0.1:{server.server_port}")
        return self.addresses[-1]

    def nobody(self) -> str:
        """Return an address where nobody listens."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        server.server_close()
        self.addresses.append(f"http://127.0.0.1:{server.server_port}")
        return self.addresses[-1]

    def git(self, *words: str) -> None:
        subprocess.run([*GIT, *words], cwd=self.folder, capture_output=True, check=True)

    def repository(self) -> None:
        """Make the folder a clone of a bare repository beside it, its config committed."""
        self.git("init", "--bare", "../forge.git")
        self.git("init", ".")
        self.git("remote", "add", "origin", "../forge.git")
        self.git("add", "webhooks.yaml")
        self.git("commit", "-m", "Begin")
        self.git("push", "origin", "main")

    def job(self, **more: str) -> None:
        """Be in a job on GitHub."""
        names = {"ACTIONS": "true", "REF_NAME": "main", "TOKEN": "t", "SHA": "c", "REPOSITORY": "o/r"} | more
        self.set(**{f"GITHUB_{name}": value for name, value in names.items()})

    def message(self, error: SyncError) -> str:
        """Return what the command prints, without what differs from run to run."""
        if isinstance(error, ConfigError):
            return "".join(f"{one}\n" for one in error.diagnostics)
        text = f"error: {error}\n  {error.hint}\n"
        for address in self.addresses:
            text = text.replace(address, "http://API")
        return text.replace(f"{self.folder}/", "").replace(str(self.folder), ".")


@contextmanager
def bench_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Give a bench in `folder`."""
    with contextlib.ExitStack() as keep, Simulator() as simulator:
        yield Bench(folder, simulator, monkeypatch, keep)
