"""Batch sizes of the runs, memory used against memory asked for, and what to change after running out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tools.base import MAX_RESULT_CHARS, Args, Context, Output, Tool, ToolError, to_text
from tools.diagnosis import batch
from tools.diagnosis.join import Link
from tools.explain_job import rows_named
from tools.kinds import kind, urgency
from tools.look import Seen
from tools.sources import command, slurm
from tools.sources.yaml_files import load_yaml
from tools.status import RunRow

MAX_ROWS = 60
MAX_MEMORY = 100
"""Jobs whose memory is asked of accounting: one call, steps included."""
OUT_OF_MEMORY = ("cuda_oom", "host_oom")


class BatchSizesArgs(Args):
    run_or_job: str | None = Field(None, max_length=128)
    """W&B run id, job or array task; leave out for all."""
    sweep: str | None = Field(None, max_length=128)
    """Only runs of this sweep id."""


def batch_sizes(context: Context, args: BatchSizesArgs) -> Output:
    """Batch size per device, gradient accumulation, GPUs and effective batch of runs, from each run's own config and
    Slurm; memory used against memory asked for; for runs that ran out of memory what to change, with the exact
    effective batch that gives; recommended sizes by model size. Runs out of memory come first."""
    status, seen = context.look()
    rows = rows_named(args.run_or_job, status, seen) if args.run_or_job else list(status.runs)
    rows = [row for row in rows if not row.superseded and row.run and args.sweep in (None, row.sweep)]
    if not rows:
        raise ToolError(f"no run is known of {args.run_or_job or args.sweep or 'this workspace'}; see check_sweeps")
    rows.sort(key=lambda row: (row.cause not in OUT_OF_MEMORY, kind(row) != "live", urgency(row)))
    shown = rows[:MAX_ROWS]
    links = {(link.job.id if link.job else None, link.run): link for link in seen.links}
    used, problem = _memory(context, [row.job for row in shown if row.job][:MAX_MEMORY])
    entries = [_entry(row, links[row.job, row.run], seen, used) for row in shown]
    text = ""
    while not text or (len(text) > MAX_RESULT_CHARS and entries):
        left_out = len(rows) - len(entries)
        payload = {"runs": entries, "left_out": left_out or None, "memory_not_read": problem}
        text = to_text(context, payload)
        entries = entries[: len(entries) * 3 // 4]
    return Output(text, facts=tuple(("seen", row.job or row.run or "", "batch") for row in shown))


BATCH_SIZES = Tool("batch_sizes", BatchSizesArgs, batch_sizes)


def config_of_run(link: Link, seen: Seen) -> tuple[Mapping[str, Any], str | None]:
    """The run's resolved config whole, and where it stands; W&B's copy where there is no file."""
    path = seen.hydra_paths.get(link.run or "")
    if path and (content := load_yaml(path)):
        return content, path
    folder = next((folder for folder in reversed(link.run_dirs) if folder.config), None)
    if folder:
        return folder.config, folder.path
    return (link.params.params, link.params.path) if link.params else ({}, None)


def _entry(row: RunRow, link: Link, seen: Seen, used: Mapping[str, int]) -> dict[str, Any]:
    config, where = config_of_run(link, seen)
    found = batch.components(config, link.job.gpus if link.job else None)
    entry: dict[str, Any] = {
        "job": row.job,
        "run": row.run,
        "kind": kind(row),
        "cause": row.cause if kind(row) == "dead" else None,
        "batch": found.per_device,
        "accumulation": found.accumulation,
        "gpus": found.gpus,
        "effective": found.effective,
        "from": where.removeprefix(f"{seen.index.workspace}/") if where else "no config was found",
        "notes": found.notes,
    }
    size = batch.model_size(config)
    if size:
        advice = batch.recommendation(size[0])
        entry["model"] = {"billions": round(size[0], 3), "from": size[1], "recommended": advice}
    asked, most = link.job.memory if link.job else None, used.get(row.job or "")
    if most is not None:
        entry["memory"] = f"used {_gib(most)}" + (f" of {_gib(asked)} asked for" if asked else "")
    if row.cause == "cuda_oom":
        changes = batch.recovery(found)
        entry["try"] = [{"change": change.words, "overrides": change.overrides} for change in changes] or (
            "a smaller batch is not possible or the batch is not known: gradient checkpointing, or more GPUs"
        )
    elif row.cause == "host_oom":
        entry["try"] = "more memory for the job (--mem), or fewer data loader workers; the batch is not to blame first"
    return entry


def _memory(context: Context, jobs: Sequence[str]) -> tuple[dict[str, int], str | None]:
    """Most memory a step of each job used (bytes), by one call; else why that is not known."""
    if not jobs:
        return {}, None
    try:
        program = command.find_program("sacct", folder=context.place.slurm_bin, workspace=context.place.workspace)
        return slurm.read_memory(program, jobs), None
    except (command.CommandError, slurm.SlurmError) as error:
        return {}, str(error)


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
