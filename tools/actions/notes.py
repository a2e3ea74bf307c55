"""Writing the notes of a run or the description of a sweep on W&B: that field alone."""

from __future__ import annotations

import hashlib
from typing import Self

from pydantic import Field, model_validator

from tools.actions.service import ask, bound, is_mine, run_now, saw, send, sweep_is_mine, sweep_now, where
from tools.actions.world import read_world
from tools.acts import Action, Outcome, Proposal, Ran
from tools.base import ActArgs, ActTool, Context, Denied
from tools.sources import wandb_api, wandb_changes
from tools.sources.wandb_http import ServiceError
from tools.text import one_line, visible

OLD_CHARS = 400
NOTHING = "(nothing)"


class NotesArgs(ActArgs):
    run: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
    """W&B run id, to write its notes."""
    sweep: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
    """Sweep id, to write its description."""
    text: str = Field(min_length=1, max_length=500)
    """The whole new text; it takes the old one's place."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.run is None) == (self.sweep is None):
            raise ValueError("give either run or sweep")
        return self


def propose(context: Context, args: NotesArgs) -> tuple[Proposal, ...]:
    """Write the notes of a run, or the description of a sweep, on W&B; nothing else of it changes. The program shows
    the person the old text and the new one, asks, and reads it back."""
    world = read_world(context)
    text = context.place.redactor.clean(args.text).strip()
    subject = args.run or args.sweep or ""
    mine: bool | None
    if args.sweep:
        found, at = sweep_now(context, world, args.sweep)
        node, old, field = found.node, found.description, "description"
        mine, why = sweep_is_mine(found, world)
    else:
        run, at = run_now(context, world, subject)
        node, old, field = run.node, run.notes, "notes"
        mine, why = is_mine(run, world)
    if (old or "") == text:
        raise Denied(f"the {field} of {subject} says that already: there is nothing to do")
    action = Action(
        verb="note",
        subject=subject,
        names=(subject,),
        thing="sweep" if args.sweep else "run",
        identity=(("kind", field), ("node", node), *where(world), ("was", digest(old)), ("text", digest(text))),
        change=((f"W&B {field} of {subject}", "the whole text is replaced, nothing else"),),
        content=text,
        confirm=f"note {subject}",
        shows=(f"old: {one_line(old or '', OLD_CHARS) or NOTHING}", f"new: {visible(text) or NOTHING}"),
        says=args.says,
    )
    return (Proposal(action, (saw("mine", subject, mine, at, why),)),)


def perform(context: Context, action: Action) -> Ran:
    """Write the text that was approved into that one field."""
    entity, project, node = (bound(action, name) for name in ("entity", "project", "node"))
    if digest(action.content) != bound(action, "text"):
        return Ran(1, err="the text is not the one that was approved")
    if bound(action, "kind") == "description":
        return send(
            context, action, lambda one: wandb_changes.describe_sweep(one, entity, project, node, action.content)
        )
    return send(context, action, lambda one: wandb_changes.set_run_notes(one, node, action.content))


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """Whether the field holds the text now."""
    entity, project = bound(action, "entity"), bound(action, "project")
    try:
        if bound(action, "kind") == "description":
            sweep = ask(context, lambda one: wandb_api.read_sweep(one, entity, project, action.subject), action)
            told = sweep.description if sweep else None
        else:
            run = ask(context, lambda one: wandb_api.read_runs(one, entity, project, [action.subject]), action)
            told = run[action.subject].notes if action.subject in run else None
    except ServiceError as error:
        return Outcome("unknown", f"what it says now is not known: {error}")
    done = digest(told) == bound(action, "text")
    return Outcome("done", "W&B shows the new text") if done else Outcome("not_done", "W&B shows another text")


EDIT_NOTES = ActTool("edit_notes", NotesArgs, "note", propose, perform, settle)


def digest(text: str | None) -> str:
    """SHA-256 of a text; no text counts as an empty one."""
    return hashlib.sha256((text or "").encode()).hexdigest()
