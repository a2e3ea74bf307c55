"""The tables of ACTIVE_SWEEPS.md and the lines of CLAUDE.md's block, from a look.

Other agents read these files: only ids, numbers and words of ours go in, nothing out of logs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.acts import Done
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
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+*%-]{0,127}")


@dataclass(frozen=True, slots=True)
class Known:
    """What the look itself does not hold."""

    logs: Mapping[str, Sequence[str]]
    """Sweep id -> paths of its jobs' logs, relative to the workspace."""
    resumed: Mapping[str, Sequence[str]]
    """Run -> the jobs that this program submitted for it."""
    done: Mapping[str, Done] = field(default_factory=dict)
    """Job, run or sweep -> the last act on it."""


def experiment(status: Status) -> list[str]:
    """Lines of the block: how each sweep stands, and what comes next."""
    lines = ["## Experiment Status"]
    standing = [row for row in status.runs if not row.superseded]
    for sweep in status.sweeps:
        rows = [row for row in standing if row.sweep == sweep.id]
        live = [row for row in rows if kind(row) == "live"]
        best = max(live, key=lambda row: row.percent or 0.0, default=None)
        progress = f"{sweep.active_agents}/{_or(sweep.expected_agents)} agents"
        if best is not None and best.epoch is not None:
            progress += f", furthest at epoch {best.epoch:g}"
            progress += f" ({int(best.percent)}%)" if best.percent is not None else ""
        dead = sum(kind(row) == "dead" for row in rows)
        resumable = sum(kind(row) == "dead" and row.resumable == "yes" for row in rows)
        lines.append(f"- Sweep: `{_word(sweep.id)}` - {_word(sweep.config)}: {progress}")
        if dead:
            lines.append(f"  - Issues: {dead} dead, {resumable} of them can be resumed")
    lines += ["", "## Next Steps"]
    dead_rows = sorted((row for row in standing if kind(row) == "dead" and row.run), key=lambda r: -(r.percent or 0.0))
    for row in dead_rows[:10]:
        if row.resumable == "yes" and not row.queued:
            lines.append(f"- [ ] Resume run `{_word(row.run)}` ({row.cause})")
        elif row.resumable in {"no", "maybe"}:
            lines.append(f"- [ ] Look into run `{_word(row.run)}` ({row.cause})")
    return lines if lines[-1] != "## Next Steps" else [*lines, "- [ ] None"]


def tables(status: Status, known: Known, now: float) -> dict[str, list[str]]:
    """Section -> the rows of its table."""
    standing = sorted((row for row in status.runs if not row.superseded), key=urgency)
    day = time.strftime("%Y-%m-%d", time.localtime(now))
    running, sources = [], []
    for sweep in status.sweeps[:MAX_ROWS]:
        live = [row for row in standing if row.sweep == sweep.id and kind(row) == "live"]
        first = max(live, key=lambda row: row.percent or 0.0, default=None)
        agents = f"{sweep.active_agents}/{_or(sweep.expected_agents)}"
        link = f"[link]({sweep.url})" if sweep.url else "link unknown"
        running.append(_row(_word(sweep.id), _word(sweep.config), agents, *_progress(first), link))
        logs = ", ".join(map(_word, known.logs.get(sweep.id, ()))) or "unknown"
        sources.append(_row(_word(sweep.id), logs, link, day))
    details = [
        _row(_word(row.job), _word(row.run), *_progress(row)[:2], _clock(row.elapsed_s), _state(row))
        for row in [row for row in standing if kind(row) in {"live", "waiting", "dead"}][:MAX_ROWS]
    ]
    odd = [row for row in standing if any(flag.startswith("consistency: ") for flag in row.flags)]
    discrepancies = [
        _row(moment(now), _word(row.run), _word(row.wandb_state), _word(row.slurm_state), _taken(row, known))
        for row in odd[:MAX_ROWS]
    ]
    preempted = [row for row in status.runs if row.cause == "preempted" and row.job]
    history = [
        _row(_word(row.job), _word(row.run), moment(row.ended_at), _checkpoint(row), _resumed(row, known))
        for row in sorted(preempted, key=lambda row: row.ended_at or 0.0)[-MAX_ROWS:]
    ]
    return dict(zip(HEADS, (running, details, sources, discrepancies, history), strict=True))


def _progress(row: RunRow | None) -> tuple[str, str, str]:
    if row is None:
        return "?", "?", "?"
    epoch = f"{row.epoch:g}" if row.epoch is not None else "?"
    return epoch, str(_or(row.step)), f"{int(row.percent)}%" if row.percent is not None else "?"


def _state(row: RunRow) -> str:
    return _word(row.slurm_state) + (f" ({row.cause})" if row.cause not in {"none", "unknown"} else "")


def _checkpoint(row: RunRow) -> str:
    saved = row.checkpoint
    if saved is None:
        return "none"
    name = f"step-{saved.step}" if saved.step is not None else _word(saved.path.rpartition("/")[2])
    return name if saved.loadable else f"{name} (does not load)"


def _resumed(row: RunRow, known: Known) -> str:
    later = [flag.partition(": ")[2] for flag in row.flags if flag.startswith(("continued_by: ", "queued_as: "))]
    jobs = [*later, *known.resumed.get(row.run or "", ())]
    return f"Yes → {_word(jobs[0])}" if jobs else "No"


_TAKEN: Mapping[str, str] = {"cancel": "cancelled", "resume": "resumed", "remove": "older checkpoints removed"}


def _taken(row: RunRow, known: Known) -> str:
    """The last that this program did to the run or its job."""
    names = (name for name in (row.run, row.job) if name and name in known.done)
    acts = [known.done[name] for name in names if known.done[name].verb in _TAKEN]
    if not acts:
        return "none yet"
    last = max(acts, key=lambda one: one.at)
    return f"{_TAKEN[last.verb]}{f' as {_word(last.jobs[0])}' if last.jobs else ''} {moment(last.at)}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _word(text: str | None) -> str:
    """An id, name or path that is no more than that; what could say something is left out."""
    return "?" if text is None else text if _WORD.fullmatch(text) else "(unusual name)"


def _or(value: object) -> object:
    return "?" if value is None else value


def _clock(seconds: int | None) -> str:
    return "?" if seconds is None else f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def moment(at: float | None) -> str:
    return "?" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
