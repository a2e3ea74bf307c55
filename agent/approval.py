"""What a person is asked before an act: rendered by code from the frozen actions, bound to them by a digest."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Literal, Protocol

from agent import ticks
from agent.folding import folded
from agent.intents import YES
from agent.policy import APPROVED_FOR_S, Verdict
from agent.thoughts import Said, in_one_line, of_all, of_first
from agent.what_runs import not_bound, runs, runs_alike
from tools.acts import Action
from tools.compact import compact
from tools.text import Redactor, one_line

MAX_LINES = 22
"""With the prompt and what was typed, a request fits a terminal of 24 rows: nothing scrolls out of sight."""
REFUSAL_CHARS = 140
MAX_REFUSED = 3

Decision = Literal["yes", "no", "agreed", "other", "nobody", "expired", "stopped"]
"""``agreed``: a yes was typed, but not the words; ``other``: neither; ``nobody``: there is no terminal."""
Shown = tuple[tuple[str, ...], Said]
"""The lines of a request, and the agent's words that stand in them."""
_NO = frozenset(("", "n", "no", "nein", "non", "nee", "nej", "não", "нет", "nie"))


@compact
class Request:
    lines: tuple[str, ...]
    confirm: str
    """What must be typed, to the letter."""
    expires: float
    """Epoch seconds."""
    digest: str
    """SHA-256 over the bindings of all actions."""
    listed: tuple[str, ...] = ()
    """Every file that is moved or deleted, one line each: printed before the request, which counts them."""
    kept: tuple[str, ...] = ()
    """The lines where nobody can be asked: what was not asked does not expire, it is kept as a plan."""
    said: Said = frozenset()
    """What the agent says, as far as it stands in the lines: an act's own words may have had no room."""

    @property
    def fits(self) -> bool:
        return len(self.lines) <= MAX_LINES

    def answered(self, typed: str, now: float) -> Decision:
        """What ``typed`` decides at ``now`` (epoch seconds): only the words to confirm, in time, are a yes."""
        words = " ".join(typed.split())
        if words != self.confirm:
            return "no" if words.lower() in _NO else "agreed" if YES.fullmatch(words.lower().strip(".,! ")) else "other"
        return "yes" if now <= self.expires else "expired"


class Approver(Protocol):
    """Asks a person; anything but the exact words denies."""

    def ask(self, request: Request) -> Decision: ...


class Nobody:
    """No terminal: nobody can be asked, so nothing is approved."""

    def ask(self, request: Request) -> Decision:
        return "nobody"


def request_for(
    actions: Sequence[Action],
    verdicts: Sequence[Verdict],
    *,
    refused: Sequence[str] = (),
    cluster: str,
    workspace: str,
    nonce: str,
    now: float,
    redactor: Redactor,
) -> Request:
    """The request for one action, or for several of the same verb; ``refused``: what was asked for along with them."""
    first = actions[0]
    many = len(actions) > 1
    what = f"{len(actions)} {first.thing}s" if many else first.subject
    digest = hashlib.sha256("".join([cluster, *(action.binding(nonce) for action in actions)]).encode()).hexdigest()
    expires = now + APPROVED_FOR_S
    until = time.strftime("%H:%M:%S", time.localtime(expires))
    counted = f"{len(actions)} {first.thing}{'s' if many else ''}"
    head, kept = (
        f"{first.verb} {counted}".upper() + f"   cluster {cluster}   {lasts}   {digest[:4]}-{digest[4:8]}"
        for lasts in (f"expires {until}", "NOT ASKED: no terminal")
    )
    below = [f" refused  {one_line(line, REFUSAL_CHARS)}" for line in refused[:MAX_REFUSED]]
    below += [f" refused  {len(refused) - MAX_REFUSED} more"] if len(refused) > MAX_REFUSED else []
    below += [*ticks.by_sweep(actions, verdicts), *ticks.by_word(verdicts), *not_bound(actions)]
    told = list(product(_rest(actions, verdicts, now), _what(actions, workspace)))
    if not many:  # what one act does is told in fewer words only where nothing else helps
        told = [(rest, what) for what, rest in product(_what(actions, workspace), _rest(actions, verdicts, now))]
    shown, said = _fitting((folded((head, *what, *below, *rest), redactor), words) for (rest, words), what in told)
    listed = folded([f"  {line}" for action in actions for line in action.lists], redactor)
    confirm = first.confirm if first.confirm and not many else f"{first.verb} {what}"
    kept_lines = (*folded([kept], redactor), *shown[len(folded([head], redactor)) :])
    return Request(shown, confirm, expires, digest, listed, kept_lines, said)


