"""What takes the disk: by folder, checkpoints of runs, orphans, old logs."""

from __future__ import annotations

import os
from typing import Any

from pydantic import Field

from tools.base import Args, Context, Output, Tool, cut, to_text
from tools.diagnosis.disk import RunCheckpoints, human, old_logs, orphans
from tools.look import Seen
from tools.run_files import job_ids
from tools.sources import checkpoints, usage

DETAIL_AGE_S = 120.0
"""Which run is which may be this old; the disk is measured anew."""


class DiskUsageArgs(Args):
    top: int = Field(10, ge=1, le=30)
    """So many of each list, the largest first."""
    older_than_days: int = Field(30, ge=1, le=3650)
    """Logs older than this are counted as old."""


def disk_usage(context: Context, args: DiskUsageArgs) -> Output:
    """What takes the disk space: by folder, the largest files, checkpoints by run with what older ones than the newest
    loadable take, checkpoints too small to be whole, checkpoints that no run claims, old logs, free space. The walk is
    bounded and says where it stopped. Nothing is deleted."""
    _, seen = context.look(DETAIL_AGE_S)
    root = f"{seen.index.workspace}/"
    found = usage.measure(seen.index.roots, seen.index.checkpoints)
    runs = _runs(context, seen, found)
    lost = sorted(((found.apart.get(path, 0), path) for path in orphans(seen.index.checkpoints, runs)), reverse=True)
    old = old_logs(_logs(seen), context.clock(), args.older_than_days)

    def listed(pairs: list[tuple[int, str]]) -> list[dict[str, Any]]:
        return [{"path": path.removeprefix(root), "size": human(size)} for size, path in pairs[: args.top]]

    folders = sorted(((size, path) for path, size in found.folders.items()), reverse=True)
    by_run = sorted(runs, key=lambda run: -run.total)
    payload = {
        "total": human(found.total),
        "files": found.files,
        "free": human(found.free) if found.free is not None else None,
        "quota": "not known: ask the cluster's own quota command",
        "stopped": f"{found.stopped}: all figures are lower bounds" if found.stopped else None,
        "not_read": found.unreadable[:5],
        "folders": listed(folders),
        "largest_files": listed(found.largest),
        "checkpoints": {
            "total": human(sum(run.total for run in runs)),
            "older_than_the_newest_loadable_one": human(sum(run.superseded for run in runs)),
            "runs": [
                {"run": run.run, "count": len(run.sizes), "size": human(run.total), "older": human(run.superseded)}
                for run in by_run[: args.top]
            ],
            "too_small_to_be_whole": [path.removeprefix(root) for run in by_run for path in run.too_small][: args.top],
        },
        "claimed_by_no_run": {
            "count": len(lost),
            "size": human(sum(size for size, _ in lost)),
            "largest": listed(lost),
        },
        "old_logs": {
            "days": args.older_than_days,
            "count": len(old),
            "size": human(sum(size for size, _ in old)),
            "largest": listed(old),
        },
    }
    return Output(cut(to_text(context, payload), 12_000))


DISK_USAGE = Tool("disk_usage", DiskUsageArgs, disk_usage)


def _runs(context: Context, seen: Seen, found: usage.Usage) -> list[RunCheckpoints]:
    owners = checkpoints.Owners(seen.index)
    jobs: dict[str, list[str]] = {}
    folders = {}
    for link in seen.links:
        if link.run:
            jobs.setdefault(link.run, []).extend(job_ids(link.job))
            folders[link.run] = link.run_dirs
    runs = []
    for run, ids in jobs.items():
        paths = owners.of_run(run, folders[run], context.place.layout.outputs, ids)
        best, _ = seen.newest.get(run, (None, ()))
        newest = best.path if best and best.loadable else None
        runs.append(RunCheckpoints(run, {path: found.apart.get(path, 0) for path in paths}, newest))
    return [run for run in runs if run.sizes]


def _logs(seen: Seen) -> list[tuple[str, float, int]]:
    found = []
    for path in seen.index.logs:
        try:
            info = os.stat(path)
        except OSError:
            continue
        found.append((path, info.st_mtime, info.st_size))
    return found
