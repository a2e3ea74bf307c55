"""Times of processes: wall-clock and processor seconds and peak memory of one, the median of several."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KIB = 1024
"""``ru_maxrss`` is in KiB on Linux."""


class Failed(Exception):
    """A process that was to be timed ended with an error."""


@dataclass(frozen=True, slots=True)
class Spent:
    seconds: float
    cpu_s: float
    """User and system, with those of the processes it started and waited for."""
    peak_mb: float
    """Of all its copies together where ``watched``, else of the largest one."""
    over: bool = False
    """It was ended at the limit: the seconds are a lower bound."""


def spent(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: str | None = None,
    limit_s: float = 600.0,
    watched: bool = False,
) -> Spent:
    """Run one process to its end, its output thrown away. Raises Failed with the last line of its error.

    ``watched``: its memory and that of its copies is looked at again and again, which takes time of its own.
    """
    began = time.perf_counter()
    with subprocess.Popen(
        argv, env=dict(env), cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        late = threading.Timer(limit_s, os.killpg, (process.pid, signal.SIGKILL))
        late.start()
        watch = _Watch(process.pid) if watched else None
        assert process.stderr
        said = process.stderr.read()
        _, code, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        late.cancel()
        together = watch.end() if watch else 0.0
        process.returncode = os.waitstatus_to_exitcode(code)
    over = process.returncode == -signal.SIGKILL and seconds >= limit_s
    if process.returncode != 0 and not over:
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["no words"])[-1]
        raise Failed(f"{' '.join(argv[:4])}: exit code {process.returncode}: {last}")
    peak = max(usage.ru_maxrss * KIB / 1e6, together)
    return Spent(seconds, usage.ru_utime + usage.ru_stime, peak, over)


class _Watch(threading.Thread):
    """The most memory that a process and the copies of itself have held at once: what they share counts once."""

    EVERY_S = 0.05

    def __init__(self, number: int) -> None:
        super().__init__(daemon=True)
        self._number, self._over, self._most = number, threading.Event(), 0
        self.start()

    def run(self) -> None:
        while not self._over.wait(self.EVERY_S):
            self._most = max(self._most, _held(self._number))

    def end(self) -> float:
        """In MB."""
        self._over.set()
        self.join()
        return self._most * KIB / 1e6


def _held(number: int) -> int:
    """KiB of a process and those below it, each page they share divided among them."""
    held = 0
    try:
        told = Path(f"/proc/{number}/smaps_rollup").read_text()
        held = int(told.partition("\nPss:")[2].split()[0])
        below = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        below += [
            child
            for task in Path(f"/proc/{number}/task").iterdir()
            if task.name != str(number)
            for child in (task / "children").read_text().split()
        ]
    except (OSError, IndexError, ValueError):
        return held  # it has ended meanwhile
    return held + sum(_held(int(child)) for child in below)


def median(measure: Callable[[], Spent], times: int) -> Spent:
    """The median times and the highest peak; one measure that ran over its limit is enough."""
    all_: list[Spent] = []
    for _ in range(times):
        all_.append(measure())
        if all_[-1].over:
            return all_[-1]
    return Spent(
        statistics.median(one.seconds for one in all_),
        statistics.median(one.cpu_s for one in all_),
        max(one.peak_mb for one in all_),
    )
