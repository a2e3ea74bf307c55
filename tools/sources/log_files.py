"""Finding the log files of a job: where Slurm says, by pattern, by id in the path, by content."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.data import Job, Stream
from tools.sources import log_numbers, log_paths, logs
from tools.sources.index import Index, inside, written
from tools.sources.log_names import Names

MAX_FILES_PER_JOB = 6

CONTENT_FILES = 200
"""Files without a job id in their path that are searched for one by content, newest first."""

_OWN_ID = re.compile(
    r"SLURM_(?:ARRAY_)?JOB_?ID['\"]?\s?[=:]\s?['\"]?(\d{1,12})|\*\*\* JOB (\d{1,12}) ON "
    r"|JobEnvironment\(job_id=(\d{1,12})"
)

_ERR_ENDS, _OUT_ENDS = (".err", ".stderr", ".error"), (".out", ".stdout")
"""How most are named; the patterns say the same, more slowly."""

_ERR_NAME = re.compile(r"(?:\.err|\.stderr|\.error)$|(?:^|[/_.-])(?:err|stderr)(?:[/_.-]|$)")

_OUT_NAME = re.compile(r"(?:\.out|\.stdout)$|(?:^|[/_.-])(?:out|stdout)(?:[/_.-]|$)")


class LogFile(NamedTuple):
    path: str
    stream: Stream
    found_by: str
    """``slurm``, ``script``, ``pattern``, ``name`` or ``content``."""
    shared: bool = False
    """Named after the whole array: other tasks write to it as well."""
    overwritten: bool = False
    """A later job wrote to the same name: what stands in it is not this job's."""
    problem: str | None = None
    """Why it can't be read, though Slurm says that it is this one."""


def find(jobs: Sequence[Job], index: Index, patterns: Sequence[str] = ()) -> dict[str, tuple[LogFile, ...]]:
    """The log files of each job id: where Slurm says, else by pattern, by id in the path, by content.

    ``patterns`` come from the project file; ``{job}``, ``{array}``, ``{task}``, ``{name}`` stand for the
    job's own, ``*`` for anything. Only files that exist are returned.
    """
    submissions, walked = log_paths.Submissions(), frozenset(index.logs)
    told = [_told_by_slurm(job, submissions, walked) or _by_pattern(job, index, patterns) for job in jobs]
    numbered = log_numbers.Numbered(index, [job for job, files in zip(jobs, told, strict=True) if not files])
    found: dict[str, tuple[LogFile, ...]] = {}
    for job, files in zip(jobs, told, strict=True):
        if files := (files or _by_name(job, numbered))[:MAX_FILES_PER_JOB]:
            found[job.id] = files
    found = _own_only(found, {job.id: job for job in jobs})
    missing = [job for job in jobs if job.id not in found and (job.start is not None or not job.waiting)]
    if missing:
        claimed = {file.path for files in found.values() for file in files}
        found.update(_by_content(missing, [path for path in index.logs if path not in claimed]))
    return found


def _own_only(found: Mapping[str, tuple[LogFile, ...]], jobs: Mapping[str, Job]) -> dict[str, tuple[LogFile, ...]]:
    """A file that several jobs name: shared where tasks of one array write to it, else the last starter's.

    A name without an id (``train.out``) is overwritten by the next job: the older one's words are gone.
    """
    named = Counter(file.path for files in found.values() for file in files if not file.shared)
    claims: dict[str, list[Job]] = {path: [] for path, times in named.items() if times > 1}
    if not claims:
        return dict(found)
    for job_id, files in found.items():
        for file in files:
            if file.path in claims and not file.shared:
                claims[file.path].append(jobs[job_id])
    whose = {path: _whose(claimants) for path, claimants in claims.items()}

    def told(file: LogFile, job_id: str) -> LogFile:
        last = None if file.shared else whose.get(file.path)
        if last is None:
            return file
        return file._replace(overwritten=last != job_id) if last else file._replace(shared=True)

    return {job_id: tuple(told(file, job_id) for file in files) for job_id, files in found.items()}


def _whose(claimants: Iterable[Job]) -> str | None:
    """Of the jobs that name one file the last to start; empty where all are tasks of one array, None where one alone
    has started."""
    started = [job for job in claimants if job.start is not None]
    if len(started) < 2:
        return None
    return "" if len({job.array_id for job in started}) == 1 else max(started, key=lambda job: job.start or 0.0).id


