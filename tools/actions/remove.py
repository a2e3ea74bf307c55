"""Removing checkpoints: renamed into the trash of their file system, from where each can be brought back."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pydantic import Field

from tools.actions import files, moved, trash
from tools.actions.checkpoint_needs import QUIET_S, Saves
from tools.actions.files import Stamp
from tools.actions.world import read_world
from tools.acts import Action, Item, Observation, Outcome, Proposal, Ran, Refused, Value
from tools.base import ActArgs, ActTool, Context, ToolError
from tools.diagnosis import disk
from tools.sources.index import TRASH
from tools.sources.links import real_path
from tools.text import duration


class RemoveArgs(ActArgs):
    paths: tuple[str, ...] = Field((), max_length=200)
    """Exactly these checkpoints, as list_checkpoints or disk_usage names them."""
    runs: tuple[str, ...] = Field((), max_length=40)
    """Of these runs, what their newest loadable checkpoint has made unneeded. Without paths and runs: of all finished
    runs."""


def propose(context: Context, args: RemoveArgs) -> Sequence[Proposal | Refused]:
    """Move checkpoints into a trash folder on the same file system, which frees no room yet (empty_trash does): never
    the newest loadable one of an unfinished run, the trainer's best one, one of a live or queued run, one that is being
    written or that anything leads to. The program asks the person, who sees every path."""
    saves = Saves(read_world(context), context.submitted)
    if args.paths and args.runs:
        raise ToolError("give either paths or runs, not both")
    refused: list[Refused] = []
    stamps = {}
    for path in _chosen(saves, args, refused):
        try:
            stamps[path] = files.stamp_of(real_path(path))
        except OSError as error:  # one that was just moved by this very call, too
            refused.append(Refused(path, f"{path}: {error.strerror or error}"))
    if not stamps:
        of = f"run {', '.join(args.runs)}" if args.runs else "a finished run"
        words = [one.why for one in refused] or [f"no checkpoint of {of} is unneeded"]
        raise ToolError(f"{'; '.join(words)}: disk_usage says what takes the room")
    # looking into large folders may have taken long: what is judged is young
    saves = Saves(read_world(context), context.submitted)
    groups: dict[tuple[tuple[str, ...], str, str], dict[str, Stamp]] = defaultdict(dict)
    for path, stamp in stamps.items():
        root, runs = saves.root_of(path), saves.owners(path)
        if root is None:
            refused.append(Refused(path, f"{path} lies outside of the workspace and its roots"))
        else:
            groups[runs, root, "" if runs else path][path] = stamp
    for found in groups.values():
        refused += _unfit(saves, found)
    return [
        *(_proposal(context, saves, runs, root, found, args) for (runs, root, _), found in groups.items()),
        *refused,
    ]


def _chosen(saves: Saves, args: RemoveArgs, refused: list[Refused]) -> list[str]:
    """What the arguments name; what is none of a run's checkpoints is told as refused, not left out."""
    known = [run for run in args.runs if run in saves.seen.checkpoints]
    refused += [
        Refused(run, f"no run {run} with checkpoints was seen here; disk_usage lists them")
        for run in args.runs
        if run not in known
    ]
    chosen = [] if args.runs and not known else saves.unneeded(known) if not args.paths else []
    for path in args.paths:
        try:
            chosen.append(saves.named(path))
        except ToolError as why:
            refused.append(Refused(path, str(why)))
    return chosen


def _unfit(saves: Saves, found: dict[str, Stamp]) -> list[Refused]:
    """Takes away what may not be removed, where others of the same run may: one denies not all of them."""
    why = {path: told for path in found for fit, told in (saves.not_newest([path]), saves.not_best([path])) if not fit}
    if len(why) == len(found):
        return []  # the rules say it, word for word
    for path in why:
        del found[path]
    return [Refused(path, f"remove {saves.short(path)}: {told}: it stays") for path, told in why.items()]


def perform(context: Context, action: Action) -> Ran:
    """Write the manifest, then rename what was approved, each compared with its stamp just before."""
    started = time.monotonic()
    failed = {}
    identity = dict(action.identity)
    try:
        with contextlib.ExitStack() as stack:
            root = stack.enter_context(files.opened(identity["root"]))
            bin_ = stack.enter_context(files.folder_in(root, TRASH, mode=0o700))
            trash.keep_out_of_git(bin_)
            batch = stack.enter_context(files.folder_in(bin_, identity["batch"], mode=0o700, new=True))
            trash.write_manifest(batch, action.items, identity["run"], context.clock())
            files.flush(bin_)
            for item in action.items:
                try:
                    with files.opened(os.path.dirname(item.path)) as folder:
                        why = files.move(item, folder, batch)
                        files.flush(folder)
                except OSError as error:
                    why = error.strerror or str(error)
                if why:
                    failed[os.path.basename(item.path)] = why
            files.flush(batch)
    except OSError as error:
        failed = {os.path.basename(item.path): error.strerror or str(error) for item in action.items}
    return moved.ran(failed, len(action.items), started)


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """Where each of them is now."""
    outcome = moved.settle_moves(action, ran)
    if outcome.state != "done":
        return outcome
    return Outcome("done", f"{outcome.text}\nno room is freed before the trash is emptied (empty_trash)")


