"""The tables of ACTIVE_SWEEPS.md, from a look.

Other agents read these files: only ids, numbers and words of ours go in, nothing out of logs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from tools.acts import Done
from tools.compact import compact
from tools.kinds import kind, urgency
from tools.status import RunRow, Status

MAX_ROWS = 200
"""Of a table; the most urgent first."""
HEADS: Mapping[str, str] = {
    "Running Sweeps": "| Sweep ID | Config | Agents | Epoch | Step | Progress | WandB |",
    "Job Details": "| Job ID | Run ID | Epoch | Step | Runtime | Status |",
    "Source Locations": "| Sweep ID | Log Files | WandB URL | Last Verified |",
    "Discrepancy Log": "| Timestamp | Run ID | WandB State | Slurm State | Action Taken |",
    "Preemption History": "| Job ID | Run ID | Time | Checkpoint | Resumed? |",
}
UNKNOWN, NOTHING_DONE = "?", "none yet"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+*%-]{0,127}")


@compact
class Known:
    """What the look itself does not hold."""

    logs: Mapping[str, Sequence[str]]
    """Sweep id -> paths of its jobs' logs, relative to the workspace."""
    resumed: Mapping[str, Sequence[str]]
    """Run -> the jobs that this program submitted for it."""
    done: Mapping[str, Done] = field(default_factory=dict)
    """Job, run or sweep -> the last act on it."""
    requeued: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Job -> when it was preempted before it was requeued under the same id."""
    not_synced: int = 0
    """Offline W&B run folders that no sync has marked."""


def tables(status: Status, known: Known, now: float) -> dict[str, list[str]]:
    """Section -> the rows of its table."""
    standing = sorted((row for row in status.runs if not row.superseded), key=urgency)
    day = time.strftime("%Y-%m-%d", time.localtime(now))
    running, sources = [], []
    for sweep in status.sweeps[:MAX_ROWS]:
        live = [row for row in standing if row.sweep == sweep.id and kind(row) == "live"]
        first = max(live, key=lambda row: row.percent or 0.0, default=None)
        agents = f"{sweep.active_agents}/{or_unknown(sweep.expected_agents)}"
        link = f"[link]({sweep.url})" if sweep.url else "link unknown"
        running.append(_row(word(sweep.id), word(sweep.config), agents, *_progress(first), link))
        logs = ", ".join(map(word, known.logs.get(sweep.id, ()))) or "unknown"
        sources.append(_row(word(sweep.id), logs, link, day))
    details = [
        _row(word(row.job), word(row.run), *_progress(row)[:2], _clock(row.elapsed_s), _state(row))
        for row in [row for row in standing if kind(row) in {"live", "waiting", "dead"}][:MAX_ROWS]
    ]
    odd = [row for row in standing if any(flag.startswith("consistency: ") for flag in row.flags)]
    again = resumed_as(status, known)
    discrepancies = [
        _row(
            moment(now),
            word(row.run),
            word(row.wandb_state),
            word(row.slurm_state),
            taken((row.run, row.job), known, again),
        )
        for row in odd[:MAX_ROWS]
    ]
    return dict(zip(HEADS, (running, details, sources, discrepancies, _preemptions(status, known)), strict=True))


def _preemptions(status: Status, known: Known) -> list[str]:
    """Every preemption the look knows of, oldest first: also those of a job that runs on under its old id."""
    found: list[tuple[float, str]] = []
    for row in status.runs:
        if row.job and row.cause == "preempted":
            cells = (moment(row.ended_at), _checkpoint(row), _resumed(row, known))
            found.append((row.ended_at or 0.0, _row(word(row.job), word(row.run), *cells)))
        for ended in known.requeued.get(row.job or "", ()):
            cells = (moment(ended), UNKNOWN, f"Yes → {word(row.job)} (requeued)")
            found.append((ended or 0.0, _row(word(row.job), word(row.run), *cells)))
    return [text for _, text in sorted(found)][-MAX_ROWS:]


def resumed_as(status: Status, known: Known) -> dict[str, str]:
    """Run -> the job that goes on with it, where one was found or submitted."""
    jobs = {row.run: job for row in status.runs if row.run for job in _later(row)}
    return jobs | {run: own[0] for run, own in known.resumed.items() if own and run not in jobs}


_TAKEN: Mapping[str, str] = {"cancel": "cancelled", "resume": "resumed", "remove": "older checkpoints removed"}


def taken(names: Iterable[str | None], known: Known, again: Mapping[str, str]) -> str:
    """The last that this program did to a run or its job; else the job that goes on with it."""
    found = [name for name in names if name]
    acts = [known.done[name] for name in found if name in known.done and known.done[name].verb in _TAKEN]
    if not acts:
        return next((f"resumed as {word(again[name])}" for name in found if name in again), NOTHING_DONE)
    last = max(acts, key=lambda one: one.at)
    return f"{_TAKEN[last.verb]}{f' as {word(last.jobs[0])}' if last.jobs else ''} {moment(last.at)}"


def _progress(row: RunRow | None) -> tuple[str, str, str]:
    if row is None:
        return "?", "?", "?"
    epoch = f"{row.epoch:g}" if row.epoch is not None else "?"
    return epoch, str(or_unknown(row.step)), f"{int(row.percent)}%" if row.percent is not None else "?"


def _state(row: RunRow) -> str:
    return word(row.slurm_state) + (f" ({row.cause})" if row.cause not in {"none", "unknown"} else "")


def _checkpoint(row: RunRow) -> str:
    saved = row.checkpoint
    if saved is None:
        # what lies there now is that of the job that went on
        return UNKNOWN if row.superseded or row.resumable == "unknown" else "none"
    name = f"step-{saved.step}" if saved.step is not None else word(saved.path.rpartition("/")[2])
    return name if saved.loadable else f"{name} (does not load)"


def _later(row: RunRow) -> list[str]:
    return [flag.partition(": ")[2] for flag in row.flags if flag.startswith(("continued_by: ", "queued_as: "))]


def _resumed(row: RunRow, known: Known) -> str:
    jobs = [*_later(row), *known.resumed.get(row.run or "", ())]
    return f"Yes → {word(jobs[0])}" if jobs else "No"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def word(text: str | None) -> str:
    """An id, name or path that is no more than that; what could say something is left out."""
    return UNKNOWN if text is None else text if _WORD.fullmatch(text) else "(unusual name)"


def or_unknown(value: object) -> object:
    return "?" if value is None else value


def _clock(seconds: int | None) -> str:
    return "?" if seconds is None else f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def moment(at: float | None) -> str:
    return "?" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
