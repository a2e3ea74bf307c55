"""Slurm's queue and accounting: one squeue and one sacct a look, read the same way on every version.

A delimiter that is new at every call can't be forged by a job name; the name stands last, so that newlines
and bars in it do no harm. Times come as epoch seconds (SLURM_TIME_FORMAT=%s: sacct cuts other formats).
JSON is not used: 20.11 has none, 22.05 reports every exit code as 0 and costs 15 times the time.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.data import Job
from tools.sources import log_paths
from tools.sources.command import CommandError, Finished, run

TIMEOUT_S = 10.0
WINDOW_DAYS = 14
MAX_TASKS = 10_000
"""Waiting tasks of one array that get a row of their own."""

# SLURM_BITSTR_LEN=0 keeps squeue from cutting long sets of array tasks without a closing bracket.
ENV = {"SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}

# squeue -O cuts every field at its width; a path that fills its field is taken as unknown.
PATH_WIDTH = 512
QUEUE_FIELDS: tuple[tuple[str, int], ...] = (
    ("JobArrayID", 2048),
    ("JobID", 20),
    ("State", 24),
    ("Reason", 120),
    ("UserName", 64),
    ("Partition", 64),
    ("SubmitTime", 20),
    ("StartTime", 20),
    ("EndTime", 20),
    ("TimeLimit", 24),
    ("TimeUsed", 24),
    ("RestartCnt", 8),
    ("NodeList", 128),
    ("WorkDir", PATH_WIDTH),
    ("STDOUT", PATH_WIDTH),
    ("STDERR", PATH_WIDTH),
    ("Command", PATH_WIDTH),
    ("Name", 256),
)
ACCOUNTING_FIELDS = (
    "JobID",
    "JobIDRaw",
    "State",
    "ExitCode",
    "Submit",
    "Start",
    "End",
    "ElapsedRaw",
    "TimelimitRaw",
    "Partition",
    "NodeList",
    "User",
    "WorkDir",
    "Reason",
)
# Not in every version: asked for where `sacct --helpformat` lists them.
ACCOUNTING_EXTRA = ("Restarts", "StdOut", "StdErr", "SubmitLine")


class SlurmError(Exception):
    """Slurm did not answer, or not in a form that can be read. One line that names the program."""


@dataclass(frozen=True, slots=True)
class Listing:
    jobs: tuple[Job, ...]
    unreadable: int
    """Records that could not be parsed."""


def read_queue(squeue: Path, user: str) -> Listing:
    """All jobs of ``user`` in the queue, waiting array tasks expanded. Raises SlurmError."""
    field, record = _delimiters()
    widths = [f"{name}:{width}{field}" for name, width in QUEUE_FIELDS[:-1]]
    name, width = QUEUE_FIELDS[-1]
    fmt = ",".join([*widths, f"{name}:{width}{record}"])
    done = _run(squeue, ["-h", "-t", "all", "-u", user, "-O", fmt])
    # squeue exits 0 for an unknown user, letter or field: only its error text tells
    if done.code != 0 or (done.err.strip() and not done.out.strip()):
        raise SlurmError(f"squeue: {_last_line(done)}")
    jobs: list[Job] = []
    bad = 0
    for text in done.out.split(record):
        if not text.strip("\n"):
            continue
        values = [value.rstrip(" ") for value in text.lstrip("\n").split(field)]
        if len(values) != len(QUEUE_FIELDS):
            bad += 1
            continue
        found = _queue_jobs(dict(zip((name for name, _ in QUEUE_FIELDS), values, strict=True)))
        bad += not found
        jobs.extend(found)
    return Listing(tuple(jobs), bad)


def read_accounting(sacct: Path, user: str, days: int = WINDOW_DAYS) -> Listing:
    """Every incarnation of the user's jobs of the last ``days`` days. Raises SlurmError.

    ``-D`` keeps the earlier incarnations of requeued jobs, which vanish otherwise.
    """
    known = {name.lower() for name in _run(sacct, ["--helpformat"]).out.split()}
    fields = [*ACCOUNTING_FIELDS, *(name for name in ACCOUNTING_EXTRA if name.lower() in known), "JobName"]
    field, _ = _delimiters()
    args = ["-X", "-D", "-n", "-p", f"--delimiter={field}", "-S", f"now-{days}days", "-E", "now"]
    done = _run(sacct, [*args, "-u", user, f"--format={','.join(fields)}"])
    if done.code != 0:
        raise SlurmError(f"sacct: {_last_line(done)}")
    values = done.out.split(field)  # -p ends each record with the delimiter: records are counted, not lines
    width = len(fields)
    jobs: list[Job] = []
    bad = 0
    for start in range(0, len(values) - 1, width):
        row = values[start : start + width]
        if len(row) < width:
            bad += 1
            continue
        jobs.extend(_accounting_jobs(dict(zip(fields, [row[0].lstrip("\n"), *row[1:]], strict=True))))
    return Listing(tuple(jobs), bad)


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


def seconds(text: str) -> int | None:
    """``D-HH:MM:SS`` and its short forms in seconds; UNLIMITED, INVALID and empty are None."""
    match = re.fullmatch(r"(?:(\d{1,6})-)?(?:(\d{1,6}):)?(\d{1,2}):(\d{2})", text.strip())
    if not match:
        return None
    days, hours, minutes, rest = (int(value or 0) for value in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def _delimiters() -> tuple[str, str]:
    nonce = secrets.token_hex(4)
    return f"\x1f{nonce}", f"\x1e{nonce}"


def _run(program: Path, args: Sequence[str]) -> Finished:
    try:
        return run(program, args, timeout=TIMEOUT_S, env=ENV)
    except CommandError as error:
        raise SlurmError(str(error)) from error


def _last_line(done: Finished) -> str:
    lines = [line.strip() for line in (done.err or done.out).splitlines() if line.strip()]
    said = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
    return (said.removeprefix("squeue: error: ").removeprefix("sacct: error: ") or f"exit code {done.code}")[
        :300
    ]


def _when(text: str) -> float | None:
    """Epoch seconds; N/A, Unknown, None, NONE and 0 mean not known or not yet."""
    return float(text) if re.fullmatch(r"[0-9]{6,12}", text) else None


def _path(text: str) -> str:
    return "" if len(text.encode()) >= PATH_WIDTH or text in {"(null)", "N/A"} else text


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


def _queue_jobs(row: dict[str, str]) -> Iterable[Job]:
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


def _accounting_jobs(row: dict[str, str]) -> Iterable[Job]:
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
                workdir=workdir,
                stdout=out,
                stderr=err if err != out else None,
                command=row.get("SubmitLine", ""),
                throttle=throttle,
                array_size=total if rest else None,
            )
        )
    return jobs
