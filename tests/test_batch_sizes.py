"""The tool over batch sizes, and what a run that ran out of GPU memory is told to do."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from lab import HOUR, NOW, Lab, wandb_lines
from rich.console import Console

from agent.terminal.report import print_report
from tools.base import MAX_RESULT_CHARS, Context, ToolError
from tools.batch_sizes import BATCH_SIZES
from tools.run_batch import recovery_of
from tools.sweeps import read_status
from tools.wandb_data import RunDir

OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has 40 GiB\n"
GPUS = "billing=8,cpu=8,gres/gpu=4,gres/gpu:a100=4,mem=60G,node=1"
HYDRA = "training:\n  per_device_train_batch_size: 8\n  gradient_accumulation_steps: 2\nmodel:\n  name: Qwen3-0.6B\n"

RESUMES = ("sbatch go.sh {run}", "sbatch go.sh {run} {overrides}")


def _ask(lab: Lab, resume: str | None = None, **values: Any) -> Any:
    output = BATCH_SIZES.run(Context(lab.place(resume=resume)), BATCH_SIZES.parse(values))
    assert len(output.text) <= MAX_RESULT_CHARS
    return json.loads(output.text)


def _dead(lab: Lab, job: str, run: str, log: str = OOM, **own: Any) -> None:
    lab.job(job, own.pop("state", "FAILED"), **{"exit": "1:0", "tres": GPUS, "rss": "61027123K", **own})
    lab.file(f"logs/{job}.err", wandb_lines(run, "sw1") + log)
    config = lab.file(f"outputs/{run}/hydra_config.yaml", HYDRA)
    os.utime(config, (NOW - 48 * HOUR,) * 2)  # as it was when the run began


def test_a_run_out_of_gpu_memory_gets_its_numbers_and_the_exact_change(lab: Lab) -> None:
    _dead(lab, "70_1", "run1")
    (row,) = _ask(lab)["runs"]
    assert (row["per_device"], row["accumulation"], row["gpus"], row["effective"]) == (8, 2, 4, 64)
    assert row["from"]["per_device"] == "outputs/run1/hydra_config.yaml training.per_device_train_batch_size"
    assert row["from"]["gpus"] == "Slurm's allocation"
    assert row["host_memory"] == "used 36.4 of 64 GB"
    assert "a hint" in row["model"]["from"] and "batch 16-32" in row["model"]["rules_recommend"]
    advice = row["out_of_memory"]
    assert advice["tried_to_allocate"] == "2.50 GiB"
    assert advice["overrides"] == ("training.per_device_train_batch_size=4 training.gradient_accumulation_steps=4")
    assert "(effective stays 64; the rules' 6 × 3 would make it 72, +12.5 %)" in advice["smaller_batch"]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"memory": "4Gc"}, "used 36.4 of 32 GB"),
        ({"memory": "60Gn"}, "used 36.4 of 60 GB"),
        ({"tasks": 4}, "largest of 4 tasks used 36.4 GB, 64 GB asked for"),
        ({"memory": "128G", "nodes": 2, "tasks": 8}, "largest of 8 tasks used 36.4 GB, 128 GB asked for on 2 nodes"),
        ({"memory": "64Gn", "nodes": 2}, "largest task used 36.4 GB, 128 GB asked for on 2 nodes"),
        ({"memory": "4Gc", "tres": ""}, "used 36.4 GB"),
        ({"memory": "64Gn", "tres": ""}, "used 36.4 GB"),
        ({"memory": "0"}, "used 36.4 GB"),
    ],
)
def test_memory_is_set_against_what_was_asked_for_and_no_share_is_made_up(
    lab: Lab, own: dict[str, Any], told: str
) -> None:
    """By node or by CPU as 20.11 says it, in all as later ones do; one task of several used a part of it."""
    nodes = own.pop("nodes", 1)
    _dead(lab, "70_1", "run1", **{"tres": GPUS.replace("node=1", f"node={nodes}"), **own})
    assert _ask(lab)["runs"][0]["host_memory"] == told


def test_the_action_names_the_change_and_the_command_carries_it(lab: Lab) -> None:
    _dead(lab, "70_1", "run1")
    lab.checkpoint("run1", 100)
    assert (lab.row("70_1", resume="sbatch go.sh {run}").action or "").endswith(
        "set by hand in its config, outputs/run1/hydra_config.yaml (`resume` of sweep-agent.yaml has no {overrides}), "
        "then resume: sbatch go.sh run1"
    ), "the command carries nothing, and must not read as if it did"
    shown = StringIO()
    print_report(lab.status(resume="sbatch go.sh {run}"), Console(file=shown, width=200))
    assert "1 dead: 1 of them can be resumed, 1 after a change by hand." in shown.getvalue()
    assert lab.row("70_1", resume="sbatch go.sh {run} {overrides}").action == (
        "batch 8 → 4, accumulation 2 → 4 (effective stays 64; the rules' 6 × 3 would make it 72, +12.5 %), then "
        "resume: sbatch go.sh run1 training.per_device_train_batch_size=4 training.gradient_accumulation_steps=4"
    )


def test_whether_a_resume_would_carry_the_change_is_told_before_it_is_offered(lab: Lab) -> None:
    _dead(lab, "70_1", "run1")
    told = {resume: _ask(lab, resume)["runs"][0]["out_of_memory"]["resume_run"] for resume in RESUMES}
    assert "carries no overrides" in told["sbatch go.sh {run}"]
    assert told["sbatch go.sh {run} {overrides}"] == "its command carries the overrides by itself"


def test_only_memory_changes_a_resume_command(lab: Lab) -> None:
    _dead(lab, "70_1", "run1", log="", state="PREEMPTED")
    lab.checkpoint("run1", 100)
    assert lab.row("70_1", resume="sbatch go.sh {run} {overrides}").action == "sbatch go.sh run1"


def test_those_out_of_memory_come_first_and_one_run_or_sweep_can_be_asked_for(lab: Lab) -> None:
    lab.job("69", tres=GPUS)
    lab.file("logs/69.err", wandb_lines("run0", "sw0"))
    _dead(lab, "70_1", "run1")
    found = _ask(lab)
    assert [row["job"] for row in found["runs"]] == ["70_1", "69"]
    assert found["runs"][1]["gpus"] == 4, "of a live job that queue and accounting both know"
    assert "per device: no configuration names it" in found["runs"][1]["notes"]
    assert found["runs"][1]["host_memory"] == "asked for 64 GB, use not sampled"
    assert [row["run"] for row in _ask(lab, job_id="70")["runs"]] == ["run1"]
    assert [row["run"] for row in _ask(lab, sweep="sw0")["runs"]] == ["run0"]
    with pytest.raises(ToolError, match="no run or job nosuch is known"):
        _ask(lab, job_id="nosuch")


def test_steps_that_cannot_be_read_are_named_and_the_batches_told_all_the_same(lab: Lab) -> None:
    _dead(lab, "70_1", "run1")
    rest = (lab.bin / "sacct").read_text().partition("\n")[2]
    lab.program("sacct", f'[ "$1" != -n ] || {{ echo "sacct: error: too slow" >&2; exit 1; }}\n{rest}')
    found = _ask(lab)
    assert found["memory_problem"] == "memory used is not known: sacct: too slow"
    assert found["runs"][0]["effective"] == 64


def test_with_many_runs_the_result_stays_small_and_says_what_it_left_out(lab: Lab) -> None:
    for task in range(90):
        how = {} if task == 50 else {"log": "", "state": "PREEMPTED"}
        _dead(lab, f"70_{task}", f"run{task:03d}", **how)
    found = _ask(lab)
    assert found["runs"][0]["job"] == "70_50"
    assert found["left_out"].startswith(f"{90 - len(found['runs'])} more; ask with job_id=")
    assert 10 <= len(found["runs"]) < 90


@pytest.mark.parametrize(("began", "advised"), [({"per_device_train_batch_size": 8}, True), ({}, False)])
def test_a_config_that_was_only_touched_since_is_what_did_not_fit(
    lab: Lab, began: dict[str, object], advised: bool
) -> None:
    """W&B's config, written as the run began, has the same batch: copying a folder changes times, not batches."""
    _dead(lab, "70_1", "run1", end=NOW - HOUR)
    config = lab.file("outputs/run1/hydra_config.yaml", "per_device_train_batch_size: 8\n")
    os.utime(config, (NOW, NOW))
    _, seen = read_status(lab.place(), lambda: NOW)
    link = next(one for one in seen.links if one.run == "run1")
    folder = RunDir("run1", str(lab.workspace / "wandb/run-x"), False, config=began)
    recovery = recovery_of(replace(link, run_dirs=(folder,)), seen)
    assert (recovery.exact is not None, recovery.changed) == (advised, not advised)
