"""Going on with a conversation of an earlier session: what was said is there, what was seen is old."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from agent.conversation import Conversation
from agent.history import History, HistoryError, last_of, read
from agent.mending import ago

SHOWN_LINES = 12
"""Of the last answer."""


def go_on(conversation: Conversation, folder: Path, name: str, now: float) -> Sequence[str]:
    """Load conversation ``name`` (``last``: the newest one of this workspace); lines that tell where it stands.

    Raises HistoryError. The ledger is left as it is: what an earlier session read or a person typed there satisfies no
    need of an act.
    """
    place = conversation.context.place
    if name == "last":
        kept = last_of(folder, place.workspace, demo=place.demo)
    else:
        if not re.fullmatch(r"[0-9a-f-]{1,40}", name):
            raise HistoryError(f"{name} is no conversation's id; agent transcripts lists them")
        kept = read(folder / f"{name}.jsonl")
    if kept.demo != place.demo or (not kept.demo and kept.workspace != str(place.workspace)):
        where = "the demo (--demo)" if kept.demo else f"--workspace {kept.workspace}"
        raise HistoryError(f"conversation {kept.id} is about {where}: name that")
    conversation.thread.history = History.go_on(kept, place.redactor, now)
    conversation.thread.go_on_from(kept.messages(now))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.at))
    lines = [
        f"Going on with {kept.id}: {len(kept.requests)} request{'' if len(kept.requests) == 1 else 's'}, the last "
        f"{ago(now - kept.at)} ago. What was read then is old, and is read again when it is needed."
    ]
    lines += ["Its last line was torn when it was written; it was dropped."] if kept.torn else []
    if kept.requests:
        lines += [f"as of {when}", f"› {kept.requests[-1]}"]
    last = conversation.messages[-1] if conversation.messages else None
    if last and last["role"] == "assistant":
        text = "".join(block["text"] for block in last["content"] if block["type"] == "text").strip().splitlines()
        lines += [f"… {len(text) - SHOWN_LINES} lines before"] if len(text) > SHOWN_LINES else []
        lines += text[-SHOWN_LINES:]
    return lines
