"""What a person is asked before an act: rendered by code from the frozen actions, bound to them by a digest."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.folding import WIDTH, folded
from agent.needs import FRESH_S
from agent.policy import APPROVED_FOR_S, Check, Verdict
from agent.what_runs import not_bound, runs, runs_of_each
from tools.acts import Action
from tools.text import Redactor, one_line

MAX_LINES = 22
"""With the prompt and what was typed, a request fits a terminal of 24 rows: nothing scrolls out of sight."""
WORDS_CHARS = 100
"""Of each part of what the agent says."""
REFUSAL_CHARS = 140
MAX_REFUSED = 3

Decision = Literal["yes", "no", "other", "nobody", "expired", "stopped"]
"""``other``: something was typed that is neither the words nor a no; ``nobody``: there is no terminal."""
_NO = frozenset(("", "n", "no"))


@dataclass(frozen=True, slots=True)
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

    @property
    def fits(self) -> bool:
        return len(self.lines) <= MAX_LINES

    def answered(self, typed: str, now: float) -> Decision:
        """What ``typed`` decides at ``now`` (epoch seconds): only the words to confirm, in time, are a yes."""
        words = " ".join(typed.split())
        if words != self.confirm:
            return "no" if words.lower() in _NO else "other"
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
    lines = [head]
    shared = runs_of_each(actions, workspace)
    for number, action in enumerate(actions, 1):
        lines += _one(action, f" {number:>2}  " if many else " ", workspace, with_command=not shared)
    lines += shared
    lines += [f" refused  {one_line(line, REFUSAL_CHARS)}" for line in refused[:MAX_REFUSED]]
    lines += [f" refused  {len(refused) - MAX_REFUSED} more"] if len(refused) > MAX_REFUSED else []
    lines += [*_by_word(verdicts), *not_bound(actions)]
    checks = _all_checks(verdicts) if many else _checks(verdicts[0], now)
    said = _says(actions)
    shown = folded((*lines, *checks, *said), redactor)
    if len(shown) > MAX_LINES:  # the same, one after the other: a long command must not cost the whole request
        checks = [" " + "; ".join(check.strip() for check in checks)]
        shown = folded((*lines, *checks, *said), redactor)
    if len(shown) > MAX_LINES:  # nor may the agent's words
        words = one_line(" ".join(line.strip() for line in said), WIDTH - 1)
        shown = folded((*lines, *checks, f" {words}"), redactor)
    if len(shown) > MAX_LINES and not many:
        shown = folded((*lines, *checks), redactor)
    for chars in (32, 12):  # nor each reading's source: what was seen stays, and how old it may be
        if len(shown) > MAX_LINES and not many:
            shown = folded((*lines, _brief(verdicts[0], chars)), redactor)
    listed = folded([f"  {line}" for action in actions for line in action.lists], redactor)
    confirm = first.confirm if first.confirm and not many else f"{first.verb} {what}"
    kept_lines = (*folded([kept], redactor), *shown[len(folded([head], redactor)) :])
    return Request(shown, confirm, expires, digest, listed, kept_lines)


def _one(action: Action, indent: str, workspace: str, *, with_command: bool) -> list[str]:
    rest = " " * len(indent)
    lines = [f"{indent if number == 0 else rest}{line}" for number, line in enumerate(action.shows)]
    lines += runs(action, rest, workspace) if with_command else []
    lines += [f"{rest}{path}: {what}" for path, what in action.change]
    count = len(action.items)
    return lines + ([f"{rest}bound to {count:,} item{'s' * (count > 1)}, each in the list above"] if count else [])


def _by_word(verdicts: Sequence[Verdict]) -> list[str]:
    """What no source told, and a person's word has to stand for."""
    told = [check.seen.text for verdict in verdicts for check in verdict.checks if check.by_word and check.seen]
    return [f" by your word alone: {text}; you typed its id" for text in dict.fromkeys(told)]


def _checks(verdict: Verdict, now: float) -> list[str]:
    return [f" [ok] {check.need.says}{_seen(check, now)}" for check in verdict.checks if check.state == "ok"]


def _seen(check: Check, now: float) -> str:
    if check.seen is None:
        return ""
    told = f": {check.seen.text}" if check.seen.text else ""
    age = f" ({check.seen.source}, {max(0.0, now - check.seen.at):.0f} s old)" if check.need.max_age else ""
    return f"{one_line(told, 160)}{age}"


def _brief(verdict: Verdict, chars: int) -> str:
    """Each need with what was seen of it, in a few words, and one age for all."""
    seen = [check for check in verdict.checks if check.state == "ok"]
    told = [f"{check.need.says}{f' ({one_line(check.seen.text, chars)})' if check.seen else ''}" for check in seen]
    return f" [ok] read within {FRESH_S:.0f} s: {'; '.join(told)}"


def _all_checks(verdicts: Sequence[Verdict]) -> list[str]:
    says = dict.fromkeys(check.need.says for verdict in verdicts for check in verdict.checks if check.state == "ok")
    return [f" [ok] of each: {'; '.join(says)}"]


def _says(actions: Sequence[Action]) -> list[str]:
    """What the agent thought before the act; of several acts that were thought of differently, the first one's."""
    given = list(dict.fromkeys(action.says for action in actions if action.says))
    if not given:
        return []
    of_first = f", of {actions[0].subject}" if len(given) > 1 else ""
    told = [(name, one_line(words, WORDS_CHARS).replace('"', "'")) for name, words in given[0]]
    return [f" agent says (UNVERIFIED{of_first}):", *(f'  {name}: "{words}"' for name, words in told)]
