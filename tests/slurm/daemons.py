"""Daemons that outlive the process which started them: recorded, found again, and ended by their record."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Variables that would steer Slurm's clients or W&B from outside.
STEERING = ("SLURM", "SBATCH", "SQUEUE", "SACCT", "SALLOC", "SCANCEL", "SINFO", "SRUN", "WANDB")


def plain_environment() -> dict[str, str]:
    """This process's environment without what steers Slurm or W&B."""
    return {name: value for name, value in os.environ.items() if not name.startswith(STEERING)}


class Daemons:
    """Processes by name: ``run/NAME`` holds pid and start time, ``log/NAME.out`` their output."""

    def __init__(self, prefix: Path) -> None:
        self._run = prefix / "run"
        self._log = prefix / "log"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str]) -> None:
        with (self._log / f"{name}.out").open("ab") as out:
            child = subprocess.Popen(
                argv,
                env=env,
                cwd=self._log,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[name] = child
        (self._run / name).write_text(f"{child.pid} {_started(child.pid)}", "utf-8")

    def pid(self, name: str) -> int | None:
        """The recorded process if it still lives; a pid that was reused since has another start time."""
        if name in self._children:
            self._children[name].poll()  # else it would stay as a zombie
        try:
            pid, started = (self._run / name).read_text("utf-8").split()
        except (OSError, ValueError):
            return None
        return int(pid) if str(_started(int(pid))) == started else None

    def end(self, name: str) -> None:
        """SIGTERM, and SIGKILL to its whole session after 10 s; returns once it is gone."""
        pid = self.pid(name)
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 10
            while self.pid(name) is not None:
                if time.monotonic() > deadline:
                    os.killpg(pid, signal.SIGKILL)
                time.sleep(0.02)
        if child := self._children.pop(name, None):
            child.wait()  # it is dead, but may still have to be reaped
        (self._run / name).unlink(missing_ok=True)

    def log_ends(self) -> str:
        logs = sorted(self._log.glob("*"))
        return "\n".join(f"{log.name}: {log.read_text('utf-8', 'replace')[-400:]}" for log in logs)


def end_left_over(prefix: Path, configuration: Path) -> list[int]:
    """Kills the step daemons of one cluster and what its jobs started; returns their pids.

    Step daemons outlive their node daemon on purpose. They keep its working folder (their environment is
    no mark: 24.11 writes their title over it); jobs carry the cluster's SLURM_CONF.
    """
    mark = f"SLURM_CONF={configuration}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            program = (entry / "exe").readlink().name
            folder = (entry / "cwd").readlink()
        except OSError:
            continue
        in_job = mark in environment and any(item.startswith(b"SLURM_JOB_ID=") for item in environment)
        if in_job or (program.startswith("slurmstepd") and folder.is_relative_to(prefix)):
            found.append(int(entry.name))
    found = [pid for pid in found if pid != os.getpid()]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where there is none or it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