def _told_by_slurm(job: Job, submissions: log_paths.Submissions, walked: Collection[str]) -> tuple[LogFile, ...]:
    out, err, how = job.stdout, job.stderr, "slurm"
    if out is None and job.command:
        names = Names(job.id, job.raw_id, job.name, job.user, job.nodes)
        out, err = submissions.logs(job.command, names, job.workdir)
        how = "script"
    found = {}
    for path in (out, err):
        if path and (problem := _problem(path, walked)) != _GONE:
            found[path] = problem
    return _paired(found, how)


_GONE = "is not there"


def _problem(path: str, walked: Collection[str]) -> str | None:
    # the walk has just met it as a file: it need not be asked what it is
    if path in walked and os.access(path, os.R_OK):
        return None
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        return f"can't be read: {error.strerror}"
    if not stat.S_ISREG(mode):
        return "is no file (a pipe, a device or a folder)"
    return None if os.access(path, os.R_OK) else "can't be read: Permission denied"


def _by_pattern(job: Job, index: Index, patterns: Sequence[str]) -> tuple[LogFile, ...]:
    files: list[str] = []
    for pattern in patterns:
        values = {
            "job": job.id,
            "array": job.array_id,
            "task": job.task or "*",
            "name": job.name,
            "raw": job.raw_id,
        }
        for name, value in values.items():
            pattern = pattern.replace(f"{{{name}}}", value)
        relative = not pattern.startswith("/")
        base = Path(index.workspace) if relative else Path("/")
        try:
            hits = sorted(base.glob(pattern.lstrip("/")))[:MAX_FILES_PER_JOB]
        except (ValueError, NotImplementedError, OSError):
            continue  # a pattern of the project file that no path can match: the next way may find the log
        files += [str(hit) for hit in hits if hit.is_file() and inside(str(hit), index.roots)]
    return _paired(dict.fromkeys(files), "pattern")


def _by_name(job: Job, numbered: log_numbers.Numbered) -> tuple[LogFile, ...]:
    """``A_T`` first, then the task's own raw id, then the bare array id (one file for all its tasks)."""
    if job.task is None:
        return _paired(dict.fromkeys(numbered.any(job.id)), "name")
    # the raw id of the array's last-started task is the array's own id: no evidence for one task
    own_id = job.raw_id if job.raw_id != job.array_id else ""
    if own := numbered.task(job.array_id, job.task) or numbered.any(own_id):
        return _paired(dict.fromkeys(own), "name")
    return _paired(dict.fromkeys(numbered.alone(job.array_id)), "name", shared=True)


def _by_content(jobs: Iterable[Job], paths: Iterable[str]) -> dict[str, tuple[LogFile, ...]]:
    wanted: dict[str, str] = {}
    for job in jobs:
        wanted.setdefault(job.raw_id, job.id)
    newest = sorted(((written(path), path) for path in paths), reverse=True)[:CONTENT_FILES]
    found: dict[str, list[str]] = defaultdict(list)
    for _, path in newest:
        text = logs.read(path, head=32 << 10, tail=32 << 10, between=0)
        if text is None:
            continue
        for line in text.lines:
            match = _OWN_ID.search(line)
            if match and (job_id := wanted.get(match[1] or match[2] or match[3])):
                found[job_id].append(path)
                break
    return {job_id: _paired(dict.fromkeys(own), "content")[:MAX_FILES_PER_JOB] for job_id, own in found.items()}


def with_streams(paths: Sequence[str]) -> tuple[LogFile, ...]:
    """Files somebody named by hand, told apart as standard output and error by their names."""
    return _paired(dict.fromkeys(paths), "given")


_RANK: Mapping[Stream, int] = {"out": 0, "both": 1, "err": 2}


def _paired(files: Mapping[str, str | None], found_by: str, *, shared: bool = False) -> tuple[LogFile, ...]:
    """Path -> why it can't be read, as log files: standard output first. A lone file is taken to hold both streams."""
    alone = len(files) == 1
    told = [
        LogFile(path, "both" if alone else _stream(path), found_by, shared, False, problem)
        for path, problem in files.items()
    ]
    return tuple(sorted(told, key=lambda file: _RANK[file.stream]))


def _stream(path: str) -> Stream:
    if "err" in path and (path.endswith(_ERR_ENDS) or _ERR_NAME.search(path)):
        return "err"
    return "out" if path.endswith(_OUT_ENDS) or _OUT_NAME.search(path) else "both"
