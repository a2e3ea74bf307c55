"""Cleaning a text that is still growing: what is let out can't turn out to be part of a secret later."""

from __future__ import annotations

import re

from tools.text import Redactor

_WORD = re.compile(r"\S+")


class Growing:
    """Takes a text in pieces, cut anywhere, and gives it back cleaned, a few words behind."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held: list[str] = []

    def feed(self, piece: str) -> str:
        """What can be shown now that ``piece`` has come; cut at the beginning of a word."""
        self._held.append(piece)
        if not any(char.isspace() for char in piece):
            return ""  # within a word nothing is decided
        text = "".join(self._held)
        starts = [match.start() for match in _WORD.finditer(text) if match.end() < len(text)]
        whole = self._redactor.clean(text)
        # as many whole words as a secret can have stay behind the cut, and what is before it is no part of one
        for at in reversed(starts[1 : max(0, len(starts) - self._redactor.most_words) + 1]):
            shown = self._redactor.clean(text[:at])
            if shown + self._redactor.clean(text[at:]) == whole:
                self._held = [text[at:]]
                return shown
        self._held = [text]
        return ""

    def end(self) -> str:
        """What is left, at the end of the text."""
        text, self._held = "".join(self._held), []
        return self._redactor.clean(text)
