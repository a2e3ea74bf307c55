"""Why one job died: from the whole look, or from log files alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from agent.config import Config, state_dir
from agent.config_file import ConfigError
from agent.where import place_of
from agent.words import not_seen
from tools.base import ToolError
from tools.compact import compact
from tools.explain_job import rows_of
from tools.log_rows import from_logs
from tools.sources import log_files, logs
from tools.status import RunRow
from tools.sweeps import read_status


@compact
class Story:
    """Rows, standing ones first, and what is told beyond them."""

    rows: list[RunRow]
    workspace: str
    exit_codes: Mapping[str | None, str | None] = field(default_factory=dict)
    """Job (None: the log files) -> ``code:signal`` as sacct gives it."""


def explain_job(config: Config, name: str) -> Story:
    """The rows of a job, array or run. Raises ToolError where nothing is known of it."""
    place = place_of(config, os.environ, state_dir(os.environ))
    status, seen = read_status(place)
    if rows := rows_of(name, status, seen):
        codes: dict[str | None, str | None] = {link.job.id: link.job.exit_code for link in seen.links if link.job}
        return Story(rows, status.workspace, codes)
    # the W&B service could have told of a run, never of a job
    askable = {source.name for source in status.sources} - ({"wandb_api"} if name[:1].isdigit() else set())
    unseen = [not_seen(source) for source in status.sources if not source.ok and source.name in askable]
    because = f" (not seen: {'; '.join(unseen)})" if unseen else ""
    raise ToolError(f"nothing is known of {name} in {place.workspace}{because}")


def explain_logs(
    config: Config,
    files: list[Path],
    *,
    state: str | None,
    exit_code: str | None,
    elapsed: int | None,
    target_epochs: float | None,
) -> Story:
    """One row from log files, with what Slurm said given by hand. Raises ConfigError for a file that can't be read."""
    found = []
    for file in log_files.with_streams([str(path) for path in files]):
        text = logs.read(file.path, file.stream)
        if text is None:
            raise ConfigError(f"{file.path}: {_why_unreadable(Path(file.path))}")
        found.append(text)
    place = place_of(config, os.environ, state_dir(os.environ))
    row = from_logs(
        found,
        state=state,
        exit_code=exit_code,
        elapsed_s=elapsed,
        target_epochs=target_epochs,
        thresholds=place.layout.thresholds,
    )
    return Story([row.cleaned(place.redactor.clean)], str(place.workspace), {None: exit_code})


def _why_unreadable(path: Path) -> str:
    if path.is_dir():
        return "is a folder; name the log files in it"
    if not path.exists():
        return "no such log file"
    if not path.is_file():
        return "is a pipe or device; save its text to a file first"
    return "can't be read: no permission; ask its owner, or name a copy"
