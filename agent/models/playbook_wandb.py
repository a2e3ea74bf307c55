"""The acts on W&B that the playbook knows: which call a request is for, from its words and what was seen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.intents import Intent

Call = tuple[str, dict[str, Any]]
TOOL: Mapping[str, str] = {
    **dict.fromkeys(("pause", "unpause", "finish"), "set_sweep_state"),
    "end": "cancel_sweep",
    "restart": "restart_sweep",
    "close": "close_zombie_run",
    "create": "create_sweep",
    "note": "edit_notes",
    "upload": "sync_offline",
}
"""Intent -> the tool of its act."""
_TO: Mapping[str, str] = {"pause": "pause", "unpause": "resume", "finish": "stop"}
_CONFIG = re.compile(r"[\w][\w./-]{0,200}\.ya?ml\b")
_NOTE = re.compile(r"\b(?:of|on|for|to)\s+(?:run|sweep)?\s*([\w.-]{4,64})\s*:\s*(.{1,500})", re.S | re.I)
_WHY = re.compile(r"\b(?:because|since|as|reason:?|:)\s+(.{3,160})", re.I)
ANYWAY = re.compile(r"\b(?:anyway|anyhow|regardless|i insist|lose|from scratch)\b", re.I)
"""A restart that is asked for in so many words: resuming first has been offered by then."""
_PLANS: Mapping[str, tuple[str, str]] = {
    "pause": ("pause the sweep on W&B", "agents wait and use their GPUs all the same"),
    "unpause": ("let the sweep give out runs again", "none: no job is cancelled"),
    "finish": ("stop the sweep on W&B: no new runs", "agents end when their run is over"),
    "end": (
        "cancel the sweep's jobs one by one, then the sweep on W&B",
        "what is trained since the checkpoints is lost",
    ),
    "restart": ("make a new sweep, then end the old one", "what the old one's runs have trained is left behind"),
    "close": ("close runs that W&B calls running and nothing trains", "none: their checkpoints stay"),
    "create": ("make a new sweep on W&B", "none: it starts no agents"),
    "note": ("write that one field on W&B", "the old text is gone"),
    "upload": ("upload offline runs to W&B", "rows can't be taken back"),
}


def calls(intent: Intent, asked: str, look: Mapping[str, Any], offline: Sequence[str]) -> list[Call]:
    """The calls of one request; none where it does not say of what. ``offline``: runs that could be uploaded."""
    counts = look.get("counts", {})
    action, risks = _PLANS[intent]
    status = f"{counts.get('live', 0)} running, {counts.get('waiting', 0)} waiting, {counts.get('dead', 0)} dead"
    plan = {"status": status, "action": action, "risks": risks}
    return [(TOOL[intent], {**values, "plan": plan}) for values in _values(intent, asked, look, offline)]


def _values(intent: Intent, asked: str, look: Mapping[str, Any], offline: Sequence[str]) -> list[dict[str, Any]]:
    sweeps = [str(sweep["id"]) for sweep in look.get("sweeps", [])]
    rows = look.get("runs", [])
    sweep = next((one for one in sweeps if one in asked), sweeps[0] if len(sweeps) == 1 else None)
    if intent in _TO:
        return [{"sweep": sweep, "change": _TO[intent]}] if sweep else []
    if intent == "end":
        told = _WHY.search(asked)
        return [{"sweep": sweep, "reason": told[1].strip() if told else "none was given"}] if sweep else []
    if intent == "restart" and ANYWAY.search(asked):
        return [{"sweep": sweep}] if sweep else []
    if intent == "close":
        named = [row["run"] for row in rows if row.get("run") and row["run"] in asked]
        zombies = [row["run"] for row in rows if row.get("run") and row.get("wandb_state") == "running" and _dead(row)]
        return [{"run": run} for run in (named or zombies)]
    if intent == "create" and (match := _CONFIG.search(asked)):
        return [{"config": match[0]}]
    if intent == "note" and (match := _NOTE.search(asked)):
        return [{"sweep" if match[1] in sweeps else "run": match[1], "text": match[2].strip()}]
    if intent == "upload":
        named = [run for run in offline if run in asked]
        return [{"runs": named or list(offline)}] if offline else []
    return []


def _dead(row: Mapping[str, Any]) -> bool:
    return row.get("kind") in {"dead", "disk", "finished"}
