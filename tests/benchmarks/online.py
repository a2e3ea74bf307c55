"""Measures a look at a project on W&B: ``python tests/benchmarks/online.py`` (``make bench-wandb``).

The service is the stand-in of the tests on this machine, which holds every answer back until the latency has passed.
Its own work (GraphQL in Python) is done before anything is timed. ``agent status --json`` runs in a process of its own
over a workspace without jobs, with an empty state folder.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT)]

from benchmarks.timing import median, spent  # noqa: E402 - the path above makes it importable from a script
from lab import Lab  # noqa: E402
from servers.faults import Answer  # noqa: E402
from servers.wandb import KEY, WandbServer  # noqa: E402

from tools.sources import wandb_api  # noqa: E402
from tools.sources.wandb_http import Service  # noqa: E402
from tools.sources.wandb_login import Login  # noqa: E402

VALUES = 25
"""Keys of a run's config, and as many of its summary."""


class QuickServer(WandbServer):
    """Works out each answer once."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[bytes, Answer] = {}

    def _true(self, http: BaseHTTPRequestHandler, body: bytes, given: Mapping[str, Any]) -> Answer:
        if body not in self._known:
            self._known[body] = super()._true(http, body, given)
        return self._known[body]


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="sweep-bench-") as scratch, QuickServer() as server:
        _fill(server, options.sweeps, options.runs)
        print(f"{options.sweeps} sweeps x {options.runs} runs, the median of {options.repeat}")
        for latency in (0.0, options.latency):
            server.latency_s = latency
            print(f"at {latency * 1000:.0f} ms latency")
            _reader(server, options.repeat)
            _status(server, Path(scratch), f"state-{latency}", options.repeat)


def _fill(server: WandbServer, sweeps: int, runs: int) -> None:
    config = {f"group/option_{number}": number / 7 for number in range(VALUES)}
    for sweep in range(sweeps):
        server.world.add_sweep(f"sweep{sweep:03d}", displayName=f"bayes-{sweep:03d}")
        for number in range(runs):
            summary = {f"val/metric_{key}": number / (key + 1) for key in range(VALUES)} | {"epoch": number, "_step": 9}
            state = ("running", "finished", "crashed", "preempted")[number % 4]
            server.world.add_run(
                f"r{sweep:03d}-{number:04d}", f"sweep{sweep:03d}", config=config, summary=summary, state=state
            )


def _reader(server: WandbServer, repeat: int) -> None:
    """The listing, and the values of every run, in this process."""
    times: dict[str, list[float]] = {"listing": [], "values of all runs": []}
    for _ in range(repeat + 1):
        server.asked.clear()
        with closing(Service(Login(server.url, KEY, "environment"), timeout_s=600)) as service:
            began = time.perf_counter()
            found = wandb_api.read_project(service, server.world.entity, "mt-distill", 0.0)
            times["listing"].append(time.perf_counter() - began)
            began = time.perf_counter()
            wandb_api.with_details(service, found, list(found.runs))
            times["values of all runs"].append(time.perf_counter() - began)
    for (what, took), kind in zip(times.items(), ("Listing", "Detail"), strict=True):
        print(f"  reader: {what:<28}{statistics.median(took[1:]):7.2f} s {server.count(kind):5} requests")


def _status(server: WandbServer, scratch: Path, name: str, repeat: int) -> None:
    lab = Lab(scratch / name)
    agent = [str(Path(sys.executable).parent / "agent"), "status", "--json", "--workspace", str(lab.workspace)]
    base = {"PATH": os.environ["PATH"], "HOME": str(scratch), "USER": "me", "SWEEP_AGENT_SLURM_BIN": str(lab.bin)}
    online = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": server.url, "WANDB_ENTITY": "acme-lab"}
    for what, more in (("without a key", {}), ("online", online | {"WANDB_PROJECT": "mt-distill"})):
        folders = iter(range(repeat + 1))

        def env() -> dict[str, str]:
            return base | more | {"XDG_STATE_HOME": str(scratch / name / f"{what}-{next(folders)}")}  # noqa: B023

        subprocess.run(agent, env=env(), check=True, capture_output=True)
        server.asked.clear()
        took = median(lambda: spent(agent, env()), repeat)
        requests = server.count() // repeat
        print(f"  agent status, {what:<22}{took.seconds:7.2f} s {requests:5} requests")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--sweeps", type=int, default=20)
    add("--runs", type=int, default=100, help="of each sweep")
    add("--latency", type=float, default=0.1, metavar="S")
    add("--repeat", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
