"""The Hugging Face Trainer: ``checkpoint-N`` in a folder named after the run, ``slurm_logs/%x_%j.out``, max_steps."""

from __future__ import annotations

import json
from typing import Any

from lab import HOUR, NOW, Lab, safetensors

from layouts import said
from layouts.files import at, run_folder

DEAD, LIVE = "h1f2a3b4", "c5d6e7f8"


def build(lab: Lab, *, same_name: bool = False, output_dir: bool = True) -> None:
    """Job 99998 was cut off by its time limit at step 3,500 of 10,000; job 100001 is another run, at 4,010.

    ``same_name``: both runs have one display name; ``output_dir``: W&B's config has it, as the Trainer sees to.
    """
    names = {DEAD: "bert-lr3e-5", LIVE: "bert-lr3e-5" if same_name else "bert-lr5e-5"}
    for job, state, run, begun in (("99998", "TIMEOUT", DEAD, 30.0), ("100001", "RUNNING", LIVE, 10.0)):
        own: dict[str, Any] = {"start": NOW - begun * HOUR, "end": NOW - 20 * HOUR} if state == "TIMEOUT" else {}
        lab.job(job, state, name="finetune", stdout=f"{lab.workspace}/slurm_logs/%x_%j.out", stderr="(null)", **own)
        steps = 3_600 if run == DEAD else 4_010
        config: dict[str, Any] = {"max_steps": 10_000, "num_train_epochs": 3, "run_name": names[run], "save_steps": 500}
        if output_dir:
            config["output_dir"] = f"./results/{folder_of(run)}"
        run_folder(lab, run, name=names[run], config=config, hours_ago=begun)
        lab.file(f"slurm_logs/finetune_{job}.out", _log(lab, run, names[run], steps, state))
        for step in (500, steps // 500 * 500):
            _checkpoint(lab, f"results/{folder_of(run)}/checkpoint-{step}", step, begun - 1)


def folder_of(run: str) -> str:
    return "bert-lr3e-5" if run == DEAD else "bert-lr5e-5"


def _log(lab: Lab, run: str, name: str, steps: int, state: str) -> str:
    log = "***** Running training *****\n  Num examples = 9,223,372,036,854,775,807\n"
    log += "  Num Epochs = 9,223,372,036,854,775,807\n  Total optimization steps = 10,000\n"
    log += said.init(run, str(lab.workspace), name=name)
    for step in range(steps - 60, steps + 1, 10):
        log += f"\r {step // 100:2d}%|{'█' * (step // 1000):<10}| {step}/10000 [1:00:00<2:00:00,  1.00it/s]"
        if step % 50 == 0:
            log += f"\n{{'loss': 0.4321, 'grad_norm': 1.25, 'learning_rate': 3e-05, 'epoch': {step / 200:.2f}}}\n"
    return log + "\n" + (said.killed("99998", "TIME LIMIT") if state == "TIMEOUT" else "")


def _checkpoint(lab: Lab, folder: str, step: int, hours_ago: float) -> None:
    state = json.dumps({"epoch": step / 200, "global_step": step, "max_steps": 10_000}, indent=2)
    for name, data in (("model.safetensors", safetensors()), ("trainer_state.json", state.encode())):
        at(lab.file(f"{folder}/{name}", data), hours_ago)
