"""The words in the demo's files: what a project of this kind and its jobs would really hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.demo.world import DemoJob, Run, World

RATES = "[0.00001, 0.00002, 0.00003, 0.00005, 0.00008, 0.0001, 0.0003, 0.001]"
ABOUT = {
    "xk31p7": (
        "# Bayesian search over the TX encoder.\n# Hypothesis: a lower learning rate with larger effective batch "
        "generalises better.\n",
        "bayes",
        "Bayesian search over the TX encoder",
        "eval/loss",
        "early_terminate:\n  type: hyperband\n  min_iter: 500\n",
    ),
    "q7m2vd": (
        "# GLUE fine-tuning grid for the language model.\n",
        "grid",
        "Grid over learning rates on GLUE",
        "eval/accuracy",
        "",
    ),
}
MAKEFILE = """.PHONY: run
# Resume one run of a sweep from its newest checkpoint.
run:
\tsbatch experiments/run.sbatch $(SWEEP) $(RUN)
"""
SWEEP_SBATCH = """#!/bin/bash
#SBATCH --output=logs/sweep_%A_%a.out
#SBATCH --error=logs/sweep_%A_%a.err
wandb agent "$2"
"""
RUN_SBATCH = """#!/bin/bash
#SBATCH --output=logs/run_%j.out
#SBATCH --error=logs/run_%j.err
WANDB_SWEEP_ID=$1 WANDB_RUN_ID=$2 WANDB_RESUME=must python train.py --resume outputs/$2
"""


def project_files(world: World) -> dict[str, str]:
    """Relative path -> text of the repository's own files."""
    files = {
        "Makefile": MAKEFILE,
        "experiments/sweep.sbatch": SWEEP_SBATCH,
        "experiments/run.sbatch": RUN_SBATCH,
        "wandb/settings": f"[default]\nentity = {world.entity}\nproject = {world.project}\n",
        "CLAUDE.md": "# molprop\n\nProperty prediction for molecules. Sweeps run on the gpu partition.\n",
    }
    for sweep in world.sweeps:
        comments, method, description, metric, stopping = ABOUT[sweep.id]
        extra = "  multistep_training:\n    value: true\n" if sweep.id == "q7m2vd" else ""
        files[f"experiments/{sweep.config}"] = (
            f"{comments}program: train.py\nmethod: {method}\ndescription: {description}\n"
            f"metric:\n  name: {metric}\n  goal: {'minimize' if 'loss' in metric else 'maximize'}\n"
            f"parameters:\n  learning_rate:\n    values: {RATES}\n"
            f"  num_train_epochs:\n    value: {sweep.epochs}\n{extra}{stopping}"
        )
    return files


def config(run: Run) -> dict[str, Any]:
    """The run's own configuration."""
    return {
        "learning_rate": run.lr,
        "num_train_epochs": run.sweep.epochs,
        "per_device_train_batch_size": run.batch,
        "gradient_accumulation_steps": run.accumulation,
        "n_gpu": 4,
    }


def hydra(run: Run) -> str:
    lines = [f"  {key}: {value}" for key, value in config(run).items()]
    return "model:\n  name: tx-encoder\ntrainer:\n" + "\n".join(lines) + "\n"


def sweep_params(run: Run) -> str:
    return (
        f"wandb_version: 1\n\nlearning_rate:\n  value: {run.lr}\nnum_train_epochs:\n  value: {run.sweep.epochs}\n"
        + ("multistep_training:\n  value: true\n" if run.sweep.id == "q7m2vd" else "")
    )


def run_folder(run: Run) -> str:
    return f"run-{datetime.fromtimestamp(run.start).astimezone():%Y%m%d_%H%M%S}-{run.id}"


def progress(run: Run, epoch: int, step: int, loss: float) -> str:
    return f"epoch {epoch}/{run.sweep.epochs} step={step} loss={loss:.4f} lr={run.lr:.2e}\n"


