"""Slurm's and the rows' own words, said as a person would say them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tools.data import Cause
from tools.diagnosis.marker_lines import run_in, sweep_in
from tools.diagnosis.pace import MIN_RUNNING_S
from tools.status import SourceRow

# squeue(1) and https://slurm.schedmd.com/job_reason_codes.html: what a reason means, and what a person can do.
_REASONS: Mapping[str, str] = {
    "Resources": "it is next, as soon as enough is free",
    "Priority": "jobs of higher priority come first",
    "Dependency": "another job must end first: scontrol show job {job} names it",
    "DependencyNeverSatisfied": "the job it waits for ended otherwise than asked, so it will never start: cancel it, "
    "mend the other job and submit both again",
    "JobHeldUser": "you hold it: scontrol release {job} lets it go on",
    "JobHeldAdmin": "an administrator holds it: ask them",
    "JobHoldMaxRequeue": "it was requeued too often and is held: find out why it fails, then scontrol release {job}",
    "BeginTime": "its start time is not reached yet (after a requeue about two minutes)",
    "JobArrayTaskLimit": "as many tasks of its array run as the array's %N allows: "
    "scontrol update JobId={array} ArrayTaskThrottle=N changes that",
    "PartitionTimeLimit": "it asks for more time than the partition allows, so it will not start: "
    "scontrol update JobId={job} TimeLimit=… lowers it",
    "PartitionNodeLimit": "it asks for more nodes than the partition allows, so it will not start",
    "PartitionDown": "the partition is down: it waits until an administrator opens it",
    "PartitionInactive": "the partition is closed: it waits until an administrator opens it",
    "PartitionConfig": "no node of the partition fits what it asks for",
    "BadConstraints": "no node can fit what it asks for, so it will not start: change its constraints",
    "ReqNodeNotAvail": "a node that it asks for is down, drained or reserved",
    "Licenses": "it waits for a licence",
    "Reservation": "it waits for its reservation to begin",
    "launch failed requeued held": "its start failed and it is held: find out why, then scontrol release {job}",
}
_LIMITS = ("QOS", "Assoc", "MaxJobs", "MaxCpu", "MaxGRES", "MaxMem", "MaxNode", "MaxTRES", "MaxSubmit", "Grp")
"""Beginnings of the many reasons that name a limit of an account or a quality of service."""

_FLAGS: Mapping[str, str] = {
    "superseded": "",  # ``continued_by`` says it
    "continued_by": "job {} went on with this run",
    "requeued": "requeued {} times",
    "queued_as": "its next attempt waits as {}",
    "target": "target unknown: {}",
    "epoch": "epoch unknown: {}",
    "step": "step unknown: {}",
    "unsaved": "how much training was not saved is unknown: {}",
    "run": "run unknown: {}",
    "log": "log not read: {}",
    "checkpoint": "checkpoint unknown: {}",
    "wandb_state": "W&B state unknown: {}",
    "progress_from": "progress comes from: {}",
    "log_silent": "log silent for {}",
    "early_stopped": "it stopped early by its own rule",
    "checkpoint_ahead": "its checkpoint is another job's: {}",
    "continued": "a link of a chain: a later job goes on with its run",
    "short_run": "it ran for a short time only",
    "error_at_end": "an error stands at the end of its log: {}",
}
_TOLD_BY_THE_REST = (
    "not_in_queue",
    "not_progressing",
    "no_checkpoint",
    "no_training_seen",
    "duplicate_run",
    "begun_anew",
    "no_config",
)


def waiting_words(reason: str | None, job: str) -> str:
    """What a waiting job's reason means and what to do; empty for one this version doesn't know."""
    word = (reason or "").partition(",")[0].strip()
    told = _REASONS.get(word, "")
    if not told and word.startswith(_LIMITS):
        told = "a limit of your account or quality of service is reached: it starts when your other jobs end"
    return told.format(job=job, array=job.partition("_")[0])


def flag_words(flag: str) -> str:
    """One flag of a row in words; empty where another flag says it."""
    name, _, rest = flag.partition(": ")
    if name in _TOLD_BY_THE_REST:
        return rest
    if name == "requeued" and rest == "1":
        return "requeued once"
    template = _FLAGS.get(name, name.replace("_", " ") + (": {}" if rest else ""))
    return template.format(rest)


def not_seen(source: SourceRow) -> str:
    """A source that could not be read, and why, as one line; most errors name their program themselves."""
    return f"{source.name}: {(source.error or '').removeprefix(f'{source.name}: ')}".replace("\n", "\\x0a")


def only_joins(text: str) -> bool:
    """Whether an evidence line merely names the run or sweep: it ties the log to them and explains nothing."""
    return run_in(text) is not None or sweep_in(text) is not None


def explained(cause: Cause | str) -> bool:
    """Whether something else than the lines that tie a log to its run says why."""
    return cause not in {"none", "unknown"}


def why_no_pace(elapsed: Collection[int | None]) -> str:
    """Why ``left_s`` is unknown of jobs that ran for so many seconds."""
    early = [seconds for seconds in elapsed if seconds is not None and seconds < MIN_RUNNING_S]
    if len(early) == len(elapsed):
        return f"? until a job has run for {MIN_RUNNING_S / 60:.0f} min"
    return "? where the log or the target doesn't tell" + (" or the job has just begun" if early else "")
