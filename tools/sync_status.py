"""Offline W&B runs: synced or not, and what a sync would do wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from pydantic import Field

from tools import sweep_checks
from tools.base import MAX_RESULT_CHARS, Args, Context, Output, Tool, more, to_text
from tools.diagnosis import disk, sync
from tools.diagnosis.config_check import needs_online
from tools.diagnosis.unnamed import may_train, unnamed
from tools.look import Seen
from tools.sources import wandb_sync
from tools.status import Status
from tools.text import counted
from tools.wandb_data import RunDir, SweepConfig

PATHS_PER_COMMAND = 20
ASK = "sweep=… or a limit of up to 100"
MOST_READY = 40
"""So many runs can be put to a person at once."""


class SyncStatusArgs(Args):
    sweep: str | None = Field(None, max_length=128)
    """Only runs of this sweep id; leave out for all."""
    limit: int = Field(20, ge=1, le=100)
    """At most this many runs that need a look, the worst first, and as many commands; the rest is counted."""


def sync_status(context: Context, args: SyncStatusArgs) -> Output:
    """Which offline W&B runs are synced and which are not: counts, the runs that need a look (torn, live, empty,
    killed) with what a sync would do to them, sweeps that must not run offline, and the exact commands that would
    sync the rest. A mark means that a sync ended, not that every row arrived. Ready is what is whole on disk;
    sync_offline asks W&B whether it holds rows of it already. Nothing is synced."""
    status, seen = context.look()
    found = judged(seen, args.sweep)
    limit = args.limit
    text = to_text(context, _payload(context, status, seen, found, args.sweep, limit))
    while len(text) > MAX_RESULT_CHARS and limit > 1:
        limit = limit * 3 // 4
        text = to_text(context, _payload(context, status, seen, found, args.sweep, limit))
    runs = dict.fromkeys(one.folder.run for one in found)
    return Output(text, facts=tuple(("seen", run, "offline") for run in runs))


SYNC_STATUS = Tool("sync_status", SyncStatusArgs, sync_status)


def judged(seen: Seen, sweep: str | None) -> list[sync.Offline]:
    """Every offline run folder (of one sweep), those of a run in the order in which they were begun."""
    sweeps = {link.run: link.sweep for link in seen.links if link.run and link.sweep}
    live = {link.run for link in seen.links if link.current and link.run}
    ended = {link.run for link in seen.links if link.job and not link.job.active and not link.job.waiting} - live
    queue_read = next(source.ok for source in seen.sources if source.name == "squeue")
    silent = unnamed(seen.links)
    folders: dict[str, list[RunDir]] = defaultdict(list)
    for folder in sorted(seen.run_dirs, key=lambda folder: folder.started or 0.0):
        told = folder.sweep or sweeps.get(folder.run)
        if sweep in (None, told):
            folders[folder.run].append(replace(folder, sweep=told))
    offline = [folder for group in folders.values() for folder in group if folder.offline]
    with ThreadPoolExecutor(max_workers=8) as pool:
        logs = list(pool.map(lambda folder: wandb_sync.read_offline(folder.log) if folder.log else None, offline))
    return [
        sync.judge(
            folder,
            log,
            live=folder.run in live and folder is folders[folder.run][-1],
            ended=folder.run in ended or folder is not folders[folder.run][-1],
            unknown_writer=not queue_read or any(may_train(link, folder.sweep) for link in silent),
            now=seen.at,
            online=any(not other.offline for other in folders[folder.run]),
            siblings=sum(other.offline for other in folders[folder.run]),
        )
        for folder, log in zip(offline, logs, strict=True)
    ]


def _payload(
    context: Context, status: Status, seen: Seen, found: Sequence[sync.Offline], sweep: str | None, limit: int
) -> dict[str, Any]:
    workspace = seen.index.workspace
    states = Counter(one.state for one in found)
    ready = [one for one in found if one.state in sync.SYNCABLE]
    runs = [*dict.fromkeys(one.folder.run for one in ready)]
    size = sum(one.log.size for one in ready if one.log)
    order = {state: at for at, state in enumerate(sync.ATTENTION)}
    attention = sorted(
        (one for one in found if one.hazards or one.state in order),
        # a state that is well but has a hazard comes after those that are not
        key=lambda one: (order.get(one.state, len(order)), -(one.log.size if one.log else 0), one.folder.path),
    )
    commands = sync.commands(found, workspace, status.entity, status.project, min(PATHS_PER_COMMAND, max(1, limit)))
    unread = len(seen.index.run_dirs) - len(seen.run_dirs)
    scripts = [
        {"command": f"sbatch {path}", "flags": list(flags), "hazard": sync.OLD_FLAGS if flags else None}
        for path, flags in wandb_sync.sync_scripts(context.place.workspace)
    ]
    return {
        "at": status.at,
        "sweep": sweep,
        "offline_folders": len(found),
        "online_folders": sum(not folder.offline for folder in seen.run_dirs) if sweep is None else None,
        "states": dict(states),
        "meaning": {state: sync.MEANING[state] for state in states if state in sync.MEANING},
        "not_synced": {"folders": len(ready), "bytes": size, "size": disk.words(size)} if ready else None,
        "ready": runs[:MOST_READY] or None,
        "ready_left_out": more(len(runs) - MOST_READY, "sweep=…"),
        "need_a_look": [_row(one, workspace, seen) for one in attention[:limit]],
        "need_a_look_left_out": more(len(attention) - limit, ASK),
        "offline_sweeps_that_need_online": _needs_online(status, seen, found),
        "commands": [command for command, _ in commands[:limit]],
        "commands_left_out": more(len(commands) - limit, ASK),
        "run_them_in": workspace if commands else None,
        "labs_own_scripts": scripts,
        "flags_of_the_rules": sync.OLD_FLAGS if ready and not scripts else None,
        "older_folders_not_read": unread or None,
        "walk": seen.index.stopped,
        "queue": None
        if next(source.ok for source in seen.sources if source.name == "squeue")
        else "could not be read: whether a run is live is not known",
    }


def _row(one: sync.Offline, workspace: str, seen: Seen) -> dict[str, Any]:
    folder, log = one.folder, one.log
    return {
        "run": folder.run,
        "sweep": folder.sweep,
        "path": folder.path.removeprefix(f"{workspace}/"),
        "state": one.state,
        "bytes": log.size if log else None,
        "silent_s": int(seen.at - log.written) if log else None,
        "silence_tells": sync.beats(log.client) if log and one.state == "maybe_live" else None,
        "client": log.client if log else None,
        "exit_code": folder.exit_code,
        "hazards": list(one.hazards),
    }


def _needs_online(status: Status, seen: Seen, found: Sequence[sync.Offline]) -> list[dict[str, Any]]:
    """Sweeps whose controller needs values while runs go on, with offline runs."""
    counts = Counter(one.folder.sweep for one in found if one.folder.sweep)
    rows = []
    for sweep in status.sweeps:
        if count := counts[sweep.id]:
            own = SweepConfig(path=sweep.config or "", method=sweep.method)
            config = seen.sweep_yamls.configs.get(f"{seen.index.workspace}/{sweep.config}", own)
            shown = sweep_checks.offline([link for link in seen.links if link.sweep == sweep.id], seen)
            found_out = needs_online(config, shown or f"{counted(count, 'run folder')} of it offline")
            if words := "; ".join(problem.text for problem in found_out):
                rows.append({"sweep": sweep.id, "offline_folders": count, "hazard": words})
    return rows
