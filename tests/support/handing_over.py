"""Somebody who follows docs/howto/hand-over-secrets.md, and looks for the secret in all that others can see."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.receiver_runtimes import RUNTIMES, VARIABLE, started, write_files
from support.secret_hosts import Kept
from support.workspace import KEY, REPOSITORY, Workspace

PAGE = (REPOSITORY / "docs" / "howto" / "hand-over-secrets.md").read_text(encoding="utf-8")
PYTHON = next(runtime for runtime in RUNTIMES if runtime.name == "python")
Values = dict[str, str | None]
"""The variables that a receiver gets."""


def sections() -> dict[str, list[str]]:
    """Map each heading of the page to its shell blocks."""
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)[1:]
    return {
        title: re.findall(r"^```sh\n(.+?)^```", text, re.DOTALL | re.MULTILINE)
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def yaml_block(marker: str) -> str:
    """Return the YAML block of the page that holds `marker`."""
    blocks = re.findall(r"^```yaml\n(.+?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return next(str(block) for block in blocks if marker in block)


SECTIONS = sections()
AFTERWARDS = re.findall(r"^```sh\n(.+?)^```", PAGE.partition("\n## ")[0], re.DOTALL | re.MULTILINE)


@dataclass
class Operator:
    """Somebody who hands secrets over: a folder with a config, a state, and programs to hand them to."""

    workspace: Workspace
    home: Path
    machine: Path
    port: int
    variables: dict[str, str]

    @property
    def kept(self) -> Kept:
        return Kept(self.machine)

    @property
    def secret(self) -> str:
        """Return the live secret."""
        (webhook,) = self.workspace.simulator.webhooks()
        return str(webhook["secret"])

    def follow(self, block: str, options: str = "-eo pipefail") -> subprocess.CompletedProcess[str]:
        """Run a block as it stands, and check that the secret is in no argument of a command and in no output."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SENDKIT", "AWS", "CLOUDFLARE"))}
        path = os.pathsep.join([str(self.machine / "bin"), str(Path(sys.executable).parent), clean["PATH"]])
        ours = {
            "PATH": path,
            "HOME": str(self.home),
            "MACHINE": str(self.machine),
            "SENDKIT_API_URL": self.workspace.simulator.url,
        }
        trace = self.machine / "trace"
        script = f"exec 9>>'{trace}'\nBASH_XTRACEFD=9\nset {options} -x\n{block}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.home,
            env=clean | ours | self.variables | {"SENDKIT_API_KEY": KEY},
            input="",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        in_shell = r"^\++ (?:\w+=|printf ).*$"  # what starts no process
        commands = re.sub(in_shell, "", trace.read_text(encoding="utf-8"), flags=re.MULTILINE)
        called = self.machine / "arguments"
        arguments = called.read_text(encoding="utf-8") if called.exists() else ""
        assert self.secret not in commands + arguments + done.stdout + done.stderr, "others can see the secret"
        return done

    def hand_over(self, *blocks: str) -> None:
        for block in blocks:
            done = self.follow(block)
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"

    def rotate(self) -> None:
        before = self.secret
        assert self.workspace.run("secret", "rotate", "CRM Sync", "--yes").returncode == 0
        assert self.secret != before

    def check_files_are_private(self) -> None:
        """Assert that nobody else can read a file in which the secret stands."""
        for path in (path for path in self.home.rglob("*") if path.is_file()):
            if self.secret.encode() in path.read_bytes():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path

    def check_a_receiver_verifies(self, values: Values) -> None:
        """Assert that a receiver which was given `values` accepts what SendKit signs."""
        folder = self.machine / "receiver"
        folder.mkdir(exist_ok=True)
        write_files(PYTHON, folder)
        with started(PYTHON, folder, {"": values[VARIABLE] or ""}, self.port):
            self.hand_over(*AFTERWARDS)
