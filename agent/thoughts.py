"""The part of a request that holds what the agent thought before the act: unverified, and marked as that."""

from __future__ import annotations

from collections.abc import Sequence

from agent.folding import WIDTH
from tools.acts import Action
from tools.text import one_line

WORDS_CHARS = 100
"""Of each part of what the agent says."""

Says = tuple[tuple[str, str], ...]
Said = frozenset[Says]


def of_all(actions: Sequence[Action]) -> tuple[list[str], Said]:
    """The lines with the words on every act, and the words that stand in them."""
    numbers: dict[Says, list[int]] = {}
    for number, action in enumerate(actions, 1):
        if action.says:
            numbers.setdefault(action.says, []).append(number)
    if len(numbers) < 2:
        return of_first(actions)
    lines = [f"  {', '.join(map(str, found))}: {'; '.join(_parts(says))}" for says, found in numbers.items()]
    return [" agent says (UNVERIFIED):", *lines], frozenset(numbers)


def of_first(actions: Sequence[Action]) -> tuple[list[str], Said]:
    """The same with the words on one act alone, and how many others are not shown."""
    given = [action for action in actions if action.says]
    if not given:
        return [], frozenset()
    first, others = given[0], sum(action.says != given[0].says for action in given)
    one = len(given) - others == 1
    told = f", of {first.subject}" if others and one else f", of {len(given) - others} of them" if others else ""
    left = f", NOT SHOWN of {others} other{'s' * (others > 1)}" if others else ""
    return [f" agent says (UNVERIFIED{told}{left}):", *(f"  {part}" for part in _parts(first.says))], frozenset(
        (first.says,)
    )


def in_one_line(actions: Sequence[Action]) -> list[str]:
    """What one row of the screen holds of them: not enough to say that they were shown."""
    lines, _ = of_first(actions)
    return [f" {one_line(' '.join(line.strip() for line in lines), WIDTH - 1)}"] if lines else []


def _parts(says: Says) -> list[str]:
    # nothing in the words ends the quotation
    return [f'{name}: "{one_line(words, WORDS_CHARS).replace(chr(34), chr(39))}"' for name, words in says]
