"""What a person types: a line that can be edited where the terminal can do that, else a plain one.

Both take several lines as one request: after a backslash at a line's end, and when they were pasted.
"""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output

MENU_ROWS = 6


class Prompt(Protocol):
    """Raises EOFError when the person leaves, KeyboardInterrupt at Ctrl-C in an empty line."""

    def read(self) -> str: ...


class PlainPrompt:
    """For pipes and terminals that can't move their cursor."""

    def read(self) -> str:
        """See Prompt. In a pipe each line is a request, and no prompt is shown."""
        typing = sys.stdin.isatty()
        try:
            text = input("\n> " if typing else "")
            while text.endswith("\\") or (typing and _waits(sys.stdin.fileno())):
                text = text.removesuffix("\\") + "\n" + input("")
        except (EOFError, KeyboardInterrupt):
            if typing:
                print()
            raise
        return text


class EditedPrompt:
    """A line with history, completion and editing, by prompt_toolkit; ``source`` and ``target`` are for tests."""

    def __init__(
        self, history: History, completer: Completer, source: Input | None = None, target: Output | None = None
    ) -> None:
        from prompt_toolkit.output.vt100 import Vt100_Output
        from prompt_toolkit.shortcuts import PromptSession

        if target is None:
            target = Vt100_Output.from_pty(sys.stdout)
            # the terminal is not asked where its cursor is: on a slow line its answer would come as typed keys
            target.enable_cpr = False
        self._session: PromptSession[str] = PromptSession(
            "› " if (sys.stdout.encoding or "").lower().startswith("utf") else "> ",
            history=history,
            completer=completer,
            complete_while_typing=True,
            reserve_space_for_menu=MENU_ROWS,
            prompt_continuation="  ",
            key_bindings=_bindings(),
            enable_suspend=True,
            input=source,
            output=target,
        )

    def read(self) -> str:
        """See Prompt."""
        print()
        return self._session.prompt()


def _bindings() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\") and buffer.document.is_cursor_at_the_end:
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        elif event.key_processor.input_queue or _waits(event.app.input.fileno()):
            buffer.newline(copy_margin=False)  # keys that come this fast are pasted: one request, not many
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    return keys


def _waits(keyboard: int) -> bool:
    """Whether more was typed already."""
    return bool(select.select([keyboard], [], [], 0)[0])
