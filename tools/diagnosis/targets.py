"""The target of a run, in epochs or steps, as its configuration names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.compact import compact
from tools.diagnosis.leaves import fixed, in_line, leaves, positive

# The names that 91 repositories give their target, most telling first (max_iter is mostly a solver's: left out).
EPOCH_KEYS = ("max_epochs", "num_train_epochs", "num_epochs", "n_epochs", "epochs", "total_epochs", "max_epoch")
STEP_KEYS = (
    "max_steps",
    "total_steps",
    "num_training_steps",
    "total_training_steps",
    "train_iters",
    "max_iters",
    "max_update",
    "num_iterations",
    "total_timesteps",
    "num_steps",
    "n_steps",
    "steps",
)
KEYS = frozenset((*EPOCH_KEYS, *STEP_KEYS))
# Sections in which such a key is about something else: a solver's steps, a sampler's, an environment's, a schedule's.
_OTHER_SECTIONS = frozenset(
    "callbacks data datamodule dataset diffusion env eval inference logger model net optimizer sampler sampling "
    "scheduler solver test val validation".split()
)


@compact
class Target:
    epochs: float | None = None
    steps: int | None = None
    where: str | None = None
    """Where the number stands: a file and key, or ``log``."""

    def or_else(self, other: Target) -> Target:
        """This target; where it names nothing at all, the other one."""
        return self if self else other

    def __bool__(self) -> bool:
        return self.epochs is not None or self.steps is not None


def in_config(config: Mapping[str, Any], where: str) -> Target:
    """The target in a nested configuration; zero, negative and null mean none. Of one name the shallowest counts."""
    found: dict[str, tuple[str, float]] = {}
    for path, value in leaves(config):
        *sections, last = path.split(".")
        if last not in KEYS or last in found or not _OTHER_SECTIONS.isdisjoint(sections):
            continue
        if (number := positive(value)) is not None:
            found[last] = (path, number)
    if "max_steps" in found:
        found.pop("num_train_epochs", None)  # the Trainer always has it (3), and max_steps overrides it
    epochs = next((found[key] for key in EPOCH_KEYS if key in found), None)
    steps = next((found[key] for key in STEP_KEYS if key in found), None)
    key = epochs or steps
    return Target(
        epochs[1] if epochs else None,
        int(steps[1]) if steps else None,
        f"{where} {key[0]}" if key else None,
    )


def in_sweep_parameters(parameters: Mapping[str, Any], where: str) -> Target:
    """The target in a sweep's ``parameters``; a key with several values fixes nothing."""
    return in_config(fixed(parameters), where)


def in_command(line: str, where: str) -> Target:
    """The target in a command: ``--epochs=50``, ``--max_steps 100`` or Hydra's ``trainer.max_epochs=50``."""
    return in_config({key.lstrip("-+").replace("-", "_"): value for key, value in in_line(line).items()}, where)
