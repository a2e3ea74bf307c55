"""Which runs W&B's service has not got, and what could go wrong when they are sent."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass

from tools.data import RunDir


@dataclass(frozen=True, slots=True)
class SyncState:
    """One offline run folder."""

    folder: RunDir
    state: str
    """``not synced``, ``synced``, ``being written``, ``empty``."""
    hazards: tuple[str, ...]
    command: str | None
    """What would send it; None where it must not be sent (now)."""


def sync_state(folder: RunDir, live: Collection[str], shared: Collection[str], method: str | None) -> SyncState:
    """``live``: runs that train now; ``shared``: runs with several folders; ``method``: of its sweep, where known."""
    hazards = []
    if folder.problem:
        hazards.append(f"log: {folder.problem}")
    if folder.exit_code is None and folder.run not in live:
        hazards.append("no exit record: the run was killed; the service will show it as crashed")
    if folder.run in shared:
        hazards.append("the run has several folders: send them in the order they were made")
    if method == "bayes":
        hazards.append("its sweep is bayes: the search did not see these results while it ran")
    if folder.log is None or folder.problem in {"empty", "nothing reached the disk"}:
        return SyncState(folder, "empty", tuple(hazards), None)
    if folder.run in live:
        return SyncState(folder, "being written", (*hazards, "sending it now would miss its end"), None)
    if folder.synced:
        return SyncState(folder, "synced", ("sending it again would append every row twice",), None)
    return SyncState(folder, "not synced", tuple(hazards), f"wandb sync {shlex.quote(folder.path)}")
