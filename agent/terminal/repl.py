"""A plain read-ask-print loop."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from agent.conversation import Conversation
from agent.models import ModelError
from agent.terminal.asking import at_terminal
from agent.terminal.screen import Screen

HELP = "Ask anything about your sweeps. /status looks again, /help shows this, /quit or Ctrl-D leaves."


def chat(conversation: Conversation, screen: Screen, out: Console, before: Callable[[], object]) -> None:
    """Talk until the person leaves. Ctrl-C stops a turn, not the program. ``before``: called before each request."""
    out.print(Text(HELP, style="dim"))
    while True:
        try:
            typed = input("\n› ").strip()
        except EOFError:
            out.print()
            return
        except KeyboardInterrupt:
            out.print(Text("\n(Ctrl-D leaves)", style="dim"))
            continue
        if typed in {"/quit", "/exit", "quit", "exit"}:
            return
        if typed == "/help":
            out.print(Text(HELP, style="dim"))
            continue
        if not typed:
            continue
        try:
            before()
            conversation.ask("check on sweeps" if typed == "/status" else typed, typed=at_terminal())
        except ModelError as error:
            screen.note(f"error: {error}")
        except KeyboardInterrupt:
            conversation.interrupted()
            screen.note("stopped")
        screen.flush()