def _fitting(tried: Iterable[Shown]) -> Shown:
    """The first that a screen holds, else the last: that one is not asked."""
    for one in tried:
        if len(one[0]) <= MAX_LINES:
            break
    return one


def _what(actions: Sequence[Action], workspace: str) -> list[list[str]]:
    """What is done, as it is told best; then in fewer lines."""
    marks = [f" {number:>2}  " if len(actions) > 1 else " " for number in range(1, len(actions) + 1)]
    each = list(zip(actions, marks, strict=True))
    own = [runs(action, " " * len(mark), workspace) for action, mark in each]
    alike = runs_alike(actions, workspace)

    def told(*, with_own: bool, brief: bool = False) -> list[str]:
        its = own if with_own else [[]] * len(each)
        lines = [[*_one(*one, brief=brief), *programs] for one, programs in zip(each, its, strict=True)]
        return [line for piece in lines for line in piece] + ([] if with_own else alike)

    if alike:
        return [told(with_own=True), told(with_own=False), told(with_own=False, brief=True)]
    return [told(with_own=True), told(with_own=True, brief=True)]


def _one(action: Action, indent: str, *, brief: bool) -> list[str]:
    rest = " " * len(indent)
    shows = (brief and action.brief) or action.shows
    lines = [f"{indent if number == 0 else rest}{line}" for number, line in enumerate(shows)]
    lines += [f"{rest}{path}: {what}" for path, what in action.change]
    count = len(action.items)
    return lines + ([f"{rest}bound to {count:,} item{'s' * (count > 1)}, each in the list above"] if count else [])


def _rest(actions: Sequence[Action], verdicts: Sequence[Verdict], now: float) -> Iterator[tuple[list[str], Said]]:
    """What was seen, what the agent says, and the link, as they are told best; then in fewer and fewer lines."""
    words, first, brief = of_all(actions), of_first(actions), in_one_line(actions)
    link = _links(actions)
    none: Said = frozenset()
    if len(actions) > 1:
        checks = ticks.of_several(verdicts)
        yield [*checks, *link, *words[0]], words[1]
        yield [*checks, *link, *first[0]], first[1]
        yield [*checks, *first[0]], first[1]
        yield [*checks, *brief], none
        return
    full = ticks.in_full(verdicts[0], now)
    yield [*full, *link, *first[0]], first[1]
    for rows in (3, 1):
        each = ticks.one_each(verdicts[0], rows=rows)
        yield [*each, *link, *first[0]], first[1]
        yield [*each, *first[0]], first[1]
        yield [*each, *brief], none
    # a long command must not cost the whole request: what was seen stays, in fewer words, and how old it may be
    yield [*ticks.packed(verdicts[0], ticks.SEEN_CHARS), *first[0]], first[1]
    yield [*ticks.packed(verdicts[0], ticks.SEEN_CHARS), *brief], none
    for chars in (ticks.SEEN_CHARS, 32, 12):
        yield ticks.packed(verdicts[0], chars), none


def _links(actions: Sequence[Action]) -> list[str]:
    """W&B's page of the one act, or those of the sweeps of several."""
    pages = [action.pages[-1 if len(actions) > 1 else 0] for action in actions if action.pages]
    return [f" on W&B  {page}" for page in list(dict.fromkeys(pages))[:2]]
