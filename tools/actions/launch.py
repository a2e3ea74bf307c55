"""Starting more agents of a sweep that exists."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from tools.actions.programs import from_line, not_on_cluster, perform
from tools.actions.submitted import settle
from tools.actions.world import World, read_world
from tools.acts import Action, Observation, Program, Proposal
from tools.base import ActArgs, ActTool, Context, Denied
from tools.diagnosis.join import Link
from tools.diagnosis.naming import job_name
from tools.diagnosis.resume import Commands
from tools.next_step import commands_for
from tools.sources.log_paths import read_submit_line
from tools.status import SweepRow
from tools.sweep_checks import offline
from tools.sweep_rows import ACCEPTING
from tools.text import roughly
from tools.wandb_data import SweepConfig

MAX_AGENTS = 64


class LaunchArgs(ActArgs):
    sweep: str = Field(max_length=256)
    """Sweep id, or the config file of a sweep, such as experiments/glue.yaml."""
    count: int = Field(1, ge=1, le=MAX_AGENTS)
    """How many agents more."""


def propose(context: Context, args: LaunchArgs) -> tuple[Proposal, ...]:
    """Start more agents of a sweep that was seen here, by the workspace's own command. The program checks the config
    and how the sweep runs, then asks the person, submits, and reports the jobs."""
    world = read_world(context)
    row = _sweep(args.sweep, world)
    links = [link for link in world.seen.links if link.sweep == row.id]
    link, commands = _newest(row.id, links, world, context)
    own = link.job.workdir if link.job and commands.relaunch == commands.again else ""
    folder = own or str(context.place.workspace)
    program = from_line(commands.relaunch, folder, context.place) if commands.relaunch else None
    name = job_name(row.config) if row.config else None
    if program:
        program = _for_agents(program, args.count, name)
    action = Action(
        verb="launch",
        subject=row.id,
        names=_names(row, world),
        thing="submission",
        identity=(("sweep", row.id), ("config", row.config or ""), ("agents", str(args.count))),
        program=program,
        shows=(
            f"{args.count} more agent{'' if args.count == 1 else 's'} of {row.id} ({row.config or 'config unknown'})",
            _capacity(row, links, args.count),
            *_limit(link),
            *not_on_cluster(program, context.place),
        ),
        pages=world.pages(None, row.id),
        says=args.says,
    )
    return (Proposal(action, _seen(row, links, world, program)),)


def _capacity(row: SweepRow, links: Sequence[Link], count: int) -> str:
    """How many agents run and wait, and whether so many more are too many."""
    waiting = len({link.job.id for link in links if link.job and link.job.waiting})
    expected = row.expected_agents
    told = f"now {row.active_agents} of {'?' if expected is None else expected} run"
    told += f", and {waiting} wait{'s' if waiting == 1 else ''}" if waiting else ""
    together = row.active_agents + waiting + count
    too_many = expected is not None and together > expected
    return f"{told}: with these {together}, more than expected" if too_many else told


def _limit(link: Link) -> tuple[str, ...]:
    """How long an agent may run, as far as the job whose command it is tells."""
    if link.job is None or link.job.limit_s is None:
        return ()
    return (f"each ends after {roughly(link.job.limit_s)} at its time limit, if it gets that of {link.job.id}",)


def _newest(sweep: str, links: Sequence[Link], world: World, context: Context) -> tuple[Link, Commands]:
    """The newest job of the sweep that shows how an agent is started; a job that resumes one run shows nothing. A
    sweep without any was made just now."""
    found = sorted(links, key=lambda one: (one.job.submit or 0.0) if one.job else -1.0, reverse=True)
    found = found or [Link(None, None, sweep)]
    told = ((link, commands_for(link, world.seen, context.place, "none")) for link in found)
    first = next(told)
    return next(((link, commands) for link, commands in (first, *told) if commands.relaunch), first)


LAUNCH = ActTool("launch_agents", LaunchArgs, "launch", propose, perform, settle)


def _sweep(named: str, world: World) -> SweepRow:
    fits = [row for row in world.status.sweeps if named in (row.id, row.config, (row.config or "").rpartition("/")[2])]
    if len(fits) == 1:
        return fits[0]
    known = ", ".join(row.id for row in world.status.sweeps[:8]) or "none"
    if fits:
        raise Denied(f"{named} is the config of {len(fits)} sweeps ({', '.join(row.id for row in fits)}): name one")
    raise Denied(f"no sweep {named} was seen in this workspace; seen: {known}")


def _names(row: SweepRow, world: World) -> tuple[str, ...]:
    """What a person types who means this sweep: its id, or its config where that is no other sweep's."""
    alone = row.config and sum(one.config == row.config for one in world.status.sweeps) == 1
    return (row.id, row.config) if alone and row.config else (row.id,)


def _for_agents(program: Program, count: int, name: str | None) -> Program:
    """sbatch is given an array of the right size and the name by the rule; another program is left as it is."""
    if program.argv[0].rpartition("/")[2] != "sbatch":
        if count > 1:
            raise Denied(
                "the workspace's launch command starts one agent: ask for one at a time, or name an sbatch command in "
                "sweep-agent.yaml"
            )
        return program
    given = read_submit_line(shlex.join(program.argv))  # without its own array
    named = any(word.startswith(("--job-name", "-J")) for word in given.options)
    own = [] if named or not name else [f"--job-name={name}"]
    words = (*own, *given.options, *filter(None, (given.script,)), *given.arguments)
    return replace(program, argv=(program.argv[0], f"--array=0-{count - 1}", *words))


def _seen(row: SweepRow, links: list[Link], world: World, program: Program | None) -> tuple[Observation, ...]:
    config: SweepConfig | None = next(
        (entry for path, entry in world.seen.sweep_yamls.configs.items() if row.config and path.endswith(row.config)),
        None,
    )
    method = (config.method if config else None) or row.method
    why = offline(links, world.seen)
    needs_online = method == "bayes" or bool(config and config.early_terminate)
    online = None if method is None and why else not (why and needs_online)
    live = row.active_agents > 0
    state = row.state or "its state on W&B is not known"
    accepts = True if row.state == "RUNNING" or (row.state is None and live) else None if row.state is None else False
    runs = {one.run for one in world.status.runs if one.run}
    words = {part for word in program.argv[1:] for part in word.split("=")} if program else set()
    named = sorted(runs & words)
    told = world.seen.served.project.sweeps.get(row.id) if world.seen.served else None
    there = f"{len(links)} runs and jobs of it" if links or not told else f"W&B has it, {told.state}, without any run"
    open_there = row.state is None or row.state in ACCEPTING
    return (
        world.saw("not_over", row.id, open_there, "wandb_api", f"W&B says {row.state or 'nothing of it'}"),
        world.saw("names_no_run", row.id, not named, "configs", f"it names {named[0]}" if named else "it names none"),
        world.saw("sweep_exists", row.id, bool(links or told), "configs", there),
        world.saw("command", row.id, program is not None, "configs", shlex.join(program.argv) if program else ""),
        world.saw(
            "runs_online", row.id, online, "configs", why or f"method {method or 'unknown'}, nothing says offline"
        ),
        world.saw(
            "accepts_agents",
            row.id,
            accepts,
            "wandb_api" if row.state else "squeue",
            f"W&B says {row.state}" if row.state else f"{row.active_agents} agents run" if live else state,
        ),
    )
