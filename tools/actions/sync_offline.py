"""Uploading offline runs to W&B so that no row is there twice, and checking by the service's own count."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial

from pydantic import Field

from tools.actions import programs, submitted, wandb_program
from tools.actions.programs import digest_of, from_line, not_on_cluster
from tools.actions.service import ask, bound, saw, served
from tools.actions.world import World, read_world
from tools.acts import Action, Outcome, Proposal, Ran, Refused
from tools.base import ActArgs, ActTool, Context, Denied
from tools.diagnosis import disk, sync
from tools.next_step import sent_to
from tools.sources import wandb_api
from tools.sources.wandb_api import NoProject
from tools.sources.wandb_http import Remote, ServiceError
from tools.sources.wandb_sync import count_rows
from tools.sync_status import judged
from tools.wandb_data import ServerRun

MOST = 40
SYNC_TIMEOUT_S = 120.0
BYTES_PER_S = 100_000
"""An upload that is cut off leaves rows there that no later one goes on from, so it gets the time that its log takes
on a slow line; the client itself tries for ever where a server does not answer."""
SETTLE_S = 15.0
"""How long rows that were sent are waited for: the service counts them a little later."""


class SyncArgs(ActArgs):
    runs: list[str] = Field(min_length=1, max_length=MOST)
    """Run ids of offline runs; sync_status lists those that are not synced."""
    again: bool = False
    """Only where the person insists on uploading what W&B already holds, and has typed the run's id: every row is then
    there twice."""


def propose(context: Context, args: SyncArgs) -> Sequence[Proposal | Refused]:
    """Upload offline runs to W&B, oldest folder first, one folder of a run at a time. Refused while a run may still be
    written, and where W&B already holds rows of it. The program counts the rows on both sides, asks the person,
    uploads, and counts again. Where sweep-agent.yaml names the lab's own command (sync:), that is started instead."""
    world = read_world(context)
    if line := context.place.layout.sync:
        return (_by_the_lab(context, args, world, line),)
    every = [one for one in reversed(judged(world.seen, None)) if one.folder.run in args.runs]
    found = {one.folder.run: one for one in every if _open(one, args)}
    there = _there(context, world, list(found.values()))
    return tuple(
        _one(context, args, world, found[run], there.get(run)) if run in found else Refused(run, _closed(run, every))
        for run in dict.fromkeys(args.runs)
    )


def perform(context: Context, action: Action) -> Ran:
    """Start what was approved: W&B's own client, or the lab's command."""
    if bound(action, "by") == "lab":
        return programs.perform(context, action)
    size = int(bound(action, "log").partition(" ")[0])
    return wandb_program.perform(context, action, SYNC_TIMEOUT_S + size / BYTES_PER_S)


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """How many rows W&B holds now; `wandb sync` exits with 0 whatever became of them."""
    if bound(action, "by") == "lab":
        return submitted.settle(context, action, since, ran)
    entity, project = bound(action, "entity"), bound(action, "project")
    before, rows = int(bound(action, "rows there")), int(bound(action, "rows here"))
    until = context.clock() + (SETTLE_S if ran and ran.code == 0 else 0.0)
    while True:
        try:
            found = ask(context, lambda remote: wandb_api.read_runs(remote, entity, project, [action.subject]), action)
        except NoProject:
            found = {}
        except ServiceError as error:
            return Outcome("unknown", f"how many rows W&B holds is not known: {error}")
        run = found.get(action.subject)
        now = (run.rows or 0) if run else 0
        if run and now >= before + rows:
            went = f"{now - before:,} of {rows:,} rows went up"
            return Outcome("done", f"{went}; W&B holds {now:,} and calls it {run.state}")
        if context.clock() >= until:
            return Outcome("not_done", f"{now - before:,} of {rows:,} rows went up")
        context.sleep(1.0)


SYNC_OFFLINE = ActTool("sync_offline", SyncArgs, "sync", propose, perform, settle)


def _open(one: sync.Offline, args: SyncArgs) -> bool:
    return one.folder.run in args.runs and one.state != "empty" and (one.state != "synced" or args.again)


def _closed(run: str, every: Sequence[sync.Offline]) -> str:
    """Why there is nothing of a run to upload."""
    states = {one.state for one in every if one.folder.run == run}
    if "synced" in states:
        return f"{run} is marked as synced: only where the person insists is it uploaded again"
    return f"no offline run {run} that could be synced is here: sync_status tells what is"


def _target(one: sync.Offline, world: World) -> tuple[str, str]:
    """Where it belongs: a run of a sweep notes no entity and 'uncategorized' where W&B's settings name none."""
    project = served(world).project
    own = one.folder.project if one.folder.project != "uncategorized" else None
    return one.folder.entity or project.entity, own or project.project


