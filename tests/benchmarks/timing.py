"""Times of processes: wall-clock seconds and peak memory of one, the median of several."""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

KIB = 1024
"""``ru_maxrss`` is in KiB on Linux."""


class Failed(Exception):
    """A process that was to be timed ended with an error."""


@dataclass(frozen=True, slots=True)
class Spent:
    seconds: float
    peak_mb: float
    over: bool = False
    """It was ended at the limit: the seconds are a lower bound."""


def spent(argv: Sequence[str], env: Mapping[str, str], *, cwd: str | None = None, limit_s: float = 600.0) -> Spent:
    """Run one process to its end, its output thrown away. Raises Failed with the last line of its error."""
    began = time.perf_counter()
    with subprocess.Popen(
        argv, env=dict(env), cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        late = threading.Timer(limit_s, os.killpg, (process.pid, signal.SIGKILL))
        late.start()
        assert process.stderr
        said = process.stderr.read()
        _, code, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        late.cancel()
        process.returncode = os.waitstatus_to_exitcode(code)
    over = process.returncode == -signal.SIGKILL and seconds >= limit_s
    if process.returncode != 0 and not over:
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["no words"])[-1]
        raise Failed(f"{' '.join(argv[:4])}: exit code {process.returncode}: {last}")
    return Spent(seconds, peak_mb(usage), over)


def peak_mb(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * KIB / 1e6


def median(measure: Callable[[], Spent], times: int) -> Spent:
    """The median time and the highest peak; one measure that ran over its limit is enough."""
    all_: list[Spent] = []
    for _ in range(times):
        all_.append(measure())
        if all_[-1].over:
            return all_[-1]
    return Spent(statistics.median(one.seconds for one in all_), max(one.peak_mb for one in all_))
