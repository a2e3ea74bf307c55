"""What the jobs of a benchmark's workspace wrote to standard output and standard error.

Standard output has 15 to 60 KB (300 KB and more where a run logs every step), standard error 4 to 15 KB with the lines
of W&B and its agent and a tqdm bar. The errors are those of the captured logs in ``fixtures/logs``. A run's text is a
beginning of one of a few long texts: that is what makes 20,000 of them in a minute.
"""

from __future__ import annotations

import math
from datetime import datetime
from functools import cache
from pathlib import Path

from benchmarks.plan import STEPS_PER_EPOCH, TICKS, Run, step_at

FIXTURES = Path(__file__).parents[2] / "fixtures" / "logs"
LINES_PER_TICK, LONG_LINES_PER_TICK = 5, 28
VARIANTS = 8
CASES = {
    "cuda_oom": "cudaoom-hf-trainer",
    "config_error": "hydra-attr-error",
    "missing_dependency": "missing-module",
}


def stdout(run: Run) -> bytes:
    body, ends = _training(
        run.sweep.style, run.sweep.epochs, LONG_LINES_PER_TICK if run.long else LINES_PER_TICK, run.raw % VARIANTS
    )
    head = f"Sweep ID: {run.sweep.id}\nRun: {run.id}\nHost: {run.node}, 4 GPUs, {run.sweep.epochs} epochs\n"
    tail = ""
    if run.kind == "completed" and run.sweep.style == "hf":
        tail = f"{{'train_runtime': 48211.52, 'train_loss': 0.61, 'epoch': {run.sweep.epochs}.0}}\n"
    elif run.kind == "nan_loss":
        tail = "Loss is nan, stopping training\n"
    return head.encode() + body[: ends[run.tick]] + tail.encode()


def stderr(run: Run, workspace: str) -> bytes:
    parts = [_agent_begins(run)]
    if run.kind not in CASES or run.kind == "cuda_oom":
        parts.append(_wandb_begins(run, workspace))
    parts.append(f"{_agent(run.start + 5)} Running runs: ['{run.id}']\n".encode())
    bar, ends = _bar(run.sweep.epochs, run.raw % VARIANTS)
    parts.append(bar[: ends[run.tick]])
    if run.tick:
        parts.append(b"\n")
    if run.kind in CASES:
        parts.append(_error(CASES[run.kind]))
    if run.end is not None:
        parts.append(_last_words(run, run.end))
    return b"".join(parts)


def _last_words(run: Run, end: float) -> bytes:
    if run.kind in ("preempted", "time_limit"):
        why = "PREEMPTION" if run.kind == "preempted" else "TIME LIMIT"
        at = f"{datetime.fromtimestamp(end).astimezone():%Y-%m-%dT%H:%M:%S}"
        return f"slurmstepd: error: *** JOB {run.raw} ON {run.node} CANCELLED AT {at} DUE TO {why} ***\n".encode()
    if run.kind in ("cuda_oom", "nan_loss"):
        return f"srun: error: {run.node}: task 0: Exited with exit code 1\n".encode()
    return (
        f"{_agent(end)} Cleaning up finished run: {run.id}\n"
        f"{_agent(end + 1)} Received exit command. Killing runs and quitting.\n"
    ).encode()


def _agent_begins(run: Run) -> bytes:
    said = _agent(run.start)
    lr = (run.task + 1) / 1e5
    return (
        "wandb: Starting wandb agent 🕵️\n"
        f"{said} Running runs: []\n{said} Agent received command: run\n{said} Agent starting run with config:\n"
        f"\tbatch_size: 16\n\tlearning_rate: {lr}\n\tmax_epochs: {run.sweep.epochs}\n\tseed: {run.task}\n"
        f"{said} About to run command: /usr/bin/env python train.py --batch_size=16 --learning_rate={lr} "
        f"--max_epochs={run.sweep.epochs} --seed={run.task}\n"
    ).encode()


