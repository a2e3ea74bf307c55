"""Emptying the trash: the one act that deletes, and only what this program put there."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence

from tools.actions import files, moved, trash
from tools.actions.trash import Thrown
from tools.actions.world import World, read_world
from tools.acts import Action, Item, Observation, Outcome, Proposal, Ran, Value
from tools.base import ActArgs, ActTool, Context, ToolError
from tools.diagnosis import disk
from tools.kinds import unfinished
from tools.sources.index import TRASH, inside
from tools.text import counted, roughly

SHOWN = 6


class EmptyArgs(ActArgs):
    """None but the plan: all that this program threw away is concerned."""


def propose(context: Context, args: EmptyArgs) -> Sequence[Proposal]:
    """Delete for good what remove_checkpoints moved into the trash. The program shows the person what that frees,
    every path of it, and asks."""
    found = [(root, *trash.read_trash(root)) for root in read_world(context).seen.index.roots]
    if not any(thrown for _, thrown, _ in found):
        raise ToolError("the trash is empty: nothing to delete")
    # looking into large folders may have taken long: what is judged is young
    world = read_world(context)
    return [
        _proposal(context, world, root, thrown[: files.MOST_ITEMS], len(thrown), others, args)
        for root, thrown, others in found
        if thrown
    ]


def perform(context: Context, action: Action) -> Ran:
    """Delete what was approved, each compared with its stamp just before; links in it are deleted, not followed."""
    started = time.monotonic()
    failed: dict[str, str] = {}
    for item in action.items:
        batch, name = os.path.split(item.path)
        try:
            with files.opened(batch) as folder:
                if why := _delete(item, name, folder):
                    failed[name] = why
                _close(folder)
            if not os.listdir(batch):
                with files.opened(os.path.dirname(batch)) as above:
                    os.rmdir(os.path.basename(batch), dir_fd=above)
        except OSError as error:
            if os.path.lexists(item.path):
                failed[name] = error.strerror or str(error)
    return moved.ran(failed, len(action.items), started)


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """What is still there."""
    left = [item for item in action.items if os.path.lexists(item.path)]
    gone = len(action.items) - len(left)
    if not gone:
        return Outcome("not_done", "\n".join(["nothing was deleted", *moved.told_one_by_one("is there", left, ran)]))
    freed = dict(action.identity)["frees"]
    head = f"{gone} of {len(action.items)} deleted" if left else f"all {gone} deleted; {freed} freed"
    return Outcome("done", "\n".join([head, *moved.told_one_by_one("still there, whole or in part", left, ran)]))


EMPTY_TRASH = ActTool("empty_trash", EmptyArgs, "empty", propose, perform, settle)


def _delete(item: Item, name: str, folder: int) -> str | None:
    now = files.stamp_of(name, folder)
    if str(now) != item.stamp:
        return "it was changed since it was approved"
    if not now.folder:
        os.unlink(name, dir_fd=folder)
        return None
    problems: list[str] = []

    def problem(_: object, path: str, told: tuple[type[BaseException], BaseException, object]) -> None:
        problems.append(f"{os.path.basename(path)}: {getattr(told[1], 'strerror', None) or told[1]}")

    shutil.rmtree(name, dir_fd=folder, onerror=problem)  # by descriptors: safe from links swapped in
    return problems[0] if problems else None


def _close(batch: int) -> None:
    """Take the manifest away with the last entry that it names."""
    handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=batch)
    try:
        if os.listdir(handle) == [trash.MANIFEST]:
            os.unlink(trash.MANIFEST, dir_fd=batch)
    finally:
        os.close(handle)


def _proposal(
    context: Context, world: World, root: str, thrown: Sequence[Thrown], count: int, others: int, args: EmptyArgs
) -> Proposal:
    at = context.clock()
    bin_ = os.path.join(root, TRASH)

    def short(path: str) -> str:
        return path.removeprefix(f"{world.seen.index.workspace}/")

    subject = moved.name_of(short(bin_))
    frees = sum(one.stamp.frees for one in thrown)
    inner = sum(one.stamp.files for one in thrown)
    youngest, oldest = (roughly(int(at - edge(one.at for one in thrown))) for edge in (max, min))
    age = oldest if youngest == oldest else f"{youngest} to {oldest}"
    runs = Counter(one.run for one in thrown)
    bytes_of = {run: sum(one.stamp.frees for one in thrown if one.run == run) for run in runs}
    largest = sorted(bytes_of, key=lambda run: (-bytes_of[run], run))
    shows = [
        f"deletes FOR GOOD {counted(len(thrown), 'checkpoint')} of {counted(len(runs), 'run')}: "
        f"{inner:,} files, frees {disk.words(frees)}",
        f"from {subject}/, where they were put {age} ago",
        *(f"{run or 'of no run'}: {runs[run]}, {disk.words(bytes_of[run])}" for run in largest[:SHOWN]),
    ]
    shows += [f"and of {len(largest) - SHOWN} more runs"] if len(largest) > SHOWN else []
    shows += [f"left there: {others} entries that this program did not put there"] if others else []
    shows += [f"left there: {count - len(thrown):,} more; ask again for those"] if count > len(thrown) else []
    action = Action(
        verb="empty",
        subject=subject,
        names=(subject,),
        thing="trash folder",
        identity=(("trash", bin_), ("frees", disk.words(frees))),
        items=tuple(Item(one.path, str(one.stamp)) for one in thrown),
        lists=tuple(f"{moved.listed(one.stamp, one.stamp.frees)}  {short(one.was)}" for one in thrown),
        shows=tuple(shows),
        says=args.says,
    )

    def saw(kind: str, value: Value, source: str, text: str) -> Observation:
        return Observation(kind, subject, value, world.seen.at if source == "checkpoints" else at, source, text)

    in_place = os.path.realpath(bin_) == bin_ and inside(bin_, world.seen.index.roots)
    return Proposal(
        action,
        (
            saw("mine", all(one.stamp.mine for one in thrown), "files", "by the owner of each file"),
            saw("ours", True, "files", "each by its manifest and inode"),
            saw("in_roots", in_place, "files", bin_),
            saw("still_loads", *_still_load(world, runs)),
        ),
    )


def _still_load(world: World, runs: Sequence[str] | Counter[str]) -> tuple[Value, str, str]:
    """Whether each unfinished run whose checkpoints are deleted has another one that loads."""
    source = next(source for source in world.status.sources if source.name == "checkpoints")
    open_runs = {row.run for row in world.status.runs if row.run and unfinished(row)}
    concerned = {run for together in runs for run in together.split()}
    for run in sorted(concerned & {run for run in open_runs if run}):
        own = world.seen.checkpoints.get(run)
        if own is None or own.best is None or not own.best.loadable:
            return False, "checkpoints", f"no other checkpoint of {run} loads, and it is not finished"
    return (True, "checkpoints", "") if source.ok else (None, "checkpoints", source.error or "not all could be read")
