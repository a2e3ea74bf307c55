"""The chat: read a request, answer it, until the person leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from agent.conversation import Conversation
from agent.models import Model, ModelError
from agent.terminal.commands import COMMANDS, Commands
from agent.terminal.flow import DIM, print_folded
from agent.terminal.keys import at_terminal, can_edit, echo
from agent.terminal.prompt import EditedPrompt, PlainPrompt, Prompt
from agent.terminal.screen import Screen
from tools.status import Status

GREETING = "Ask anything about your sweeps. /help lists the commands; Ctrl-D leaves."
LEAVE = {"/quit", "/exit", "quit", "exit"}


def chat(
    conversation: Conversation,
    screen: Screen,
    out: Console,
    *,
    state: Path,
    choose: Callable[[str], Model],
    before: Callable[[], object],
) -> bool:
    """Talk until the person leaves. Ctrl-C stops a turn, not the program. Gives whether an act waits for an approval.

    ``state``: the folder that keeps what was typed; ``choose``: a model by its name; ``before``: called before each
    request.
    """
    clean = conversation.context.place.redactor.clean

    def say(line: str) -> None:
        print_folded(out, clean(line), DIM)

    commands, waits = Commands(conversation, choose, say), False
    prompt, saw = _prompt(conversation, state)
    if at_terminal():
        say(GREETING)
    usual, lines = conversation.model, list[str]()
    while True:
        answering = False
        try:
            if not lines:
                lines = _requests(prompt.read())
            typed = lines.pop(0)
            if typed in LEAVE:
                return waits
            asked = commands.asks(typed) if typed else None
            usual = conversation.model
            if not asked:
                continue
            text, conversation.model = asked
            answering = True
            before()
            with echo(on=False):
                answer = conversation.ask(text, typed=at_terminal())
            waits |= answer.waits
            if answer.status:
                saw(answer.status)
        except EOFError:
            return waits
        except ModelError as error:
            screen.note(f"error: {error}")
        except KeyboardInterrupt:
            if answering:
                conversation.interrupted()
            screen.note("stopped" if answering else "Ctrl-D leaves")
        conversation.model = usual
        screen.flush()


def _requests(typed: str) -> list[str]:
    """What was typed is one request, however many lines it has; but commands typed ahead are one each."""
    lines = [line.strip() for line in typed.strip().split("\n")]
    return lines if all(line.startswith("/") for line in lines) else [typed.strip()]


def _prompt(conversation: Conversation, state: Path) -> tuple[Prompt, Callable[[Status], object]]:
    """How requests are typed here, and whom to tell of a look."""
    if not can_edit():
        return PlainPrompt(), lambda _: None
    from agent.terminal.completing import Known
    from agent.terminal.history import KeptHistory

    known = Known(COMMANDS)
    history = KeptHistory(state / "history", conversation.context.place.redactor)
    return EditedPrompt(history, known), known.saw
