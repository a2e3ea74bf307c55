"""Where a look is taken, and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.layout import Layout
from tools.text import Redactor


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look, and as whom."""

    workspace: Path
    layout: Layout
    user: str
    redactor: Redactor
    slurm_bin: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    demo: bool = False
    state: Path | None = None
    """The program's own state folder; without one nothing is kept from look to look."""
