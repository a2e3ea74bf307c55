"""What the unmodified W&B client writes to the stand-in service, our reader reads as the client itself does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from servers.wandb import KEY, WandbServer
from wandb_client import OFFLINE, Client

from tools.sources import wandb_api
from tools.sources.wandb_http import Service
from tools.sources.wandb_login import Login
from tools.wandb_data import ServerProject

SLURM = {
    "SLURM_ARRAY_JOB_ID": "48213",
    "SLURM_ARRAY_TASK_ID": "7",
    "SLURM_JOB_ID": "48220",
    "SLURM_JOBID": "48220",
}
RAN, SYNCED = "h7k2m9q1", "h7k2m9qa"


@dataclass(frozen=True)
class Both:
    ours: ServerProject
    clients: dict[str, Any]
    server: WandbServer


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Four sweeps made and changed with ``wandb sweep``, a run of ``wandb agent``, a run of ``wandb sync``."""
    with WandbServer() as server:
        client = Client(tmp_path_factory.mktemp("client"), server.url)
        create, place = ["sweep", "sweep.yaml"], "acme-lab/mt-distill"
        first, paused, stopped, canceled = (f"swp0000{number}" for number in range(4))
        client.commands(
            *[create] * 4,
            ["sweep", "--pause", f"{place}/{first}"],
            ["sweep", "--resume", f"{place}/{first}"],
            ["sweep", "--pause", f"{place}/{paused}"],
            ["sweep", "--stop", f"{place}/{stopped}"],
            ["sweep", "--cancel", f"{place}/{canceled}"],
            ["sync", "--yes", OFFLINE.name],
        )
        server.world.commands.append(
            {"type": "run", "run_id": RAN, "program": "train.py", "args": {"lr": {"value": 0.1}}}
        )
        client.agent(first, **SLURM)
        clients = client.read(first, paused, stopped, canceled)
        with closing(Service(Login(server.url, KEY, "environment"))) as service:
            listed = wandb_api.read_project(service, "acme-lab", "mt-distill", 0.0)
            yield Both(wandb_api.with_details(service, listed, sorted(listed.runs)), clients, server)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def test_runs_agree_field_by_field(both: Both) -> None:
    assert set(both.ours.runs) == set(both.clients["runs"]) == {RAN, SYNCED}
    for name, told in both.clients["runs"].items():
        run = both.ours.runs[name]
        ours = {
            "storage_id": run.node,
            "state": run.state,
            "displayName": run.name,
            "sweepName": run.sweep,
            "notes": run.notes,
            "historyLineCount": run.rows,
            "config": run.config,
            "summary": run.summary,
            "createdAt": run.created,
            "heartbeatAt": run.heartbeat,
            "user": run.owner,
        }
        summary = {key: value for key, value in told["summary"].items() if key != "_wandb"}
        times = {key: _seconds(told[key]) for key in ("createdAt", "heartbeatAt")}
        theirs = told | times | {"summary": summary, "user": told["user"]["username"]}
        # nan is not equal to nan
        assert json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)


def test_sweeps_agree_field_by_field(both: Both) -> None:
    assert set(both.ours.sweeps) == set(both.clients["sweeps"])
    for name, told in both.clients["sweeps"].items():
        sweep = both.ours.sweeps[name]
        assert told == {
            "id": sweep.node,
            "state": sweep.state,
            "displayName": sweep.name,
            "description": sweep.description,
            "method": sweep.method,
            "runCount": sweep.runs,
            "createdAt": told["createdAt"],
            "runs": [run.run for run in both.ours.runs.values() if run.sweep == name],
        }
        assert sweep.created == _seconds(told["createdAt"])


def test_what_was_done_with_the_command_line_is_what_is_read(both: Both) -> None:
    states = [both.ours.sweeps[f"swp0000{number}"].state for number in range(4)]
    assert states == ["RUNNING", "PAUSED", "FINISHED", "CANCELED"]
    run = both.ours.runs[RAN]
    assert (run.state, run.sweep, run.notes, run.rows) == ("finished", "swp00000", "words of the run", 5)
    assert run.config == {"lr": 0.1, "late": [1, "é"]}
    assert (run.summary["epoch"], run.summary["val"], run.summary["best/acc"]) == (4, {"acc": 0.4}, 0.75)
    # the Slurm values that the client saves lead from the run to its job
    assert run.job == "48213_7" and run.host
    assert both.ours.runs[SYNCED].rows == 4


def test_our_reading_took_two_requests(both: Both) -> None:
    ours = sum(asked.headers["user-agent"] == "sweep-agent" for asked in both.server.asked)
    assert ours == 2
