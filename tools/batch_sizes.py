"""Batch sizes of the runs, what out-of-memory ones should go on with, and host memory used against asked."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tools.base import MAX_RESULT_CHARS, Context, Output, Tool, ToolError, more, to_text
from tools.data import Job
from tools.diagnosis import batch_advice
from tools.diagnosis.batch import Number
from tools.diagnosis.batch_advice import Recovery
from tools.diagnosis.crash_patterns import SIZE
from tools.diagnosis.join import Link
from tools.explain_job import JobOrRun
from tools.look import Seen
from tools.run_batch import batch_of, configs_of, recovery_of
from tools.run_tools import DETAIL_AGE_S
from tools.sources import command, slurm
from tools.status import RunRow

MAX_ROWS = 60
OUT_OF_MEMORY = ("cuda_oom", "host_oom")
GIB = 1024**3
CARRIED = "its command carries the overrides by itself"
NOT_CARRIED = "its command carries no overrides: they are put in once resume: of sweep-agent.yaml holds {overrides}"


class BatchSizesArgs(JobOrRun):
    sweep: str | None = Field(None, max_length=128)
    """Only this sweep id."""


def batch_sizes(context: Context, args: BatchSizesArgs) -> Output:
    """Batch per device, accumulation, GPUs and effective batch of each run, with where each number stands; for runs
    that ran out of memory the smaller batch that keeps the effective one (as overrides) and whether resume_run
    carries it, the rules' sizes for the model, and host memory used against asked (Slurm's sampled MaxRSS of the
    largest task; units of 1024). Those out of memory come first."""
    status, seen = context.look(DETAIL_AGE_S)
    rows = {(row.job, row.run): row for row in status.runs}
    pairs = [(rows.get(_key(link)), link) for link in seen.links]
    chosen = [(row, link) for row, link in pairs if row and not row.superseded and _wanted(row, args)]
    chosen.sort(key=lambda pair: (pair[0].cause not in OUT_OF_MEMORY, not pair[0].live, pair[0].run is None))
    if not chosen:
        what = args.name or args.sweep
        raise ToolError(f"no run or job {what} is known; check_sweeps lists them" if what else "no runs are known")
    shown = chosen[:MAX_ROWS]
    used, problem = _memory(context, [link.job for _, link in shown if link.job])
    entries = [_entry(row, link, seen, used, context.place.layout.resume or "") for row, link in shown]
    text = to_text(context, _payload(entries, len(chosen), problem))
    while len(text) > MAX_RESULT_CHARS and entries:
        # whole rows are left out, never a part of one
        entries = entries[: len(entries) * 3 // 4]
        text = to_text(context, _payload(entries, len(chosen), problem))
    seen_facts = [("seen", name, "batch") for row, _ in shown for name in (row.job, row.run) if name]
    return Output(text, facts=tuple(seen_facts))


BATCH_SIZES = Tool("batch_sizes", BatchSizesArgs, batch_sizes)


def _key(link: Link) -> tuple[str | None, str | None]:
    return (link.job.id if link.job else None, link.run)


def _wanted(row: RunRow, args: BatchSizesArgs) -> bool:
    job = args.job_id is None or args.job_id in (row.job, row.run) or (row.job or "").startswith(f"{args.job_id}_")
    return job and args.run in (None, row.run, row.job) and args.sweep in (None, row.sweep)


def _memory(context: Context, jobs: list[Job]) -> tuple[dict[str, slurm.Used], str | None]:
    """One call for the jobs that have ended; a problem is told, never raised: the batches are there without it."""
    ended = [job.id for job in jobs if job.start is not None and not job.active and not job.waiting]
    place = context.place
    try:
        program = command.find_program("sacct", folder=place.slurm_bin, workspace=place.workspace)
        return slurm.read_memory(program, ended, place.layout.cluster) if ended else {}, None
    except (command.CommandError, slurm.SlurmError) as error:
        return {}, f"memory used is not known: {error}"


def _entry(row: RunRow, link: Link, seen: Seen, used: dict[str, slurm.Used], resume: str) -> dict[str, Any]:
    configs, batch = configs_of(link, seen), batch_of(link, seen)
    numbers = {"per_device": batch.per_device, "accumulation": batch.accumulation, "gpus": batch.gpus}
    size = batch_advice.model_size(configs)
    entry: dict[str, Any] = {
        "run": row.run,
        "job": row.job,
        "sweep": row.sweep,
        "cause": row.cause if row.cause != "none" else None,
        **{name: number.value if number else None for name, number in numbers.items()},
        "effective": batch.effective,
        "from": {name: _where(number) for name, number in numbers.items() if number},
        "notes": batch.notes,
        "model": _model(size) if size else None,
    }
    if link.job:
        entry["host_memory"] = _used(used.get(link.job.id), link.job)
    if row.cause in OUT_OF_MEMORY:
        entry["out_of_memory"] = _advice(row, recovery_of(link, seen, batch), carried="{overrides}" in resume)
    return entry


def _where(number: Number) -> str:
    return f"derived: {number.where}" if number.derived else number.where


def _model(size: batch_advice.ModelSize) -> dict[str, Any]:
    row = batch_advice.recommendation(size.parameters)
    return {
        "parameters": f"{size.parameters / 1e9:.3g}B",
        "from": f"{size.where}{' (a hint: read from a name)' if size.hint else ''}",
        "rules_recommend": f"{row.model}: batch {_range(row.per_device)}, accumulation {_range(row.accumulation)}, "
        f"effective {_range(row.effective)} (on one GPU)",
    }


def _range(both: tuple[int, int]) -> str:
    return f"{both[0]}-{both[1]}"


def _advice(row: RunRow, recovery: Recovery, *, carried: bool) -> dict[str, Any]:
    asked = next((match["size"] for item in row.evidence if (match := SIZE.search(item.text))), None)
    first = "ask Slurm for more memory; a smaller batch helps host memory little" if row.cause == "host_oom" else None
    return {
        "tried_to_allocate": asked,
        "first": first,
        "smaller_batch": recovery.words,
        "overrides": " ".join(recovery.overrides) or None,
        "resume_run": (CARRIED if carried else NOT_CARRIED) if recovery.overrides else None,
        "no_overrides": None if recovery.overrides or recovery.changed else "no configuration names the keys to change",
    }


def _used(most: slurm.Used | None, job: Job) -> str | None:
    """``used 58.2 of 60 GB``: the largest task's MaxRSS against what was asked for, where the job is one task.

    One of several tasks used a part of what was asked for: then both are told, and no share is made of them.
    """
    asked = f"{job.memory / GIB:.3g}" if job.memory is not None else None
    nodes = f" on {job.node_count} nodes" if job.node_count and job.node_count > 1 else ""
    if most is None:
        return f"asked for {asked} GB{nodes}, use not sampled" if asked else None
    used = f"{most.memory / GIB:.3g}"
    if most.tasks == 1 and not nodes:
        return f"used {used} of {asked} GB" if asked else f"used {used} GB"
    who = f"largest of {most.tasks} tasks" if most.tasks and most.tasks > 1 else "largest task"
    return f"{who} used {used} GB{f', {asked} GB asked for{nodes}' if asked else ''}"


def _payload(entries: list[dict[str, Any]], total: int, problem: str | None) -> dict[str, Any]:
    left_out = total - len(entries)
    return {
        "runs": entries,
        "total": total,
        "memory_problem": problem,
        "left_out": more(left_out, "job_id=…, run=… or sweep=…"),
    }
