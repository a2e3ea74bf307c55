"""A small workspace with a simulated Slurm for tests: the demo's program over jobs that a test writes by hand."""

from __future__ import annotations

import json
import shlex
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import agent.demo.cluster
from tools.checked import checked
from tools.layout import Layout
from tools.place import Place
from tools.sources.command import user_name
from tools.status import RunRow, Status
from tools.sweeps import read_status
from tools.text import Redactor

if TYPE_CHECKING:
    from servers.wandb import WandbServer

NOW = float(int(time.time()))  # the demo's sacct counts its 14 days by the real clock
HOUR = 3600.0


class Lab:
    """A workspace, its jobs, and a clock that stands still at the start of the tests."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "proj"
        self.workspace.mkdir(parents=True)
        self.bin = folder / "bin"
        self.bin.mkdir()
        self._state = folder / "cluster.json"
        self._jobs: list[dict[str, Any]] = []
        for name in ("squeue", "sacct"):
            self.program(
                name,
                shlex.join([sys.executable, "-I", "-S", str(agent.demo.cluster.__file__), name, str(self._state)])
                + ' "$@"',
            )
        self.wandb: WandbServer | None = None
        self.layout: dict[str, Any] = {}
        """What its project file says."""
        self._save()

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def cancels(self) -> Path:
        """scancel works here, as the demo's does; the file that lists how it was called."""
        calls = self.bin / "scancel.calls"
        demo = Path(agent.demo.cluster.__file__ or "").with_name("changes.py")
        words = shlex.join([sys.executable, "-I", "-S", str(demo), "scancel", str(self._state)])
        self.program("scancel", f'echo "$@" >>{calls}\n{words} "$@"')
        return calls

    def queues(self, program: str, command: str) -> None:
        """A program that submits: each time it is called one more job runs at once, by ``command``."""
        self.job("900", "PENDING", command=command, submit_args=command)
        job = next(job for job in self._jobs if job["id"] == "900")
        self._jobs.remove(job)
        self._save()
        made = json.dumps({**job, "state": "RUNNING"})
        self.program(
            program,
            f"""exec {sys.executable} - <<'END'
import json, time
path = {str(self._state)!r}
state = json.load(open(path))
number = str(900 + len(state["jobs"]))
times = dict.fromkeys(("submit", "start"), time.time())
state["jobs"].append({{**json.loads({made!r}), "id": number, "raw": number, **times}})
json.dump(state, open(path, "w"))
print("Submitted batch job", number)
END""",
        )

    def on_cluster(self, name: str) -> None:
        """From now on squeue and sacct answer only those that name this cluster first."""
        for program in ("squeue", "sacct"):
            path = self.bin / program
            path.rename(self.bin / f"{program}-there")
            known = f'[ "$1 $2" = "-M {name}" ] && shift 2 || {{ [ "$1" = --helpformat ] || exit 9; }}'
            self.program(program, f'{known}\nexec {self.bin}/{program}-there "$@"')

    def job(self, job_id: str, state: str = "RUNNING", **own: Any) -> None:
        """Add a job; times are epoch seconds and default to ten hours of running."""
        array, _, task = job_id.partition("_")
        over = state not in ("RUNNING", "PENDING")
        job = {
            "id": job_id, "raw": own.pop("raw", job_id.replace("_", "0") if task.isdigit() else array),
            "name": "train", "user": user_name(), "state": state, "exit": "0:0", "submit": NOW - 11 * HOUR,
            "start": None if state == "PENDING" else NOW - 10 * HOUR, "end": NOW - HOUR if over else None,
            "limit": 24 * HOUR, "node": "node1", "partition": "low", "reason": "", "restarts": 0,
            "workdir": str(self.workspace), "stdout": f"{self.workspace}/logs/%A_%a.out" if task else "logs/%j.out",
            "stderr": f"{self.workspace}/logs/%A_%a.err" if task else "(null)", "command": "train.sh",
            "submit_args": "train.sh",
        }  # fmt: skip
        self._jobs.append({**job, **own})
        self._save()

    def change(self, job_id: str, **own: Any) -> None:
        """The cluster moves on: other values for a job that is there."""
        for job in self._jobs:
            if job["id"] == job_id:
                job.update(own)
        self._save()

    def file(self, name: str, text: str | bytes) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def checkpoint(self, run: str, step: int, *, torn: bool = False, place: str = "outputs") -> Path:
        data = safetensors()
        folder = f"{place}/{run}/checkpoint-{step}"
        self.file(f"{folder}/model.safetensors", data[:40] if torn else data)
        self.file(f"{folder}/trainer_state.json", json.dumps({"global_step": step, "epoch": step / 10}))
        return self.workspace / folder

    def serve(self) -> WandbServer:
        """A stand-in W&B service that this workspace's user has a key for; ended with the test."""
        from servers.wandb import WandbServer

        if self.wandb is None:
            self.wandb = WandbServer().__enter__()
            self.wandb.world.projects.add(("lab", "proj"))
        return self.wandb

    def place(self, **layout: Any) -> Place:
        environ = {"WANDB_CONFIG_DIR": str(self.workspace / "nowhere")}
        if self.wandb:
            environ |= {"WANDB_BASE_URL": self.wandb.url, "WANDB_API_KEY": "0123456789" * 4}
            environ |= {"WANDB_ENTITY": "lab", "WANDB_PROJECT": "proj"}
        return Place(
            self.workspace, checked(Layout, self.layout | layout), user_name(), Redactor(), slurm_bin=self.bin,
            environ=environ,
        )  # fmt: skip

    def status(self, **layout: Any) -> Status:
        return read_status(self.place(**layout), lambda: NOW)[0]

    def row(self, job: str, run: str | None = None, **layout: Any) -> RunRow:
        rows = [row for row in self.status(**layout).runs if row.job == job and run in (None, row.run)]
        assert len(rows) == 1, rows
        return rows[0]

    def _save(self) -> None:
        self._state.write_text(json.dumps({"jobs": self._jobs}))


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


def wandb_lines(run: str, sweep: str, folder: str = "/scratch/me/proj") -> str:
    """What wandb 0.31 writes to standard error under an agent."""
    return (
        "2026-11-20 10:00:00,530 - wandb.wandb_agent - INFO - Agent received command: run\n"
        f"2026-11-20 10:00:00,531 - wandb.wandb_agent - INFO - About to run command: /usr/bin/env python train.py\n"
        "wandb: Tracking run with wandb version 0.31.0\n"
        f"wandb: Run data is saved locally in {folder}/wandb/run-20261120_100002-{run}\n"
        f"wandb: 🧹 View sweep at https://wandb.ai/lab/proj/sweeps/{sweep}\n"
        f"wandb: 🚀 View run at https://wandb.ai/lab/proj/runs/{run}\n"
        f"2026-11-20 10:00:05,540 - wandb.wandb_agent - INFO - Running runs: ['{run}']\n"
    )


def ended(run: str) -> str:
    return f"2026-11-20 12:00:00,541 - wandb.wandb_agent - INFO - Cleaning up finished run: {run}\n"
