"""One request of Claude to a scripted Messages API, with the real SDK in between."""

from __future__ import annotations

from typing import Any

import pytest
from servers.messages import Answer, MessagesServer, Reply, call, text

from agent.models import ModelError, Turn
from agent.models.claude import Claude

KEY = "sk-ant-test-0123456789abcdefghijklmnop"
TOOLS = [{"name": name, "description": name, "input_schema": {"type": "object"}} for name in ("squeue", "cancel")]
HELLO = [{"role": "user", "content": "How are my sweeps?"}]
CANCEL = Reply([text("I will cancel it."), call("cancel", {"job_id": "12345", "dry_run": True})])


def ask(answer: Answer, **options: Any) -> tuple[Turn, list[str], MessagesServer]:
    """The turn, the pieces that were shown, and the server."""
    said: list[str] = []
    with MessagesServer([answer] * (1 + options.get("max_retries", 0))) as server:
        model = Claude("test-model", server.url, KEY, **{"max_retries": 0, "timeout": 20.0, **options})
        turn = model.respond(system="Rules.", messages=HELLO, tools=TOOLS, on_text=said.append)
    return turn, said, server


def refused(answer: Answer, **options: Any) -> str:
    """The one line that a person gets instead of an answer, without the key."""
    with pytest.raises(ModelError) as caught:
        ask(answer, **options)
    line = str(caught.value)
    assert "\n" not in line and len(line) <= 400
    assert KEY not in line
    return line