def stderr(world: World, job: DemoJob, workspace: str) -> str:
    """What W&B's agent, the training and Slurm wrote to standard error."""
    lines = [] if job.id.isdigit() else ["wandb: Starting wandb agent 🕵️\n"]
    for number, run in enumerate(job.runs):
        lines.append(_start(world, job, run, workspace, number))
        if run.end is not None:
            lines.append(_end(job, run))
    if job.state in {"PREEMPTED", "TIMEOUT"} and job.end is not None:
        why = "PREEMPTION" if job.state == "PREEMPTED" else "TIME LIMIT"
        at = f"{datetime.fromtimestamp(job.end).astimezone():%Y-%m-%dT%H:%M:%S}"
        lines.append(f"slurmstepd: error: *** JOB {job.raw} ON {job.node} CANCELLED AT {at} DUE TO {why} ***\n")
    return "".join(lines)


def _start(world: World, job: DemoJob, run: Run, workspace: str, number: int) -> str:
    base = f"https://wandb.ai/{world.entity}/{world.project}"
    before = after = ""
    if "_" in job.id:
        said = _agent(run.start, 512)
        after = f"{_agent(run.start + 5, 530)} Running runs: ['{run.id}']\n"
        before = (
            f"{said} Agent received command: run\n{said} Agent starting run with config:\n"
            f"\tlearning_rate: {run.lr}\n\tnum_train_epochs: {run.sweep.epochs}\n"
            f"{said} About to run command: /usr/bin/env python train.py --learning_rate={run.lr} "
            f"--num_train_epochs={run.sweep.epochs}\n"
        )
    return (
        before + "wandb: Tracking run with wandb version 0.31.0\n"
        f"wandb: Run data is saved locally in {workspace}/wandb/{run_folder(run)}\n"
        f"wandb: {'Syncing' if not run.from_epoch else 'Resuming'} run {run.sweep.job_name}-{run.id[:4]}\n"
        f"wandb: ⭐️ View project at {base}\n"
        f"wandb: 🧹 View sweep at {base}/sweeps/{run.sweep.id}\n"
        f"wandb: 🚀 View run at {base}/runs/{run.id}\n" + after
    )


def _end(job: DemoJob, run: Run) -> str:
    text = ""
    if job.dies == "cuda_oom":
        text = (
            "Traceback (most recent call last):\n"
            '  File "train.py", line 212, in main\n    trainer.step(batch)\n'
            '  File "trainer.py", line 88, in step\n    loss.backward()\n'
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of "
            "39.39 GiB of which 1.74 GiB is free.\n"
        )
    elif job.dies == "config":
        text = (
            "Error executing job with overrides: ['multistep_training=true']\n"
            "Traceback (most recent call last):\n"
            '  File "train.py", line 41, in main\n    cfg = build(overrides)\n'
            "omegaconf.errors.ConfigAttributeError: Key 'multistep_training' is not in struct\n"
            "    full_key: multistep_training\n    object_type=dict\n"
        )
    if "_" in job.id and job.state not in {"PREEMPTED", "TIMEOUT"} and run.end is not None:
        text += f"{_agent(run.end, 118)} Cleaning up finished run: {run.id}\n"
        if run.end == job.end and job.state == "COMPLETED":
            text += f"{_agent(run.end, 640)} Received exit command. Killing runs and quitting.\n"
    return text


def _agent(at: float, thousandth: int) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S},{thousandth} - wandb.wandb_agent - INFO -"


def old_log(suffix: str) -> str:
    """What a job of long ago left."""
    if suffix == ".err":
        return "wandb: Synced 5 W&B file(s), 0 media file(s), 2 artifact file(s) and 0 other file(s)\n"
    return "".join(f"epoch {epoch}/50 loss={1.6 / epoch:.4f}\n" for epoch in range(1, 51)) + "Training finished.\n"