def _wandb_begins(run: Run, workspace: str) -> bytes:
    folder = f"{workspace}/wandb/{folder_of(run)}"
    if not run.sweep.online:
        return (
            "wandb: Tracking run with wandb version 0.31.0\n"
            "wandb: W&B syncing is set to `offline` in this directory. Run `wandb online` to enable cloud syncing.\n"
            f"wandb: Run data is saved locally in {folder}\n"
        ).encode()
    base = "https://wandb.ai/acme-lab/mt-distill"
    return (
        "wandb: Currently logged in as: user (acme-lab) to https://api.wandb.ai. Use `wandb login --relogin` to force "
        "relogin\nwandb: Tracking run with wandb version 0.31.0\n"
        f"wandb: Run data is saved locally in {folder}\nwandb: Run `wandb offline` to turn off syncing.\n"
        f"wandb: Syncing run brave-sun-{run.task}\nwandb: ⭐️ View project at {base}\n"
        f"wandb: 🧹 View sweep at {base}/sweeps/{run.sweep.id}\nwandb: 🚀 View run at {base}/runs/{run.id}\n"
    ).encode()


def folder_of(run: Run) -> str:
    prefix = "run" if run.sweep.online else "offline-run"
    return f"{prefix}-{datetime.fromtimestamp(run.start).astimezone():%Y%m%d_%H%M%S}-{run.id}"


def _agent(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S},512 - wandb.wandb_agent - INFO -"


@cache
def _error(case: str) -> bytes:
    """The words of a captured log from its error on, without what the bar and srun print after it."""
    data = (FIXTURES / case / "job.err").read_bytes()
    start = min(place for word in (b"Traceback", b"Error executing") if (place := data.find(word)) >= 0)
    return data[start:].partition(b"\n 58%|")[0] + b"\n"


@cache
def _training(style: str, epochs: int, per_tick: int, variant: int) -> tuple[bytes, tuple[int, ...]]:
    """A whole training's output, and where each tick of it ends."""
    lines: list[bytes] = []
    ends = [0]
    size = 0
    total = TICKS * per_tick
    for number in range(1, total + 1):
        step = number * epochs * STEPS_PER_EPOCH // total
        loss = 0.2 + 2.4 / (1 + 6 * number / total) + 0.04 * math.sin(number * (variant + 2.3))
        rate = 5e-5 * (1 - number / (total + 1))
        lines.append(_line(style, step, epochs, loss, rate, number))
        size += len(lines[-1])
        if number % per_tick == 0:
            ends.append(size)
    return b"".join(lines), tuple(ends)


def _line(style: str, step: int, epochs: int, loss: float, rate: float, number: int) -> bytes:
    epoch = step // STEPS_PER_EPOCH
    if style == "hf":
        text = (
            f"{{'loss': {loss:.4f}, 'grad_norm': {0.5 + loss / 3:.6f}, 'learning_rate': {rate:.10g}, "
            f"'epoch': {round(step / STEPS_PER_EPOCH, 2)}}}"
        )
    elif style == "epochs":
        speed = f"samples/s={820 + number % 17}.4 mem=31.2G"
        text = f"epoch {epoch}/{epochs} step={step} loss={loss:.4f} lr={rate:.3e} {speed}"
    else:
        clock = f"2026-11-20 {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d},{number % 1000:03d}"
        text = f"[{clock}][__main__][INFO] - epoch {epoch}/{epochs} | step {step} | loss {loss:.4f} | lr {rate:.3e}"
    return f"{text}\n".encode()


@cache
def _bar(epochs: int, variant: int) -> tuple[bytes, tuple[int, ...]]:
    """tqdm's bar over the steps of a whole training, and where each tick of it ends."""
    pieces: list[bytes] = []
    ends = [0]
    size = 0
    total = epochs * STEPS_PER_EPOCH
    for tick in range(1, TICKS + 1):
        step = step_at(tick, epochs)
        full, part = divmod(80 * step // total, 8)
        drawn = ("█" * full + " ▏▎▍▌▋▊▉"[part]).ljust(10)[:10]
        spent, left = tick * 7 + variant, (TICKS - tick) * 7
        pieces.append(
            f"\r{100 * step // total:3d}%|{drawn}| {step}/{total} [{spent // 60:02d}:{spent % 60:02d}"
            f"<{left // 60:02d}:{left % 60:02d},  {1.2 + variant / 10:.2f}s/it]".encode()
        )
        size += len(pieces[-1])
        ends.append(size)
    return b"".join(pieces), tuple(ends)
