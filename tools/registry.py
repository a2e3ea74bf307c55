"""Every tool the model may call, in one explicit tuple. The order is part of the cached prompt prefix."""

from __future__ import annotations

from tools.actions.archive import ARCHIVE_LOGS
from tools.actions.cancel import SCANCEL
from tools.actions.cancel_sweep import CANCEL_SWEEP
from tools.actions.close_zombie import CLOSE_ZOMBIE_RUN
from tools.actions.create_sweep import CREATE_SWEEP
from tools.actions.documents import UPDATE_ACTIVE_SWEEPS, UPDATE_CLAUDE_MD
from tools.actions.empty import EMPTY_TRASH
from tools.actions.launch import LAUNCH
from tools.actions.notes import EDIT_NOTES
from tools.actions.remove import REMOVE_CHECKPOINTS
from tools.actions.restart_sweep import RESTART_SWEEP
from tools.actions.resume import RESUME
from tools.actions.stop_run import STOP_RUN
from tools.actions.sweep_state import SET_SWEEP_STATE
from tools.actions.sync_offline import SYNC_OFFLINE
from tools.base import ActTool, Tool
from tools.batch_sizes import BATCH_SIZES
from tools.check_sweeps import CHECK_SWEEPS
from tools.disk_usage import DISK_USAGE
from tools.explain_job import EXPLAIN_JOB
from tools.find_logs import FIND_LOGS
from tools.run_tools import LIST_CHECKPOINTS, TAIL_LOG, WANDB_GET
from tools.slurm_tools import SACCT, SQUEUE
from tools.sweep_context import SWEEP_CONTEXT
from tools.sync_status import SYNC_STATUS
from tools.training_health import TRAINING_HEALTH

READ_TOOLS: tuple[Tool, ...] = (
    CHECK_SWEEPS,
    EXPLAIN_JOB,
    TRAINING_HEALTH,
    BATCH_SIZES,
    SWEEP_CONTEXT,
    SQUEUE,
    SACCT,
    FIND_LOGS,
    TAIL_LOG,
    LIST_CHECKPOINTS,
    DISK_USAGE,
    SYNC_STATUS,
    WANDB_GET,
)
ACT_TOOLS: tuple[ActTool, ...] = (
    SCANCEL,
    RESUME,
    LAUNCH,
    SET_SWEEP_STATE,
    CANCEL_SWEEP,
    RESTART_SWEEP,
    CREATE_SWEEP,
    STOP_RUN,
    CLOSE_ZOMBIE_RUN,
    EDIT_NOTES,
    SYNC_OFFLINE,
    UPDATE_ACTIVE_SWEEPS,
    UPDATE_CLAUDE_MD,
    ARCHIVE_LOGS,
    REMOVE_CHECKPOINTS,
    EMPTY_TRASH,
)
TOOLS: tuple[Tool | ActTool, ...] = (*READ_TOOLS, *ACT_TOOLS)
BY_NAME: dict[str, Tool | ActTool] = {tool.name: tool for tool in TOOLS}
