"""What of the offline runs has reached W&B, and the commands that would send the rest."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic import Field

from tools.base import MAX_RESULT_CHARS, Args, Context, Output, Tool, to_text
from tools.diagnosis.sync import SyncState, sync_state

_ORDER = ("not synced", "empty", "being written", "synced")


class SyncStatusArgs(Args):
    sweep: str | None = Field(None, max_length=128)
    """Only runs of this sweep id."""
    limit: int = Field(30, ge=1, le=100)
    """At most this many runs, those not synced first; the rest is counted."""


def sync_status(context: Context, args: SyncStatusArgs) -> Output:
    """Which offline runs have been sent to W&B and which not, what makes sending one hazardous (already sent, still
    written, killed, torn), and the exact command for each; the workspace's own sync script if it has one. Read from
    files: the service is not asked. Nothing is sent."""
    status, seen = context.look()
    live = {row.run for row in status.runs if row.live and row.run}
    sweeps = {row.run: row.sweep for row in status.runs if row.run and row.sweep}
    methods = {sweep.id: sweep.method for sweep in status.sweeps}
    counted = Counter(folder.run for folder in seen.run_dirs)
    shared = {run for run, folders in counted.items() if folders > 1}
    states = []
    for folder in seen.run_dirs:
        sweep = folder.sweep or sweeps.get(folder.run)
        if folder.offline and args.sweep in (None, sweep):
            states.append((sweep, sync_state(folder, live, shared, methods.get(sweep or ""))))
    states.sort(key=lambda entry: (_ORDER.index(entry[1].state), entry[1].folder.started or 0.0))
    shown = states[: args.limit]
    text = ""
    while not text or (len(text) > MAX_RESULT_CHARS and shown):
        payload = {
            "offline_runs": len(states),
            "online_runs": sum(1 for folder in seen.run_dirs if not folder.offline),
            "are": dict(Counter(state.state for _, state in states)),
            "runs": [_entry(sweep, state, seen.index.workspace) for sweep, state in shown],
            "left_out": len(states) - len(shown) or None,
            "own_script": seen.launchers.sync_script,
            "how_known": "the mark that wandb sync leaves beside a log, even where an upload failed; not the service",
            "flags": "--include-synced sends again what was sent: every row twice; --include-offline and "
            "--no-mark-synced are gone since wandb 0.30",
        }
        text = to_text(context, payload)
        shown = shown[: len(shown) * 3 // 4]
    return Output(text)


SYNC_STATUS = Tool("sync_status", SyncStatusArgs, sync_status)


def _entry(sweep: str | None, state: SyncState, workspace: str) -> dict[str, Any]:
    command = state.command.replace(f"{workspace}/", "") if state.command else None
    return {
        "run": state.folder.run,
        "sweep": sweep,
        "path": state.folder.path.removeprefix(f"{workspace}/"),
        "state": state.state,
        "hazards": state.hazards,
        "command": command,
    }
