"""A sweep on a real cluster, brought to every kind of end; and what its own files say about each task.

Six tasks of an array in ``low``: two are preempted, one runs out of time, one crashes on its configuration,
two go on. Beside it: a job that was preempted, requeued and runs again; a job with an awkward name; an array
whose tasks all wait.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import Cluster
from daemons import plain_environment

HERE = Path(__file__).parent
TASKS = range(6)
BROKEN = 4
REQUEUED_TASK = 7
SWEEP, OTHER_SWEEP, REQUEUED_RUN = "k3v9x2qd", "p7m1c4za", "h5t8w0rn"
ENTITY, PROJECT = "example-lab", "line-fit"
ODD_NAME = "odd|name\nsecond line"
SWEEP_YAML = """\
# Does the learning rate matter for a straight line?
name: line-sweep
method: random
program: train.py
parameters:
  learning_rate: {min: 0.01, max: 0.1}
"""


@dataclass(frozen=True)
class Seen:
    """The last progress line of one task's own log."""

    epoch: int
    step: int
    target: int


class Scene:
    def __init__(self, cluster: Cluster, workspace: Path) -> None:
        self.cluster = cluster
        self.workspace = workspace
        (workspace / "logs").mkdir()
        (workspace / "wandb").mkdir()
        (workspace / "wandb" / "settings").write_text(f"[default]\nentity = {ENTITY}\nproject = {PROJECT}\n")
        (workspace / "experiments").mkdir()
        (workspace / "experiments" / "line-sweep.yaml").write_text(SWEEP_YAML)
        shutil.copy(HERE / "sweep.sbatch", workspace)
        self._submit_all()
        cluster.wait("checkpoints of every task", self._all_under_way, seconds=60)
        self._choose()
        self._interfere()
        cluster.wait("ends in the accounting", self._all_ended, seconds=60)
        cluster.wait("second start of the requeued job", self._requeued, seconds=60)

    def _submit(self, *argv: str, cwd: Path | None = None) -> str:
        return self.cluster.run("sbatch", "--parsable", *argv, cwd=cwd or self.workspace)

    def _submit_all(self) -> None:
        job = ("sweep.sbatch", sys.executable, str(HERE / "train.py"))
        self.array = self._submit(f"--array={TASKS[0]}-{TASKS[-1]}", *job, SWEEP, str(BROKEN))
        self.cluster.wait("running tasks", lambda: len(self._tasks_on_nodes()) == len(TASKS))
        aside = next(node for node in self.cluster.nodes if node not in self._tasks_on_nodes().values())
        self._aside = aside
        place = (f"--nodelist={aside}", "--cpus-per-task=2")
        requeued = ("--partition=requeue", "--requeue", f"--array={REQUEUED_TASK}", *place)
        array = self._submit(*requeued, *job, OTHER_SWEEP, "none", REQUEUED_RUN)
        self.requeued = f"{array}_{REQUEUED_TASK}"
        odd = ("--partition=high", *place, f"--job-name={ODD_NAME}", "--output=logs/odd-%j.out")
        self.odd = self._submit(*odd, "--wrap=sleep 600")
        self.waiting = self._submit("--hold", "--array=4-7%2", *job, SWEEP, "none")
        self.never_began = self._submit("--hold", "--job-name=never", "--wrap=true")
        self.cluster.run("scancel", "--", self.never_began)

    def _tasks_on_nodes(self) -> dict[int, str]:
        shown = self.cluster.run("squeue", "-h", "-t", "R", "-j", self.array, "-o", "%K %N")
        return {int(task): node for task, node in (line.split() for line in shown.splitlines())}

    def _all_under_way(self) -> bool:
        """Enough checkpoints that the order of their names and of their numbers differ."""
        runs = [self.own_run(self.array, task) for task in TASKS if task != BROKEN]
        numbers = [self.checkpoints(run) if run else [] for run in (*runs, REQUEUED_RUN)]
        crashed = "is not in struct" in self.log(self.array, BROKEN, "err")
        return crashed and all(steps and steps[0] < 100 <= steps[-1] for steps in numbers)

    def _choose(self) -> None:
        """Two tasks that share a node, one that will run out of time, and the rest."""
        nodes = self._tasks_on_nodes()
        shared = next(node for node, count in Counter(nodes.values()).items() if count == 2)
        self._shared = shared
        self.victims = sorted(task for task, node in nodes.items() if node == shared)
        self.late, *self.live = sorted(set(nodes) - set(self.victims))

    def _interfere(self) -> None:
        elsewhere = self.cluster.prefix  # jobs of the same user that belong to no workspace
        for node, cpus, seconds in ((self._aside, 2, 1), (self._shared, 4, 600)):
            place = (f"--nodelist={node}", f"--cpus-per-task={cpus}")
            urgent = ("--partition=high", "--output=/dev/null", f"--wrap=sleep {seconds}")
            self._submit(*place, *urgent, cwd=elsewhere)
        self.cluster.run("scontrol", "update", f"JobId={self.array}_{self.late}", "EndTime=now+2")

    def _all_ended(self) -> bool:
        shown = self.cluster.run("sacct", "-X", "-n", "-P", "-j", self.array, "--format=JobID,State")
        states = dict(line.split("|") for line in shown.splitlines())
        expected = {f"{self.array}_{task}": self.state(task) for task in TASKS}
        return states == expected

    def _requeued(self) -> bool:
        fields = ("-O", "State:20,RestartCnt:9")
        shown = self.cluster.run("squeue", "-h", "-j", self.requeued, *fields, check=False)
        array, _, task = self.requeued.partition("_")
        return shown.split() == ["RUNNING", "1"] and "Resuming from" in self.log(array, task, "out")

    # --- what is so, by the tasks' own files -------------------------------------------------------------

    def state(self, task: int) -> str:
        """The state that Slurm must show for a task of the array."""
        if task in self.victims:
            return "PREEMPTED"
        return {self.late: "TIMEOUT", BROKEN: "FAILED"}.get(task, "RUNNING")

    def log(self, array: str, task: int | str, stream: str) -> str:
        path = self.workspace / "logs" / f"sweep_{array}_{task}.{stream}"
        return path.read_text("utf-8") if path.exists() else ""

    def own_run(self, array: str, task: int | str) -> str | None:
        """The run id that W&B's client printed into the task's own log."""
        log = self.log(array, task, "err")
        found = re.findall(r"saved locally in \S*/offline-run-\d{8}_\d{6}-(\w+)", log)
        return found[-1] if found else None

    def seen(self, array: str, task: int | str) -> Seen:
        lines = re.findall(r"^epoch (\d+)/(\d+) step=(\d+) ", self.log(array, task, "out"), re.MULTILINE)
        epoch, target, step = lines[-1]
        return Seen(int(epoch), int(step), int(target))

    def checkpoints(self, run: str) -> list[int]:
        folders = (self.workspace / "outputs" / run).glob("checkpoint-*")
        return sorted(int(folder.name.partition("-")[2]) for folder in folders)

    # --- what the agent says -----------------------------------------------------------------------------

    def ask(self, home: Path) -> dict[str, Any]:
        """``agent status --json`` as a user runs it; ``home`` is where it keeps its state."""
        done = subprocess.run(
            [Path(sys.executable).with_name("agent"), "status", "--json", "--workspace", self.workspace],
            env={
                "HOME": str(home),
                "PATH": plain_environment().get("PATH", os.defpath),
                "SLURM_CONF": self.cluster.env["SLURM_CONF"],
                "SWEEP_AGENT_SLURM_BIN": str(self.cluster.bin),
                "XDG_STATE_HOME": str(home / "state"),
            },
            cwd=home,
            capture_output=True,
            text=True,
            timeout=45,
        )
        assert done.returncode == 0, done.stderr
        status = json.loads(done.stdout)
        assert isinstance(status, dict)
        return status
