"""Agents in an array with Slurm's own log names in the working folder, and no lines but wandb's own."""

from __future__ import annotations

from lab import Lab

from layouts import said
from layouts.files import agent_map

SWEEP = "q7w8e9r0"
SCRIPT = "#!/bin/bash\n#SBATCH --array=0-1\n#SBATCH --gres=gpu:1\n\nwandb agent lab/proj/" + SWEEP + "\n"
FIRST, SECOND, THIRD, LATE = "aaaa1111", "bbbb2222", "cccc3333", "dddd4444"


def build(lab: Lab, *, offline: bool = True, told: str = "slurm", silent: bool = False, emoji: bool = True) -> None:
    """Task 0 trains its third run; task 1 hit its time limit in its first. No ``--count``.

    ``told``: who names the log: ``slurm``, the ``script`` (by saying nothing), or only the file's ``name``.
    """
    if told == "script":
        lab.file("agent.sh", SCRIPT)
    default = f"{lab.workspace}/slurm-%A_%a.out" if told == "slurm" else "(null)"
    own = {"stdout": default, "stderr": "(null)", "submit_args": "agent.sh", "command": "agent.sh"}
    lab.job("48300_0", raw="48301", **own)
    lab.job("48300_1", "TIMEOUT", raw="48300", **own)
    lab.file("wandb/settings", "[default]\nentity = lab\nproject = proj\n")

    def start(run: str, arguments: str) -> str:
        lines = said.agent_starts(arguments)
        if not silent:
            lines += said.init(run, "/scratch/me/proj", sweep=SWEEP, offline=offline, emoji=emoji)
        agent_map(lab, SWEEP, run, lr=0.1, epochs=40)
        return lines + said.agent_runs(run)

    log = "wandb: Starting wandb agent 🕵️\n" + said.AGENT + "Running runs: []\n"
    log += start(FIRST, "--lr=0.1 --epochs=40") + said.epochs(1, 40) + _end(FIRST, offline, silent)
    log += start(SECOND, "--lr=0.2 --epochs=40") + said.epochs(1, 17)
    log += "Traceback (most recent call last):\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n"
    log += said.agent_ends(SECOND) + start(THIRD, "--lr=0.3 --epochs=40") + said.epochs(1, 9)
    lab.file("slurm-48300_0.out", log)
    log = start(LATE, "--lr=0.4 --epochs=40") + said.epochs(1, 22) + said.killed("48300", "TIME LIMIT")
    lab.file("slurm-48300_1.out", log)


def _end(run: str, offline: bool, silent: bool) -> str:
    return ("" if silent else said.finish(run, "/scratch/me/proj", offline=offline)) + said.agent_ends(run)
