"""A small honest training job: fits a line by SGD, prints, checkpoints and tracks as real scripts do.

Runs in its working folder until its epochs are done or it is killed. Writes ``outputs/RUN/checkpoint-STEP/``
and ``outputs/RUN/hydra_config.yaml``, and tracks with the real W&B client, offline, below ``wandb/``.
Started again with the same ``--run`` it goes on from its newest checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import string
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

import wandb

BATCH, ACCUMULATED = 4, 2
TRUE_WEIGHTS, TRUE_BIAS = (0.5, -1.5, 2.0), 0.25


class ConfigAttributeError(AttributeError):
    """An imitation: omegaconf is no dependency, but a traceback should end in its very words."""


ConfigAttributeError.__module__ = "omegaconf.errors"


class Config(dict[str, object]):
    """A struct configuration: reading a key it doesn't have is an error, worded as omegaconf 2.3 words it."""

    def read(self, key: str) -> object:
        if key not in self:
            raise ConfigAttributeError(f"Key '{key}' is not in struct\n    full_key: {key}\n    object_type=dict")
        return self[key]


@dataclass
class Model:
    weights: list[float] = field(default_factory=lambda: [0.0] * len(TRUE_WEIGHTS))
    bias: float = 0.0

    def predict(self, xs: tuple[float, ...]) -> float:
        return self.bias + sum(w * x for w, x in zip(self.weights, xs, strict=True))

    def learn(self, batch: list[tuple[tuple[float, ...], float]], rate: float) -> float:
        """One SGD step; returns the mean squared error before it."""
        errors = [self.predict(xs) - y for xs, y in batch]
        scale = 2 * rate / len(batch)
        for index in range(len(self.weights)):
            slope = sum(error * xs[index] for error, (xs, _) in zip(errors, batch, strict=True))
            self.weights[index] -= scale * slope
        self.bias -= scale * sum(errors)
        return sum(error * error for error in errors) / len(batch)

    def save(self, path: Path) -> None:
        """A safetensors file: the header's length, the header, the numbers."""
        size = 4 * len(self.weights)
        header = {
            "linear.weight": {"dtype": "F32", "shape": [1, len(self.weights)], "data_offsets": [0, size]},
            "linear.bias": {"dtype": "F32", "shape": [1], "data_offsets": [size, size + 4]},
        }
        text = json.dumps(header).encode()
        numbers = struct.pack(f"<{len(self.weights) + 1}f", *self.weights, self.bias)
        path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)

    def load(self, path: Path) -> None:
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        *self.weights, self.bias = struct.unpack(f"<{len(TRUE_WEIGHTS) + 1}f", data[8 + length :])


def new_id() -> str:
    """As W&B makes them."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def play_agent(sweep: str, run: str, parameters: dict[str, object]) -> None:
    """What ``wandb agent`` does before it starts a run: its parameter file and its variables."""
    path = Path("wandb", f"sweep-{sweep}", f"config-{run}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{key}:\n  value: {json.dumps(value)}\n" for key, value in parameters.items()]
    path.write_text("wandb_version: 1\n\n" + "".join(lines), "utf-8")
    os.environ |= {"WANDB_SWEEP_ID": sweep, "WANDB_RUN_ID": run, "WANDB_SWEEP_PARAM_PATH": str(path)}


def save_checkpoint(folder: Path, model: Model, state: dict[str, object]) -> None:
    """Written beside its place and moved into it, as transformers does."""
    step = state["global_step"]
    new = folder / f"tmp-checkpoint-{step}"
    new.mkdir()
    model.save(new / "model.safetensors")
    (new / "trainer_state.json").write_text(json.dumps(state, indent=2, sort_keys=True), "utf-8")
    new.rename(folder / f"checkpoint-{step}")


def newest_checkpoint(folder: Path) -> Path | None:
    return max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]), default=None)


def train(config: Config, folder: Path, needed: str, pace: float, save_every: int) -> None:
    config.read(needed)
    random.seed(0)
    examples = []
    for _ in range(int(str(config["num_examples"]))):
        xs = tuple(random.uniform(-1, 1) for _ in TRUE_WEIGHTS)
        y = TRUE_BIAS + sum(w * x for w, x in zip(TRUE_WEIGHTS, xs, strict=True)) + random.gauss(0, 0.05)
        examples.append((xs, y))
    epochs = int(str(config["num_train_epochs"]))
    size = BATCH * ACCUMULATED
    per_epoch = len(examples) // size
    model, first, step = Model(), 1, 0
    checkpoint = newest_checkpoint(folder)
    if checkpoint:
        model.load(checkpoint / "model.safetensors")
        step = int(json.loads((checkpoint / "trainer_state.json").read_bytes())["global_step"])
        first = step // per_epoch + 1
        print(f"Resuming from {checkpoint}", flush=True)
    history: list[dict[str, float]] = []
    for epoch in range(first, epochs + 1):
        time.sleep(pace)  # stands for the size of a real model
        random.shuffle(examples)
        losses = []
        for start in range(0, per_epoch * size, size):
            losses.append(model.learn(examples[start : start + size], float(str(config["learning_rate"]))))
            step += 1
        loss = sum(losses) / len(losses)
        print(f"epoch {epoch}/{epochs} step={step} loss={loss:.4f}", flush=True)
        wandb.log({"epoch": epoch, "loss": loss, "train/global_step": step}, step=step)
        history.append({"epoch": float(epoch), "loss": loss, "step": step})
        if epoch % save_every == 0:
            state: dict[str, object] = {
                "best_global_step": None,
                "best_metric": None,
                "best_model_checkpoint": None,
                "epoch": float(epoch),
                "eval_steps": 500,
                "global_step": step,
                "is_hyper_param_search": False,
                "is_local_process_zero": True,
                "is_world_process_zero": True,
                "log_history": history[-10:],
                "logging_steps": per_epoch,
                "max_steps": epochs * per_epoch,
                "num_input_tokens_seen": 0,
                "num_train_epochs": epochs,
                "save_steps": save_every * per_epoch,
                "stateful_callbacks": {},
                "total_flos": 0.0,
                "train_batch_size": BATCH,
                "trial_name": None,
                "trial_params": None,
            }
            save_checkpoint(folder, model, state)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sweep", required=True, help="the sweep's id")
    parser.add_argument("--run", default=new_id(), help="the run's id; by default a new one")
    parser.add_argument("--epochs", type=int, default=5000)
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--save-every", type=int, default=4, help="epochs between checkpoints")
    parser.add_argument("--pace", type=float, default=0.1, help="seconds an epoch takes at least")
    parser.add_argument("--needs", default="learning_rate", help="a configuration key that is read first")
    given = parser.parse_args()
    config = Config(
        num_train_epochs=given.epochs,
        per_device_train_batch_size=BATCH,
        gradient_accumulation_steps=ACCUMULATED,
        learning_rate=given.learning_rate,
        num_examples=given.examples,
        save_steps=given.save_every * (given.examples // (BATCH * ACCUMULATED)),
        seed=0,
    )
    play_agent(given.sweep, given.run, {"learning_rate": given.learning_rate})
    folder = Path("outputs", given.run)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in config.items()]
    (folder / "hydra_config.yaml").write_text("".join(lines), "utf-8")
    with wandb.init(mode="offline", resume="allow", config=dict(config)):
        train(config, folder, given.needs, given.pace, given.save_every)


if __name__ == "__main__":
    main()
