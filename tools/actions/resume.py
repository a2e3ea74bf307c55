"""Resuming a run from its checkpoint, by the workspace's own command."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from tools.actions import run_config
from tools.actions.evidence import going_on_from
from tools.actions.programs import from_line, not_on_cluster
from tools.actions.submitted import settle
from tools.actions.world import World, read_world
from tools.acts import Action, Observation, Program, Proposal, Value
from tools.base import ActArgs, ActTool, Context, Denied
from tools.diagnosis.consistency import LAPSED_S
from tools.diagnosis.join import Link
from tools.next_step import commands_for
from tools.run_batch import recovery_of
from tools.status import RunRow

LAST_WORDS_S = 90.0
"""How long after its job's end, by Slurm's clock, a run's last heartbeat may still arrive."""
RunId = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")


class ResumeArgs(ActArgs):
    run: str = RunId
    """W&B run id."""
    sweep: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
    """Its sweep, where you know it; checked against what was seen."""


def propose(context: Context, args: ResumeArgs) -> tuple[Proposal, ...]:
    """Resume one dead run from its newest loadable checkpoint, by the workspace's own command. The program checks the
    checkpoint, that no job trains or waits for the run, and what it died of; then it asks the person, submits, and
    reports the job. A smaller batch after running out of memory is no argument: batch_sizes tells whether the command
    carries it. For several runs call it once for each in the same turn: the person is asked once for all."""
    world = read_world(context)
    link, row = _standing(args.run, world)
    if args.sweep and link.sweep and args.sweep != link.sweep:
        raise Denied(f"run {args.run} is of sweep {link.sweep}, not of {args.sweep}")
    commands = commands_for(link, world.seen, context.place, row.cause)
    folder = str(context.place.workspace)
    program = from_line(commands.resume, folder, context.place) if commands.resume else None
    first = run_config.maker(link, world, context)
    seen = (
        *_seen(link, row, world, context, program),
        world.saw("config_there", args.run, *run_config.there(args.run, world, first)),
    )
    saved = world.seen.newest.get(args.run, (None, ()))[0]
    smaller, away = _smaller(link, row, world, context), not_on_cluster(program, context.place)
    action = Action(
        verb="resume",
        subject=args.run,
        names=tuple(filter(None, (args.run, row.job))),
        within=(link.sweep,) if link.sweep else (),
        thing="run",
        identity=_identity(link, row),
        program=program,
        first=first,
        shows=(*going_on_from(row, saved, smaller), *away),
        brief=(*going_on_from(row, saved, smaller, brief=True), *away),
        pages=world.pages(args.run, link.sweep),
        says=args.says,
    )
    return (Proposal(action, seen),)


RESUME = ActTool("resume_run", ResumeArgs, "resume", propose, run_config.perform, settle)


def _standing(run: str, world: World) -> tuple[Link, RunRow]:
    """The run's link and row that count: of its live job, else of its last one."""
    rows = world.rows(run=run)
    if not rows:
        raise Denied(f"no run {run} was seen in this workspace; check_sweeps lists the runs")
    row = next((row for row in rows if row.live), rows[0])
    links = [link for link in world.seen.links if link.run == run]
    return next(link for link in links if (link.job.id if link.job else None) == row.job), row


def _identity(link: Link, row: RunRow) -> tuple[tuple[str, str], ...]:
    job = link.job
    saved = row.checkpoint.path if row.checkpoint else ""
    return (
        ("run", link.run or ""),
        ("sweep", link.sweep or ""),
        (
            "last job",
            f"{job.id} {job.state} submitted {job.submit or 0:.0f} started {job.start or 0:.0f}" if job else "",
        ),
        ("checkpoint", saved),
    )


