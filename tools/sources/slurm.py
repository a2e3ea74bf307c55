"""Slurm's queue and accounting: one squeue and one sacct a look, read the same way on every version.

A delimiter that is new at every call can't be forged by a job name; the name stands last, so that newlines
and bars in it do no harm. Times come as epoch seconds (SLURM_TIME_FORMAT=%s: sacct cuts other formats).
JSON is not used: 20.11 has none, 22.05 reports every exit code as 0 and costs 15 times the time.
"""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path

from tools.compact import compact
from tools.data import Job
from tools.sources.command import CommandError, Finished, run
from tools.sources.log_paths import Submissions
from tools.sources.slurm_rows import PATH_WIDTH, accounting_jobs, queue_jobs

TIMEOUT_S = 10.0
WINDOW_DAYS = 14

# SLURM_BITSTR_LEN=0 keeps squeue from cutting long sets of array tasks without a closing bracket.
ENV = {"SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}

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
ACCOUNTING_EXTRA = ("AllocTRES", "ReqMem", "Restarts", "StdOut", "StdErr", "SubmitLine")
_OFTEN_THE_SAME = frozenset(
    "State ExitCode Partition NodeList User WorkDir Reason AllocTRES ReqMem SubmitLine JobName".split()
)
_ACCOUNTING_ORDER = (*ACCOUNTING_FIELDS, *ACCOUNTING_EXTRA, "JobName")


_RSS = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)([KMGT]?)")


# Without states a windowed query leaves out what never became eligible: jobs cancelled while they waited.
ALL_STATES = "BF,CA,CD,DL,F,NF,OOM,PD,PR,R,RQ,RS,RV,S,TO"


class SlurmError(Exception):
    """Slurm did not answer, or not in a form that can be read. One line that names the program."""


@compact
class Listing:
    jobs: tuple[Job, ...]
    unreadable: int
    """Records that could not be parsed."""


def on_cluster(cluster: str | None) -> tuple[str, ...]:
    """The arguments that send a Slurm command to one cluster, not to the default one."""
    return ("-M", cluster) if cluster else ()


def read_queue(squeue: Path, user: str, cluster: str | None = None) -> Listing:
    """All jobs of ``user`` in the queue, waiting array tasks expanded. Raises SlurmError."""
    field, record = _delimiters()
    widths = [f"{name}:{width}{field}" for name, width in QUEUE_FIELDS[:-1]]
    name, width = QUEUE_FIELDS[-1]
    fmt = ",".join([*widths, f"{name}:{width}{record}"])
    # with -h no version prints its "CLUSTER: name" line (20.11, 22.05, 24.11)
    done = _run(squeue, [*on_cluster(cluster), "-h", "-t", "all", "-u", user, "-O", fmt])
    # squeue exits 0 for an unknown user, letter or field: only its error text tells
    if done.code != 0 or (done.err.strip() and not done.out.strip()):
        raise SlurmError(f"squeue: {_last_line(done)}")
    jobs: list[Job] = []
    bad = 0
    for text in done.out.split(record):
        if not text.strip("\n"):
            continue
        # users, folders, names and commands are the same in thousands of rows
        values = [sys.intern(value) for value in _unpadded(text.lstrip("\n").split(field))]
        if len(values) != len(QUEUE_FIELDS):
            bad += 1
            continue
        found = queue_jobs(values)
        bad += not found
        jobs.extend(found)
    return Listing(tuple(jobs), bad)


def _unpadded(values: Iterable[str]) -> Iterator[str]:
    """Without the spaces that fill each field up to its width. ``rstrip`` takes them one by one, and of the four
    thousand of a record that takes longer than all the rest: what begins with two spaces mostly is nothing else."""
    for value in values:
        head = value[: value.find("  ")]
        yield head if head.ljust(len(value)) == value else value.rstrip(" ")


