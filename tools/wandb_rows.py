"""The last values that a run logged to W&B: from the service or from the files on disk, whichever is newer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.compact import compact
from tools.data import real
from tools.diagnosis.join import Link
from tools.look import Seen


@compact
class LoggedRow:
    values: Mapping[str, Any]
    source: str
    """``wandb_api`` or ``wandb_files``."""
    where: str
    at: float | None
    """When it was logged, in epoch seconds by the clock of the node; None where the row doesn't tell."""


def last_row(link: Link, seen: Seen) -> LoggedRow | None:
    """The newest row of the link's run; None where nothing was logged, or none of it was seen."""
    on_disk = _on_disk(link)
    told = seen.served.runs.get(link.run or "") if seen.served else None
    if told is None or not told.summary:
        return on_disk
    served = LoggedRow(told.summary, "wandb_api", f"{told.run} summary", _logged(told.summary))
    return on_disk if on_disk and (on_disk.at or 0.0) >= (served.at or 0.0) else served


def _on_disk(link: Link) -> LoggedRow | None:
    for folder in reversed(link.run_dirs):
        if folder.history or folder.summary:
            values = {**folder.summary, **folder.history} if folder.summary else folder.history
            return LoggedRow(values, "wandb_files", f"{folder.path} history", _logged(values))
    return None


def _logged(values: Mapping[str, Any]) -> float | None:
    at = values.get("_timestamp")
    return real(at) if isinstance(at, int | float) and not isinstance(at, bool) and at > 0 else None
