"""Where the room on disk goes, what could be given back, and what looks wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tools.base import MAX_RESULT_CHARS, Args, Context, Output, Tool, to_text
from tools.diagnosis import disk
from tools.disk_rows import old_logs, run_rows
from tools.disk_runs import Claims, claims
from tools.look import Seen
from tools.run_tools import DETAIL_AGE_S
from tools.sources import usage
from tools.sources.index import TRASH
from tools.sources.room import FileSystem, Room, Usage
from tools.status import Status

LOW = 0.05
"""A file system with less than this share free is said to be nearly full."""


class DiskUsageArgs(Args):
    limit: int = Field(10, ge=1, le=50)
    """At most this many rows of each list, the largest first; the rest is counted."""
    older_than_days: int = Field(30, ge=1, le=3650)
    """Logs and synced W&B folders not written for longer than this are called old."""


def disk_usage(context: Context, args: DiskUsageArgs) -> Output:
    """Disk use of the workspace: bytes by folder, largest files, checkpoints by run, old logs, and what could be
    given back (older checkpoints that nothing needs, runs nobody knows, synced W&B folders) or looks wrong
    (checkpoints that don't load or are too small, runs that trained and saved nothing). Bounded: ``stopped`` says
    where it ended. Figures only: nothing is deleted."""
    status, seen = context.look(DETAIL_AGE_S)
    place = context.place
    paths = {path for own in seen.checkpoints.values() for path in own.paths}
    told = {file.path for files in seen.log_files.values() for file in files}
    units = {*paths, *seen.index.checkpoints, *seen.index.run_dirs, *seen.index.logs, *told}
    used = usage.measure(place.workspace, place.layout.roots, units)
    found = claims(status, seen, used, args.older_than_days)
    top = args.limit
    text = to_text(context, _payload(status, seen, used, found, args, top))
    while len(text) > MAX_RESULT_CHARS and top > 1:
        # whole rows are left out, the smallest first: a result cut in the middle could lie
        top = top * 3 // 4
        text = to_text(context, _payload(status, seen, used, found, args, top))
    return Output(text, facts=tuple(("seen", run, "disk") for run in found.runs()))


DISK_USAGE = Tool("disk_usage", DiskUsageArgs, disk_usage)


def _payload(status: Status, seen: Seen, used: Usage, found: Claims, args: DiskUsageArgs, top: int) -> dict[str, Any]:
    workspace = seen.index.workspace
    first = {name: room for name, room in used.folders.items() if name.startswith("/") or "/" not in name}
    second = {name: room for name, room in used.folders.items() if name not in first}
    return {
        "at": status.at,
        "stopped": used.stopped,
        "looked_at": {"entries": used.entries, "checkpoints_of": seen.index.stopped},
        "unreadable": used.unreadable[:top],
        "unreadable_left_out": max(0, len(used.unreadable) - top) or None,
        "total": _room(used.total),
        "file_systems": [_file_system(entry) for entry in used.file_systems],
        "quota": "can't be read from here: the site's quota command tells",
        "folders": _rooms(first, top),
        "folders_below": _rooms(second, top),
        "trash": _trash(used),
        "largest_files": [
            {"path": path.removeprefix(f"{workspace}/"), **sized(size)} for size, path in used.largest[:top]
        ],
        **run_rows(found, workspace, top),
        "old_logs": old_logs(seen, used, args.older_than_days, top),
    }


def _trash(used: Usage) -> dict[str, Any] | None:
    """Removed checkpoints that wait to be deleted: the room they take is not free yet."""
    rooms = [room for name, room in used.folders.items() if name.rpartition("/")[2] == TRASH]
    if sum(room.files for room in rooms) <= len(rooms):  # each holds a .gitignore
        return None
    meaning = "removed checkpoints; empty_trash deletes them for good"
    return {**sized(sum(room.allocated for room in rooms)), "meaning": meaning}


def _file_system(entry: FileSystem) -> dict[str, Any]:
    low = entry.free < LOW * entry.size
    return {
        "of": entry.root,
        "size": disk.words(entry.size),
        "free_bytes": entry.free,
        "free": disk.words(entry.free),
        "files_free": entry.files_free,
        "warning": "nearly full" if low or entry.files_free == 0 else None,
    }


def _rooms(rooms: Mapping[str, Room], top: int) -> dict[str, Any]:
    ranked = sorted(rooms.items(), key=lambda item: (-item[1].allocated, item[0]))
    rest: Sequence[tuple[str, Room]] = ranked[top:]
    left = sum(room.allocated for _, room in rest)
    return {
        "largest": [{"folder": name, **_room(room)} for name, room in ranked[:top]],
        "others": {"count": len(rest), **sized(left)} if rest else None,
    }


def _room(room: Room) -> dict[str, Any]:
    sparse = room.apparent if abs(room.apparent - room.allocated) > max(1 << 20, room.allocated // 2) else None
    return {
        **sized(room.allocated),
        "apparent_bytes": sparse,
        "files": room.files,
        "lower_bound": None if room.whole else True,
    }


def sized(size: int) -> dict[str, Any]:
    return {"bytes": size, "size": disk.words(size)}