def _there(context: Context, world: World, chosen: Sequence[sync.Offline]) -> Mapping[str, ServerRun]:
    """What W&B holds of these runs now. Raises Denied."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in chosen:
        groups.setdefault(_target(one, world), []).append(one.folder.run)
    found: dict[str, ServerRun] = {}
    try:
        for where, runs in groups.items():
            found |= ask(context, partial(_rows_there, where, runs))
    except ServiceError as error:
        raise Denied(f"what W&B holds of them can't be read ({error}): a sync could append rows twice") from None
    return found


def _rows_there(where: tuple[str, str], runs: Sequence[str], remote: Remote) -> dict[str, ServerRun]:
    try:
        return wandb_api.read_runs(remote, *where, runs)
    except NoProject:
        return {}  # the first run that is uploaded makes it


def _one(
    context: Context, args: SyncArgs, world: World, one: sync.Offline, there: ServerRun | None
) -> Proposal | Refused:
    folder, log = one.folder, one.log
    if folder.log is None or log is None:
        return Refused(folder.run, f"{folder.run}: {folder.path} has no log that can be read")
    entity, project = _target(one, world)
    rows, before = count_rows(folder.log), (there.rows or 0) if there else 0
    short = folder.path.removeprefix(f"{world.seen.index.workspace}/")
    again = ("--include-synced",) if args.again else ()
    written = one.state in ("live", "maybe_live")
    told = f"{rows if rows is not None else '?'} rows, {disk.words(log.size)}, {one.state}"
    action = Action(
        verb="sync",
        subject=folder.run,
        names=(folder.run,),
        thing="run",
        identity=(
            ("by", "wandb"),
            ("server", world.seen.settings.api_url),
            ("entity", entity),
            ("project", project),
            ("folder", folder.path),
            ("log", f"{log.size} bytes, {log.written:.6f}"),
            ("rows here", str(rows or 0)),
            ("rows there", str(before)),
        ),
        program=wandb_program.wandb(context.place, ("sync", "--yes", "-e", entity, "-p", project, *again, folder.path)),
        shows=(
            f"{folder.run}  {short}  {told}",
            *([f"W&B holds {before:,} rows of it: {rows or 0:,} more are APPENDED to them"] if before else []),
            *([sync.MEANING[one.state]] if one.state in ("killed", "torn") else []),
        ),
        confirm=f"append {rows or 0} rows to {folder.run}" if before else "",
        together=folder.run if before else "",
        says=args.says,
    )
    at = world.seen.at
    age = f"its log is {int(at - log.written) // 60} min old"
    quiet = None if one.state == "maybe_live" else not written
    return Proposal(
        action,
        (
            world.saw("not_written", folder.run, quiet, "wandb_files", age),
            world.saw("mine", folder.run, os.stat(folder.log).st_uid == os.getuid(), "wandb_files", "by its owner"),
            world.saw("counted", folder.run, bool(rows), "wandb_files", told),
            saw("once", folder.run, before == 0 or args.again, context.clock(), f"W&B holds {before} rows of it"),
            saw("nothing_there", folder.run, before == 0, context.clock(), f"W&B holds {before} rows of it"),
        ),
    )


def _by_the_lab(context: Context, args: SyncArgs, world: World, line: str) -> Proposal:
    """The lab's own command uploads what it finds, so that all its offline runs are concerned, not these alone."""
    line = sent_to(context.place.layout.cluster, line) or line
    program = from_line(line, str(context.place.workspace), context.place)
    found = [one for one in judged(world.seen, None) if one.state in (*sync.SYNCABLE, "live", "maybe_live", "torn")]
    busy = [one.folder.run for one in found if one.state in ("live", "maybe_live")]
    name = os.path.basename(program.argv[-1])
    action = Action(
        verb="sync",
        subject=name,
        names=(name,),
        thing="submission",
        identity=(("by", "lab"), ("command", digest_of(program.files[0][0]) if program.files else line)),
        program=program,
        shows=(
            f"the lab's own command: it uploads what it finds, now {len(found)} offline folders",
            *not_on_cluster(program, context.place),
        ),
        says=args.says,
    )
    at, day = world.seen.at, time.strftime("%H:%M", time.localtime(world.seen.at))
    return Proposal(
        action,
        (
            world.saw("not_written", name, not busy, "wandb_files", f"{', '.join(busy[:3]) or 'none'} is written to"),
            world.saw("mine", name, True, "wandb_files", "your workspace"),
            world.saw("counted", name, bool(found), "wandb_files", f"{len(found)} folders at {day}"),
            saw("once", name, True, at, "the command is the lab's own"),
            saw("nothing_there", name, True, at, "the command is the lab's own: what W&B holds is not compared"),
        ),
    )
