"""What W&B wraps around the values of a run, on disk and on the service alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_JOB = re.compile(r"[0-9]{1,20}(?:_[0-9]{1,20})?")


def unwrapped(config: Mapping[str, Any]) -> dict[str, Any]:
    """W&B wraps every value of a config in ``{value: …}``."""
    return {
        str(key): value["value"] if isinstance(value, dict) and "value" in value else value
        for key, value in config.items()
        if key not in ("_wandb", "wandb_version")
    }


def own(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what W&B adds for itself."""
    return {key: value for key, value in values.items() if key != "_wandb"}


def slurm_job(slurm: object) -> str | None:
    """``A_T`` in an array, else the job's id; never the raw id of an array's task."""
    if not isinstance(slurm, dict):
        return None
    array, task = str(slurm.get("array_job_id", "")), str(slurm.get("array_task_id", ""))
    found = f"{array}_{task}" if array or task else str(slurm.get("job_id", ""))
    return found if _JOB.fullmatch(found) else None


def environment_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The newest start's ``slurm`` and ``host`` as the client saves them in the run's config (0.22 and later)."""
    wrapped = config.get("_wandb")
    inside = wrapped.get("value") if isinstance(wrapped, dict) else None
    starts = inside.get("e") if isinstance(inside, dict) else None
    found = [entry for entry in starts.values() if isinstance(entry, dict)] if isinstance(starts, dict) else []
    return max(found, key=lambda entry: str(entry.get("startedAt", "")), default={})
