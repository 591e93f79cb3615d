"""The command `simulator` as a process: it says where it serves, serves, and ends quietly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(number: signal.Signals):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
    with subprocess.Popen(
        [sys.executable, "-m", "sendkit_sync", "simulator", "--port", "0"],
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = re.fullmatch(r"SendKit simulator on (http://127\.0\.0\.1:\d+) \(.*\)\n", process.stdout.readline())
            assert found is not None
            request = urllib.request.Request(found[1] + "/v1/webhooks", headers={"X-Api-Key": "sk_x"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert json.load(answer)["data"] == []
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")