def _seen(link: Link, row: RunRow, world: World, context: Context, program: Program | None) -> tuple[Observation, ...]:
    run = link.run or ""

    def saw(kind: str, value: Value, source: str, text: str) -> Observation:
        return world.saw(kind, run, value, source, text)

    carrying = world.carrying(run, context.submitted)
    live, why = world.not_live((run,), context.submitted)
    if live is not False and (heard := _heard_elsewhere(link, world)):
        live, why = False, heard
    waiting = [job.id for job in carrying if job.waiting]
    folder = link.run_dirs[-1] if link.run_dirs else None
    told = world.seen.served.runs.get(run) if world.seen.served else None
    marked = bool(folder and folder.preempting and folder.exit_code != 0)
    if told:  # the service knows better than a mark on disk
        marked = told.state in {"preempting", "pending", "preempted"}
    handed_on = marked and bool(link.sweep)
    return (
        saw("mine", _mine(link, row), "squeue", f"its last job {link.job.id} is yours" if link.job else "by its files"),
        saw("loadable", *_loadable(row)),
        saw("not_live", live, "squeue", why),
        saw(
            "not_queued",
            not waiting,
            "squeue",
            f"job {waiting[0]} waits with it" if waiting else "no job waits with it",
        ),
        saw(
            "not_pending_at_wandb",
            not handed_on,
            "wandb_api" if told else "wandb_files",
            f"W&B calls it {told.state}; handed on is what is preempted or pending"
            if told
            else f"its files hold {'a' if handed_on else 'no'} mark of it",
        ),
        saw("mended", *_mended(link, row, world)),
        saw("cause_allows", *_cause(link, row, world, context)),
        saw("command", program is not None, "configs", "" if program else "nothing here shows how a run is resumed"),
    )


def _heard_elsewhere(link: Link, world: World) -> str:
    """What says that something trains the run which no queue here shows: W&B has heard of it since its job ended."""
    served = world.seen.served
    told = served.runs.get(link.run or "") if served else None
    if served is None or told is None or told.state != "running" or told.heartbeat is None or served.skew_s is None:
        return ""
    heard = told.heartbeat - served.skew_s
    age = int(world.seen.at - heard)
    last = link.job.end if link.job else None
    if age > LAPSED_S or (last is not None and heard <= last + LAST_WORDS_S):
        return ""
    return f"W&B heard of it {age} s ago, and no job here has it: it trains somewhere else"


def _mine(link: Link, row: RunRow) -> bool | None:
    if link.job:
        return True  # squeue and sacct were asked for this user's jobs alone
    try:
        return row.checkpoint is not None and os.stat(row.checkpoint.path).st_uid == os.getuid()
    except OSError:
        return None


def _loadable(row: RunRow) -> tuple[Value, str, str]:
    if row.checkpoint is None:
        unknown = next((flag for flag in row.flags if flag.startswith("checkpoint: ")), None)
        return (None, "checkpoints", unknown.partition(": ")[2]) if unknown else (False, "checkpoints", "it has none")
    name = row.checkpoint.path.rpartition("/")[2]
    return row.checkpoint.loadable, "checkpoints", f"{name} {'loads' if row.checkpoint.loadable else 'does not load'}"


def _mended(link: Link, row: RunRow, world: World) -> tuple[Value, str, str]:
    """A config error kills a run again until its config is another one."""
    if row.cause != "config_error":
        return True, "configs", "its config was not the cause"
    configs = filter(None, (world.seen.hydra_paths.get(link.run or ""), world.seen.sweep_yamls.of(link)))
    try:
        changed = [path for path in configs if os.stat(path).st_mtime > (row.ended_at or float("inf"))]
    except OSError:
        return None, "configs", "its config can't be read"
    if changed:
        return True, "configs", f"{Path(changed[0]).name} was changed since"
    return False, "configs", f"it died of a config error: {row.action or 'fix its config'}"


def _cause(link: Link, row: RunRow, world: World, context: Context) -> tuple[Value, str, str]:
    if row.resumable != "yes":
        return False, "logs", f"{row.cause.replace('_', ' ')}: {row.action or 'nothing says that it can go on'}"
    recovery = recovery_of(link, world.seen) if row.cause == "cuda_oom" else None
    if recovery and recovery.changed:
        return True, "configs", f"it ran out of GPU memory; now {recovery.words}"
    if recovery and not _smaller(link, row, world, context):
        told = "put {overrides} into resume: of sweep-agent.yaml, so that the command carries a smaller batch"
        return False, "logs", f"it ran out of GPU memory at this batch size ({recovery.words}); {told}"
    return True, "logs", row.cause.replace("_", " ")


def _smaller(link: Link, row: RunRow, world: World, context: Context) -> str | None:
    """The smaller batch that the command carries, or that its config has now, in words."""
    recovery = recovery_of(link, world.seen) if row.cause == "cuda_oom" else None
    carried = recovery and recovery.overrides and "{overrides}" in (context.place.layout.resume or "")
    return recovery.words if recovery and (carried or recovery.changed) else None
