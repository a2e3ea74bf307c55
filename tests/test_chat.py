"""The chat: what is typed, what the commands say, what a stop leaves behind."""

from __future__ import annotations

import json
import os
import pty
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input.base import PipeInput
from prompt_toolkit.input.defaults import create_pipe_input
from prompt_toolkit.output import DummyOutput
from servers.messages import MessagesServer
from stage import Stage

from agent.models import ModelError, Turn, Usage
from agent.models.claude import Claude
from agent.models.playbook import Playbook
from agent.models.scripted import Scripted
from agent.terminal import repl
from agent.terminal.commands import COMMANDS
from agent.terminal.completing import Known
from agent.terminal.history import MAX_KEPT, KeptHistory
from agent.terminal.prompt import EditedPrompt
from tools.text import Redactor

AGENT = Path(sys.executable).with_name("agent")


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe:
        yield pipe


def _prompt(keyboard: PipeInput, known: Known | None = None) -> EditedPrompt:
    return EditedPrompt(InMemoryHistory(["check on sweeps"]), known or Known(COMMANDS), keyboard, DummyOutput())


class TestTyping:
    @pytest.mark.parametrize(
        ("keys", "request_"),
        [
            ("why?\r", "why?"),
            ("why\\\rnot?\r", "why\nnot?"),  # a backslash at the end
            ("why\x1b\rnot?\r", "why\nnot?"),  # Alt+Enter
            ("\x1b[200~why\rdid it\r\ndie?\n\x1b[201~\r", "why\ndid it\ndie?\n"),  # pasted, and told so
            ("why\rdid it\rdie?\r", "why\ndid it\ndie?"),  # pasted, and not told so
            ("wrong\x03right\r", "right"),  # Ctrl-C clears the line
            ("\x1b[A\r", "check on sweeps"),  # what was typed before
            (r"a \ b" "\r", r"a \ b"),
            ("x" * 5000 + "\r", "x" * 5000),
        ],
    )  # fmt: skip
    def test_a_request(self, keyboard: PipeInput, keys: str, request_: str) -> None:
        keyboard.send_text(keys)
        assert _prompt(keyboard).read() == request_

    @pytest.mark.parametrize(("key", "leaves"), [("\x03", KeyboardInterrupt), ("\x04", EOFError)])
    def test_leaving_and_stopping(self, keyboard: PipeInput, key: str, leaves: type[BaseException]) -> None:
        keyboard.send_text(key)
        with pytest.raises(leaves):
            _prompt(keyboard).read()


class TestCompletion:
    @staticmethod
    def _found(known: Known, text: str, *, tab: bool = True) -> list[str]:
        event = CompleteEvent(text_inserted=not tab, completion_requested=tab)
        return [one.text for one in known.get_completions(Document(text), event)]

    def test_ids_of_the_last_look(self, tmp_path: Path) -> None:
        stage, known = Stage(tmp_path, Playbook()), Known(COMMANDS)
        assert self._found(known, "why did 48213_") == [], "nothing was seen yet"
        status = stage.ask("check on sweeps").status
        assert status
        known.saw(status)
        assert "48213_5" in self._found(known, "why did 48213_")
        (one,) = known.get_completions(Document("48213_4"), CompleteEvent(completion_requested=True))
        assert one.display_meta_text == "diverged · xk31p7"
        assert self._found(known, "why did 48213_", tab=False) == [], "not while words are typed"
        assert self._found(known, "/explain 0c1", tab=False) == ["0c1d2e3f"]
        assert self._found(known, "launch 2 more agents of xk") == ["xk31p7"]
        known.saw(replace(status, runs=[], sweeps=[]))
        assert self._found(known, "48213_") == [], "what is gone is no longer offered"

    def test_commands(self) -> None:
        assert self._found(Known(COMMANDS), "/st", tab=False) == ["/status"]
        assert self._found(Known(COMMANDS), "/", tab=False) == list(COMMANDS)
        assert self._found(Known(COMMANDS), "a /st", tab=False) == []


