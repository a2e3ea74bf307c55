"""The files of one run in a benchmark's workspace: W&B's folder, checkpoints, the resolved config.

W&B's log is that of ``fixtures/wandb/0.31.0/sweep``, written by the real client, with this run's ids put in.
"""

from __future__ import annotations

import json
import struct
import zlib
from functools import cache
from pathlib import Path

from benchmarks.plan import STEPS_PER_EPOCH, Run

from tools.sources.wandb_records import fields, records

SAMPLE = Path(__file__).parents[2] / "fixtures" / "wandb" / "0.31.0" / "sweep"
ROWS, REPEATED = slice(6, 27), 5
"""Records of the sample with statistics, console lines and history; repeated, a log has 15 KB."""
ENVIRONMENT, SLURM_ENTRIES, EXIT = 26, 27, 18
LEFT_BY_OLDER_RUNS = b"numpy==2.4.1\ntorch==2.13.0\ntransformers==5.23.0\nwandb==0.31.0\nhydra-core==1.3.4\n" * 12


def wandb_log(run: Run) -> bytes:
    """A ``.wandb`` log with the ids of this run; history only where it trained, an exit only where it ended itself."""
    data = bytearray(struct.pack("<4sHB", b":W&B", 0xBEE1, 0))
    for record in log_records(run):
        data += struct.pack("<IHB", zlib.crc32(b"\x01" + record), len(record), 1) + record
    assert len(data) < 32 << 10, "records of a second block would have to be cut"
    return bytes(data)


def log_records(run: Run) -> list[bytes]:
    """The records of such a log; those at ``ROWS`` can be repeated."""
    whole = _sample()
    kept = [*whole[:6]]
    if run.tick:
        kept += whole[ROWS] * REPEATED
    if run.kind == "completed":
        kept += [*whole[27:-1], _number(1, 36) + _bytes(EXIT, b"")]
    elif run.kind in ("cuda_oom", "nan_loss"):
        kept.append(_number(1, 36) + _bytes(EXIT, _number(1, 1)))
    own = []
    for record in kept:
        if record is whole[2]:
            record = _with_job(record, run)
        record = record.replace(b"h7k2m9qa", run.id.encode()).replace(b"xk31p7", run.sweep.id.encode())
        own.append(record.replace(b"max_epochs\x82\x01\x03100", b"max_epochs\x82\x01\x03%d" % run.sweep.epochs))
    return own


@cache
def _sample() -> list[bytes]:
    return list(records(next(SAMPLE.rglob("*.wandb")).read_bytes(), 7))


def _with_job(record: bytes, run: Run) -> bytes:
    """The record of the environment with the SLURM values of this run's job."""
    values = {"array_job_id": run.sweep.array, "array_task_id": run.task, "job_id": run.raw, "jobid": run.raw}
    body = b"".join(_bytes(SLURM_ENTRIES, _bytes(1, k.encode()) + _bytes(2, b"%d" % v)) for k, v in values.items())
    rest = b""
    for number, wire, value in fields({number: value for number, _, value in fields(record)}[ENVIRONMENT]):
        if number != SLURM_ENTRIES:
            rest += _bytes(number, value) if wire == 2 else _number(number, value)
    return _number(1, 3) + _bytes(ENVIRONMENT, rest + body)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def wandb_files(run: Run) -> dict[str, bytes]:
    """What lies in ``files/`` of the run folder: offline less than online, config and summary only at the end."""
    found = {"output.log": b"epochs: %d\n" % run.sweep.epochs, "requirements.txt": LEFT_BY_OLDER_RUNS}
    if not run.sweep.online:
        return found
    # run_id and state are what the rules' scripts look for there; W&B itself writes neither today
    state = "running" if run.kind in ("running", "preempted", "time_limit") else "crashed"
    found["wandb-metadata.json"] = json.dumps(
        {
            "os": "Linux-5.14.0-x86_64-with-glibc2.34",
            "python": "CPython 3.11.7",
            "host": run.node,
            "program": "/scratch/acme/mt-distill/train.py",
            "gpu": "NVIDIA A100-SXM4-80GB",
            "gpu_count": 4,
            "run_id": run.id,
            "state": "finished" if run.kind == "completed" else state,
            "heartbeatAt": "2026-11-20T10:00:00Z",
            "slurm": {"array_job_id": str(run.sweep.array), "array_task_id": str(run.task), "job_id": str(run.raw)},
        },
        indent=2,
    ).encode()
    if run.kind == "completed":
        found["config.yaml"] = sweep_params(run)
        found["wandb-summary.json"] = json.dumps(
            {"_step": run.step, "epoch": run.epoch, "train/loss": 0.4, "_runtime": 48211, "_wandb": {"runtime": 48211}}
        ).encode()
    return found


