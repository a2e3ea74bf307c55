"""Patterns that few looks need."""

from __future__ import annotations

import re
from typing import Any, cast


class _Seldom:
    """Becomes what ``re.compile`` returns, method by method, when a method is first asked for."""

    def __init__(self, wording: str) -> None:
        self._wording = wording

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # whoever copies it asks before it is made
        # kept as its own from then on, so that in a loop over lines it costs no more than the pattern itself
        found = self.__dict__[name] = getattr(re.compile(self._wording), name)
        return found


def seldom(wording: str) -> re.Pattern[str]:
    """``re.compile``, at first use: compiling takes longer than all that many looks do with the pattern.

    Not for what nearly every look needs: copies of the process each compile anew what was not compiled before them.
    """
    return cast("re.Pattern[str]", _Seldom(wording))
