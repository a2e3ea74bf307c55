"""Whether an offline W&B run is synced, can be, and what a sync would do wrong.

What `wandb sync` does was tried with clients 0.16 to 0.31 against a server of the test's own.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from tools.compact import compact
from tools.wandb_data import OfflineLog, RunDir

SyncState = Literal["synced", "live", "maybe_live", "complete", "killed", "torn", "empty", "unreadable"]
ATTENTION: tuple[SyncState, ...] = ("torn", "unreadable", "live", "maybe_live", "empty", "killed")
"""What needs a look, the worst first."""
SYNCABLE: tuple[SyncState, ...] = ("complete", "killed")

SILENT_S = 600.0
"""A log of wandb 0.31 grows every 15 s even when idle; its own reader calls a run crashed after this long."""
DAY_S = 86_400.0
RECENT_S = DAY_S
"""Older clients write whole 32 KiB blocks, which can take hours: a younger log may still grow."""
WITH_UNKNOWN_WRITER_S = 7 * DAY_S
"""The same where a live job's run is not known, or the queue could not be read."""

MEANING: Mapping[SyncState, str] = {
    "live": "its job is live: a sync now closes it as failed and marks it, and what it logs later is skipped",
    "maybe_live": "no exit record, and it may still be being written: a sync now would close it as failed, mark it, "
    "and skip what comes later",
    "killed": "no exit record: all rows that reached the disk go up, and the run is closed as failed (exit code 1)",
    "torn": "its log ends inside a record: a sync uploads the rest but never marks it, so that every later sync "
    "appends all its rows again; sync it once, by path",
    "empty": "no record reached the disk: there is nothing to sync",
    "unreadable": "its log can't be read",
}
OLD_FLAGS = (
    "--no-mark-synced and --include-offline are refused by wandb 0.30 and later; with --include-synced every run is "
    "uploaded again, and its rows are appended a second time. Plain `wandb sync PATH…` skips what is marked."
)


@compact
class Offline:
    """One offline run folder, judged."""

    folder: RunDir
    log: OfflineLog | None
    state: SyncState
    hazards: tuple[str, ...]


def judge(
    folder: RunDir,
    log: OfflineLog | None,
    *,
    live: bool,
    ended: bool,
    unknown_writer: bool,
    now: float,
    online: bool,
    siblings: int,
) -> Offline:
    """One offline folder. ``live``: an active job trains this run now and this is its newest folder; ``ended``: a
    job of it is known and none is active; ``unknown_writer``: some live job's run is not known; ``online``: an
    online folder of the same run is there too; ``siblings``: offline folders of the same run. ``now``: epoch s.
    """
    state = _state(folder, log, live, ended, unknown_writer, now)
    hazards = [f"{folder.problem}"] if folder.problem and state in ("empty", "unreadable") else []
    if log and log.marked is not None and log.written > log.marked + 1:
        hazards.append("written to after it was marked as synced: what came later is not uploaded, and a sync skips it")
    if state in SYNCABLE or state == "torn":
        if online:
            hazards.append("the same run id also ran online: its rows are appended to what is there")
        if siblings > 1:
            hazards.append(f"one of {siblings} offline folders of this run: sync the oldest first")
        if folder.project is None:
            hazards.append("its log names no project: without -p it goes to 'uncategorized'")
    return Offline(folder, log, state, tuple(hazards))


def _state(
    folder: RunDir, log: OfflineLog | None, live: bool, ended: bool, unknown_writer: bool, now: float
) -> SyncState:
    if live:
        return "live"
    if folder.log is None or folder.problem in ("empty", "nothing reached the disk"):
        return "empty"
    if log is None or (folder.problem or "").startswith(("not a", "can't be read")):
        return "unreadable"
    if log.marked is not None:
        return "synced"
    if folder.exit_code is None and not ended and _may_grow(log, unknown_writer, now):
        return "maybe_live"
    if log.torn:
        return "torn"
    return "killed" if folder.exit_code is None else "complete"


def _may_grow(log: OfflineLog, unknown_writer: bool, now: float) -> bool:
    silent = now - log.written
    if beats(log.client):
        return silent <= SILENT_S
    return silent <= (WITH_UNKNOWN_WRITER_S if unknown_writer else RECENT_S)


def beats(client: str | None) -> bool:
    """Whether this version's log grows every 15 s, so that its time tells whether it lives (0.31 and later)."""
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})\.\d{1,4}", client or "")
    return match is not None and (int(match[1]), int(match[2])) >= (0, 31)


def commands(
    found: Iterable[Offline], workspace: str, entity: str | None, project: str | None, limit: int
) -> list[tuple[str, int]]:
    """`wandb sync` for what can be synced, to be run in the workspace: (command, folders in it).

    A folder whose log names no project gets the workspace's, where it is known. At most ``limit`` folders a
    command; those of one run follow one another, oldest first.
    """
    groups: dict[tuple[str, ...], list[Offline]] = defaultdict(list)
    for one in found:
        if one.state in SYNCABLE:
            own = one.folder.project is not None
            options = [*(["-e", entity] if entity else []), *(["-p", project] if project else [])] if not own else []
            groups[tuple(options)].append(one)
    result = []
    for group_options, group in sorted(groups.items()):
        group.sort(key=lambda one: (one.folder.run, one.folder.started or 0.0, one.folder.path))
        for at in range(0, len(group), limit):
            some = group[at : at + limit]
            paths = [one.folder.path.removeprefix(f"{workspace}/") for one in some]
            result.append((shlex.join(["wandb", "sync", *group_options, *paths]), len(paths)))
    return result
