"""Where a look is taken, and as whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from tools.compact import compact
from tools.layout import Layout
from tools.sources.wandb_http import Remote
from tools.text import Redactor


@compact
class Place:
    """Where to look, and as whom."""

    workspace: Path
    layout: Layout
    user: str
    redactor: Redactor
    slurm_bin: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    demo: bool = False
    wandb: Callable[[], Remote] | None = None
    """Opens a W&B service that needs no network: the demo's own."""
    state: Path | None = None
    """The program's own state folder; without one nothing is kept from look to look."""
