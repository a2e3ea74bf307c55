"""What came of an act on files, item by item, by looking where each one is; and how files are named to a person."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence

from tools.actions.files import Stamp, stamp_of
from tools.acts import Action, Item, Outcome, Ran
from tools.diagnosis import disk
from tools.text import visible

WAYS_BACK = 6
"""Items whose command back is told."""
TOLD = 20
"""Failures that are told one by one."""
_SAME_FOR_EVER = slice(1, 5)
"""Of a stamp: inode, kind, files, bytes."""


def is_there(path: str, stamp: str) -> bool:
    """Whether the very thing of that stamp lies at ``path``; times, and a device's number, may have moved on."""
    try:
        return str(stamp_of(path)).split(":")[_SAME_FOR_EVER] == stamp.split(":")[_SAME_FOR_EVER]
    except OSError:
        return False


def name_of(path: str) -> str:
    """A path as a person sees and types it: one line, nothing in it moves the cursor or hides."""
    return visible(path).replace("\n", "\\x0a").replace("\t", "\\x09")


def listed(stamp: Stamp, size: int) -> str:
    """Day of the last writing and bytes, as a list shows them."""
    return f"{time.strftime('%Y-%m-%d', time.localtime(stamp.written))} {disk.words(size):>9}"


def ran(failed: Mapping[str, str], count: int, started: float) -> Ran:
    """How an act on ``count`` items went; ``failed``: name -> why."""
    words = "\n".join(f"{name_of(name)}: {why}" for name, why in failed.items())
    return Ran(1 if failed and len(failed) == count else 0, err=words, seconds=time.monotonic() - started)


def settle_moves(action: Action, ran: Ran | None) -> Outcome:
    """Where the items of an act are now, one by one, by looking."""
    moved: list[Item] = []
    left: list[Item] = []
    lost: list[Item] = []
    for item in action.items:
        there = is_there(item.goes, item.stamp)
        (moved if there else left if is_there(item.path, item.stamp) else lost).append(item)
    lines = told_one_by_one("still where it was", left, ran) + told_one_by_one("in neither place now", lost, ran)
    if not moved and not lost:
        return Outcome("not_done", "\n".join(["nothing was moved", *lines]))
    where = os.path.dirname(action.items[0].goes)
    head = f"{len(moved)} of {len(action.items)} moved to {where}" if lines else f"all {len(moved)} moved to {where}"
    return Outcome("done", "\n".join([head, *lines, *_way_back(moved)]))


def _way_back(moved: Sequence[Item]) -> list[str]:
    """The commands that bring them back: names in the other place may be others."""
    lines = [f"  comes back with: {shlex.join(['mv', '-n', '--', item.goes, item.path])}" for item in moved[:WAYS_BACK]]
    more = len(moved) - len(lines)
    return [*lines, *([f"  {more} more come back in the same way, each to where it was"] if more else [])]


def told_one_by_one(what: str, items: Sequence[Item], ran: Ran | None) -> list[str]:
    """A line for each of the items that an act could not do, with the reason where the act gave one."""
    why = dict(line.split(": ", 1) for line in (ran.err if ran else "").splitlines() if ": " in line)
    names = [name_of(os.path.basename(item.path)) for item in items[:TOLD]]
    lines = [f"  {name}: {what}{f' ({why[name]})' if name in why else ''}" for name in names]
    return lines + ([f"  {len(items) - TOLD} more: {what}"] if len(items) > TOLD else [])
