"""Realistic workspaces of 12 to 20,000 runs for the benchmarks: ``workspace.make(folder, runs)``.

Below ``folder``: ``proj`` (the workspace), ``bin`` and ``slurm`` (stubs of Slurm, see ``slurm_stubs``), and
``truth.json`` (what is true of every run, see ``plan``). All of it is synthetic.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import run_files, slurm_stubs, texts
from benchmarks.plan import NEVER_TRAINED, Run, Sweep, plan

VERSION = 1
"""Of what is written; a kept workspace of another version is not used again."""

SWEEP_SBATCH = """#!/bin/bash
#SBATCH --output=logs/sweep_%A_%a.out
#SBATCH --error=logs/sweep_%A_%a.err
#SBATCH --gres=gpu:4
#SBATCH --time=12-00:00:00
srun wandb agent --count 1 "$2"
"""
SWEEP_YAML = """# Sweep {name}: which learning rate distils best.
# Hypothesis: the smaller ones, given {epochs} epochs.
program: train.py
method: {method}
description: Learning rates for the distilled translation model, set {name}
metric:
  name: eval/loss
  goal: minimize
parameters:
  batch_size:
    value: 16
  learning_rate:
    values: [0.00001, 0.00002, 0.00005, 0.0001, 0.0002]
  max_epochs:
    value: {epochs}
  seed:
    values: [0, 1, 2, 3, 4, 5, 6, 7]
command:
- ${{env}}
- python
- ${{program}}
- ${{args}}
"""
MAKEFILE = """.PHONY: run
run:
\tsbatch experiments/run.sbatch $(SWEEP) $(RUN)
"""


@dataclass(frozen=True, slots=True)
class Made:
    workspace: Path
    bin: Path
    truth: list[dict[str, Any]]
    """One row a run, by the names of ``agent status --json``; ``checkpoint`` is the newest one's step."""


def make(folder: Path, runs: int, seed: int = 1) -> Made:
    """A workspace of so many runs below ``folder``; the one that is there, if it is of this kind and size."""
    made_of = {"version": VERSION, "runs": runs, "seed": seed}
    label = folder / "truth.json"
    if label.is_file():
        said = json.loads(label.read_text())
        if said["made_of"] != made_of:
            raise SystemExit(f"{folder} holds another workspace ({said['made_of']}): remove it, or name another folder")
        return Made(folder / "proj", folder / "bin", said["truth"])
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    workspace = folder / "proj"
    now = time.time()
    sweeps = list(plan(runs, seed, now))
    for name in ("logs", "outputs", "wandb", "experiments"):
        (workspace / name).mkdir(parents=True)
    (workspace / "Makefile").write_text(MAKEFILE)
    (workspace / "experiments" / "sweep.sbatch").write_text(SWEEP_SBATCH)
    (workspace / "experiments" / "run.sbatch").write_text(SWEEP_SBATCH)
    (workspace / "wandb" / "settings").write_text("[default]\nentity = acme-lab\nproject = mt-distill\n")
    for group in sweeps:
        _write_sweep(str(workspace), group[0].sweep)
        for run in group:
            if run.kind != "pending":
                _write_run(str(workspace), run, run.end or now - run.task)
    slurm_stubs.write(folder, str(workspace), sweeps, now)
    truth = [run.truth() for group in sweeps for run in group]
    label.write_text(json.dumps({"made_of": made_of, "truth": truth}))
    return Made(workspace, folder / "bin", truth)


def _write_sweep(workspace: str, sweep: Sweep) -> None:
    method = "bayes" if sweep.online else "grid"
    text = SWEEP_YAML.format(name=sweep.name, epochs=sweep.epochs, method=method)
    _write(f"{workspace}/experiments/{sweep.name}.yaml", text.encode())
    os.mkdir(f"{workspace}/wandb/sweep-{sweep.id}")


def _write_run(workspace: str, run: Run, written: float) -> None:
    """``written`` is when the run last wrote: the time of its files, in epoch seconds."""
    logs = f"{workspace}/logs/sweep_{run.sweep.array}_{run.task}"
    _write(f"{logs}.out", texts.stdout(run), written)
    _write(f"{logs}.err", texts.stderr(run, workspace), written)
    _write(f"{workspace}/wandb/sweep-{run.sweep.id}/config-{run.id}.yaml", run_files.sweep_params(run), run.start)
    output = f"{workspace}/outputs/{run.id}"
    os.mkdir(output)
    _write(f"{output}/hydra_config.yaml", run_files.hydra_config(run), run.start)
    for step in run.checkpoints:
        os.mkdir(f"{output}/checkpoint-{step}")
        for name, data in run_files.checkpoint_files(run, step).items():
            _write(f"{output}/checkpoint-{step}/{name}", data)
    if run.kind not in NEVER_TRAINED:  # those died before W&B began
        folder = f"{workspace}/wandb/{texts.folder_of(run)}"
        os.makedirs(f"{folder}/files")
        _write(f"{folder}/run-{run.id}.wandb", run_files.wandb_log(run), written)
        for name, data in run_files.wandb_files(run).items():
            _write(f"{folder}/files/{name}", data)


def _write(path: str, data: bytes, written: float | None = None) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)
    if written is not None:
        os.utime(path, (written, written))


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
