"""The notes of ACTIVE_SWEEPS.md and the lines of CLAUDE.md's block, from a look: how sweeps stand, and what comes next.

As in the tables only ids, numbers and words of ours, and nothing that changes from minute to minute without an event;
besides, in ACTIVE_SWEEPS.md alone, why a sweep was cancelled, in the words that a person approved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tools.document_tables import Known, moment, or_unknown, word
from tools.kinds import after_a_change, kind, ready
from tools.status import RunRow, Status, SweepRow

MAX_LINES = 40
_MARKS = re.compile(r"[<>`|]")
ENDED = {"end": "cancelled", "restart": "cancelled, begun anew as another sweep"}
MAX_STEPS = 15


def notes(status: Status, known: Known) -> list[str]:
    """What a person should know of now, the sweeps first."""
    standing = [row for row in status.runs if not row.superseded]
    lines = [
        f"- `{word(sweep.id)}`: {'; '.join(told)}"
        for sweep in status.sweeps
        if (told := _issues(sweep, [row for row in standing if row.sweep == sweep.id]))
    ]
    lines += [line for sweep in status.sweeps if (line := _ended(sweep, known))]
    lines += [f"- run `{word(row.run)}`: {', '.join(why)}" for row in standing if (why := _red_flags(row))]
    if known.not_synced:
        lines.append(f"- {_folders(known.not_synced)} not synced")
    if unread := [source.name for source in status.sources if not source.ok and source.name in {"squeue", "sacct"}]:
        lines.append(f"- not read: {', '.join(unread)}; what is said here of jobs is incomplete")
    left_out = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], *([f"- and {left_out} more"] if left_out > 0 else [])]


def _ended(sweep: SweepRow, known: Known) -> str:
    """That this program cancelled the sweep, when, and why, as it was approved."""
    done = known.done.get(sweep.id)
    if done is None or done.verb not in ENDED:
        return ""
    why = f": {_MARKS.sub('', done.reason)}" if done.reason else ""
    return f"- `{word(sweep.id)}`: {ENDED[done.verb]} {moment(done.at)}{why}"


def experiment(status: Status, known: Known) -> list[str]:
    """Lines of CLAUDE.md's block: how each sweep stands, and what comes next."""
    lines = ["## Experiment Status"]
    standing = [row for row in status.runs if not row.superseded]
    for sweep in status.sweeps:
        rows = [row for row in standing if row.sweep == sweep.id]
        name = f"[`{word(sweep.id)}`]({sweep.url})" if sweep.url else f"`{word(sweep.id)}` (link unknown)"
        lines.append(f"- Sweep: {name} - {word(sweep.config)}")
        lines.append(f"  - Progress: {_progress(sweep, rows)}")
        if told := _issues(sweep, rows):
            lines.append(f"  - Issues: {'; '.join(told)}")
    steps = _next_steps(status, standing, known)
    left_out = [f"- [ ] {len(steps) - MAX_STEPS} more: see ACTIVE_SWEEPS.md"] if len(steps) > MAX_STEPS else []
    return [*lines, "", "## Next Steps", *(steps[:MAX_STEPS] or ["- [ ] None"]), *left_out]


def _progress(sweep: SweepRow, rows: Sequence[RunRow]) -> str:
    told = f"{sweep.active_agents}/{or_unknown(sweep.expected_agents)} agents"
    live = [row for row in rows if kind(row) == "live"]
    best = max(live, key=lambda row: row.percent or 0.0, default=None)
    if best is not None and (best.epoch is not None or best.step is not None):
        epoch = [f"epoch {best.epoch:g}"] if best.epoch is not None else []
        step = [f"step {best.step}"] if best.step is not None else []
        told += f", furthest at {' '.join([*epoch, *step])}"
        told += f" ({int(best.percent)}%)" if best.percent is not None else ""
    done = sum(kind(row) == "finished" for row in rows)
    return f"{told}, {done} finished" if done else told


def _issues(sweep: SweepRow, rows: Sequence[RunRow]) -> list[str]:
    dead = [row for row in rows if kind(row) == "dead"]
    told = []
    if dead:
        causes = Counter(row.cause.replace("_", " ") for row in dead)
        shown = ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items(), key=lambda item: -item[1]))
        can = sum(map(ready, dead))
        waits = sum(row.queued for row in dead)
        by_hand = sum(map(after_a_change, dead))
        more = [f", {by_hand} after a change by hand"] * bool(by_hand) + [f", {waits} queued already"] * bool(waits)
        told.append(f"{len(dead)} dead ({shown}), {can} can be resumed{''.join(more)}")
    if sweep.expected_agents is not None and sweep.active_agents < sweep.expected_agents:
        told.append(f"under capacity, {sweep.active_agents} of {sweep.expected_agents} agents")
    told += [f"{count} {what}" for count, what in ((sweep.zombies, "zombie"), (sweep.stale, "stale")) if count]
    return told


def _red_flags(row: RunRow) -> list[str]:
    flags = {flag.partition(": ")[0] for flag in row.flags}
    told = [*(["makes no progress"] if row.stuck else []), *(["false success"] if row.cause == "false_success" else [])]
    if row.live and row.health in {"diverged", "exploding", "plateau", "overfitting"}:
        told.append(row.health)
    words = {
        "newer_checkpoint_does_not_load": "its newest checkpoint does not load",
        "no_checkpoint": "trained, and no checkpoint was found",
        "checkpoint_small": "its newest checkpoint is smaller than usual",
        "will_not_finish": "the time limit comes before its target",
        "duplicate_run": "two jobs train it",
        "begun_anew": "its job began another run after the requeue",
        "checkpoint_ahead": "its checkpoint is an earlier job's, further than its own log",
    }
    return [*told, *(text for flag, text in words.items() if flag in flags)]


def _too_slow(row: RunRow) -> bool:
    return any(flag.startswith("will_not_finish: ") for flag in row.flags)


def _next_steps(status: Status, standing: Sequence[RunRow], known: Known) -> list[str]:
    steps = [
        f"- [ ] Look at job {word(row.job)}, run `{word(row.run)}`: {', '.join(_red_flags(row))}"
        for row in standing
        if row.stuck or (row.live and (row.health in {"diverged", "exploding"} or _too_slow(row)))
    ]
    dead = sorted((row for row in standing if kind(row) == "dead" and row.run), key=lambda row: -(row.percent or 0.0))
    for row in dead:
        cause = row.cause.replace("_", " ")
        if ready(row):
            steps.append(f"- [ ] Resume run `{word(row.run)}` ({cause})")
        elif after_a_change(row):
            steps.append(f"- [ ] Reduce the batch of run `{word(row.run)}` by hand, then resume it ({cause})")
        elif row.resumable in {"no", "maybe", "unknown"}:
            steps.append(f"- [ ] Look into run `{word(row.run)}` ({cause})")
    for sweep in status.sweeps:
        if sweep.expected_agents is not None and sweep.active_agents < sweep.expected_agents:
            missing = sweep.expected_agents - sweep.active_agents
            steps.append(f"- [ ] `{word(sweep.id)}` lacks {missing} of {sweep.expected_agents} agents")
        if sweep.zombies:
            steps.append(f"- [ ] Close {sweep.zombies} zombie{'s' * (sweep.zombies > 1)} of `{word(sweep.id)}` on W&B")
    if known.not_synced:
        steps.append(f"- [ ] Sync {_folders(known.not_synced)} once they are complete")
    return steps


def _folders(count: int) -> str:
    return f"{count} offline W&B run folder{'' if count == 1 else 's'}"
