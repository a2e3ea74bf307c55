"""The demo's W&B service: a fake that answers this program's own queries from the simulated cluster, over no network.

What is changed on it (a sweep's state, notes, a stopped or closed run) is kept in ``wandb.json`` beside the demo's
other state. It decides nothing that only the real service decides, but for what a newcomer should see happen.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.demo import later
from agent.demo.changes import changing, reading
from agent.demo.world import EVERY_S, DemoJob, Run, World, read_world

USER = "you"


class DemoWandb:
    """Answers like ``tools.sources.wandb_http.Service``; ``state`` is the demo's cluster.json."""

    host = "the demo's W&B"
    timeout_s = 10.0
    skew_s: float | None = 0.0

    def __init__(
        self,
        state: Path,
        made_at: float,
        clock: Callable[[], float] = time.time,
        scenario: Mapping[str, Any] | None = None,
    ) -> None:
        self._state, self._made_at, self._clock, self._scenario = state, made_at, clock, scenario
        self.requests = 0

    def close(self) -> None:
        pass

    def query(self, document: str, variables: Mapping[str, Any], until: float | None = None) -> dict[str, Any]:
        self.requests += 1
        world = self._world()
        kept = reading(self._kept)
        if (variables["entity"], variables["project"]) != (world.entity, world.project):
            return {"project": None}
        project: dict[str, Any] = {}
        what = re.search(r"query (\w+)", document)
        if what and what[1] == "OneSweep":
            found = [sweep for sweep in self._sweeps(world, kept) if sweep["name"] == variables["sweep"]]
            project["sweep"] = found[0] if found else None
        elif what and what[1] == "Stopped":
            project["run"] = {"stopped": bool(kept["runs"].get(variables["run"], {}).get("stopped"))}
        else:
            nodes = self._runs(world, kept, detailed=bool(what and what[1] == "Detail"))
            if filters := json.loads(variables.get("filters", "{}")):
                nodes = [node for node in nodes if node["name"] in filters["name"]["$in"]]
            project = {"runs": _page(nodes), "sweeps": _page(self._sweeps(world, kept))}
        return {"viewer": {"username": USER}, "project": project}

    def change(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        self.requests += 1
        what = re.search(r"mutation (\w+)", document)
        given: Mapping[str, Any] = variables.get("input", variables)
        kind, _, name = str(given["id"]).partition(":")
        with changing(self._kept) as kept:
            entry = kept[kind].setdefault(name, {})
            if what and what[1] == "SetSweepState":
                entry["state"] = given["state"]
            elif what and what[1] == "DescribeSweep":
                entry["description"] = given["text"]
            elif what and what[1] == "SetRunNotes":
                entry["notes"] = given["text"]
            elif what and what[1] == "StopRun":
                entry["stopped"] = True
        if (what and what[1] == "StopRun") or given.get("state") == "CANCELED":
            self._end_jobs(lambda job, run: name in (run.id, run.sweep.id))
        return {}

    def send(self, path: str, content: Mapping[str, Any]) -> None:
        self.requests += 1
        with changing(self._kept) as kept:
            kept["runs"].setdefault(path.split("/")[-2], {})["state"] = "failed"

    @property
    def _kept(self) -> Path:
        return self._state.with_name("wandb.json")

    def _world(self) -> World:
        rows, world = reading(self._state)["jobs"], read_world(self._made_at, self._scenario)
        return later.with_changes(world, rows, self._state.with_name("molprop"), self._clock())

    def _end_jobs(self, ends: Callable[[DemoJob, Run], bool]) -> None:
        """A run that is stopped ends its agent, and with it the job."""
        over = {job.id for job in self._world().jobs if job.runs and ends(job, job.runs[-1])}
        with changing(self._state) as state:
            for row in state["jobs"]:
                if row["id"] in over and row["state"] == "RUNNING":
                    row.update(state="CANCELLED", end=self._clock(), exit="0:0", reason="")

    def _sweeps(self, world: World, kept: Mapping[str, Any]) -> list[dict[str, Any]]:
        told = {
            sweep.id: {"displayName": sweep.job_name, "method": "bayes", "createdAt": _when(self._made_at - 3 * 86_400)}
            for sweep in world.sweeps
        }
        runs = {run.id: run.sweep.id for job in world.jobs for run in job.runs}
        counts = {sweep: list(runs.values()).count(sweep) for sweep in {*told, *kept["sweeps"]}}
        return [
            {"id": f"sweeps:{name}", "name": name, "state": "RUNNING", "runCount": counts[name]}
            | told.get(name, {})
            | kept["sweeps"].get(name, {})
            for name in counts
        ]

    def _runs(self, world: World, kept: Mapping[str, Any], *, detailed: bool) -> list[dict[str, Any]]:
        found = {}
        for job in sorted(world.jobs, key=lambda job: job.start or 0.0):
            for run in job.runs:
                found[run.id] = self._run(job, run, detailed=detailed) | kept["runs"].get(run.id, {})
        for name, values in kept["runs"].items():
            if name not in found and "historyLineCount" in values:  # it was offline until it was synced
                at = _when(self._made_at)
                told = {"id": f"runs:{name}", "name": name, "displayName": name, "sweepName": None, "createdAt": at}
                found[name] = {**told, "heartbeatAt": at, "user": {"username": USER}, **values}
        return list(found.values())

    def _run(self, job: DemoJob, run: Run, *, detailed: bool) -> dict[str, Any]:
        now = self._clock()
        last = min(now, run.end or now)
        zombie = job.state == "TIMEOUT"  # killed hard: no last word reached the service, and it has not noticed
        state = "finished" if run.exit == 0 else "failed" if run.exit is not None else "crashed"
        node = {
            "id": f"runs:{run.id}",
            "name": run.id,
            "displayName": f"{run.sweep.job_name}-{run.id[:4]}",
            "sweepName": run.sweep.id,
            "state": "running" if run.end is None or zombie else state,
            "createdAt": _when(run.start),
            "heartbeatAt": _when(last if run.end is not None else now - now % 15),
            "historyLineCount": max(0, int((last - run.start) / EVERY_S)),
            "user": {"username": USER},
        }
        return node | ({"config": "{}", "summaryMetrics": "{}"} if detailed else {})


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _page(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"edges": [{"node": node} for node in nodes], "pageInfo": {"hasNextPage": False, "endCursor": None}}
