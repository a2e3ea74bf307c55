"""One turn put together from the events of a Messages stream, believing nothing before its end was seen.

The SDK's own accumulator completes broken JSON: a call cut off inside ``{"job_id": 12345`` came out as job
1234 (anthropic 2.12.0). So the input of a call is collected here as text and parsed once, whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, get_args

from agent.models import Stop, Turn, Usage
from tools.text import one_line

MAX_CHARS = 2_000_000
"""Far above what any model says in a turn."""
_THINKING = ("thinking", "redacted_thinking")
_REASONS: dict[str, Stop] = {
    **{reason: reason for reason in get_args(Stop) if reason not in ("unknown", "cut", "context_full")},
    "model_context_window_exceeded": "context_full",
}
_USAGE = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
}


class Reader:
    """Takes the raw events of one stream, then gives the turn."""

    def __init__(self) -> None:
        self.begun = False
        """The message has started: whatever fails from here on is a cut, not a refusal to answer."""
        self.broken = ""
        """What broke the stream off, in one line."""
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, list[str]] = {}
        self._open: set[int] = set()
        self._usage: dict[str, int] = {}
        self._model = ""
        self._reason: str | None = None
        self._detail = ""
        self._ended = False
        self._chars = 0

    def take(self, event: Mapping[str, Any]) -> str:
        """Take in one event; returns the text to show for it. Raises on events that don't fit together."""
        match event["type"]:
            case "message_start":
                self.begun = True
                self._model = str(event["message"].get("model", ""))
                self._count(event["message"].get("usage"))
            case "content_block_start":
                return self._start(event["index"], dict(event["content_block"]))
            case "content_block_delta":
                return self._add(event["index"], event["delta"])
            case "content_block_stop":
                self._open.discard(event["index"])
            case "message_delta":
                self._reason = event["delta"].get("stop_reason")
                self._detail = str((event["delta"].get("stop_details") or {}).get("explanation") or "")
                self._count(event.get("usage"))
            case "message_stop":
                self._ended = True
        return ""

    def turn(self) -> Turn:
        """The turn as far as it came."""
        stop, detail = self._stop()
        content = self._sendable(stop)
        if stop != "tool_use":
            calls = [str(block.get("name")) for block in self._blocks.values() if block["type"] == "tool_use"]
            detail = "; ".join(filter(None, [detail, f"not run: {', '.join(calls)}" if calls else ""]))
        usage = Usage(**{ours: self._usage.get(theirs, 0) for theirs, ours in _USAGE.items()})
        return Turn(content, stop, usage, self._model, one_line(detail, 300))

    def _sendable(self, stop: Stop) -> tuple[dict[str, Any], ...]:
        """The blocks that the API takes back: it refuses empty text, a thought that is unsigned or ends a
        turn, and a call without a result, which one that isn't run never gets."""
        blocks: list[dict[str, Any]] = []
        for index, block in self._blocks.items():
            match block["type"]:
                case "text":
                    fit = bool(block["text"].strip())
                case "tool_use":
                    fit = stop == "tool_use"
                case _:
                    fit = index not in self._open
            if fit:
                blocks.append(block)
        while blocks and stop not in ("tool_use", "pause_turn") and blocks[-1]["type"] in _THINKING:
            blocks.pop()
        return tuple(blocks)

    def _stop(self) -> tuple[Stop, str]:
        if not self._ended or self._reason is None:
            return "cut", self.broken or "the stream ended before the turn did"
        calls = [index for index, block in self._blocks.items() if block["type"].endswith("tool_use")]
        for index in calls:
            problem = self._finish_call(index)
            if problem:
                return "cut", problem
        stop = _REASONS.get(self._reason, "unknown")
        if stop == "tool_use" and not any(self._blocks[index]["type"] == "tool_use" for index in calls):
            return "unknown", "the turn ended for a call and holds none"
        return stop, self._reason if stop == "unknown" else self._detail

    def _finish_call(self, index: int) -> str:
        """Set the call's input from its whole text; returns what is wrong with it, or nothing."""
        block, text = self._blocks[index], "".join(self._inputs[index])
        name = block.get("name")
        if index in self._open or not (isinstance(block.get("id"), str) and isinstance(name, str)):
            return f"the call of {name} has no end, no id or no name"
        try:
            given = json.loads(text, parse_constant=_no_constant) if text.strip() else block.get("input")
            json.dumps(given, ensure_ascii=False).encode()  # half a surrogate pair could not be sent back
        except (ValueError, RecursionError):
            return f"the input of {name} is not whole JSON"
        if not isinstance(given, dict):
            return f"the input of {name} is no object"
        block["input"] = given
        return ""

    def _start(self, index: int, block: dict[str, Any]) -> str:
        if not isinstance(block["type"], str) or index in self._blocks:
            raise ValueError("a block has no type or a place that is taken")
        self._bounded(str(block))
        if block["type"] == "text":
            block["text"] = str(block.get("text") or "")
        self._blocks[index], self._inputs[index] = block, []
        self._open.add(index)
        return str(block["text"]) if block["type"] == "text" else ""

    def _add(self, index: int, delta: Mapping[str, Any]) -> str:
        block = self._blocks[index]
        match delta["type"]:
            case "text_delta":
                piece = str(delta["text"]).encode("utf-8", "replace").decode()
                block["text"] += self._bounded(piece)
                return piece
            case "input_json_delta":
                self._inputs[index].append(self._bounded(delta["partial_json"]))
            case "thinking_delta":
                block["thinking"] += self._bounded(delta["thinking"])
            case "signature_delta":
                block["signature"] = self._bounded(delta["signature"])
            case "citations_delta":
                block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        return ""

    def _bounded(self, piece: str) -> str:
        self._chars += len(piece)
        if self._chars > MAX_CHARS:
            raise ValueError(f"the turn is longer than {MAX_CHARS} characters")
        return piece

    def _count(self, usage: Mapping[str, Any] | None) -> None:
        # Counts in a later event are totals; those it leaves out keep their value.
        self._usage.update({key: n for key, n in (usage or {}).items() if isinstance(n, int)})


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
