"""Finding the log files of a job: where Slurm says, by pattern, by id in the path, by content."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from tools.compact import compact
from tools.data import Job, Stream
from tools.sources import log_paths, logs
from tools.sources.index import Index, inside, written

MAX_FILES_PER_JOB = 6

CONTENT_FILES = 200
"""Files without a job id in their path that are searched for one by content, newest first."""

_IDS = re.compile(r"(?<!\d)(\d{1,12})(?:[_-](\d{1,9}))?(?!\d)")

_OWN_ID = re.compile(
    r"SLURM_(?:ARRAY_)?JOB_?ID['\"]?\s?[=:]\s?['\"]?(\d{1,12})|\*\*\* JOB (\d{1,12}) ON "
    r"|JobEnvironment\(job_id=(\d{1,12})"
)

_ERR_NAME = re.compile(r"(?:\.err|\.stderr|\.error)$|(?:^|[/_.-])(?:err|stderr)(?:[/_.-]|$)")

_OUT_NAME = re.compile(r"(?:\.out|\.stdout)$|(?:^|[/_.-])(?:out|stdout)(?:[/_.-]|$)")


@compact
class LogFile:
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
    found: dict[str, tuple[LogFile, ...]] = {}
    by_id: dict[str, list[tuple[str, str | None]]] | None = None
    for job in jobs:
        files = _told_by_slurm(job) or _by_pattern(job, index, patterns)
        if not files:
            by_id = _ids_in(index) if by_id is None else by_id
            files = _by_name(job, by_id)
        if files:
            found[job.id] = _paired(files)[:MAX_FILES_PER_JOB]
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
    claims: dict[str, list[Job]] = defaultdict(list)
    for job_id, files in found.items():
        for file in files:
            if not file.shared:
                claims[file.path].append(jobs[job_id])
    kept: dict[str, tuple[LogFile, ...]] = {}
    for job_id, files in found.items():
        own = []
        for file in files:
            claimants = [] if file.shared else [job for job in claims[file.path] if job.start is not None]
            if len(claimants) > 1 and len({job.array_id for job in claimants}) == 1:
                file = replace(file, shared=True)
            elif len(claimants) > 1 and max(claimants, key=lambda job: job.start or 0.0).id != job_id:
                file = replace(file, overwritten=True)
            own.append(file)
        kept[job_id] = tuple(own)
    return kept


def _told_by_slurm(job: Job) -> list[LogFile]:
    out, err, how = job.stdout, job.stderr, "slurm"
    if out is None and job.command:
        names = log_paths.Names(job.id, job.raw_id, job.name, job.user, job.nodes)
        out, err = log_paths.from_submission(job.command, names, job.workdir)
        how = "script"
    found = [(path, _problem(path)) for path in (out, err) if path]
    return [LogFile(path, "both", how, problem=problem) for path, problem in found if problem != _GONE]


_GONE = "is not there"


def _problem(path: str) -> str | None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        return f"can't be read: {error.strerror}"
    if not stat.S_ISREG(mode):
        return "is no file (a pipe, a device or a folder)"
    return None if os.access(path, os.R_OK) else "can't be read: Permission denied"


def _by_pattern(job: Job, index: Index, patterns: Sequence[str]) -> list[LogFile]:
    files = []
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
        hits = [hit for hit in hits if hit.is_file() and inside(str(hit), index.roots)]
        files += [LogFile(str(hit), "both", "pattern") for hit in hits]
    return files


def _ids_in(index: Index) -> dict[str, list[tuple[str, str | None]]]:
    """Number in the path (below the workspace) -> (file, the number after it)."""
    by_id: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for path in index.logs:
        for match in _IDS.finditer(path.removeprefix(index.workspace)):
            by_id[match[1]].append((path, match[2]))
            if match[2]:
                by_id[match[2]].append((path, None))
    return by_id


def _by_name(job: Job, by_id: Mapping[str, list[tuple[str, str | None]]]) -> list[LogFile]:
    """``A_T`` first, then the task's own raw id, then the bare array id (one file for all its tasks)."""
    if job.task is not None:
        numbered = [(path, int(task)) for path, task in by_id.get(job.array_id, ()) if task is not None]
        exact = [path for path, task in numbered if task == int(job.task)]
        if exact:
            return [LogFile(path, "both", "name") for path in exact]
        # the raw id of the array's last-started task is the array's own id: no evidence for one task
        own = by_id.get(job.raw_id, ()) if job.raw_id != job.array_id else ()
        if own:
            return [LogFile(path, "both", "name") for path, _ in own]
        whole = [path for path, task in by_id.get(job.array_id, ()) if task is None]
        return [LogFile(path, "both", "name", shared=True) for path in whole]
    return [LogFile(path, "both", "name") for path, _ in by_id.get(job.id, ())]


def _by_content(jobs: Iterable[Job], paths: Iterable[str]) -> dict[str, tuple[LogFile, ...]]:
    wanted: dict[str, str] = {}
    for job in jobs:
        wanted.setdefault(job.raw_id, job.id)
    newest = sorted(((written(path), path) for path in paths), reverse=True)[:CONTENT_FILES]
    found: dict[str, list[LogFile]] = defaultdict(list)
    for _, path in newest:
        text = logs.read(path, head=32 << 10, tail=32 << 10, between=0)
        if text is None:
            continue
        for line in text.lines:
            match = _OWN_ID.search(line)
            if match and (job_id := wanted.get(match[1] or match[2] or match[3])):
                found[job_id].append(LogFile(path, "both", "content"))
                break
    return {job_id: _paired(files)[:MAX_FILES_PER_JOB] for job_id, files in found.items()}


def with_streams(paths: Sequence[str]) -> tuple[LogFile, ...]:
    """Files somebody named by hand, told apart as standard output and error by their names."""
    return _paired([LogFile(path, "both", "given") for path in paths])


_ORDER: tuple[Stream, ...] = ("out", "both", "err")
_rank = itemgetter(0)


def _paired(files: Sequence[LogFile]) -> tuple[LogFile, ...]:
    """Standard output first. A lone file is taken to hold both streams."""
    unique = list({file.path: file for file in files}.values())
    if len(unique) == 1:
        return tuple(unique)
    ranked: list[tuple[int, LogFile]] = []
    for file in unique:
        path = file.path
        stream: Stream = (
            "err" if "err" in path and _ERR_NAME.search(path) else "out" if _OUT_NAME.search(path) else "both"
        )
        # not replace(): tens of thousands of files, and it takes five times as long
        told = LogFile(path, stream, file.found_by, file.shared, file.overwritten, file.problem)
        ranked.append((_ORDER.index(stream), told))
    return tuple(file for _, file in sorted(ranked, key=_rank))