class TestHistory:
    def test_it_is_private_clean_and_lasts(self, tmp_path: Path) -> None:
        path = tmp_path / "state" / "history"
        history = KeptHistory(path, Redactor(["hunter2-hunter2"]))
        for typed in ("first", "two\nlines", "the key hunter2-hunter2", "x" * (MAX_KEPT + 1)):
            history.store_string(typed)
        assert path.stat().st_mode & 0o777 == 0o600
        assert "hunter2" not in path.read_text()
        later = KeptHistory(path, Redactor())
        assert list(later.load_history_strings()) == ["the key [secret removed]", "two\nlines", "first"]

    def test_a_file_that_others_can_read_is_closed_to_them(self, tmp_path: Path) -> None:
        path = tmp_path / "history"
        path.write_text('"old"\nno json\n{"a": 1}\n')
        path.chmod(0o644)
        history = KeptHistory(path, Redactor())
        history.store_string("new")
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(history.load_history_strings()) == ["new", "old"]

    @pytest.mark.parametrize("problem", ["folder", "link"])
    def test_no_history_is_no_reason_not_to_chat(self, tmp_path: Path, problem: str) -> None:
        path, elsewhere = tmp_path / "history", tmp_path / "elsewhere"
        elsewhere.write_text("")
        path.mkdir() if problem == "folder" else path.symlink_to(elsewhere)
        history = KeptHistory(path, Redactor())
        history.store_string("new")
        assert elsewhere.read_text() == ""
        assert list(history.load_history_strings()) == []


class Typist:
    """Types these lines, then leaves; an exception in their place is what a key raises."""

    def __init__(self, lines: Sequence[str | BaseException]) -> None:
        self._lines = list(lines)

    def read(self) -> str:
        if not self._lines:
            raise EOFError
        line = self._lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line


Chat = Callable[..., tuple[Stage, str]]


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """A chat in which ``lines`` are typed; what was shown."""

    def run(model: Any, *lines: str | BaseException, choose: Callable[[str], Any] = Scripted) -> tuple[Stage, str]:
        stage = Stage(tmp_path, model)
        monkeypatch.setattr(repl, "_prompt", lambda *_: (Typist(lines), lambda _: None))
        repl.chat(stage.talk, stage.screen, stage.out, state=tmp_path, choose=choose, before=lambda: None)
        return stage, stage.shown.getvalue()

    return run


class Model:
    """Answers with what its list holds; an exception there is raised in the middle of the answer."""

    name = "a-model"
    free = False
    elsewhere = True

    def __init__(self, *answers: str | BaseException) -> None:
        self._answers = list(answers)

    def respond(self, *, on_text: Callable[[str], None], **_: Any) -> Turn:
        answer = self._answers.pop(0)
        on_text("I think that " if isinstance(answer, BaseException) else answer)
        if isinstance(answer, BaseException):
            raise answer
        return Turn(({"type": "text", "text": answer},), "end_turn", Usage(1000, 200, 30_000, 4000), self.name)


class TestTalking:
    def test_ctrl_c_stops_the_turn_and_not_the_chat(self, chat: Chat) -> None:
        stage, shown = chat(Model(KeyboardInterrupt(), "All is well. What next?"), "hello", "and now?")
        assert "I think that\n(stopped)\n" in shown.replace(" \n", "\n")
        assert "All is well. What next?" in shown
        stage.valid()

    def test_an_error_of_the_model_ends_only_the_turn(self, chat: Chat) -> None:
        stage, shown = chat(Model(ModelError("no key"), "All is well. What next?"), "hello", "and now?")
        assert "(error: no key)" in shown
        assert "All is well. What next?" in shown
        stage.valid()

    def test_ctrl_c_at_an_empty_line_says_how_to_leave(self, chat: Chat) -> None:
        assert "(Ctrl-D leaves)" in chat(Model(), KeyboardInterrupt())[1]

    @pytest.mark.parametrize("word", ["/quit", "quit", "exit"])
    def test_leaving_by_word(self, chat: Chat, word: str) -> None:
        chat(Model(), word, "this is never asked")


