"""The history of an earlier session made fit to send again: valid wherever that session ended, and marked as old."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

CUT_OFF = (
    "cut off before its result was kept. If it was an act, what came of it is settled by reading: look again, "
    "never repeat it"
)


def mended(lines: Sequence[tuple[float, Mapping[str, Any]]], now: float) -> list[dict[str, Any]]:
    """From (when, message) to messages that the API takes: each call has its result and an id of its own, nothing is
    empty, no thought is left; each result says how old it is."""
    messages: list[dict[str, Any]] = []
    open_calls: dict[str, str] = {}
    """Id on disk -> id here, of the calls that wait for a result."""
    number = 0
    for at, message in lines:
        blocks = [block for block in message["content"] if _is_whole(block)]
        if message["role"] == "assistant":
            _close(messages, open_calls, {}, at, now)
            content = []
            for block in blocks:
                if block["type"] == "tool_use":
                    number += 1
                    open_calls[block["id"]] = f"old_{number}"
                    content.append({**block, "id": f"old_{number}"})
                elif block["type"] == "text":
                    content.append(block)
        else:
            results = {block["tool_use_id"]: block for block in blocks if block["type"] == "tool_result"}
            _close(messages, open_calls, results, at, now)
            content = [block for block in blocks if block["type"] == "text"]
        if content:
            _append(messages, message["role"], content)
    _close(messages, open_calls, {}, now, now)
    return messages


def _append(messages: list[dict[str, Any]], role: str, content: list[dict[str, Any]]) -> None:
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += content
    else:
        messages.append({"role": role, "content": content})


def _close(
    messages: list[dict[str, Any]],
    open_calls: dict[str, str],
    results: Mapping[str, Mapping[str, Any]],
    at: float,
    now: float,
) -> None:
    """Give every open call its result, or say that it was cut off."""
    if not open_calls:
        return
    content = []
    for old, new in open_calls.items():
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": new, "content": CUT_OFF, "is_error": True}
        if found := results.get(old):
            block = {**found, "tool_use_id": new, "content": f"{old_words(at, now)}\n{found['content']}"}
        content.append(block)
    messages.append({"role": "user", "content": content})
    open_calls.clear()


def old_words(at: float, now: float) -> str:
    """``[OLD: as of 2026-11-26 14:39, 2 h ago, in an earlier session. …]``"""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
    return f"[OLD: as of {when}, {ago(now - at)} ago, in an earlier session. Read again before you rely on it]"


def ago(seconds: float) -> str:
    """``4 min``, ``3 h``, ``2 days``."""
    for unit, name in ((86_400, "days"), (3600, "h")):
        if seconds >= 2 * unit:
            return f"{int(seconds // unit)} {name}"
    return f"{max(0, int(seconds // 60))} min"


def _is_whole(block: Mapping[str, Any]) -> bool:
    match block["type"]:
        case "text":
            return isinstance(block.get("text"), str) and bool(block["text"].strip())
        case "tool_use":
            return isinstance(block.get("id"), str) and isinstance(block.get("name"), str) and "input" in block
        case "tool_result":
            return isinstance(block.get("tool_use_id"), str) and isinstance(block.get("content"), str)
    return False
