"""What the guard and the tools wrote for a model, said to the person: no names of tools, and `you` for the person."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.told import ASK_AGAIN, UNLESS

ASKED: Mapping[str, str] = {
    "check_sweeps": "check on sweeps",
    "explain_job": "explain …",
    "training_health": "how is the training?",
    "list_checkpoints": "explain …",
    "batch_sizes": "batch sizes",
    "disk_usage": "what takes the disk space?",
    "find_logs": "where are the logs?",
    "tail_log": "tail the log of …",
    "sweep_context": "what are the sweeps about?",
    "sync_status": "which runs are not synced?",
    "wandb_get": "what does W&B say?",
    "scancel_with_approval": "cancel …",
    "resume_run": "resume run …",
    "launch_agents": "launch 2 more agents of …",
    "set_sweep_state": "resume sweep …",
    "create_sweep": "create a sweep of …",
    "cancel_sweep": "cancel sweep …",
    "restart_sweep": "restart sweep …",
    "close_zombie_run": "close zombies",
    "stop_run": "stop run …",
    "edit_notes": "note on …: …",
    "sync_offline": "sync …",
    "archive_logs": "archive logs",
    "remove_checkpoints": "clean up checkpoints",
    "empty_trash": "empty the trash",
    "update_active_sweeps": "update ACTIVE_SWEEPS.md",
    "update_claude_md": "update CLAUDE.md",
}
"""Tool -> how a person asks for the same."""
_TOOL = re.compile(rf"(?<![\w/.-])(?:{'|'.join(ASKED)})(?![\w/-]|\.\w)")
_WORDS = (
    ("NOT DONE: the person said no", "NOT DONE: you did not approve it"),
    ("NOT DONE: the person did", "NOT DONE: you did"),
    ("the person can type its path, or its run's id, here", "type its path, or its run's id, yourself in a terminal"),
    ("the person can type the id of that job, run or sweep here", "type the id of that job, run or sweep yourself in a "
     "terminal"),
    ("the person can type its own id here", "type its own id yourself in a terminal"),
    ("and the person knows that it trains something else, they can type its id here", "and you know that it trains "
     "something else, type its id yourself in a terminal"),
    ("a person typed", "you typed"),
    ("the person types", "you type"),
    ("the person asked", "you asked"),
    ("when they ask", "when you ask"),
    ("the person insists", "you insist"),
    ("which one is the person's to say", "which one is yours to say"),
    ("that the person declined", "that you declined"),
)  # fmt: skip


def to_person(line: str) -> str:
    """A line of an answer of the guard, for the one who was or would be asked."""
    line = re.sub(r"^DENIED: ", "NOT DONE: ", line.removesuffix(UNLESS).removesuffix(ASK_AGAIN))
    for theirs, yours in _WORDS:
        line = line.replace(theirs, yours)
    return _TOOL.sub(lambda found: f"“{ASKED[found[0]]}”", line)
