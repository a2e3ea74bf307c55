"""The seam between the loop and whatever answers it: messages and tools in, one finished turn out.

Messages, tools and content blocks have the Messages API's own JSON shapes: a transcript and the wire agree.
ModelError is the one exception that a model raises; anything else is a bug.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, Protocol

from tools.compact import compact

Stop = Literal[
    "end_turn",
    "tool_use",
    "max_tokens",
    "refusal",
    "pause_turn",
    "stop_sequence",
    "context_full",
    "unknown",
    "cut",
]
"""Why a turn ended. ``cut``: its end was never seen, or a call in it is not whole; ``unknown``: a reason that
this version does not know."""


class ModelError(Exception):
    """No turn came back. The text is one line that says what to do about it, free of keys."""


class ContextFull(ModelError):
    """The request is longer than the model takes."""


@compact
class Usage:
    """Tokens of one request. ``input`` counts neither those read from the cache nor those written to it."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )


@compact
class Turn:
    """What the model said in one request."""

    content: tuple[dict[str, Any], ...]
    """Blocks to send back as they are. May be empty: then there is nothing to append."""
    stop: Stop
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    """The model that answered, as the server names it."""
    detail: str = ""
    """One line on a stop that needs words: the unknown reason, what was cut, why it was refused."""

    @property
    def text(self) -> str:
        """All text blocks joined, without the model's thinking."""
        return "".join(block["text"] for block in self.content if block["type"] == "text")

    @property
    def tool_calls(self) -> tuple[dict[str, Any], ...]:
        """The ``tool_use`` blocks (``id``, ``name``, ``input``); empty unless the turn ended to call."""
        if self.stop != "tool_use":
            return ()
        return tuple(block for block in self.content if block["type"] == "tool_use")


class Model(Protocol):
    """Something that answers."""

    name: str
    free: bool
    """Asking costs nothing: no language model answers."""
    elsewhere: bool
    """Another server than Anthropic's answers."""

    def respond(
        self,
        *,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        on_text: Callable[[str], None],
    ) -> Turn:
        """One turn, with its text going to ``on_text`` piece by piece on the way. Raises ModelError.

        The arguments are never changed. On ``pause_turn`` the caller appends the content and asks again.
        """
        ...
