"""One record of squeue or sacct as jobs: array forms, states, times, log paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from tools.data import Job
from tools.sources.log_names import Names, fill
from tools.sources.log_paths import Submissions

MAX_TASKS = 10_000
"""Waiting tasks of one array that get a row of their own."""

# squeue -O cuts every field at its width; a path that fills its field is taken as unknown.
PATH_WIDTH = 512

_PLAIN = re.compile(r"[0-9]+(_[0-9]+)?")


def expand_tasks(array_task: str, limit: int = MAX_TASKS) -> tuple[list[str], int | None, int]:
    """``5_[1,4-8:2%3]`` as its ids, the throttle, and how many tasks there are in all.

    A plain id is returned as it is. A form that can't be read gives no ids.
    """
    if _PLAIN.fullmatch(array_task):
        return [array_task], None, 1
    match = re.fullmatch(r"([0-9]+)_\[([0-9,:-]+)(?:%([0-9]+))?\]", array_task)
    if not match:
        return [], None, 0
    ids: list[str] = []
    total = 0
    for part in match[2].split(","):
        piece = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9})(?::([0-9]{1,9}))?)?", part)
        if not piece:
            return [], None, 0
        tasks = range(int(piece[1]), int(piece[2] or piece[1]) + 1, max(1, int(piece[3] or 1)))
        total += len(tasks)
        ids += [f"{match[1]}_{task}" for task in tasks[: max(0, limit - len(ids))]]
    return ids, int(match[3]) if match[3] else None, total


@lru_cache(maxsize=1024)
def seconds(text: str) -> int | None:
    """``D-HH:MM:SS`` and its short forms in seconds; UNLIMITED, INVALID and empty are None."""
    match = re.fullmatch(r"(?:(\d{1,6})-)?(?:(\d{1,6}):)?(\d{1,2}):(\d{2})", text.strip())
    if not match:
        return None
    days, hours, minutes, rest = (int(value or 0) for value in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def _when(text: str) -> float | None:
    """Epoch seconds; N/A, Unknown, None, NONE and 0 mean not known or not yet."""
    return float(text) if 6 <= len(text) <= 12 and text.isascii() and text.isdigit() else None


def _path(text: str) -> str:
    wide = len(text if text.isascii() else text.encode()) >= PATH_WIDTH
    return "" if wide or text in {"(null)", "N/A"} else text


def _number(text: str) -> int | None:
    return int(text) if 1 <= len(text) <= 12 and text.isascii() and text.isdigit() else None


@lru_cache(maxsize=1024)
def _state(text: str) -> tuple[str, str | None]:
    """``CANCELLED by 1000`` as the bare word and who did it."""
    state, _, by = text.partition(" by ")
    return state.strip().rstrip("+"), by.strip() or None


def _gpus(tres: str) -> int | None:
    """``billing=4,cpu=4,gres/gpu=2,gres/gpu:a100=2``: the sum, which has no type.

    None without any: a cluster that does not track its GPUs shows none either.
    """
    if "gres/gpu" not in tres:
        return None
    plain = re.search(r"(?:^|,)gres/gpu=([0-9]{1,6})(?:,|$)", tres)
    typed = re.findall(r"(?:^|,)gres/gpu:[^=,]{1,60}=([0-9]{1,6})(?=,|$)", tres)
    return int(plain[1]) if plain else sum(map(int, typed))


def _counted(tres: str, what: str) -> int | None:
    """``cpu`` or ``node`` of ``billing=4,cpu=4,mem=400M,node=1``."""
    match = re.search(rf"(?:^|,){what}=([0-9]{{1,9}})(?:,|$)", tres)
    return int(match[1]) if match and int(match[1]) else None


def _memory(asked: str, tres: str) -> int | None:
    """``200M`` and ``4G`` are of the whole job; 20.11 says ``50Mn`` (each node) or ``100Mc`` (each CPU) instead."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)([KMGTP]?)([nc]?)", asked)
    if not match or float(match[1]) == 0:
        return None
    times = _counted(tres, "node" if match[3] == "n" else "cpu") if match[3] else 1
    return int(float(match[1]) * 1024 ** " KMGTP".index(match[2] or "M")) * times if times else None


