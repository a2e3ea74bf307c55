"""The line that says what is waited for: there while it is waited for, never wider than the screen, then gone."""

from __future__ import annotations

import io
import threading

import pytest
from rich.cells import cell_len
from rich.console import Console

from agent.terminal import ticker
from agent.terminal.screen import Screen
from agent.terminal.ticker import Ticker
from tools.text import Redactor

GONE = "\r\x1b[2K"


class Terminal(io.StringIO):
    """What was written to it; ``said`` is set once it holds ``word``."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word, self.said = word, threading.Event()

    def write(self, text: str) -> int:
        size = super().write(text)
        if self.word in self.getvalue():
            self.said.set()
        return size


def _console(file: io.StringIO, width: int = 40) -> Console:
    return Console(file=file, width=width, force_terminal=True, color_system=None, _environ={"TERM": "xterm"})


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "DELAY_S", 0)


def test_it_is_there_while_something_runs_and_leaves_no_trace() -> None:
    terminal = Terminal("check_sweeps limit=60")
    screen = Screen(_console(terminal), _console(io.StringIO()), Redactor())
    with screen.busy("check_sweeps", {"limit": 60}):
        assert terminal.said.wait(10)
        assert not terminal.getvalue().endswith(GONE)
    assert terminal.getvalue().endswith(GONE)
    assert "\n" not in terminal.getvalue()


def test_it_is_gone_before_the_answer_comes_and_while_a_person_is_asked() -> None:
    terminal = Terminal("a-model")
    screen = Screen(_console(terminal), _console(io.StringIO()), Redactor())
    with screen.busy("a-model"):
        assert terminal.said.wait(10)
        with screen.aside():
            assert terminal.getvalue().endswith(GONE)
        screen.text("The answer of a model that is long enough ")
        assert f"{GONE}\nThe answer" in terminal.getvalue()
        assert terminal.getvalue().rpartition(GONE)[2].startswith("\nThe answer"), "and stays away"


def test_it_says_that_a_table_comes() -> None:
    terminal = Terminal("· a table")
    screen = Screen(_console(terminal), _console(io.StringIO()), Redactor())
    screen.text("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 and some words")
    assert terminal.said.wait(10)
    screen.flush()
    assert f"{GONE}a  " in terminal.getvalue()


@pytest.mark.parametrize("seconds", [0.4, 7.2, 12345.0])
def test_it_never_wraps(seconds: float) -> None:
    terminal = io.StringIO()
    Ticker(_console(terminal)).show("explain_job " + "界" * 50, seconds)
    line = terminal.getvalue().removeprefix(GONE)
    assert cell_len(line) < 40
    assert ("12345 s" in line) == (seconds > 10_000)


def test_what_is_shown_is_clean() -> None:
    terminal = Terminal("[secret removed]")
    screen = Screen(_console(terminal, 80), _console(io.StringIO()), Redactor(["hunter2-hunter2"]))
    with screen.busy("find_logs", {"job": "hunter2-hunter2\x1b[2J\n"}):
        assert terminal.said.wait(10)
    assert "hunter2" not in terminal.getvalue() and "[2J" not in terminal.getvalue()


def test_a_file_gets_nothing_of_it() -> None:
    file, notes = io.StringIO(), io.StringIO()
    screen = Screen(Console(file=file), Console(file=notes), Redactor())
    with screen.busy("check_sweeps", {}):
        pass
    assert file.getvalue() == notes.getvalue() == ""