class TestCommands:
    def test_status_and_explain_need_no_model_and_are_remembered(self, chat: Chat) -> None:
        stage, shown = chat(Model("It lost 10 min. Resume it?"), "/status", "/explain 48213_5", "what did it lose?")
        assert "https://wandb.ai/acme-lab/molprop/sweeps/xk31p7" in shown
        assert "48213_5 (run 0c1d2e3f): cuda oom" in shown
        assert "It lost 10 min." in shown
        assert stage.talk.model.name == "a-model"
        said = json.dumps(stage.talk.messages)
        assert "explain 48213_5" in said and "torch.OutOfMemoryError" in said, "the model knows what the person saw"
        stage.valid()

    @pytest.mark.parametrize("name", ["1", "0c1d2e3", "48213_99"])
    def test_a_name_that_nothing_has_is_said_to_be_unknown(self, chat: Chat, name: str) -> None:
        _, shown = chat(Model(), f"/explain {name}")
        assert f"Nothing is known of {name}:" in shown
        assert "cuda oom" not in shown, "what died besides was not asked for"

    @pytest.mark.parametrize(
        ("typed", "line"),
        [
            ("/costs", "there is no /costs; did you mean /cost? /help lists the commands"),
            ("/xyzzy now", "there is no /xyzzy; /help lists the commands"),
            ("/explain", "/explain what? Name a job, array task or run, such as /explain 48213_5"),
            ("/cost", "no tokens: nothing was asked of a language model"),
            ("/model", "a-model"),
            ("/mod", "a-model"),
            ("/model one two", "/model NAME: one name, such as /model playbook"),
            ("/HELP", "/transcript  where this conversation is kept"),
        ],
    )
    def test_a_command_is_answered_in_a_line(self, chat: Chat, typed: str, line: str) -> None:
        stage, shown = chat(Model(), typed)
        assert line in shown.splitlines()
        assert stage.talk.messages == []

    def test_commands_typed_ahead_are_one_each(self, chat: Chat) -> None:
        _, shown = chat(Model("A log. What next?"), "/model\n/nonsense\n", "/model\nis this a command?")
        assert "a-model" in shown.splitlines()
        assert "there is no /nonsense" in shown
        assert "A log." in shown, "with other words it is a request"

    def test_a_path_is_no_command(self, chat: Chat) -> None:
        _, shown = chat(Model("A log. What next?"), "/scratch/me/logs/1.out what is this?")
        assert "A log." in shown

    def test_cost_counts_every_call(self, chat: Chat) -> None:
        _, shown = chat(Model("One. What next?", "Two. What next?"), "hello", "hello", "/cost")
        assert "2 calls, 70,000 tokens read" in shown
        assert "70,000 tokens read (60,000 of them from the cache), 400 written" in shown

    def test_another_model_goes_on_with_the_same_conversation(self, chat: Chat) -> None:
        stage, shown = chat(
            Model("One. What next?"),
            "hello",
            "/model other",
            "again",
            choose=lambda name: Model(f"I am {name}. And now?"),
        )
        assert "I am other." in shown
        assert [message["role"] for message in stage.talk.messages] == ["user", "assistant"] * 2


def test_over_real_http(chat: Chat) -> None:
    with MessagesServer(["It **died** of [memory](http://x.y/). Resume it?"]) as server:
        _, shown = chat(Claude("m", server.url), "why?", "/cost")
    assert "It **died** of [memory](http://x.y/). Resume it?" in shown, "a file gets Markdown as it is"
    assert "12 tokens read (0 of them from the cache), 7 written" in shown


# --- the program itself, in a terminal and in a pipe ------------------------------------------------------------


class Terminal:
    """``agent --demo``, or another program, in a terminal of its own."""

    def __init__(self, state: Path, *program: str, **environ: str) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            env = {**os.environ, "XDG_STATE_HOME": str(state), "TERM": "xterm-256color", "COLUMNS": "80", **environ}
            words = program or (str(AGENT), "--demo")
            os.execve(words[0], words, env)
        self.seen = ""

    def until(self, words: str) -> str:
        """What was seen up to these words."""
        while words not in self.seen:
            assert select.select([self._master], [], [], 60)[0], f"no {words!r} in {self.seen!r}"
            try:
                self.seen += os.read(self._master, 65536).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(f"it ended without {words!r}: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(words)
        return before

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def ended(self) -> int:
        """The exit code, when it has left by itself."""
        try:
            while os.read(self._master, 65536):
                pass
        except OSError:
            pass
        pid, self.pid = self.pid, 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._master)  # hangs up
        if self.pid:
            os.waitpid(self.pid, 0)


