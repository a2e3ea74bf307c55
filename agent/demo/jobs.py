"""The demo's jobs as the simulated Slurm keeps them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

from agent.demo.layout import log_paths
from agent.demo.world import DemoJob, World


def slurm_jobs(world: World, workspace: Path) -> list[dict[str, Any]]:
    """The jobs as the simulated Slurm keeps them; a requeued one has a row per start."""
    user = _user()
    rows = []
    for job in world.jobs:
        out, err = log_paths(workspace, job)
        script = f"experiments/{'sweep' if '_' in job.id else 'run'}.sbatch"
        config = f"experiments/{job.sweep.config}" if job.sweep else ""
        path = f"{world.entity}/{world.project}/{job.sweep.id}" if job.sweep else ""
        arguments = f"{config} {path}" if "_" in job.id else f"{job.sweep.id} {job.runs[0].id}" if job.sweep else ""
        size = f"--array={job.array} " if job.array else ""
        row: dict[str, Any] = {
            "id": job.id, "raw": job.raw, "name": job.name, "user": job.user or user, "state": job.state,
            "exit": job.exit,
            "submit": job.submit, "start": job.start, "end": job.end, "limit": job.limit, "node": job.node,
            "partition": job.partition, "reason": job.reason, "restarts": job.restarts,
            "workdir": str(workspace) if not job.elsewhere else "/home/elsewhere",
            "stdout": "/home/elsewhere/slurm-%j.out" if job.elsewhere else _pattern(job, out),
            "stderr": "(null)" if job.elsewhere else _pattern(job, err),
            "command": f"{workspace}/{script} {arguments}" if job.sweep else "/home/elsewhere/notebook.sh",
            "submit_args": f"{size}{script} {arguments}" if job.sweep else "notebook.sh",
        }  # fmt: skip
        if job.before:
            start, end = job.before
            rows.append({**row, "state": "PREEMPTED", "start": start, "end": end, "submit": start, "restarts": 0})
        rows.append(row)
    return rows


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, a user id often has no name
        return str(os.getuid())


def _pattern(job: DemoJob, path: Path) -> str:
    """The path as Slurm keeps it, with its patterns not filled in."""
    return str(path).replace(job.id, "%A_%a") if "_" in job.id else str(path).replace(job.raw, "%j")
