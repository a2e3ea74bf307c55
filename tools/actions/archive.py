"""Archiving old logs: renamed into ``archive/`` beside them, where a look still finds them."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from tools.actions import files, moved
from tools.actions.files import Stamp
from tools.actions.log_needs import ARCHIVE, Logs, archived
from tools.actions.world import read_world
from tools.acts import Action, Item, Observation, Outcome, Proposal, Ran, Refused, Value
from tools.base import ActArgs, ActTool, Context, ToolError
from tools.diagnosis import disk
from tools.sources.index import inside

QUIET_DAYS = 1
"""No log is archived that was written to within so many days, whoever names it."""


class ArchiveArgs(ActArgs):
    older_than_days: int = Field(30, ge=1, le=3650)
    """Logs that nobody has written to for longer than this."""
    paths: tuple[str, ...] = Field((), max_length=200)
    """Exactly these log files, where the person names some; else all old ones of finished runs and of no known run."""


def propose(context: Context, args: ArchiveArgs) -> Sequence[Proposal | Refused]:
    """Move old log files into archive/ beside them: never of a live or waiting job, never one that shows why an
    unfinished run died. Frees no room; explain_job and find_logs still find them. The program asks the person, who
    sees every file."""
    known = Logs(read_world(context))
    groups: dict[str, dict[str, Stamp]] = defaultdict(dict)
    # whole hours, so that the list at the start is the one that was asked about
    before = context.clock() // 3600 * 3600 - args.older_than_days * disk.DAY_S
    spared, refused = 0, list[Refused]()
    for path in args.paths or sorted(known.logs):
        try:
            path = known.named(path) if args.paths else path
            stamp = files.stamp_of(path)
        except (OSError, ToolError) as error:
            refused += [Refused(path, f"{path}: {getattr(error, 'strerror', None) or error}")] if args.paths else []
            continue
        if args.paths or (stamp.written < before and not known.why_kept(path)):
            groups[os.path.dirname(path)][path] = stamp
        else:
            spared += stamp.written < before
    if not groups:
        words = f"; {spared} old ones are still needed" if spared else ""
        none = f"no log file here is older than {args.older_than_days} days{words}: nothing to archive"
        raise ToolError("; ".join(one.why for one in refused) or none)
    # looking at many files may have taken long: what is judged is young
    known = Logs(read_world(context))
    days = QUIET_DAYS if args.paths else args.older_than_days
    for found in groups.values():
        refused += _unfit(known, found, context.clock() - days * disk.DAY_S)
    asked = [_proposal(context, known, folder, logs, days, spared, args) for folder, logs in sorted(groups.items())]
    return [*asked, *refused]


def _unfit(known: Logs, found: dict[str, Stamp], before: float) -> list[Refused]:
    """Takes away what may not be moved, where others of the same folder may: one denies not all of them."""
    young = {
        path: f"{os.path.basename(path)} was written to lately" for path, one in found.items() if one.written > before
    }
    why = {**young, **{path: told for path in found if (told := known.why_kept(path))}}
    if len(why) == len(found):
        return []  # the rules say it, word for word
    for path in why:
        del found[path]
    return [Refused(path, f"archive {known.short(path)}: {told}") for path, told in why.items()]


def perform(context: Context, action: Action) -> Ran:
    """Rename the approved files, each compared with its stamp just before."""
    started = time.monotonic()
    failed = {}
    try:
        with (
            files.opened(os.path.dirname(action.items[0].path)) as folder,
            files.folder_in(folder, ARCHIVE, mode=0o777) as target,
        ):
            for item in action.items:
                if why := files.move(item, folder, target):
                    failed[os.path.basename(item.path)] = why
            files.flush(folder)
            files.flush(target)
    except OSError as error:
        failed = {os.path.basename(item.path): error.strerror or str(error) for item in action.items}
    return moved.ran(failed, len(action.items), started)


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """Where each of the files is now."""
    return moved.settle_moves(action, ran)


ARCHIVE_LOGS = ActTool("archive_logs", ArchiveArgs, "archive", propose, perform, settle)


def _proposal(
    context: Context, known: Logs, folder: str, found: dict[str, Stamp], days: int, spared: int, args: ArchiveArgs
) -> Proposal:
    at = context.clock()
    chosen = sorted(found.items(), key=lambda pair: pair[1].mtime_ns)[: files.MOST_ITEMS]
    into = os.path.join(folder, ARCHIVE)
    items = tuple(Item(path, str(stamp), os.path.join(into, os.path.basename(path))) for path, stamp in chosen)
    subject = moved.name_of(known.short(folder) if folder != known.workspace else ".")
    size = sum(stamp.frees for _, stamp in chosen)  # what it takes on the disk, as disk_usage counts it
    ages = [(at - stamp.written) / disk.DAY_S for _, stamp in chosen]
    counted = f"{len(items):,} log file{'s' * (len(items) > 1)}"
    shows = [
        f"{counted} of {subject}/, {disk.words(size)}, last written {ages[-1]:.0f} to {ages[0]:.0f} days ago",
        f"into {known.short(into)}/ by renaming: frees no room; explain and find_logs still find them there",
    ]
    if len(found) > len(chosen):
        shows.append(f"{len(found) - len(chosen):,} more are as old: ask again for those")
    if spared:
        shows.append(f"left alone, of all old ones here: {spared:,}, still needed or with a namesake in {ARCHIVE}/")
    action = Action(
        verb="archive",
        subject=subject,
        names=(subject, *map(known.short, found)),
        thing="log folder",
        identity=(("folder", folder),),
        items=items,
        lists=tuple(f"{moved.listed(stamp, stamp.frees)}  {known.short(path)}" for path, stamp in chosen),
        shows=tuple(shows),
        says=args.says,
    )

    def saw(kind: str, value: Value, source: str, text: str) -> Observation:
        return Observation(kind, subject, value, known.world.at if source == "squeue" else at, source, text)

    paths = [path for path, _ in chosen]
    live = next((known.live[path] for path in paths if path in known.live), None)
    needed = next(filter(None, map(known.needed, paths)), None)
    accounting = next(source.ok for source in known.world.status.sources if source.name == "sacct")
    taken = next((item.goes for item in items if os.path.lexists(item.goes)), None)
    place = _same_place(folder, into, [stamp for _, stamp in chosen], known)
    return Proposal(
        action,
        (
            saw("mine", all(stamp.mine for _, stamp in chosen), "files", "by the owner of each"),
            saw("not_live", not live, "squeue", f"{live} writes there" if live else "no job of the queue writes there"),
            saw(
                "not_needed",
                False if needed else True if accounting else None,
                "sacct",
                needed or ("" if accounting else "the accounting could not be read"),
            ),
            saw("quiet", min(ages) > days, "files", f"the last one {min(ages):.0f} days ago"),
            saw("same_place", place is None, "files", place or known.short(into)),
            saw("free", taken is None, "files", f"{known.short(taken)} is there" if taken else ""),
        ),
    )


def _same_place(folder: str, into: str, stamps: Sequence[Stamp], known: Logs) -> str | None:
    """Why the files can't be renamed into the folder, or None."""
    if not inside(folder, known.roots) or archived(os.path.join(folder, "x")):
        return f"{folder} is outside of the workspace, or an archive itself"
    try:
        device = os.lstat(into).st_dev if os.path.lexists(into) else os.lstat(folder).st_dev
    except OSError as error:
        return error.strerror
    if os.path.lexists(into) and (Path(into).is_symlink() or not Path(into).is_dir()):
        return f"{into} is a link or no folder"
    return None if all(stamp.device == device for stamp in stamps) else f"{into} is on another file system"
