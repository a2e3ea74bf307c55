"""Work that is done twice or may be lost whole: a run of two jobs, one begun anew after a requeue, one never saved."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from lab import HOUR, NOW, Lab, ended, wandb_lines
from stage import Stage

from agent.models.playbook import Playbook

PREEMPTED = "slurmstepd: error: *** JOB 7001 ON n1 CANCELLED AT 2026-11-20T10:00:00 DUE TO PREEMPTION ***\n"


def _whole(size: int) -> bytes:
    """A safetensors file with one tensor of so many bytes."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def _shown(lab: Lab, tmp_path: Path) -> str:
    stage = Stage(tmp_path / "state", Playbook(), lab.place())
    stage.ask("check on sweeps")
    return stage.shown.getvalue()


def _requeued(lab: Lab, between: str = PREEMPTED, second: str = "bbb2") -> list[str]:
    """Job 70_4, started twice; what its first run is told of a new beginning."""
    lab.job("70_4", "PREEMPTED", start=NOW - 9 * HOUR, end=NOW - 5 * HOUR, raw="7001")
    lab.job("70_4", start=NOW - 4 * HOUR, restarts=1, raw="7001")
    lab.file("logs/70_4.err", wandb_lines("aaa1", "sw1") + between + wandb_lines(second, "sw1"))
    lab.file("logs/70_4.out", "epoch 30/100 step=300\nepoch 5/100 step=50\n")
    rows = [row for row in lab.status().runs if row.run == "aaa1"]
    return [flag for row in rows for flag in row.flags if flag.startswith("begun_anew: ")]


def test_a_job_that_began_another_run_after_its_requeue_is_told(lab: Lab, tmp_path: Path) -> None:
    assert _requeued(lab) == ["begun_anew: started again, its job began run bbb2 instead of going on with it"]
    assert "70_4 (run aaa1)  started again, its job began run bbb2" in _shown(lab, tmp_path)
    assert "its job began another run after the requeue" in (lab.workspace / "ACTIVE_SWEEPS.md").read_text()


@pytest.mark.parametrize(("between", "second"), [(PREEMPTED, "aaa1"), (ended("aaa1"), "bbb2")])
def test_one_that_went_on_or_whose_run_had_ended_is_not(lab: Lab, between: str, second: str) -> None:
    assert _requeued(lab, between, second) == []


def test_nor_is_one_that_another_job_went_on_with(lab: Lab) -> None:
    lab.job("71", start=NOW - HOUR)
    lab.file("logs/71.out", wandb_lines("aaa1", "sw1") + "epoch 31/100\n")
    assert _requeued(lab) == []


def test_two_jobs_that_train_one_run_are_a_red_flag_each(lab: Lab, tmp_path: Path) -> None:
    for task in (0, 1):
        lab.job(f"70_{task}")
        lab.file(f"logs/70_{task}.out", wandb_lines("same", "sw1") + "epoch 3/100\n")
    shown = _shown(lab, tmp_path).partition("Red flags\n")[2]
    assert "70_0 (run same)  job 70_1 trains this run too" in shown
    assert "70_1 (run same)  job 70_0 trains this run too" in shown


def test_a_live_run_that_has_saved_nothing_for_hours_is_told(lab: Lab, tmp_path: Path) -> None:
    for job, run, start in (("8", "aaa1", 9), ("9", "bbb2", 2)):
        lab.job(job, start=NOW - start * HOUR)
        lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + "epoch 3/100\n")
    lines = {line.split()[1]: line for line in _shown(lab, tmp_path).splitlines() if "/100" in line}
    assert lines["aaa1"].endswith("nothing saved for 9 h")
    assert "saved" not in lines["bbb2"], "two hours old: it may save at its first evaluation"


def test_a_dead_runs_checkpoint_that_is_too_small_is_told_beside_it(lab: Lab, tmp_path: Path) -> None:
    lab.job("9", "PREEMPTED")
    lab.file("logs/9.out", wandb_lines("aaa1", "sw1") + "epoch 30/100\n")
    for step in (100, 200, 300):
        path = lab.checkpoint("aaa1", step) / "model.safetensors"
        path.write_bytes(_whole(50_000 if step < 300 else 500))
    assert "loads (572 B where 50.1 kB is usual)" in " ".join(_shown(lab, tmp_path).split())
