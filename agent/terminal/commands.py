"""The commands of a chat: what begins with a slash is answered by code, without the model."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.conversation import Conversation
from agent.intents import job_in
from agent.models import Model
from agent.models.playbook import Playbook

COMMANDS: Mapping[str, str] = {
    "/status": "look at everything again",
    "/explain": "/explain JOB: why it died, or how it stands",
    "/cost": "what this conversation has used",
    "/model": "which model answers; /model NAME changes it",
    "/transcript": "where this conversation is kept",
    "/help": "this list",
    "/quit": "leave (so does Ctrl-D)",
}
KEYS = "Alt+Enter or a backslash at the end: a new line. Tab: completes commands and ids. Ctrl-C: stops an answer."
_COMMAND = re.compile(r"(/[A-Za-z-]{0,40}|/\?)(?:[ \t]+(.*))?")
_AN_ID = re.compile(r"(?=\D{0,128}\d)[\w.-]{1,128}")
"""Meant as a job or run, known or not."""


@dataclass
class Commands:
    """The commands of one conversation."""

    conversation: Conversation
    choose: Callable[[str], Model]
    """A model by its name."""
    say: Callable[[str], object]
    """Shows one line."""

    def asks(self, typed: str) -> tuple[str, Model] | None:
        """What is to be asked, and of whom; None where a command was answered here. /status and /explain go through
        the conversation, so that "resume it" means something, but it is the playbook that answers them."""
        command = _COMMAND.fullmatch(typed)
        if not command:
            return typed, self.conversation.model
        name, rest = command[1].lower(), (command[2] or "").strip()
        begun = [one for one in COMMANDS if one.startswith(name)]
        name = begun[0] if len(begun) == 1 else name
        if name == "/status":
            return "check on sweeps", Playbook()
        if name == "/explain" and rest:
            meant = "job " if _AN_ID.fullmatch(rest) and not job_in(rest) else ""
            return f"explain {meant}{rest}", Playbook()
        known = {"/help": self._help, "/cost": self._cost, "/transcript": self._transcript}
        if name == "/explain":
            self.say("/explain what? Name a job, array task or run, such as /explain 48213_5")
        elif name == "/model":
            self._model(rest)
        elif name in known:
            known[name]()
        else:
            near = difflib.get_close_matches(name, COMMANDS, 1)
            self.say(f"there is no {name}; {f'did you mean {near[0]}? ' if near else ''}/help lists the commands")
        return None

    def _help(self) -> None:
        for name, told in COMMANDS.items():
            self.say(f"{name:<12} {told}")
        self.say(KEYS)

    def _model(self, name: str) -> None:
        if len(name.split()) > 1:
            self.say("/model NAME: one name, such as /model playbook")
            return
        if name:
            self.conversation.model = self.choose(name)
        playbook = " (the built-in playbook; no language model)" if self.conversation.model.name == "playbook" else ""
        self.say(f"{self.conversation.model.name}{playbook}")

    def _cost(self) -> None:
        session = self.conversation.thread.purse.session
        self.say(session.words() if session.calls else "no tokens: nothing was asked of a language model")

    def _transcript(self) -> None:
        history = self.conversation.thread.history
        self.say(str(history.path) if history and not history.problem else "this conversation is not kept on disk")
