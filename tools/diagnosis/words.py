"""Which of many words stand in a text."""

from __future__ import annotations

from collections.abc import Iterable

_LETTERS = 3


class Words:
    """Words by their first letters: a text holds few of those, and only words that begin so are looked for in it."""

    def __init__(self, words: Iterable[str]) -> None:
        self._beginning: dict[tuple[str, ...], list[str]] = {}
        for word in dict.fromkeys(words):
            if len(word) < _LETTERS:
                raise ValueError(f"{word!r} is too short to be found by its first {_LETTERS} letters")
            self._beginning.setdefault(tuple(word[:_LETTERS]), []).append(word)
        self._letters = frozenset(self._beginning)

    def within(self, text: str) -> list[str]:
        """Those that stand in the text, in no order."""
        begun = self._letters.intersection(zip(text, text[1:], text[2:], strict=False))
        return [word for letters in begun for word in self._beginning[letters] if word in text]
