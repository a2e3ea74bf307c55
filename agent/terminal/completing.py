"""What Tab completes: commands, and the jobs, runs and sweeps that the last look has shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from agent.terminal.cells import state_words
from agent.terminal.live import SICK
from tools.status import Status


class Known(Completer):
    """Commands come up while they are typed, ids when Tab is pressed."""

    def __init__(self, commands: Mapping[str, str]) -> None:
        self._commands = commands
        self._ids: dict[str, str] = {}

    def saw(self, status: Status) -> None:
        """Remember the ids of a look, each with what it is; they replace those of the look before."""
        ids = {sweep.id: f"sweep {sweep.name or ''}".rstrip() for sweep in status.sweeps}
        for row in status.runs:
            if not row.superseded:
                state = row.health if row.health in SICK else state_words(row)
                told = f"{state} · {row.sweep}" if row.sweep else state
                ids |= {name: told for name in (row.job, row.run) if name}
        self._ids = ids

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """See Completer."""
        before = document.text_before_cursor
        if before.startswith("/") and " " not in before:
            return self._starting(before, self._commands)
        word = document.get_word_before_cursor(WORD=True).lstrip("(\"'`")
        if complete_event.completion_requested or before.startswith("/explain "):
            return self._starting(word, self._ids)
        return ()

    @staticmethod
    def _starting(word: str, among: Mapping[str, str]) -> Iterator[Completion]:
        for name, told in among.items():
            if name.startswith(word):
                yield Completion(name, start_position=-len(word), display_meta=told)
