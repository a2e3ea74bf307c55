"""The lines in which W&B, its agent or a lab's script name a run or a sweep."""

from __future__ import annotations

import re

_ID = r"([^\s/'\"<>\\]{1,128})"

_URL = r"https?://[^\s/]{1,200}/([^\s/]{1,128})/([^\s/]{1,128})"

# Only lines in which W&B or its agent speaks of the run that is trained here. Others name runs too: a checkpoint that
# is loaded, a run that is synced.
_RUN_LINES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Running runs: ['", re.compile(r"Running runs: \['([^']{1,128})'")),
    ("/runs/", re.compile(rf"(?:View run|Synced) .{{0,300}}?{_URL}/runs/{_ID}")),
    ("saved locally in", re.compile(rf"saved locally in .{{0,500}}?(?:offline-)?run-\d{{8}}_\d{{6}}-{_ID}")),
    ("Find logs at", re.compile(rf"Find logs at: .{{0,500}}?(?:offline-)?run-\d{{8}}_\d{{6}}-{_ID}")),
    ("Agent Start", re.compile(rf"Agent Start(?:ing|ed) Run: {_ID}")),
    # a lab's own line; ids that W&B makes are eight letters and digits, others at least mix both
    (
        "Run",
        re.compile(r"^(?:\S{1,80} ){0,6}?Run(?: ID)?: ([0-9a-z]{8}|(?=\S{0,60}\d)(?=\S{0,60}[A-Za-z])[\w.-]{4,128})$"),
    ),
)

# W&B's closing words about a run. They begin none where another is open.
CLOSING = re.compile(r"Synced |View run \S.{0,200} at: |Find logs at: ")

# A run folder in any other line: counts where the log names only one, and nothing better.
MENTION = re.compile(rf"(?:^|[/\s'\"])(?:offline-)?run-\d{{8}}_\d{{6}}-{_ID}")

_SWEEP_LINES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("/sweeps/", re.compile(rf"[Ss]weep (?:at|URL|page).{{0,20}}{_URL}/sweeps/{_ID}")),
    ("weep with ID: ", re.compile(rf"[Ss]weep with ID: {_ID}")),
    ("weep ID: ", re.compile(rf"[Ss]weep ID: (?:[^\s/]{{1,128}}/){{0,2}}{_ID}")),
    (
        "wandb agent ",
        re.compile(rf"wandb agent (?:--?\S{{1,80}} ){{0,6}}'?(?:([^\s/']{{1,128}})/([^\s/']{{1,128}})/){_ID}'?"),
    ),
)

Sweep = tuple[str | None, str | None, str | None]
"""Sweep id, entity, project."""

ENDED = re.compile(rf"(?:Cleaning up finished run|Agent Finished Run): {_ID}")

COMMAND = re.compile(r"About to run command: (.{1,1800})")

# What comes before a run's own id in the log belongs to that run all the same.
BEFORE = (
    "Agent received command: ",
    "About to run command: ",
    "Tracking run with wandb version",
    "Agent Starting Run",
)

# Without one of these a line names no run, folder or sweep, and says nothing of the agent's either. None has a digit.
HINTS = (
    *BEFORE,
    *(hint for hint, _ in (*_RUN_LINES, *_SWEEP_LINES) if hint != "Run"),
    *("Run: ", "Run ID: ", "About to run", "inished run", "Finished Run", "run-"),
)


def run_in(line: str) -> str | None:
    for hint, pattern in _RUN_LINES:
        if hint in line and (match := pattern.search(line)):
            run = match[match.lastindex or 1].rstrip(".,;)")
            if run:
                return run
    return None


def sweep_in(line: str) -> tuple[str, str | None, str | None] | None:
    for hint, pattern in _SWEEP_LINES:
        if hint in line and (match := pattern.search(line)):
            groups = match.groups()
            sweep = groups[-1].rstrip(".,;)")
            entity, project = (groups[0], groups[1]) if len(groups) == 3 else (None, None)
            return sweep, entity, project
    return None
