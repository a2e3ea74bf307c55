"""The commands that talk and act: ask, chat, approve."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from agent.cli_common import ERROR, OK, WAITS, common, plain

if TYPE_CHECKING:
    from agent.conversation import Conversation


@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: answer, findings, acts, cost.")
@common
def ask(config: Any, text: tuple[str, ...], as_json: bool) -> int:
    """Ask one thing: agent ask "check on sweeps".

    What is piped in goes along as data: sacct … | agent ask "why did these die?"

    Exits with 0 when done, 1 on an error or where what was to be changed was not (denied, declined, failed), 3 where an
    approval is waited for that nobody could give.
    """
    asked = " ".join(text).strip()
    if not asked:
        raise click.UsageError('nothing was asked; for example: agent ask "check on sweeps"')
    from agent.models import ModelError
    from agent.terminal.keys import at_terminal

    piped, said = _piped()
    collected, notes = _collector() if as_json else (None, [])
    conversation, sink = _conversation(config, sink=collected)
    if said:
        sink.note(said)
    try:
        # ids in a script's words are nobody's: only a person at a terminal has typed them
        answer = conversation.ask(asked, typed=at_terminal(), piped=piped)
    except ModelError as error:
        if not as_json:
            raise
        answer = conversation.answer
        answer.problem = str(error)
    sink.flush()
    code = WAITS if answer.waits else ERROR if answer.problem or answer.undone else OK
    if as_json:
        from agent.answer_json import answer_object

        found = {**answer_object(conversation, answer, notes), "exit_code": code}
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    return code


@click.command()
@click.option(
    "--continue",
    "earlier",
    is_flag=False,
    flag_value="last",
    metavar="[ID]",
    help="Go on with the last conversation of this workspace, or with one that agent transcripts lists.",
)
@common
def chat(config: Any, earlier: str | None) -> int:
    """Talk about the sweeps."""
    if sys.stdin is None:
        raise click.UsageError('standard input is closed; ask one thing with: agent ask "check on sweeps"')
    from agent.config import state_dir
    from agent.session import model_of
    from agent.terminal.repl import chat as talk
    from agent.terminal.screen import console
    from agent.where import place_of

    state = state_dir(os.environ)
    conversation, screen = _conversation(config, earlier=earlier)
    waits = talk(
        conversation,
        screen,
        console(),
        state=state,
        choose=lambda name: model_of(replace(config, model=name), os.environ),
        before=lambda: place_of(config, os.environ, state),  # the demo's clock goes on while somebody talks
    )
    return WAITS if waits else OK


@click.command(short_help="Approve a plan kept because nobody could be asked.")
@click.argument("plan")
@plain
def approve(_: Any, plan: str) -> int:
    """Approve a plan that was kept because nobody could be asked; the world is read again first."""
    from agent.config import load, state_dir
    from agent.for_person import to_person
    from agent.plans import PlanError, Plans, read_plan
    from agent.session import guard_of
    from agent.terminal.asking import TerminalApprover
    from agent.terminal.screen import console
    from agent.told import agreed
    from agent.where import place_of
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
        out.print(place.redactor.clean(to_person(line)), soft_wrap=True)
    if guard.stopped and any(one.state != "done" for one in told):
        raise KeyboardInterrupt  # and the plan is kept
    if any(one.state == "waits" for one in told):
        return WAITS
    if not guard.unanswered and not any(agreed(one.text) for one in told):  # neither of them has said no
        Plans(state / "plans", place.workspace, demo=place.demo).forget(plan)
    return OK if all(one.state == "done" for one in told) else ERROR


def _conversation(config: Any, *, earlier: str | None = None, sink: Any = None) -> tuple[Conversation, Any]:
    """A conversation, and its sink: the screen, or the one given, which nobody sees, so that nobody can be asked."""
    from agent.approval import Nobody
    from agent.config import state_dir
    from agent.continuing import go_on
    from agent.history import History
    from agent.models.playbook import NOTICE
    from agent.session import model_of, start
    from agent.terminal.asking import TerminalApprover
    from agent.terminal.flow import DIM, print_folded
    from agent.terminal.screen import Screen, console
    from agent.transcript_keeping import prune
    from agent.where import place_of

    state = state_dir(os.environ)
    place = place_of(config, os.environ, state)
    model, now, folder = model_of(config, os.environ), time.time(), state / "transcripts"
    out = console()
    screen = Screen(out, console(stderr=True), place.redactor)
    approver = Nobody() if sink else TerminalApprover(out, screen.aside)
    sink = sink or screen
    history = None if earlier else History.begin(folder, place.workspace, place.redactor, now, demo=place.demo)
    conversation = start(config, place, model, sink, state, approver, history)
    if model.name == "playbook" and sink is screen:
        out.print(NOTICE, style="dim")
    if earlier:
        for line in go_on(conversation, folder, earlier, now):
            if line.startswith("    "):  # a command stays whole, to be copied
                out.print(place.redactor.clean(line), style="dim", soft_wrap=True)
            else:
                print_folded(out, place.redactor.clean(line), DIM)
    prune(folder, config.transcripts)
    for line in conversation.guard.record.settle_all():
        sink.note(line)
    return conversation, sink


def _collector() -> tuple[Any, list[str]]:
    from agent.answer_json import Collected

    collected = Collected()
    return collected, collected.notes


def _piped() -> tuple[str, str]:
    """What was piped in, and one line on what of it was not read."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return "", ""
    from agent.outside import read_piped

    try:
        handle = sys.stdin.fileno()
    except ValueError:
        return "", ""  # no file is behind it
    try:
        piped, said = read_piped(handle)
        empty = not piped.strip() and stat.S_ISFIFO(os.fstat(handle).st_mode)
        return piped, said or ("nothing came through the pipe: standard input was empty" if empty else "")
    except OSError as error:
        return "", f"standard input can't be read: {error.strerror}"
