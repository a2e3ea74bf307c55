"""Why one job died: from the whole look, or from log files alone."""

from __future__ import annotations

import os
from pathlib import Path

from agent.config import Config, ConfigError, state_dir
from agent.session import place_of
from tools.base import ToolError
from tools.explain_job import rows_named
from tools.rows import from_logs
from tools.sources import log_files, logs
from tools.status import RunRow
from tools.sweeps import read_status


def explain_job(config: Config, name: str) -> list[RunRow]:
    """The rows of a job, array or run, standing ones first. Raises ToolError where nothing is known of it."""
    place = place_of(config, os.environ, state_dir(os.environ))
    status, seen = read_status(place)
    if rows := rows_named(name, status, seen):
        return rows
    unseen = [f"{source.name}: {source.error}" for source in status.sources if not source.ok]
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
) -> list[RunRow]:
    """One row from log files, with what Slurm said given by hand. Raises ConfigError for a file that can't be read."""
    found = []
    for file in log_files.with_streams([str(path) for path in files]):
        text = logs.read(file.path, file.stream)
        if text is None:
            raise ConfigError(f"{file.path}: no such log file, or it can't be read")
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
    return [row.cleaned(place.redactor.clean)]
