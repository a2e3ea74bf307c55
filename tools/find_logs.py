"""Which log files there are: of a job or run, with a text in them, or of no known job."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field

from tools.base import Args, Context, Output, Tool, ToolError, cut, to_text
from tools.explain_job import rows_named
from tools.look import Seen
from tools.sources import logs

MAX_FILES = 40
SEARCHED_FILES = 2_000
SEARCH_S = 5.0
DETAIL_AGE_S = 120.0


class FindLogsArgs(Args):
    job_or_run: str | None = Field(None, max_length=128)
    """Job, array task, array id or W&B run id; leave out for all logs, newest first."""
    contains: str | None = Field(None, min_length=2, max_length=100)
    """Only files that hold this text (in their first 128 KB or last 384 KB); the last such line is shown."""
    older_than_days: int | None = Field(None, ge=1)
    """Only files not written to for so many days."""


def find_logs(context: Context, args: FindLogsArgs) -> Output:
    """Where the log files are: path, size, age, which job they belong to and how that is known (Slurm said so, a
    pattern, the name, the content); also logs of no known job. Can search for a text. To read one, use tail_log."""
    status, seen = context.look(DETAIL_AGE_S)
    owner = {file.path: (job, file.found_by) for job, files in seen.log_files.items() for file in files}
    if args.job_or_run:
        jobs = {row.job for row in rows_named(args.job_or_run, status, seen) if row.job}
        paths: Iterable[str] = [file.path for job in sorted(jobs) for file in seen.log_files.get(job, ())]
        if not paths:
            known = f"jobs {', '.join(sorted(jobs))} have none" if jobs else "no such job or run is known"
            raise ToolError(f"no log file of {args.job_or_run} was found: {known}; see check_sweeps")
    else:
        paths = dict.fromkeys([*owner, *seen.index.logs])
    files = sorted(_facts(paths), key=lambda file: file[1], reverse=True)
    now = context.clock()
    if args.older_than_days:
        files = [file for file in files if now - file[1] > args.older_than_days * 86_400]
    hits: dict[str, str] = {}
    searched, stopped = len(files), None
    if args.contains:
        hits, searched, stopped = _search(files, args.contains)
        files = [file for file in files if file[0] in hits]
    entries = [_entry(file, owner, hits, seen, now) for file in files[:MAX_FILES]]
    payload = {
        "files": entries,
        "left_out": len(files) - len(entries) or None,
        "of_no_known_job": sum(1 for path, *_ in files if path not in owner),
        "searched": searched if args.contains else None,
        "stopped": stopped,
    }
    return Output(cut(to_text(context, payload), 12_000))


FIND_LOGS = Tool("find_logs", FindLogsArgs, find_logs)


def _facts(paths: Iterable[str]) -> Iterator[tuple[str, float, int]]:
    """Path, time and bytes of each that is there."""
    for path in paths:
        try:
            info = os.stat(path)
        except OSError:
            continue
        yield path, info.st_mtime, info.st_size


def _search(files: list[tuple[str, float, int]], text: str) -> tuple[dict[str, str], int, str | None]:
    """Path -> its last line with the text; how many files were searched; why not all."""
    found: dict[str, str] = {}
    deadline = time.monotonic() + SEARCH_S
    for count, (path, *_) in enumerate(files):
        if count >= SEARCHED_FILES or time.monotonic() > deadline:
            return found, count, f"stopped after {count} of {len(files)} files, the newest ones"
        log = logs.read(path)
        if log is None:
            continue
        line = next((i for i in range(len(log.lines) - 1, -1, -1) if text in log.lines[i]), None)
        if line is not None:
            found[path] = f"{log.numbers[line]}: {log.lines[line].strip()[:200]}"
    return found, len(files), None


def _entry(
    file: tuple[str, float, int], owner: dict[str, tuple[str, str]], hits: dict[str, str], seen: Seen, now: float
) -> dict[str, Any]:
    path, written, size = file
    job, how = owner.get(path, (None, None))
    return {
        "path": path.removeprefix(f"{seen.index.workspace}/"),
        "job": job,
        "found_by": how,
        "bytes": size,
        "age_s": int(max(0.0, now - written)),
        "line": hits.get(path),
    }
