"""Where the log files of a job or run are, and the logs that belong to no known job."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from tools.base import MAX_RESULT_CHARS, Args, Context, Output, Tool, ToolError, more, to_text
from tools.compact import compact
from tools.data import Stream
from tools.diagnosis import disk
from tools.look import Seen
from tools.run_tools import DETAIL_AGE_S
from tools.slurm_tools import JobId
from tools.sources import log_search
from tools.sources.index import inside

FOUND_BY = {
    "slurm": "Slurm said",
    "script": "the batch script's header",
    "pattern": "a pattern of sweep-agent.yaml",
    "name": "the job's id in its path",
    "content": "the job's id in its text",
    "wandb": "the run's W&B folder",
}
MAX_STAT = 20_000
"""Files of no known job whose size and age are looked up."""


class FindLogsArgs(Args):
    job_id: JobId | None = None
    """Job, array task or whole array, such as 48213_5 or 48213."""
    run: str | None = Field(None, max_length=128)
    """W&B run id: the logs of every job that trained it, and its own console."""
    contains: str | None = Field(None, min_length=1, max_length=200)
    """Only files that hold this plain text (not a pattern; case doesn't matter) in their last MiB."""
    older_than_days: int | None = Field(None, ge=1, le=3650)
    """Only files not written for longer than this."""
    limit: int = Field(40, ge=1, le=200)
    """At most this many files, the newest first; the rest is counted."""


@compact
class _File:
    path: str
    job: str | None
    run: str | None
    stream: Stream
    found_by: str | None
    size: int
    written: float
    note: str | None = None


def find_logs(context: Context, args: FindLogsArgs) -> Output:
    """Where log files are: of a job, a run, or all, with size, age, stream and how each was found; logs of no known
    job too. ``contains`` searches in them, and the answer says what was not searched. To read one job's log use
    tail_log."""
    _, seen = context.look(DETAIL_AGE_S)
    files, gone = _known(seen)
    if args.job_id is not None:
        files = [file for file in files if file.job and args.job_id in (file.job, file.job.partition("_")[0])]
    if args.run is not None:
        files = [file for file in files if file.run and args.run in file.run.split()]
    unstatted = 0
    if args.job_id is None and args.run is None:
        others, unstatted = _nobodys(seen, {file.path for file in files})
        files += others
    elif not files:
        raise ToolError(_nothing(seen, args))
    if args.older_than_days is not None:
        files = [file for file in files if seen.at - file.written > args.older_than_days * disk.DAY_S]
    files.sort(key=lambda file: (-file.written, file.path))
    found = None
    if args.contains is not None:
        found = log_search.search(dict.fromkeys(file.path for file in files), args.contains)
        hits = {match.path: match for match in found.matches}
        files = [file for file in files if file.path in hits]
    limit = args.limit
    text = _text(context, seen, args, files, limit, found, gone, unstatted)
    while len(text) > MAX_RESULT_CHARS and limit > 1:
        limit = limit * 3 // 4
        text = _text(context, seen, args, files, limit, found, gone, unstatted)
    subjects = dict.fromkeys(name for file in files for name in (file.job, file.run) if name)
    return Output(text, facts=tuple(("seen", name, "log") for name in subjects))


FIND_LOGS = Tool("find_logs", FindLogsArgs, find_logs)


def _known(seen: Seen) -> tuple[list[_File], int]:
    """Files of known jobs and runs, and how many of them are gone by now."""
    runs: dict[str, list[str]] = {}
    for link in seen.links:
        if link.job and link.run:
            runs.setdefault(link.job.id, []).append(link.run)
    files: list[_File] = []
    gone = 0
    for job, group in seen.log_files.items():
        for one in group:
            note = "written by all tasks of the array" if one.shared else None
            note = "written over by a later job" if one.overwritten else note
            mark = _mark(one.path)
            if mark is None:
                gone += 1
                continue
            files.append(
                _File(one.path, job, " ".join(runs.get(job, ())) or None, one.stream, one.found_by, *mark, note)
            )
    files += [
        _File(path, folder.job, folder.run, "both", "wandb", *mark)
        for folder in seen.run_dirs
        if (path := folder.output_log) and inside(path, seen.index.roots) and (mark := _mark(path))
    ]
    return files, gone


def _nobodys(seen: Seen, known: set[str]) -> tuple[list[_File], int]:
    # a .txt is a log where its folder says so; requirements.txt and notes are not
    paths = [
        path
        for path in seen.index.logs
        if path not in known and (not path.endswith(".txt") or "log" in os.path.dirname(path).rpartition("/")[2])
    ]
    files = [_File(path, None, None, "both", None, *mark) for path in paths[:MAX_STAT] if (mark := _mark(path))]
    return files, max(0, len(paths) - MAX_STAT)


def _mark(path: str) -> tuple[int, float] | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_size, info.st_mtime


def _nothing(seen: Seen, args: FindLogsArgs) -> str:
    known = [link for link in seen.links if (link.job and args.job_id in (link.job.id, link.job.array_id))]
    known += [link for link in seen.links if args.run is not None and link.run == args.run]
    name = f"job {args.job_id}" if args.job_id else f"run {args.run}"
    if any(link.job and link.job.waiting for link in known):
        return f"{name} has not started: it has no log yet"
    if known:
        return f"no log file of {name} was found; set `logs` in sweep-agent.yaml if they lie in an unusual place"
    return f"nothing is known of {name}; check the id with squeue, sacct or check_sweeps"


def _text(
    context: Context,
    seen: Seen,
    args: FindLogsArgs,
    files: Sequence[_File],
    limit: int,
    found: log_search.Search | None,
    gone: int,
    unstatted: int,
) -> str:
    hits = {match.path: match for match in found.matches} if found else {}
    size = sum({file.path: file.size for file in files}.values())
    rows: list[dict[str, Any]] = []
    for file in files[:limit]:
        match = hits.get(file.path)
        rows.append(
            {
                "path": file.path.removeprefix(f"{seen.index.workspace}/"),
                "job": file.job,
                "run": file.run,
                "stream": file.stream if file.found_by else None,
                "bytes": file.size,
                "age_s": max(0, int(seen.at - file.written)),
                "found_by": FOUND_BY[file.found_by] if file.found_by else "of no known job",
                "note": file.note,
                "lines": match.lines if match else None,
                "last": match.text[:300] if match else None,
                "last_line": match.number if match else None,
            }
        )
    payload = {
        "files": rows,
        "total": len(files),
        "of_no_known_job": sum(file.found_by is None for file in files) or None,
        "bytes": size,
        "size": disk.words(size),
        "left_out": more(len(files) - limit, "job_id=…, run=… or a limit of up to 200"),
        "gone_since": gone or None,
        "not_looked_at": unstatted or None,
        "walk": seen.index.stopped,
        "search": {
            "for": args.contains,
            "files_searched": found.searched,
            "only_the_last_mib_of": found.only_ends or None,
            "unreadable": found.unreadable or None,
            "not_searched": found.left_out or None,
        }
        if found
        else None,
    }
    return to_text(context, payload)
