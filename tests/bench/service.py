"""The simulator as a process of its own: prints its address, and serves until its standard input is closed.

Usage: service.py LATENCY_S [STATE]. What STATE records is live from the start.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sendkit_sync.simulator import Simulator
from sendkit_sync.simulator.store import DEMO_WORKSPACE


def main(latency_s: str, state: str | None = None) -> None:
    simulator = Simulator(latency_s=float(latency_s))
    for record in json.loads(Path(state).read_bytes())["webhooks"].values() if state else ():
        body = {**record["confirmed"], "secret": record["secret"]["value"]}
        simulator.store.create(DEMO_WORKSPACE, body, record["id"])
    with simulator:
        sys.stdout.write(simulator.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


main(*sys.argv[1:])