@lru_cache(maxsize=1024)
def _given(tres: str, asked: str) -> tuple[int | None, int | None, int | None]:
    """GPUs, memory and nodes: the same in all jobs of a sweep."""
    return _gpus(tres), _memory(asked, tres), _counted(tres, "node")


_OVER = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "PREEMPTED", "NODE_FAIL"})


def queue_jobs(values: Sequence[str]) -> list[Job]:
    """``values`` stand in the order of ``slurm.QUEUE_FIELDS``."""
    (task, raw, state, reason, user, partition, submit, start, end, limit, used, restarts) = values[:12]
    (nodes, workdir, stdout, stderr, command, name) = values[12:]
    ids, throttle, total = expand_tasks(task)
    waiting = total > 1 or "[" in task
    workdir, stdout, stderr = _path(workdir), _path(stdout), _path(stderr)
    jobs = []
    for job_id in ids:
        names = Names(job_id, raw, name, user, nodes)
        out = None if waiting else fill(stdout, names, workdir)
        # 20.11 and 22.05 print the stdout pattern for STDERR where none was given, 24.11 prints (null)
        err = None if waiting else fill(stderr, names, workdir)
        jobs.append(
            Job(
                id=job_id,
                raw_id=raw,
                name=name,
                user=user,
                state=state,
                source="squeue",
                reason="" if reason == "None" else reason,
                submit=_when(submit),
                start=_when(start) if state != "PENDING" else None,
                end=_when(end) if state in _OVER else None,
                elapsed_s=seconds(used),
                limit_s=seconds(limit),
                restarts=_number(restarts),
                partition=partition,
                nodes=nodes,
                workdir=workdir,
                stdout=out,
                stderr=err if err != out else None,
                command=_path(command),
                throttle=throttle,
                array_size=total if waiting else None,
            )
        )
    return jobs


def accounting_jobs(values: Sequence[str], submissions: Submissions) -> list[Job]:
    """``values`` stand in the order of ``slurm.ACCOUNTING_FIELDS``, ``ACCOUNTING_EXTRA`` and the name; what the
    version does not tell is empty."""
    (task, raw, state, exit_code, submit, start, end, elapsed, limit, partition, nodes, user) = values[:12]
    (workdir, reason, tres, asked, restarts, stdout, stderr, line, name) = values[12:]
    ids, throttle, total = expand_tasks(task)
    rest = "[" in task
    state, by = _state(state)
    minutes = _number(limit)
    gpus, memory, node_count = _given(tres, asked)
    jobs = []
    for job_id in ids:
        out = err = None
        if not rest:
            names = Names(job_id, raw, name, user, nodes)
            out, err = fill(stdout, names, workdir), fill(stderr, names, workdir)
            if out is None:
                out, err = submissions.logs(line, names, workdir)
        jobs.append(
            Job(
                id=job_id,
                raw_id=raw,
                name=name,
                user=user,
                state=state,
                source="sacct",
                reason="" if reason == "None" else reason,
                exit_code=exit_code or None,
                cancelled_by=by,
                submit=_when(submit),
                start=_when(start),
                end=_when(end),
                elapsed_s=_number(elapsed),
                limit_s=minutes * 60 if minutes is not None else None,
                restarts=_number(restarts),
                partition=partition,
                nodes="" if nodes == "None assigned" else nodes,
                gpus=gpus,
                memory=memory,
                node_count=node_count,
                workdir=workdir,
                stdout=out,
                stderr=err if err != out else None,
                command=line,
                throttle=throttle,
                array_size=total if rest else None,
            )
        )
    return jobs
