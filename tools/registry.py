"""Every tool the model may call, in one explicit tuple. The order is part of the cached prompt prefix."""

from __future__ import annotations

from tools.actions.scancel import SCANCEL
from tools.base import Tool
from tools.check_sweeps import CHECK_SWEEPS
from tools.run_tools import LIST_CHECKPOINTS, TAIL_LOG, WANDB_GET
from tools.slurm_tools import SACCT, SQUEUE
from tools.training_health import TRAINING_HEALTH

TOOLS: tuple[Tool, ...] = (CHECK_SWEEPS, TRAINING_HEALTH, SQUEUE, SACCT, TAIL_LOG, LIST_CHECKPOINTS, WANDB_GET, SCANCEL)
BY_NAME = {tool.name: tool for tool in TOOLS}
