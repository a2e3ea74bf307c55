"""One record of squeue or sacct as jobs: array forms, states, times, log paths."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from tools.data import Job
from tools.sources import log_paths

MAX_TASKS = 10_000
"""Waiting tasks of one array that get a row of their own."""

# squeue -O cuts every field at its width; a path that fills its field is taken as unknown.
PATH_WIDTH = 512


def expand_tasks(array_task: str, limit: int = MAX_TASKS) -> tuple[list[str], int | None, int]:
    """``5_[1,4-8:2%3]`` as its ids, the throttle, and how many tasks there are in all.

    A plain id is returned as it is. A form that can't be read gives no ids.
    """
    if re.fullmatch(r"[0-9]+(_[0-9]+)?", array_task):
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
    return float(text) if re.fullmatch(r"[0-9]{6,12}", text) else None


def _path(text: str) -> str:
    return "" if len(text.encode()) >= PATH_WIDTH or text in {"(null)", "N/A"} else text


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


@lru_cache(maxsize=1024)
def _gpus(tres: str) -> int | None:
    """``billing=4,cpu=4,gres/gpu=2,gres/gpu:a100=2``: the sum, which has no type.

    None without any: a cluster that does not track its GPUs shows none either.
    """
    if "gres/gpu" not in tres:
        return None
    plain = re.search(r"(?:^|,)gres/gpu=([0-9]{1,6})(?:,|$)", tres)
    typed = re.findall(r"(?:^|,)gres/gpu:[^=,]{1,60}=([0-9]{1,6})(?=,|$)", tres)
    return int(plain[1]) if plain else sum(map(int, typed))


@lru_cache(maxsize=1024)
def _counted(tres: str, what: str) -> int | None:
    """``cpu`` or ``node`` of ``billing=4,cpu=4,mem=400M,node=1``."""
    match = re.search(rf"(?:^|,){what}=([0-9]{{1,9}})(?:,|$)", tres)
    return int(match[1]) if match and int(match[1]) else None


@lru_cache(maxsize=1024)
def _memory(asked: str, tres: str) -> int | None:
    """``200M`` and ``4G`` are of the whole job; 20.11 says ``50Mn`` (each node) or ``100Mc`` (each CPU) instead."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)([KMGTP]?)([nc]?)", asked)
    if not match or float(match[1]) == 0:
        return None
    times = _counted(tres, "node" if match[3] == "n" else "cpu") if match[3] else 1
    return int(float(match[1]) * 1024 ** " KMGTP".index(match[2] or "M")) * times if times else None


def queue_jobs(row: dict[str, str]) -> Iterable[Job]:
    ids, throttle, total = expand_tasks(row["JobArrayID"])
    waiting = total > 1 or "[" in row["JobArrayID"]
    workdir = _path(row["WorkDir"])
    jobs = []
    for job_id in ids:
        names = log_paths.Names(
            job=job_id, raw=row["JobID"], name=row["Name"], user=row["UserName"], nodes=row["NodeList"]
        )
        out = None if waiting else log_paths.fill(_path(row["STDOUT"]), names, workdir)
        # 20.11 and 22.05 print the stdout pattern for STDERR where none was given, 24.11 prints (null)
        err = None if waiting else log_paths.fill(_path(row["STDERR"]), names, workdir)
        state = row["State"]
        alive = state not in {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "PREEMPTED", "NODE_FAIL"}
        jobs.append(
            Job(
                id=job_id,
                raw_id=row["JobID"],
                name=row["Name"],
                user=row["UserName"],
                state=state,
                source="squeue",
                reason="" if row["Reason"] == "None" else row["Reason"],
                submit=_when(row["SubmitTime"]),
                start=_when(row["StartTime"]) if state != "PENDING" else None,
                end=None if alive else _when(row["EndTime"]),
                elapsed_s=seconds(row["TimeUsed"]),
                limit_s=seconds(row["TimeLimit"]),
                restarts=_number(row["RestartCnt"]),
                partition=row["Partition"],
                nodes=row["NodeList"],
                workdir=workdir,
                stdout=out,
                stderr=err if err != out else None,
                command=_path(row["Command"]),
                throttle=throttle,
                array_size=total if waiting else None,
            )
        )
    return jobs


def accounting_jobs(row: dict[str, str]) -> Iterable[Job]:
    ids, throttle, total = expand_tasks(row["JobID"])
    rest = "[" in row["JobID"]
    state, _, by = row["State"].partition(" by ")
    limit = _number(row["TimelimitRaw"])
    workdir = row["WorkDir"]
    jobs = []
    for job_id in ids:
        names = log_paths.Names(
            job=job_id, raw=row["JobIDRaw"], name=row["JobName"], user=row["User"], nodes=row["NodeList"]
        )
        out = None if rest else log_paths.fill(row.get("StdOut", ""), names, workdir)
        err = None if rest else log_paths.fill(row.get("StdErr", ""), names, workdir)
        if out is None and not rest:
            out, err = log_paths.from_submission(row.get("SubmitLine", ""), names, workdir)
        jobs.append(
            Job(
                id=job_id,
                raw_id=row["JobIDRaw"],
                name=row["JobName"],
                user=row["User"],
                state=state.strip().rstrip("+"),
                source="sacct",
                reason="" if row["Reason"] == "None" else row["Reason"],
                exit_code=row["ExitCode"] or None,
                cancelled_by=by.strip() or None,
                submit=_when(row["Submit"]),
                start=_when(row["Start"]),
                end=_when(row["End"]),
                elapsed_s=_number(row["ElapsedRaw"]),
                limit_s=limit * 60 if limit is not None else None,
                restarts=_number(row.get("Restarts", "")),
                partition=row["Partition"],
                nodes="" if row["NodeList"] == "None assigned" else row["NodeList"],
                gpus=_gpus(row.get("AllocTRES", "")),
                memory=_memory(row.get("ReqMem", ""), row.get("AllocTRES", "")),
                node_count=_counted(row.get("AllocTRES", ""), "node"),
                workdir=workdir,
                stdout=out,
                stderr=err if err != out else None,
                command=row.get("SubmitLine", ""),
                throttle=throttle,
                array_size=total if rest else None,
            )
        )
    return jobs
