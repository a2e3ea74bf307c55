"""Every tool the model may call, in one explicit tuple. The order is part of the cached prompt prefix."""

from __future__ import annotations

from tools.actions.scancel import SCANCEL
from tools.base import Tool
from tools.check_sweeps import CHECK_SWEEPS
from tools.disk_usage import DISK_USAGE
from tools.find_logs import FIND_LOGS
from tools.run_tools import LIST_CHECKPOINTS, TAIL_LOG, WANDB_GET
from tools.slurm_tools import SACCT, SQUEUE
from tools.sync_status import SYNC_STATUS

TOOLS: tuple[Tool, ...] = (
    CHECK_SWEEPS,
    SQUEUE,
    SACCT,
    TAIL_LOG,
    FIND_LOGS,
    LIST_CHECKPOINTS,
    WANDB_GET,
    DISK_USAGE,
    SYNC_STATUS,
    SCANCEL,
)
BY_NAME = {tool.name: tool for tool in TOOLS}
