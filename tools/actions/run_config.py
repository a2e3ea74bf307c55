"""A run's resolved config, which a resume needs where the workspace keeps them: there, or made by the lab's command."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from tools.actions import programs
from tools.actions.world import World, read_world
from tools.acts import Action, Program, Ran, Value
from tools.base import Context, Denied
from tools.diagnosis import resume
from tools.diagnosis.join import Link
from tools.next_step import sent_to


def maker(link: Link, world: World, context: Context) -> Program | None:
    """The lab's command that writes the config of a run which has none; None where nothing has to or can be made.
    Raises Denied for a command that can't be started."""
    template = context.place.layout.run_config
    if template is None or link.run in world.seen.hydra_paths or ("{sweep}" in template and not link.sweep):
        return None
    line = resume.fill(template, {"sweep": link.sweep, "run": link.run})
    sent = sent_to(context.place.layout.cluster, line) or line
    return programs.from_line(sent, str(context.place.workspace), context.place)


def there(run: str, world: World, first: Program | None) -> tuple[Value, str, str]:
    """Whether the run has its config, or will have it before it is resumed."""
    if run in world.seen.hydra_paths:
        return True, "configs", Path(world.seen.hydra_paths[run]).name
    if first:
        return True, "configs", "not yet: it is made first, by the lab's own command, and looked for"
    if not world.seen.hydra_paths:
        return True, "configs", "no run here keeps one"
    return False, "configs", "other runs here have one, this one has none"


def perform(context: Context, action: Action) -> Ran:
    """Start what was approved: where the config is made first, the program only if it is there then."""
    if action.first is None:
        return programs.perform(context, action)
    made = programs.run(context, action.first)
    name = os.path.basename(action.first.argv[0])
    how = f"{name} did not end in time" if made.code is None else f"{name} ended with exit code {made.code}"
    context.forget()
    world = read_world(context)
    if action.subject not in world.seen.hydra_paths:
        why = f"its config is not there after that ({how})"
    elif changed := _changed(action.program):
        why = f"{changed} is not what was approved any more"
    elif taken := _taken(action.subject, world, context):
        why = f"job {taken} has taken it up meanwhile"
    else:
        return programs.perform(context, action)
    said = (made.err or made.out).strip()
    return Ran(1, err=f"{said}\n{shlex.join(action.first.argv)}: {why}: it was not resumed".strip())


def _taken(run: str, world: World, context: Context) -> str:
    """The job that trains the run or waits with it since what ran first began, which may have taken minutes."""
    carrying = [job.id for job in world.carrying(run, context.submitted) if job.active or job.waiting]
    return next(iter(carrying), "")


def _changed(program: Program | None) -> str:
    """Which file of the program was changed by what ran first."""
    for path, digest in program.files if program else ():
        try:
            if programs.digest_of(path) != digest:
                return path
        except Denied:
            return path
    return ""
