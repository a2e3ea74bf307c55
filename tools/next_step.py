"""The commands that would resume a run or start one more agent, as this workspace shows them."""

from __future__ import annotations

import os
from functools import lru_cache

from tools.data import Cause, Job
from tools.diagnosis import resume
from tools.diagnosis.batch_advice import Recovery
from tools.diagnosis.join import Link
from tools.layout import Layout
from tools.look import Seen
from tools.place import Place
from tools.run_batch import recovery_of
from tools.run_values import entity_and_project
from tools.sources.log_paths import read_submit_line


def commands_for(link: Link, seen: Seen, place: Place, cause: Cause) -> resume.Commands:
    config = seen.sweep_yamls.of(link)
    shown = config.removeprefix(f"{seen.index.workspace}/") if config else None
    again = None
    smaller = recovery_of(link, seen) if cause == "cuda_oom" else None
    if link.run:
        again = resume.resume_command(
            place.layout.resume,
            make_run=seen.launchers.make_run,
            run_script=seen.launchers.run_script,
            sweep=link.sweep,
            run=link.run,
            overrides=smaller.overrides if smaller else (),
        )
    own_config = seen.hydra_paths.get(link.run or "", "").removeprefix(f"{seen.index.workspace}/")
    own = own_submission(link.job, seen.at) if link.job else None
    cluster = place.layout.cluster
    return resume.Commands(
        sent_to(cluster, again),
        sent_to(cluster, _relaunch(link, place.layout, shown, seen, own)),
        shown,
        sent_to(cluster, own),
        link.sweep is not None,
        _change(smaller, place.layout, own_config) if smaller else None,
        link.job.id if link.job and link.job.active and not link.current else None,
    )


def _change(smaller: Recovery, layout: Layout, config: str | None) -> str | None:
    """A smaller batch in words, and who puts it in where the command can't carry it."""
    words = smaller.words if smaller.exact or smaller.changed else None
    if smaller.changed:
        return words
    if smaller.overrides and "{overrides}" in (layout.resume or ""):
        return words
    why = "" if "{overrides}" in (layout.resume or "") else " (`resume` of sweep-agent.yaml has no {overrides})"
    where = f", {config}" if config else ""
    return f"{words or 'reduce the batch size'}, {resume.BY_HAND}{where}{why}"


def sent_to(cluster: str | None, line: str | None) -> str | None:
    """An sbatch line that names no cluster, sent to this one; any other line as it is."""
    if not cluster or not line:
        return line
    first, _, rest = line.partition(" ")
    if first.rpartition("/")[2] != "sbatch" or read_submit_line(line).clusters:
        return line
    return f"{first} -M {cluster} {rest}"


def _relaunch(link: Link, layout: Layout, config: str | None, seen: Seen, own: str | None) -> str | None:
    """One more agent for the same sweep: the project's template, else the job's own script and arguments.

    The job's own line rejoins the sweep only where it names it, and no run: that would start the run a second time.
    """
    if layout.launch:
        entity, project = entity_and_project([link], seen)
        values = {"sweep": link.sweep, "config": config, "entity": entity, "project": project}
        if any(f"{{{name}}}" in layout.launch and not value for name, value in values.items()):
            return None
        return resume.fill(layout.launch, values)
    in_script = seen.script_sweeps.get(link.job.id) if link.job else None
    if own and link.sweep and (link.sweep in own or in_script == link.sweep):
        one_run = link.run is not None and link.job is not None and link.run in parts_of_arguments(link.job.command)
        if not one_run:
            return own
    script = seen.launchers.sweep_script
    if not script or not config or not link.sweep:
        return None
    entity, project = entity_and_project([link], seen)
    if entity and project:
        return resume.shell("sbatch", script, config, f"{entity}/{project}/{link.sweep}")
    return None


@lru_cache(maxsize=256)
def parts_of_arguments(command: str) -> frozenset[str]:
    """The arguments of a submit line's script, and both sides of each that is an assignment."""
    return frozenset(part for word in read_submit_line(command).arguments for part in word.split("="))


@lru_cache(maxsize=1024)
def _is_there(path: str, at: float) -> bool:
    """Asked once a look, which was taken ``at``: the jobs of a sweep have one script."""
    return os.path.isfile(path)


def own_submission(job: Job, at: float) -> str | None:
    """The job's own submit line, for its task alone; only where its script is there."""
    script, before, after = _quoted(job.command)
    if not script:
        return None
    # Slurm keeps the line without its quotes: a word that was split shows as a script that doesn't exist
    if not _is_there(os.path.join(job.workdir, script), at):
        return None
    task = job.task
    return f"{before} {after}" if task is None else f"{before} {resume.shell(f'--array={task}')} {after}"


@lru_cache(maxsize=256)
def _quoted(command: str) -> tuple[str | None, str, str]:
    """The script of a submit line, and the line for a shell, without its array's range: up to the script, and from it
    on. Made once for all tasks of an array."""
    given = read_submit_line(command)
    script = (given.script,) if given.script else ()
    return given.script, resume.shell("sbatch", *given.options), resume.shell(*script, *given.arguments)
