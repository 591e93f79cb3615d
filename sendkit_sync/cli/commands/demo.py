"""`demo`: the whole workflow on the simulator, each step run as a user would run it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ...app.context import Context
from ...simulator import Simulator
from ..options import as_command
from ..output.messages import show_done

FIRST = """\
version: 1
webhooks:
  - name: CRM Sync
    url: https://crm.example.com/webhooks/sendkit
    events: [email.replied, email.positive_reply]
  - name: Analytics
    url: https://analytics.example.com/in
    events: [email.sent, email.opened]
    timeoutMs: 5000
"""
MORE = """\
  - name: Bounces
    url: https://ops.example.com/bounces
    events: [email.bounced]
"""


@as_command("demo")
def command(_: Context, /) -> int:
    """Run the whole workflow against the simulator.

    Works in a temporary folder and needs no API key.
    """
    with tempfile.TemporaryDirectory() as folder, Simulator() as simulator:
        config = Path(folder, "webhooks.yaml")
        config.write_text(FIRST, encoding="utf-8")
        show_done(f"webhooks.yaml:\n\n{FIRST}\n")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("SENDKIT_", "SOPS_"))}
        environment = plain | {"SENDKIT_API_URL": simulator.url, "SENDKIT_API_KEY": "sk_demo"}
        for step in (["validate"], ["plan"], ["apply", "--yes"], ["plan"], None, ["plan"], ["state", "list"]):
            if step is None:
                config.write_text(FIRST + MORE, encoding="utf-8")
                show_done(f"# added to webhooks.yaml:\n{MORE}\n")
                continue
            show_done(f"$ sendkit-sync {' '.join(step)}\n")
            code = subprocess.run(
                [sys.executable, "-m", "sendkit_sync", *step], cwd=folder, env=environment, check=False
            ).returncode
            if code:
                return code
            show_done("\n")
    return 0
