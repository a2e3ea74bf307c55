"""What ties a job to its run and its sweep, in the order of the evidence (``join``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tools.data import Evidence, Job
from tools.diagnosis.markers import RunPart
from tools.wandb_data import RunDir, ServerRun, SweepParams

_WORD = re.compile(r"[^\s/=,:;'\"]{2,128}")


def run_of(
    job: Job, part: RunPart, by_job: Mapping[str, Sequence[RunDir | ServerRun]], known: set[str], spoken: set[str]
) -> tuple[str | None, Evidence | None]:
    """The run that a job trains whose log names none, and what says so.

    ``by_job``: job id -> what W&B has of it; ``known`` runs can be a job's name, ``spoken`` ones a word of its command.
    """
    if folders := by_job.get(job.id) or (by_job.get(job.raw_id) if job.task is None else None):
        run = folders[-1]
        source, where = ("wandb_files", run.path) if isinstance(run, RunDir) else ("wandb_api", run.run)
        return run.run, Evidence(source, where, f"metadata names job {job.id}")
    for word in _words(part.command or job.command):
        if word in spoken:
            return word, Evidence(job.source, "command", job.command[:300])
    if job.name in known:
        return job.name, Evidence(job.source, "job name", job.name[:300])
    return None, None


def sweep_of(
    part: RunPart,
    dirs: Sequence[RunDir],
    params: Mapping[str, SweepParams],
    served: Mapping[str, ServerRun],
    job: Job | None,
    known: set[str],
) -> str | None:
    """The sweep of a run, by what is nearest to it; ``known`` sweeps can be a word of the job's command."""
    if part.sweep:
        return part.sweep
    if part.run and part.run in params:
        return params[part.run].sweep
    for folder in reversed(dirs):
        if folder.sweep:
            return folder.sweep
    if part.run and part.run in served and (told := served[part.run].sweep):
        return told
    return next((word for word in _words(job.command) if word in known), None) if job else None


@lru_cache(maxsize=256)
def _words(command: str) -> tuple[str, ...]:
    """The tasks of an array, whose jobs stand together, share a command."""
    return tuple(_WORD.findall(command))
