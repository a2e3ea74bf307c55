"""A history that is too long for its model: older results are shortened, and the newest look stays whole."""

from __future__ import annotations

from typing import Any

from agent.outside import is_piped

LEFT = 300
"""Characters that stay of a shortened result."""
WHOLE = "check_sweeps"


def condense(messages: list[dict[str, Any]]) -> int:
    """Shorten, in their places, the results and piped texts that came before the last message; the characters saved.

    The newest look stays whole wherever it stands. Every call keeps its result, so that the history stays valid.
    """
    names = {block["id"]: block["name"] for block in _blocks(messages) if block["type"] == "tool_use"}
    looks = [
        block["tool_use_id"]
        for block in _blocks(messages)
        if block["type"] == "tool_result"
        and names.get(block["tool_use_id"]) == WHOLE
        and not block.get("is_error")
        and _is_long(block["content"])
    ]
    saved = 0
    for number, message in enumerate(messages[:-1]):
        content = []
        for block in message["content"]:
            shorter = block
            if block["type"] == "tool_result" and block["tool_use_id"] not in looks[-1:]:
                shorter = {**block, "content": _short(block["content"], names.get(block["tool_use_id"], "a tool"))}
                saved += len(block["content"]) - len(shorter["content"])
            elif block["type"] == "text" and message["role"] == "user" and is_piped(block["text"]):
                shorter = {**block, "text": _short(block["text"], "what was piped in")}
                saved += len(block["text"]) - len(shorter["text"])
            content.append(shorter)
        messages[number] = {**message, "content": content}
    return saved


def _blocks(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [block for message in messages for block in message["content"]]


def _is_long(text: str) -> bool:
    return len(text) > LEFT * 2


def _short(text: str, name: str) -> str:
    if not _is_long(text):
        return text
    return f"{text[:LEFT]}… [{len(text) - LEFT:,} more characters of {name} left out, being old: ask anew]"
