"""The standard streams of a person's terminal: one that is closed, or that knows few characters."""

from __future__ import annotations

import codecs
import io
import sys

_STAND_INS = str.maketrans({
    "↓": "v", "↑": "^", "→": "->", "·": "-", "–": "-", "—": "-", "…": "...", "›": ">", "×": "x", "≈": "~",
    "“": '"', "”": '"', "‘": "'", "’": "'", "\xa0": " ",
})  # fmt: skip
"""What the program itself prints outside ASCII, in ASCII."""


def prepare() -> None:
    """Let the streams show a stand-in for a character they can't encode: ``v`` for an arrow down, else ``?``."""
    codecs.register_error("stand-in", _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="stand-in")


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = error.object[error.start : error.end].translate(_STAND_INS)
    return "".join(char if char.isascii() else "?" for char in shown), error.end
