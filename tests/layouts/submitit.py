"""Hydra's submitit launcher: ``.submitit/A_a/A_a_0_log.out`` where ``_0`` is a rank, the script gone afterwards."""

from __future__ import annotations

from lab import Lab

from layouts import said
from layouts.files import run_folder, saved

MULTIRUN = "multirun/2026-11-20/10-00-00"
RUNS = ("m1n2o3p4", "q5r6s7t8")


def build(lab: Lab, *, array: bool = True, told: bool = True, checkpoints: bool = True) -> list[str]:
    """Two trainings, as array 77003 or as jobs 77003 and 77004: one lives, one was preempted. Returns the job ids.

    ``told``: Slurm says where the logs are. Only Hydra's own ``.hydra/hydra.yaml`` ties a job to its folder.
    """
    jobs = ["77003_0", "77003_1"] if array else ["77003", "77004"]
    for number, (job, run) in enumerate(zip(jobs, RUNS, strict=True)):
        state = "RUNNING" if number == 0 else "PREEMPTED"
        names = f"{lab.workspace}/{MULTIRUN}/.submitit/{'%A_%a/%A_%a' if array else '%j/%j'}_0_log"
        lab.job(
            job, state, raw=str(77004 - number if array else int(job)), name="train",
            stdout=f"{names}.out" if told else "(null)", stderr=f"{names}.err" if told else "(null)",
            submit_args=f"{lab.workspace}/{MULTIRUN}/.submitit/submission_file_0f1e2d.sh", command="(null)",
        )  # fmt: skip
        place = f"{MULTIRUN}/.submitit/{job}/{job}_0_log"
        out = "submitit INFO (2026-11-20 10:00:00,000) - Starting with JobEnvironment(job_id="
        out += f"{job}, hostname=node1, local_rank=0(1), node=0(1), global_rank=0(1))\n"
        lab.file(f"{place}.out", out + said.epochs(0, 20 + number))
        err = said.init(run, str(lab.workspace), name=f"seed-{number}")
        lab.file(f"{place}.err", err + (said.killed("77003", "PREEMPTION") if number else ""))
        folder = f"{MULTIRUN}/{number}"
        lab.file(f"{folder}/.hydra/config.yaml", "train:\n  epochs: 80\n  lr: 1e-05\n")
        lab.file(
            f"{folder}/.hydra/hydra.yaml",
            "hydra:\n  run:\n    dir: outputs\n  sweep:\n    dir: multirun\n    subdir: ${hydra.job.num}\n"
            f"  job:\n    name: train\n    chdir: null\n    id: '{job}'\n    num: {number}\n",
        )
        run_folder(lab, run, name=f"seed-{number}")
        if checkpoints:
            saved(lab, f"{folder}/ckpt.pt")
    return jobs