def read_accounting(sacct: Path, user: str, days: int = WINDOW_DAYS, cluster: str | None = None) -> Listing:
    """Every incarnation of the user's jobs of the last ``days`` days. Raises SlurmError.

    ``-D`` keeps the earlier incarnations of requeued jobs, which vanish otherwise. A cluster that is not known has
    no jobs and no error here: only squeue says so.
    """
    began = time.monotonic()
    known = {name.lower() for name in _run(sacct, ["--helpformat"]).out.split()}
    left = TIMEOUT_S - (time.monotonic() - began)
    fields = [*ACCOUNTING_FIELDS, *(name for name in ACCOUNTING_EXTRA if name.lower() in known), "JobName"]
    field, _ = _delimiters()
    args = [*on_cluster(cluster), "-X", "-D", "-n", "-p", f"--delimiter={field}", "-S", f"now-{days}days", "-E", "now"]
    done = _run(sacct, [*args, "-u", user, "-s", ALL_STATES, f"--format={','.join(fields)}"], left)
    if done.code != 0:
        raise SlurmError(f"sacct: {_last_line(done)}")
    values = done.out.split(field)  # -p ends each record with the delimiter: records are counted, not lines
    whole, rest = divmod(len(values) - 1, len(fields))
    submissions = Submissions()
    jobs: list[Job] = []
    for row in _rows(values[: whole * len(fields)], fields):
        jobs.extend(accounting_jobs(row, submissions))
    return Listing(tuple(jobs), int(rest > 0))


def _rows(values: Sequence[str], fields: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Each record in the order that ``accounting_jobs`` knows; what this version does not tell is empty."""
    columns: dict[str, Iterable[str]] = {name: values[at :: len(fields)] for at, name in enumerate(fields)}
    columns[fields[0]] = (value.lstrip("\n") for value in columns[fields[0]])
    for name in _OFTEN_THE_SAME.intersection(fields):
        columns[name] = map(sys.intern, columns[name])
    return zip(*(columns.get(name, repeat("")) for name in _ACCOUNTING_ORDER), strict=False)


@compact
class Used:
    """What the largest task of a job's largest step used."""

    memory: int
    """MaxRSS in bytes, as Slurm sampled it."""
    tasks: int | None
    """Tasks of that step."""


def read_memory(sacct: Path, jobs: Sequence[str], cluster: str | None = None) -> dict[str, Used]:
    """Most memory that a task of any step of each job used; jobs without a measurement are left out.

    Raises SlurmError.
    """
    done = _run(sacct, [*on_cluster(cluster), "-n", "-P", "--format=JobID,NTasks,MaxRSS", "-j", ",".join(jobs)])
    if done.code != 0:
        raise SlurmError(f"sacct: {_last_line(done)}")
    most: dict[str, Used] = {}
    for line in done.out.splitlines():
        step, tasks, text = [*line.split("|"), "", ""][:3]
        match = _RSS.fullmatch(text.strip())
        if match:
            job = step.partition(".")[0]
            memory = int(float(match[1]) * 1024 ** " KMGT".index(match[2] or " "))
            if job not in most or memory > most[job].memory:
                most[job] = Used(memory, int(tasks) if re.fullmatch("[0-9]{1,9}", tasks) else None)
    return most


def _delimiters() -> tuple[str, str]:
    nonce = secrets.token_hex(4)
    return f"\x1f{nonce}", f"\x1e{nonce}"


def _run(program: Path, args: Sequence[str], timeout: float = TIMEOUT_S) -> Finished:
    try:
        return run(program, args, timeout=max(1.0, timeout), env=ENV)
    except CommandError as error:
        raise SlurmError(str(error)) from error


def _last_line(done: Finished) -> str:
    """What the program itself calls the reason: its fatal line, else its first error."""
    lines = [line.strip() for line in (done.err or done.out).splitlines() if line.strip()]
    told = [line for word in ("no cluster", "fatal:", "error") for line in lines if word in line.lower()]
    said = re.sub(r"^(?:squeue|sacct): (?:(?:error|fatal): )?", "", (told or lines or [""])[0])
    return said[:300] or f"exit code {done.code}"