def sweep_params(run: Run) -> bytes:
    """``config-RUN.yaml`` as the agent writes it before a run."""
    values = {"batch_size": 16, "learning_rate": (run.task + 1) / 1e5, "max_epochs": run.sweep.epochs, "seed": run.task}
    return ("wandb_version: 1\n\n" + "".join(f"{key}:\n  value: {value}\n" for key, value in values.items())).encode()


def checkpoint_files(run: Run, step: int) -> dict[str, bytes]:
    """A small checkpoint of the Trainer: whole weights, and its state with a history of a hundred rows."""
    epoch = round(step / STEPS_PER_EPOCH, 2)
    before, after = _trainer_state(run.sweep.epochs)
    state = before + f'  "epoch": {epoch},\n  "eval_steps": 500,\n  "global_step": {step},\n'.encode() + after
    return {"model.safetensors": _weights(), "trainer_state.json": state}


@cache
def _weights() -> bytes:
    names = [f"model.layers.{layer}.{part}.weight" for layer in range(12) for part in ("attn", "mlp", "norm")]
    header = {
        name: {"dtype": "F32", "shape": [16], "data_offsets": [64 * place, 64 * place + 64]}
        for place, name in enumerate(names)
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(64 * len(names))


@cache
def _trainer_state(epochs: int) -> tuple[bytes, bytes]:
    rows = [{"epoch": n / 10, "grad_norm": 1.25, "learning_rate": 5e-05, "loss": 1.5, "step": n} for n in range(100)]
    rest = {"is_hyper_param_search": False, "log_history": rows, "max_steps": epochs * STEPS_PER_EPOCH}
    begin = '{\n  "best_global_step": null,\n  "best_metric": null,\n'
    return begin.encode(), json.dumps(rest, indent=2).partition("\n")[2].encode()


def hydra_config(run: Run) -> bytes:
    """A resolved config of 4 KB with the names that the rules look for."""
    return (
        _hydra(run.sweep.epochs).replace(b"@LR@", b"%g" % ((run.task + 1) / 1e5)).replace(b"@SEED@", b"%d" % run.task)
    )


@cache
def _hydra(epochs: int) -> bytes:
    lines = [
        "defaults_resolved: true", "seed: @SEED@", "model:", "  name: mt-distill-base", "  _target_: mt.models.Distill",
        "  hidden_size: 768", "  layers:",
    ]  # fmt: skip
    for layer in range(12):
        lines += [
            f"  - index: {layer}", "    attention: {heads: 12, dropout: 0.1, rotary: true}",
            "    mlp: {ratio: 4.0, activation: gelu, dropout: 0.1}", f"    drop_path: {layer / 100}",
        ]  # fmt: skip
    lines += ["data:", "  root: /scratch/acme/data", "  splits:"]
    lines += [
        f"    {name}: {{path: '${{data.root}}/{name}.parquet', rows: {rows}, shuffle: {str(name == 'train').lower()}}}"
        for name, rows in (("train", 4812332), ("valid", 12000), ("test", 12000))
    ]
    for name in ("tokenize", "truncate", "noise", "collate"):
        lines += [
            f"  {name}:",
            f"    _target_: mt.data.{name.title()}",
            "    max_length: 512",
            "    workers: 8",
            "    cache: null",
        ]
    lines += [
        "trainer:", "  _target_: transformers.TrainingArguments", f"  max_epochs: {epochs}", "  warmup_steps: 1000",
        "  learning_rate: @LR@", "  per_device_train_batch_size: 16", "  gradient_accumulation_steps: 4", "  n_gpu: 4",
        "  bf16: true", "  logging_steps: 10", "  save_total_limit: 3", "optimizer:", "  name: adamw",
        "  betas: [0.9, 0.999]", "  eps: 1e-08", "  weight_decay: 0.01", "scheduler: {name: linear, warmup: 0.06}",
    ]  # fmt: skip
    for number in range(12):
        lines += [
            f"callback_{number}:",
            f"  _target_: mt.callbacks.Callback{number}",
            "  every: 100",
            "  enabled: true",
        ]
    return ("\n".join(lines) + "\n").encode()