REMOVE_CHECKPOINTS = ActTool("remove_checkpoints", RemoveArgs, "remove", propose, perform, settle)


def _proposal(
    context: Context, saves: Saves, runs: tuple[str, ...], root: str, found: dict[str, Stamp], args: RemoveArgs
) -> Proposal:
    at = context.clock()
    paths = sorted(found)[: files.MOST_ITEMS]
    subject = runs[0] if runs else moved.name_of(saves.short(paths[0]))
    digest = hashlib.sha256("\n".join(f"{real_path(path)} {found[path]}" for path in paths).encode()).hexdigest()
    bin_ = os.path.join(root, TRASH)
    batch = trash.free_name(bin_, subject, digest)
    items = tuple(
        Item(real_path(path), str(found[path]), os.path.join(bin_, batch, f"{number:03}-{os.path.basename(path)}"))
        for number, path in enumerate(paths, 1)
    )
    row = saves.standing.get(runs[0]) if runs else None
    of_all = len({path for run in runs for path in saves.seen.checkpoints[run].paths})
    names = [os.path.basename(path) for path in paths]
    listed = ", ".join(names[:3]) + (f" … {names[-1]}" if len(names) > 3 else "")
    size = disk.words(sum(found[path].frees for path in paths))
    action = Action(
        verb="remove",
        subject=subject,
        names=(*runs, *_as_typed(paths, saves)),
        within=(row.sweep,) if row and row.sweep else (),
        thing="checkpoint set",
        identity=(
            ("run", " ".join(runs)),
            ("root", root),
            ("batch", batch),
            ("last job", f"{row.job} {row.slurm_state}" if row and row.job else ""),
        ),
        items=items,
        lists=tuple(f"{moved.listed(found[path], found[path].frees)}  {saves.short(path)}" for path in paths),
        shows=(
            f"{saves.words(runs)}: {len(paths)} of {of_all or 1} checkpoints, {size}: {listed}",
            f"{saves.kept(runs, paths)}; into {saves.short(bin_)}/{batch}: frees no room until that is emptied",
        ),
        says=args.says,
    )

    def saw(kind: str, told: tuple[Value, str], source: str) -> Observation:
        when = {"squeue": saves.world.at, "checkpoints": saves.seen.at}.get(source, at)
        return Observation(kind, subject, told[0], when, source, told[1])

    stamps = [found[path] for path in paths]
    quiet = at - max(stamp.written for stamp in stamps)
    place = _same_place(root, bin_, stamps)
    tied = saves.tied(runs)
    return Proposal(
        action,
        (
            saw("mine", (all(stamp.mine for stamp in stamps), "by the owner of each file"), "files"),
            saw("not_live", saves.not_live(runs), "squeue"),
            saw("not_queued", saves.not_queued(runs), "squeue"),
            saw("not_newest", saves.not_newest(paths), "checkpoints"),
            saw("not_best", saves.not_best(paths), "files"),
            saw("not_shared", saves.not_shared({path: found[path] for path in paths}), "files"),
            saw("quiet", (quiet > QUIET_S, f"last written {duration(max(0, int(quiet)))} ago"), "files"),
            saw("same_place", (place is None, place or saves.short(bin_)), "files"),
            saw("tied", (tied, saves.words(runs) if tied else "nothing but a folder's name ties it to a run"), "files"),
        ),
    )


def _as_typed(paths: Sequence[str], saves: Saves) -> Iterator[str]:
    """How a person may have typed the path of one of them."""
    for path in paths:
        yield from (saves.short(path), path, path.lstrip("/"))


def _same_place(root: str, bin_: str, stamps: Sequence[Stamp]) -> str | None:
    """Why they can't be renamed into the trash, or None."""
    try:
        there = os.path.lexists(bin_)
        device = os.lstat(bin_ if there else root).st_dev
        if there and (not stat.S_ISDIR(os.lstat(bin_).st_mode) or os.lstat(bin_).st_uid != os.geteuid()):
            return f"{bin_} is a link, no folder, or another user's"
    except OSError as error:
        return f"{root}: {error.strerror}"
    if all(stamp.device == device for stamp in stamps):
        return None
    return f"it is on another file system than {root}: name its own folder under roots: in sweep-agent.yaml"
