"""What came of a submission: which jobs are there now that were not before, by reading the queue and accounting."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tools.actions.world import read_queue
from tools.acts import Action, Observation, Outcome, Ran
from tools.base import Context, Denied
from tools.data import Job
from tools.sources import command, slurm
from tools.text import some

_PRINTED = re.compile(r"(?m)^(?:Submitted batch job (\d{1,18})(?: on cluster \S{1,64})?|(\d{1,18})(?:;\S{1,64})?)\s*$")
CLOCKS_DIFFER_S = 5.0
"""The controller's clock may be behind this machine's."""


def printed_jobs(out: str) -> tuple[str, ...]:
    """Job numbers in what sbatch printed, also with --parsable; none where nothing tells."""
    return tuple(dict.fromkeys(first or second for first, second in _PRINTED.findall(out)))


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """Which jobs a submission started at ``since`` (epoch seconds) has made: those that it printed, else those that
    carry its subject's name and are as young. A command that was refused at once has made none."""
    printed = printed_jobs(ran.out) if ran else ()
    if ran and ran.certain and ran.code != 0 and not printed:
        return Outcome("not_done", "no job was submitted")
    try:
        queue = read_queue(context)
    except Denied as error:
        return Outcome("unknown", f"whether a job was submitted is not known: {error}")
    ended = _accounting(context)
    both = (*queue, *(ended or ()))
    found = [job for job in both if job.array_id in printed] if printed else []
    found = found or [job for job in both if not printed and _made_by(job, action, since)]
    newest = {job.array_id: job for job in reversed(found)}
    tasks = tuple(dict.fromkeys(job.id for job in found if job.task is not None))
    told = [
        f"{number} ({job.state}{f', {job.reason}' if job.reason else ''}{_of(number, tasks)})"
        for number, job in newest.items()
    ]
    told += [
        f"{number} (printed by the command; the queue doesn't show it)" for number in printed if number not in newest
    ]
    if not told:
        return Outcome("unknown" if ended is None else "not_done", "no job of it is in the queue")
    at = context.clock()
    numbers = dict.fromkeys((*newest, *printed))
    seen = tuple(Observation("submitted", action.subject, number, at, "squeue", ", ".join(told)) for number in numbers)
    named = tuple(Observation("seen", task, "submitted", at, "squeue") for task in tasks)
    return Outcome("done", f"job {', '.join(told)}", (*seen, *named))


def _of(number: str, tasks: Sequence[str]) -> str:
    own = [task for task in tasks if task.startswith(f"{number}_")]
    return f"; tasks {some(own)}" if own else ""


def _made_by(job: Job, action: Action, since: float) -> bool:
    if job.submit is None or job.submit < since - CLOCKS_DIFFER_S:
        return False
    words = set(re.split(r"[\s/=,:;'\"]+", f"{job.command} {job.name}"))
    return action.subject in words


def _accounting(context: Context) -> Sequence[Job] | None:
    """The jobs of the last day; a short one may have ended before anybody looked."""

    def read() -> Sequence[Job]:
        sacct = command.find_program("sacct", folder=context.place.slurm_bin, workspace=context.place.workspace)
        return slurm.read_accounting(sacct, context.place.user, 1, context.place.layout.cluster).jobs

    try:
        return context.recent("accounting", read)  # type: ignore[no-any-return]
    except (command.CommandError, slurm.SlurmError):
        return None
