"""The check of one sweep: its config, and what its jobs and runs show of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools.data import Job
from tools.diagnosis import config_check
from tools.diagnosis.config_check import Problem
from tools.diagnosis.join import Link
from tools.look import Seen
from tools.next_step import parts_of_arguments
from tools.sources import index, wandb_mode
from tools.sources.log_paths import read_submit_line
from tools.wandb_data import SweepConfig


def problems(config: SweepConfig, links: Sequence[Link], seen: Seen, *, has_target: bool | None) -> tuple[Problem, ...]:
    """What is wrong with a sweep's config and with those of its jobs that live or wait (all, where none does)."""
    # a job that resumes one run has the name of its script, and is no agent of the config
    runs = {link.run for link in links if link.run}
    jobs = [link.job for link in links if link.job and not _names_one(link.job, runs)]
    now = [job for job in jobs if job.active or job.waiting] or jobs
    return config_check.problems(config, [job.name for job in now], offline(links, seen), has_target=has_target)


def offline(links: Sequence[Link], seen: Seen) -> str | None:
    """What shows that a sweep's runs are offline, None where nothing does.

    The newest run folders tell what is so; before there are any, the jobs' scripts and submit lines tell what will
    be, and at last W&B's settings of this workspace.
    """
    live = [link.run_dirs[-1] for link in links if link.current and link.run_dirs]
    every = [link.run_dirs[-1] for link in links if link.run_dirs]
    newest = live or sorted(every, key=lambda folder: folder.started or 0.0)[-1:]
    if newest:
        count = sum(folder.offline for folder in newest)
        of = f"{count} of {len(newest)} live runs" if live else "the newest run"
        return f"{of} {'is' if count == 1 or not live else 'are'} offline" if count else None
    jobs = {(job.command, job.workdir): job for link in links if (job := link.job) and (job.active or job.waiting)}
    found = [mode for job in jobs.values() if (mode := _of_job(job, seen))]
    if not found and (mode := wandb_mode.in_settings(Path(seen.index.workspace))):
        found = [mode]
    bad = next((mode for mode in found if mode.offline), None)
    return f"{bad.where.removeprefix(f'{seen.index.workspace}/')} says {bad.mode}" if bad else None


def _names_one(job: Job, runs: set[str]) -> bool:
    return not runs.isdisjoint(parts_of_arguments(job.command))


def _of_job(job: Job, seen: Seen) -> wandb_mode.Mode | None:
    """A plain assignment in the script counts before the submit line, and that before a default in the script."""
    given = read_submit_line(job.command)
    told = wandb_mode.in_words(given.options)
    path = str(Path(job.workdir or seen.index.workspace, given.script)) if given.script else ""
    own = wandb_mode.in_script(path) if path and index.inside(path, seen.index.roots) else None
    return own if own and not (own.default and told) else told
