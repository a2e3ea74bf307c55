"""The lists of a disk report: each cut to so many rows, the largest first, with its whole count and bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tools.actions.log_needs import archived
from tools.base import more
from tools.diagnosis import disk
from tools.disk_runs import Claims
from tools.look import Seen
from tools.sources.room import Usage

ASK = "a limit of up to 50"
PATHS = 5


def run_rows(found: Claims, workspace: str, top: int) -> dict[str, Any]:
    """What is said of runs and their checkpoints; paths are relative to the workspace."""

    def short(path: str) -> str:
        return path.removeprefix(f"{workspace}/")

    def listed(
        entries: Sequence[Any], size: Callable[[Any], int], row: Callable[[Any], dict[str, Any]], name: str = "count"
    ) -> dict[str, Any]:
        if not entries:
            return {name: 0}
        ranked = sorted(entries, key=size, reverse=True)
        total = sum(map(size, entries))
        shown = [{**row(entry), "bytes": size(entry), "size": disk.words(size(entry))} for entry in ranked[:top]]
        counted = {name: len(entries), "bytes": total, "size": disk.words(total), "largest": shown}
        return {**counted, "left_out": more(len(entries) - top, ASK)}

    total = {run: sum(one.allocated for one in group) for run, group in found.saved.items()}
    freed = {run: sum(one.allocated for one in group) for run, group in found.older.items()}
    return {
        "checkpoints_by_run": listed(
            list(total),
            lambda run: total[run],
            lambda run: {"run": run, "checkpoints": len(found.saved[run]), "live": run in found.live or None},
            "runs",
        ),
        "superseded_checkpoints": {
            **listed(
                list(freed),
                lambda run: freed[run],
                lambda run: {
                    "run": run,
                    "checkpoints": len(found.older[run]),
                    "paths": [short(one.path) for one in found.older[run][:PATHS]],
                    "paths_left_out": more(len(found.older[run]) - PATHS, "list_checkpoints"),
                },
                "runs",
            ),
            "checkpoints": sum(map(len, found.older.values())),
            "meaning": "older than the run's newest loadable one, and nothing found names them",
            "runs_left_alone": dict(Counter(found.why_not.values())),
        },
        "checkpoints_that_do_not_load": {
            **listed(
                found.broken,
                lambda entry: entry[1].size,
                lambda entry: {
                    "run": entry[0],
                    "path": short(entry[1].path),
                    "problem": entry[1].problem,
                    "note": "its job is live: it may still be being written" if entry[0] in found.live else None,
                },
            ),
            "not_examined": found.not_examined or None,
        },
        "checkpoints_too_small": {
            "count": len(found.small),
            "smallest": [
                {
                    "run": run,
                    "path": short(one.path),
                    "size": disk.words(one.apparent),
                    "usual": disk.words(usual),
                }
                for run, one, usual in sorted(found.small, key=lambda entry: entry[1].apparent)[:top]
            ],
            "left_out": more(len(found.small) - top, ASK),
        },
        "runs_that_trained_and_saved_nothing": {
            "count": len(found.saved_nothing),
            "runs": found.saved_nothing[:top],
            "left_out": more(len(found.saved_nothing) - top, ASK),
        },
        "runs_nobody_knows": found.why_no_orphans
        or {
            **listed(found.orphans, lambda run: total[run], lambda run: {"run": run}),
            "meaning": "checkpoints without a W&B folder, a sweep, or a job in the queue or 14 days of accounting",
        },
        "checkpoints_of_no_run": listed(
            found.nobodys, lambda entry: entry[1], lambda entry: {"folder": short(entry[0])}
        ),
        "synced_wandb_folders_long_done": {
            **listed(
                found.done, lambda entry: entry[1], lambda entry: {"run": entry[0].run, "path": short(entry[0].path)}
            ),
            "meaning": "marked as synced and ended; the mark is set even where the server refused rows",
        },
    }


def old_logs(seen: Seen, used: Usage, days: int, top: int) -> dict[str, Any]:
    """Log files not written for more than ``days``, none of a job that lives, none that is archived."""
    living = {link.job.id for link in seen.links if link.job and (link.job.active or link.job.waiting)}
    spared = {file.path for job, files in seen.log_files.items() if job in living for file in files}
    known = {file.path for files in seen.log_files.values() for file in files}
    old = []
    for path in {*known, *(path for path in seen.index.logs if not path.endswith(".txt"))} - spared:
        room = used.units.get(path)
        if room and seen.at - room.newest > days * disk.DAY_S and not archived(path):
            old.append((room.allocated, path, room.newest))
    old.sort(reverse=True)
    total = sum(size for size, _, _ in old)
    return {
        "days": days,
        "count": len(old),
        "bytes": total,
        "size": disk.words(total),
        "largest": [
            {
                "path": path.removeprefix(f"{seen.index.workspace}/"),
                "bytes": size,
                "age_days": int((seen.at - at) // disk.DAY_S),
            }
            for size, path, at in old[:top]
        ],
        "left_out": more(len(old) - top, ASK),
    }
