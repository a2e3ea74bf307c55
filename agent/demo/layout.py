"""Lays the demo's world out as ordinary files: configs, logs, checkpoints, W&B folders. Appends as time goes on."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

from agent.demo import texts
from agent.demo.wandb_run import more_history, run_log
from agent.demo.world import CHECKPOINT_EVERY, EVERY_S, HOUR, DemoJob, Run, World

OLD_LOGS = ("sweep_47102_0", "sweep_47102_1", "run_47110")
"""Jobs of long ago: only their logs are left."""
KEPT = 3
"""Checkpoints of a run that are still there, as a trainer's save_total_limit would leave them."""


def make(world: World, workspace: Path, made_at: float, final: Path) -> None:
    """Write everything up to ``made_at`` into an empty folder, which will be moved to ``final``."""
    written = min(job.submit for job in world.jobs) - HOUR  # nobody has mended a config since its jobs died
    for name, text in texts.project_files(world).items():
        _write(workspace / name, text, written)
    for job in world.jobs:
        if job.elsewhere or not job.runs:
            continue
        out, err = log_paths(workspace, job)
        _write(out, "")
        _write(err, texts.stderr(world, job, str(final)))
        for run in job.runs:
            _advance_run(run, out, workspace, float("-inf"), made_at, made_at)
            _config(run, workspace)
            _wandb(world, job, run, workspace, made_at)
        _touch(err, job.end or made_at)
        _touch(out, job.end or made_at)
    for number, name in enumerate(OLD_LOGS):
        at = made_at - (41 + 3 * number) * 86_400
        for suffix in (".out", ".err"):
            _write(workspace / "logs" / f"{name}{suffix}", texts.old_log(suffix), at)


def advance(world: World, workspace: Path, made_at: float, after: float, now: float) -> None:
    """Append what the running jobs have logged and saved in (after, now]."""
    for job in world.jobs:
        run = job.runs[-1] if job.runs and job.state == "RUNNING" else None
        if run is not None:
            out, _ = log_paths(workspace, job)
            if _advance_run(run, out, workspace, after, now, made_at):
                _touch(out, now)
            _advance_wandb(run, workspace, after, now, made_at)


def begin(job: DemoJob, world: World, workspace: Path) -> None:
    """The first files of a job that was submitted after the demo was made."""
    assert job.start is not None
    out, err = log_paths(workspace, job)
    _write(out, f"Resuming from outputs/{job.runs[0].id}\n" if job.runs[0].from_epoch else "")
    _write(err, texts.stderr(world, job, str(workspace)))
    _wandb(world, job, job.runs[0], workspace, job.start)
    if not job.runs[0].from_epoch:
        _config(job.runs[0], workspace)


def log_paths(workspace: Path, job: DemoJob) -> tuple[Path, Path]:
    kind = "sweep" if "_" in job.id else "run"
    name = f"{kind}_{job.id}" if "_" in job.id else f"{kind}_{job.raw}"
    return workspace / "logs" / f"{name}.out", workspace / "logs" / f"{name}.err"


def _advance_run(run: Run, out: Path, workspace: Path, after: float, until: float, made_at: float) -> bool:
    lines = []
    saved = []
    for at in run.times(after, until):
        values = run.line(at, made_at)
        if values is None:
            continue
        lines.append(texts.progress(run, *values))
        count = _count(run, at)
        if count and count % CHECKPOINT_EVERY == 0 and values[2] == values[2]:
            saved.append((at, values[0], values[1]))
    if lines:
        with out.open("a", encoding="utf-8") as file:
            file.write("".join(lines))
    for at, epoch, step in saved[-KEPT:]:
        _checkpoint(run, workspace, at, epoch, step, torn=run.torn and (at, epoch, step) == saved[-1])
    return bool(lines)


def _checkpoint(run: Run, workspace: Path, at: float, epoch: int, step: int, torn: bool) -> None:
    place = workspace / "outputs" / run.id / f"checkpoint-{step}"
    header = {"weight": {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}}
    text = json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + bytes(256)
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.safetensors").write_bytes(data[: len(data) // 2] if torn else data)
    if not torn:
        state = {
            "epoch": float(epoch),
            "global_step": step,
            "max_steps": run.sweep.epochs * run.sweep.steps_per_epoch,
        }
        _write(place / "trainer_state.json", json.dumps(state, indent=2), at)
    _touch(place / "model.safetensors", at)
    _touch(place, at)


def _config(run: Run, workspace: Path) -> None:
    _write(workspace / "outputs" / run.id / "hydra_config.yaml", texts.hydra(run), run.start)


def _wandb(world: World, job: DemoJob, run: Run, workspace: Path, made_at: float) -> None:
    _write(workspace / "wandb" / f"sweep-{run.sweep.id}" / f"config-{run.id}.yaml", texts.sweep_params(run), run.start)
    place = workspace / "wandb" / texts.run_folder(run)
    rows = _history(run, float("-inf"), made_at, made_at)
    names = {
        "run": run.id,
        "entity": world.entity,
        "project": world.project,
        "name": f"{run.sweep.job_name}-{run.id[:4]}",
        "sweep": run.sweep.id,
        "host": job.node,
    }
    code = run.exit if run.end is not None else None
    log = run_log(names, run.start, texts.config(run), rows, code)
    _write_bytes(place / f"run-{run.id}.wandb", log, run.end or made_at)
    array, _, task = job.id.partition("_")
    slurm = {"array_job_id": array, "array_task_id": task, "job_id": job.raw} if task else {"job_id": job.raw}
    metadata = {"host": job.node, "slurm": slurm}
    _write(place / "files" / "wandb-metadata.json", json.dumps(metadata, indent=2), run.start)
    if code is not None and rows:  # W&B writes the summary's file when a run ends by itself
        _write(place / "files" / "wandb-summary.json", json.dumps(rows[-1]), run.end)
    _touch(place / "files", run.end or made_at)


def _advance_wandb(run: Run, workspace: Path, after: float, now: float, made_at: float) -> None:
    log = workspace / "wandb" / texts.run_folder(run) / f"run-{run.id}.wandb"
    if not log.is_file():  # thrown away, or the time zone changed and with it the folder's name
        return
    with log.open("ab") as file:
        file.write(more_history(_history(run, after, now, made_at), file.tell()))
    _touch(log, now)


def _history(run: Run, after: float, until: float, made_at: float) -> list[dict[str, Any]]:
    """Rows logged in (after, until]: one for every checkpoint, and one at a run's own end."""
    rows = []
    for at in run.times(after, until):
        number, rest = divmod(_count(run, at), CHECKPOINT_EVERY)
        values = run.line(at, made_at)
        if values is not None and (rest == 0 or at == run.end):
            seen = {"epoch": values[0], "train/global_step": values[1], "loss": values[2]}
            rows.append({**seen, "_step": number + (rest > 0), "_timestamp": at})
    return rows


def _count(run: Run, at: float) -> int:
    return round((at - run.start) / EVERY_S)


def _write(path: Path, text: str, at: float | None = None) -> None:
    _write_bytes(path, text.encode(), at)


def _write_bytes(path: Path, data: bytes, at: float | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if at is not None:
        _touch(path, at)


def _touch(path: Path, at: float) -> None:
    os.utime(path, (at, at))
