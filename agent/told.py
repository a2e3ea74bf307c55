"""What came of an act, in the words that the model and the person get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tools.acts import Action, Outcome, Ran
from tools.compact import compact
from tools.text import Redactor

STOPPED = "NOT DONE: the person stopped it"
UNLESS = ". Don't ask for it again unless they do"
ASK_AGAIN = ". Say so, and ask whether you shall ask for it again"
_AGREED = "the person did type a yes, but "

State = Literal["done", "denied", "declined", "waits", "unknown", "failed"]


@compact
class Told:
    """What came of one call."""

    state: State
    text: str
    plan: str = ""
    """The name of the plan that it waits as."""


def told_of(action: Action, outcome: Outcome, ran: Ran, redactor: Redactor) -> Told:
    """How ``action`` went, read back; with the last line its program said where that failed."""
    said = (ran.err or ran.out).strip().splitlines()
    words = f" It said: {redactor.clean(said[-1])[:300]}" if said and ran.code != 0 else ""
    what = f"{action.verb} {action.subject}"
    if outcome.state == "done":
        return Told("done", f"DONE: {what}: {outcome.text}")
    if outcome.state == "unknown":
        return Told(
            "unknown", f"NOT KNOWN YET: {what}: {outcome.text}.{words} It is not repeated; look again in a minute"
        )
    exit_words = f"exit code {ran.code}" if ran.code else "it exited with 0, which proves nothing"
    return Told("failed", f"NOT DONE: {what}: {outcome.text} ({exit_words}).{words}")


def changed_between(before: Action, now: Action) -> str:
    """What of the subject is another than a person approved."""
    was = dict(before.identity)
    told = [
        f"{name}: {was.get(name) or 'nothing'} → {value or 'nothing'}"
        for name, value in now.identity
        if was.get(name) != value
    ]
    for one, other in ((before.first, now.first), (before.program, now.program)):
        files = dict(one.files) if one else {}
        new = other.files if other else ()
        told += [f"{path} has other content" for path, digest in new if files.get(path, digest) != digest]
    now_there = {item.path: item.stamp for item in now.items}
    others = [item.path for item in before.items if now_there.get(item.path) != item.stamp]
    others += sorted(set(now_there) - {item.path for item in before.items})
    told += [f"{path} is not what it was" for path in others[:3]]
    return "; ".join([*dict.fromkeys(told), *([f"{len(others) - 3} more are not"] if len(others) > 3 else [])])


def joined(parts: Sequence[Told]) -> Told:
    """One answer for a call that was several acts: the worst state counts."""
    if not parts:
        return Told("done", "nothing to do: it is so already")
    if len(parts) == 1:
        return parts[0]
    order: tuple[State, ...] = ("unknown", "failed", "denied", "declined", "waits", "done")
    states = {part.state for part in parts}
    state: State = next((state for state in order if state in states), "failed")
    plan = next((part.plan for part in parts if part.plan), "")
    return Told(state, "\n".join(part.text for part in parts), plan)


def agreed(text: str) -> bool:
    """Whether this tells that the person said yes in words that don't count: they may be asked again."""
    return _AGREED in text


def declined(how: str, confirm: str) -> Told:
    """What a request came to that was not approved: ``how`` the person decided, ``confirm`` the words it asked for."""
    words = {
        "stopped": STOPPED,
        "no": f"NOT DONE: the person said no (`{confirm}`){UNLESS}",
        "agreed": f"NOT DONE: {_AGREED}only `{confirm}` counts, to the letter{ASK_AGAIN}",
        "other": f"NOT DONE: the person did not approve it: what was typed is not `{confirm}`{UNLESS}",
        "expired": f"NOT DONE: the time for it ran out before anybody approved it{UNLESS}",
    }
    return Told("declined", words[how])
