"""Hydra with Lightning: ``logs/TASK/multiruns/DATE_TIME/N/``, one job that trains N after N, W&B's folder in each."""

from __future__ import annotations

from lab import Lab

from layouts import said
from layouts.files import run_folder, saved

MULTIRUN = "logs/train/multiruns/2026-11-20_10-00-00"
DONE, NOW_TRAINED = "k1l2m3n4", "o5p6q7r8"
CONFIG = "task_name: train\ntrainer:\n  max_epochs: 100\n  min_epochs: 1\ndata:\n  steps: 7\ntags: [dev]\n"


def build(lab: Lab, *, state: str = "RUNNING") -> None:
    """Job 99999: N=0 reached its target, N=1 is in epoch 41; ``epoch_037`` was its best, ``last`` is newer."""
    lab.job(
        "99999", state, name="lit", submit_args="run.sh", command="run.sh", stderr="(null)",
        stdout=f"{lab.workspace}/logs/slurm/%x-%j.out",
    )  # fmt: skip
    log = ""
    for number, run in enumerate((DONE, NOW_TRAINED)):
        place = f"{MULTIRUN}/{number}"
        folder = f"{lab.workspace}/{place}"
        log += f"[2026-11-20 10:00:00,123][src.utils][INFO] - Output dir is {folder}\n"
        log += said.init(run, folder, name="dev", emoji=False)
        if run == DONE:
            log += said.bar(98, 99) + said.bar(99, 99) + "\n`Trainer.fit` stopped: `max_epochs=100` reached.\n"
            log += said.finish(run, folder, name="dev")
        else:
            log += said.bar(40, 99) + said.bar(41, 45) + "\n"
        lab.file(f"{place}/.hydra/config.yaml", CONFIG)
        lab.file(f"{place}/.hydra/overrides.yaml", f"- seed={number}\n")
        lab.file(f"{place}/train.log", "[2026-11-20 10:00:00,123][src.utils][INFO] - Starting training!\n")
        lab.file(f"{place}/csv/version_0/metrics.csv", "epoch,step,train/loss\n0,100,1.5\n")
        run_folder(lab, run, place, name="dev", exit_code=0 if run == DONE else None)
    log += "" if state == "RUNNING" else said.killed("99999", "PREEMPTION")
    lab.file("logs/slurm/lit-99999.out", log)
    saved(lab, f"{MULTIRUN}/0/checkpoints/epoch_099.ckpt", hours_ago=6)
    saved(lab, f"{MULTIRUN}/0/checkpoints/last.ckpt", hours_ago=6)
    saved(lab, f"{MULTIRUN}/1/checkpoints/epoch_037.ckpt", hours_ago=3)
    saved(lab, f"{MULTIRUN}/1/checkpoints/last.ckpt", hours_ago=2)
