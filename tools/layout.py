"""How a workspace is laid out: what ``sweep-agent.yaml`` may say, with the defaults of the rules."""

from __future__ import annotations

import re
import shlex
from dataclasses import field
from pathlib import Path
from typing import Annotated

from tools.checked import ABOVE_0, SECTION, Check
from tools.compact import compact


def _names_only(*known: str) -> Check:
    def check(template: str) -> str:
        if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", template)):
            raise ValueError(f"a brace of {template!r} is not closed or not opened")
        unknown = sorted(set(re.findall(r"\{(.*?)\}", template)) - set(known))
        if unknown:
            raise ValueError(f"unknown placeholder {{{unknown[0]}}}; known: {', '.join(known)}")
        return template

    return Check(check)


def _one_cluster(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name) or name == "all":
        raise ValueError("must be the name of one cluster, as sacctmgr list clusters shows it")
    return name


def _a_command(line: str) -> str:
    try:
        shlex.split(line)
    except ValueError:
        raise ValueError(f"a quote or backslash of {line!r} is not closed: no shell would take it") from None
    return line


LogPattern = Annotated[str, _names_only("job", "array", "task", "name", "raw")]
OutputPattern = Annotated[str, _names_only("run", "job")]
ClusterName = Annotated[str, Check(_one_cluster)]
ConfigTemplate = Annotated[str, _names_only("sweep", "run"), Check(_a_command)]
ResumeTemplate = Annotated[str, _names_only("sweep", "run", "overrides"), Check(_a_command)]
LaunchTemplate = Annotated[str, _names_only("sweep", "config", "entity", "project"), Check(_a_command)]
Command = Annotated[str, Check(_a_command)]


@compact
class TargetSection:
    """How long a run trains."""

    __pydantic_config__ = SECTION

    epochs: Annotated[float, ABOVE_0] | None = None
    """Epochs a run trains for, where its own config doesn't tell."""
    steps: Annotated[int, ABOVE_0] | None = None
    """Steps a run trains for."""


@compact
class Thresholds:
    """From when on something is worth a flag."""

    __pydantic_config__ = SECTION

    short_run_s: Annotated[int, ABOVE_0] = 7200
    """A run that ends sooner than this is a red flag (the rules: under 2 h is almost always a failure)."""
    silent_s: Annotated[int, ABOVE_0] = 3600
    """A live job whose log is older than this is called silent."""


@compact
class Layout:
    """The part of the project file that says where things lie and how runs are started."""

    __pydantic_config__ = SECTION

    logs: tuple[LogPattern, ...] = ()
    """Glob patterns of a job's log files, tried after what Slurm itself says."""
    outputs: tuple[OutputPattern, ...] = ("outputs/{run}",)
    """Folders that hold a run's checkpoints and resolved config."""
    roots: tuple[Path, ...] = ()
    """Absolute folders outside the workspace that belong to it (a scratch file system)."""
    target: TargetSection = field(default_factory=TargetSection)
    resume: ResumeTemplate | None = None
    """Command that resumes one run, such as ``make run SWEEP={sweep} RUN={run}``."""
    run_config: ConfigTemplate | None = None
    """The lab's own command that writes a run's resolved config, such as ``make config SWEEP={sweep} RUN={run}``:
    started before a run is resumed that has none."""
    launch: LaunchTemplate | None = None
    """Command that starts one more agent of a sweep."""
    sync: Command | None = None
    """The lab's own command that uploads offline runs, such as ``sbatch scripts/sync_all_offline.sbatch``."""
    cluster: ClusterName | None = None
    """The one cluster that is asked and submitted to (``-M``), where several share one Slurm database."""
    thresholds: Thresholds = field(default_factory=Thresholds)
