"""The commands that talk and act: ask, chat, approve."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from agent.cli_common import ERROR, OK, WAITS, common, plain

if TYPE_CHECKING:
    from agent.conversation import Conversation
    from agent.terminal.screen import Screen


@click.command()
@click.argument("text", nargs=-1, required=True)
@common
def ask(config: Any, text: tuple[str, ...]) -> int:
    """Ask one thing: agent ask "check on sweeps"."""
    asked = " ".join(text).strip()
    if not asked:
        raise click.UsageError('nothing was asked; for example: agent ask "check on sweeps"')
    from agent.terminal.keys import at_terminal

    conversation, screen = _conversation(config)
    # ids in a script's words are nobody's: only a person at a terminal has typed them
    answer = conversation.ask(asked, typed=at_terminal())
    screen.flush()
    return WAITS if answer.waits else OK


@click.command()
@common
def chat(config: Any) -> int:
    """Talk about the sweeps."""
    if sys.stdin is None:
        raise click.UsageError('standard input is closed; ask one thing with: agent ask "check on sweeps"')
    from agent.config import state_dir
    from agent.session import model_of, place_of
    from agent.terminal.repl import chat as talk
    from agent.terminal.screen import console

    state = state_dir(os.environ)
    conversation, screen = _conversation(config)
    waits = talk(
        conversation,
        screen,
        console(),
        state=state,
        choose=lambda name: model_of(config.model_copy(update={"model": name}), os.environ),
        before=lambda: place_of(config, os.environ, state),  # the demo's clock goes on while somebody talks
    )
    return WAITS if waits else OK


@click.command()
@click.argument("plan")
@plain
def approve(_: Any, plan: str) -> int:
    """Approve a plan that was kept because nobody could be asked; the world is read again first."""
    from agent.config import load, state_dir
    from agent.plans import PlanError, Plans, read_plan
    from agent.session import guard_of, place_of
    from agent.terminal.asking import TerminalApprover
    from agent.terminal.screen import console
    from tools.base import ActTool, ToolError
    from tools.registry import BY_NAME

    state, out = state_dir(os.environ), console()
    try:
        kept = read_plan(state / "plans", plan, time.time())
    except PlanError as error:
        raise ToolError(str(error)) from None
    unknown = [name for name, _ in kept.calls if not isinstance(BY_NAME.get(name), ActTool)]
    if unknown or not kept.calls:
        raise ToolError(f"plan {plan} names no act of this version ({', '.join(unknown)}); ask for it again")
    # the commands of its own workspace count, not those of the folder that the person stands in
    config = load(os.environ, workspace=None if kept.demo else kept.workspace, demo=kept.demo or None)
    place = place_of(config, os.environ, state)
    guard = guard_of(place, state, TerminalApprover(out))
    calls = [(tool, values) for name, values in kept.calls if isinstance(tool := BY_NAME.get(name), ActTool)]
    told = guard.act(calls)
    for line in dict.fromkeys(piece for one in told for piece in one.text.splitlines()):
        out.print(place.redactor.clean(line), soft_wrap=True)
    if guard.stopped and any(one.state != "done" for one in told):
        raise KeyboardInterrupt  # and the plan is kept
    if any(one.state == "waits" for one in told):
        return WAITS
    Plans(state / "plans", place.workspace, demo=place.demo).forget(plan)
    return OK if all(one.state == "done" for one in told) else ERROR


def _conversation(config: Any) -> tuple[Conversation, Screen]:
    from agent.config import state_dir
    from agent.models.playbook import NOTICE
    from agent.session import model_of, place_of, start
    from agent.terminal.asking import TerminalApprover
    from agent.terminal.screen import Screen, console

    place = place_of(config, os.environ, state_dir(os.environ))
    model = model_of(config, os.environ)
    out = console()
    screen = Screen(out, console(stderr=True), place.redactor)
    conversation = start(config, place, model, screen, state_dir(os.environ), TerminalApprover(out, screen.aside))
    if model.name == "playbook":
        out.print(NOTICE, style="dim")
    for line in conversation.guard.record.settle_all():
        screen.note(line)
    return conversation, screen