def _state_of(state: Path, job: str) -> str:
    jobs = json.loads((state / "sweep-agent" / "demo" / "cluster.json").read_text())["jobs"]
    return str(next(one["state"] for one in jobs if one["id"] == job))


_ASKS = """
import select, sys, time
from prompt_toolkit.history import InMemoryHistory
from rich.console import Console
from agent.approval import Request
from agent.terminal.asking import TerminalApprover
from agent.terminal.completing import Known
from agent.terminal.keys import can_edit, echo
from agent.terminal.prompt import EditedPrompt, PlainPrompt
prompt = EditedPrompt(InMemoryHistory(), Known({})) if can_edit() else PlainPrompt()
print("typed:", prompt.read(), flush=True)
with echo(on=False):
    select.select([sys.stdin], [], [])  # what is typed early is in the terminal's queue by then
    print("answer:", TerminalApprover(Console()).ask(Request(("CANCEL",), "cancel 7_1", time.time() + 300, "d")))
"""


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
@pytest.mark.parametrize(("keys", "answer"), [("\n", "no"), ("cancel 7_1\n", "yes")])
def test_what_was_typed_before_an_approval_appeared_is_no_answer(
    tmp_path: Path, term: str, keys: str, answer: str
) -> None:
    with Terminal(tmp_path, sys.executable, "-c", _ASKS, TERM=term) as terminal:
        terminal.until("›" if term != "dumb" else ">")
        terminal.type("cancel it\r")
        terminal.until("typed: cancel it")
        terminal.type("cancel 7_1\n")
        terminal.until("denies > ")
        terminal.type(keys)
        seen = terminal.until(f"answer: {answer}")
        assert keys.strip() in seen, "what is typed now is shown"


def test_an_act_is_approved_and_links_can_be_clicked(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.until("›")
        terminal.type("/stat\r")
        link = terminal.until("sweeps/xk31p7\x1b\\").rpartition("\x1b]8;")[2]
        assert link.endswith(";https://wandb.ai/acme-lab/molprop/")
        assert "https://wandb.ai/acme-lab/molprop/sweeps/xk31p7" in terminal.until("\x1b]8;;\x1b\\"), "and read"
        terminal.until("›")
        terminal.type("cancel 48213_4\r")
        terminal.until("denies > ")
        terminal.type("cancel 48213_4\n")
        terminal.until("no longer in the queue")
        assert _state_of(tmp_path, "48213_4") == "CANCELLED"
        terminal.until("›")
        terminal.type("\x04")
        assert terminal.ended() == 0


def test_ctrl_c_stops_a_model_that_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Terminal(tmp_path, ANTHROPIC_BASE_URL=url) as terminal:
            terminal.until("›")
            terminal.type("hello\r")
            terminal.until("· claude-")  # it says what it waits for
            terminal.type("\x03")
            assert "^C" not in terminal.until("(stopped)"), "keys do not mix with an answer"
            terminal.until("›")
            terminal.type("\x03\x04")
            terminal.until("Ctrl-D leaves")
            assert terminal.ended() == 0


def _piped(state: Path, typed: str, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_STATE_HOME": str(state), **environ}
    return subprocess.run([AGENT, *words], input=typed, capture_output=True, text=True, env=env)


def test_in_a_pipe_each_line_is_a_request(tmp_path: Path) -> None:
    done = _piped(
        tmp_path, "why did 48213_5 die?\nand 48213_3?\n/cost\n", "chat", "--demo", PYTHONPROFILEIMPORTTIME="1"
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout and "›" not in done.stdout and "> " not in done.stdout
    assert "48213_5 (run 0c1d2e3f)" in done.stdout and "48213_3 (run e5f6a7b8)" in done.stdout
    assert "no tokens" in done.stdout
    assert "prompt_toolkit" not in done.stderr
    assert not (tmp_path / "sweep-agent" / "history").exists()


def test_in_a_pipe_an_act_waits(tmp_path: Path) -> None:
    assert _piped(tmp_path, "cancel 48213_4\nhello\n", "chat", "--demo").returncode == 3


def test_help_needs_no_heavy_library(tmp_path: Path) -> None:
    done = _piped(tmp_path, "", "--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    for name in ("prompt_toolkit", "markdown_it", "pydantic", "anthropic"):
        assert f" {name}\n" not in done.stderr
