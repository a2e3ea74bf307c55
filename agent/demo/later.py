"""What was changed since the demo was made: cancelled jobs log no more, submitted ones begin to train."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.demo.world import HOUR, DemoJob, Run, Sweep, World

NEW_RUN_HOURS = 50.0
"""A new run would take so long."""


def with_changes(world: World, rows: Sequence[Mapping[str, Any]], workspace: Path, now: float) -> World:
    """The scenario's jobs as the cluster has them now, and the submitted ones that train."""
    ended = {row["id"]: float(row["end"]) for row in rows if row["state"] == "CANCELLED" and row["end"]}
    jobs = [_ended(job, ended[job.id]) if job.id in ended else job for job in world.jobs]
    known = {job.id for job in jobs}
    more = [_job(world, row, workspace) for row in rows if row["id"] not in known and _trains(row, now)]
    return replace(world, jobs=(*jobs, *filter(None, more)))


def to_begin(rows: Sequence[Mapping[str, Any]], now: float) -> set[str]:
    """Submitted jobs that have started and have no log yet."""
    return {row["id"] for row in rows if _trains(row, now) and not _log(row).exists()}


def _trains(row: Mapping[str, Any], now: float) -> bool:
    return row.get("starts") is not None and row["starts"] <= min(now, row["end"] or now)


def _log(row: Mapping[str, Any]) -> Path:
    array, _, task = row["id"].partition("_")
    return Path(row["stdout"].replace("%A", array).replace("%a", task).replace("%j", str(row["raw"])))


def _ended(job: DemoJob, end: float) -> DemoJob:
    return replace(job, state="CANCELLED", end=end)


def _job(world: World, row: Mapping[str, Any], workspace: Path) -> DemoJob | None:
    """A submitted job and the run it trains: the one its words name, from its checkpoint, or a new one of its sweep."""
    words = row["command"].replace("/", " ").split()
    sweep = next((sweep for sweep in world.sweeps if sweep.id in words), None)
    if sweep is None:
        return None
    old = next((run for job in world.jobs for run in job.runs if run.id in words), None)
    run = _again(old, row["starts"], workspace) if old else _new(sweep, row)
    return DemoJob(
        id=row["id"], raw=str(row["raw"]), sweep=sweep, state="RUNNING" if row["end"] is None else "CANCELLED",
        exit="0:0", submit=row["submit"], start=row["starts"], end=row["end"], limit=row["limit"], node=row["node"],
        partition=row["partition"], reason="", restarts=0, array="", name=row["name"], dies=None, elsewhere=False,
        user="",
        before=None, runs=(run,),
    )  # fmt: skip


def _again(old: Run, start: float, workspace: Path) -> Run:
    epoch = _saved_epoch(workspace / "outputs" / old.id)
    pace = (old.sweep.epochs / NEW_RUN_HOURS) / HOUR
    # one second after its start it is one second of training further: the line through both goes on for ever
    return replace(
        old, start=start, end=None, from_epoch=epoch, epoch=epoch + pace, nan_since=None, exit=None, torn=False
    )


def _new(sweep: Sweep, row: Mapping[str, Any]) -> Run:
    name = hashlib.sha256(row["id"].encode()).hexdigest()[:8]
    pace = (sweep.epochs / NEW_RUN_HOURS) / HOUR
    return Run(name, sweep, row["starts"], None, 0.0, pace, 5e-5, 4, 8, None, None, False)


def _saved_epoch(folder: Path) -> float:
    """Of the newest checkpoint that has its trainer_state.json; that a torn one lacks."""
    states = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("checkpoint-*/trainer_state.json")]
    return max((float(state["epoch"]) for state in states), default=0.0)
