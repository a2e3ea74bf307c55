"""What kind of row a run is, and which rows come first."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from tools.data import ACTIVE_STATES, WAITING_STATES
from tools.diagnosis.resume import by_hand
from tools.status import RunRow, Status

Kind = Literal["live", "waiting", "dead", "finished", "disk"]


def kind(row: RunRow) -> Kind:
    """``disk`` is a run with no job known in the accounting window, of which W&B's service says nothing bad."""
    if row.slurm_state in WAITING_STATES:
        return "waiting"
    if row.live or (row.slurm_state in ACTIVE_STATES and row.run is None and row.cause == "none"):
        return "live"
    if row.job is None:
        return "dead" if _died_elsewhere(row) else "disk"
    if row.cause == "none":
        return "waiting" if row.queued and "continued" in row.flags else "finished"
    return "dead"


def _died_elsewhere(row: RunRow) -> bool:
    """The service itself says so; files on disk may be of a run long forgotten."""
    return row.heartbeat_age_s is not None and row.owner is None and row.cause != "none"


def unfinished(row: RunRow) -> bool:
    """Whether something may still be wanted of the run: it trains, waits, died, or nobody knows that it ended well."""
    of_kind = kind(row)
    return not row.superseded and of_kind != "finished" and not (of_kind == "disk" and row.wandb_state == "finished")


def urgency(row: RunRow) -> tuple[int, float]:
    """Red flags first, then what died, nearest to its target first, then what lives."""
    if row.cause == "false_success" or row.stuck or (row.live and row.health in {"diverged", "exploding"}):
        return 0, -(row.percent or 0.0)
    order = {"dead": 1, "live": 2, "waiting": 3, "disk": 4, "finished": 5}[kind(row)]
    return order, -(row.percent or 0.0)


def ready(row: RunRow) -> bool:
    """Whether a dead run can be resumed as it is: no job waits to go on with it, and nothing must be changed first."""
    return row.resumable == "yes" and not row.queued and not by_hand(row.action)


def after_a_change(row: RunRow) -> bool:
    """Whether it can be resumed once a person has changed what its command does not carry."""
    return row.resumable == "yes" and not row.queued and by_hand(row.action)


FLAGS = ("no_checkpoint", "checkpoint_small")


def counts(status: Status) -> dict[str, int]:
    """How many standing runs of each kind, how many dead ones can be resumed, how many saved nothing or too little."""
    standing = [row for row in status.runs if not row.superseded]
    found = Counter(kind(row) for row in standing)
    dead = [row for row in standing if kind(row) == "dead"]
    return {
        **{name: found[name] for name in ("live", "waiting", "dead", "finished", "disk")},
        "resumable": sum(map(ready, dead)),
        "resumable_after_a_change_by_hand": sum(map(after_a_change, dead)),
        **{name: sum(any(flag.startswith(f"{name}:") for flag in row.flags) for row in standing) for name in FLAGS},
    }
