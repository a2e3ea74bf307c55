"""A model that says what it was given to say: for replaying transcripts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.models import ModelError, Turn

Script = str | Sequence[Mapping[str, Any]] | Turn
"""One turn: its text, its content blocks, or the turn as it was."""


class Scripted:
    """Replays turns in order.

    Blocks with a ``tool_use`` among them stop with ``tool_use``, others with ``end_turn``; a call without an
    id gets one. ``requests`` holds a copy of every request that was made.
    """

    name = "scripted"
    free = True
    elsewhere = False

    def __init__(self, turns: Sequence[Script]) -> None:
        self._turns = [_turn(number, turn) for number, turn in enumerate(turns, start=1)]
        self.requests: list[dict[str, Any]] = []

    def respond(
        self,
        *,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        on_text: Callable[[str], None],
    ) -> Turn:
        """The next turn. Raises ModelError when there is none left."""
        self.requests.append(copy.deepcopy({"system": system, "messages": list(messages), "tools": list(tools)}))
        number = len(self.requests)
        if number > len(self._turns):
            raise ModelError(f"turn {number} was asked for, and the script has {len(self._turns)}")
        turn = copy.deepcopy(self._turns[number - 1])
        for block in turn.content:
            if block["type"] == "text":
                on_text(block["text"])
        return turn


def _turn(number: int, script: Script) -> Turn:
    if isinstance(script, Turn):
        return copy.deepcopy(script)
    blocks = [{"type": "text", "text": script}] if isinstance(script, str) else script
    content = tuple(copy.deepcopy(dict(block)) for block in blocks)
    calls = [block for block in content if block["type"] == "tool_use"]
    for place, call in enumerate(calls, start=1):
        call.setdefault("id", f"toolu_{number}_{place}")
    return Turn(content, "tool_use" if calls else "end_turn", model=Scripted.name)
