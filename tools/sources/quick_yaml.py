"""A few keys out of plain YAML without parsing it: a parser takes milliseconds a file, and a look reads thousands.

What is not plain enough to be sure about is answered with None; then the parser has to read the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

# What can move or hide a key: merges, explicit keys, anchors and aliases, block scalars, text over several lines,
# tabs, several documents.
_NOT_PLAIN = re.compile(
    rb"(?m)^ {0,60}(?:<<|\?) ?:|[:-] {1,20}[&*|>]|[:-] {1,20}(?:\"[^\"\n]{0,9999}|'[^'\n]{0,9999})$|\t|\n---"
)
_SIGNS = (b"&", b"*", b"|", b">", b"<<", b"?", b'"', b"'", b"\t", b"\n---")
_LINE = re.compile(
    rb"( {0,60})['\"]?([A-Za-z_]\w{0,80})['\"]?:(?: {1,20}|(?=\n)|$)([^\n]{0,200})(?:\n +value:[ ]*([^\n]{0,200}))?"
)
_FLAT = re.compile(rb"([A-Za-z_][\w./-]{0,120}):(?: ([^\n]*))?\n(?:  value: ([^\n]*)\n)?")
MAX_LINES = 20_000
"""Lines that are looked at for the sections of the keys, before the parser is quicker."""
_INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d{0,15})")
_FLOAT = re.compile(r"[-+]?\d{1,17}(?:\.\d{0,20})?(?:[eE][-+]?\d{1,3})?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "True": True, "False": False}
# One word that no rule of YAML reads as anything but text.
_TEXT = re.compile(r"[A-Za-z_][\w./-]{0,200}")
_ALSO_WORDS = frozenset("yes no on off y n null true false".split())


def keys_in(data: bytes, keys: frozenset[str]) -> dict[str, Any] | None:
    """The values of ``keys``, wherever in the nesting they stand, each in its sections.

    Values may be wrapped as W&B does it (``{value: …}`` over two lines). None: better ask the parser.
    """
    found: dict[str, Any] = {}
    budget = [MAX_LINES]
    for start in _lines_with(data, _stems(keys)):
        match = _LINE.match(data, start)
        if match is None or (key := match[2].decode()) not in keys:
            line = data[start : data.find(b"\n", start) + 1 or len(data)]
            if b"{" in line or b"," in line:
                return None
            continue
        text = match[4] if match[3] == b"" else match[3]
        value = _scalar(text) if text else NotImplemented
        level = found
        for section in _sections(data, start, len(match[1]), budget):
            level = level.setdefault(section, {})
            if not isinstance(level, dict):
                return None
        if value is NotImplemented or level.get(key, value) != value or budget[0] < 0:
            return None
        level[key] = value
    if found and any(sign in data for sign in _SIGNS) and _NOT_PLAIN.search(data):
        return None
    return found


def _sections(data: bytes, start: int, indent: int, budget: list[int]) -> list[str]:
    """The keys above a line, outermost first; ``budget`` is how many lines may still be looked at."""
    names: list[str] = []
    while indent > 0 and start > 0 and budget[0] >= 0:
        budget[0] -= 1
        end, start = start - 1, data.rfind(b"\n", 0, start - 1) + 1
        line = data[start:end]
        text = line.lstrip(b" ")
        if text and not text.startswith(b"#") and len(line) - len(text) < indent:
            indent = len(line) - len(text)
            names.append(text.partition(b":")[0].strip(b"'\"- ").decode("utf-8", "replace"))
    return names[::-1]


def _lines_with(data: bytes, stems: Iterable[bytes]) -> list[int]:
    """Where the lines begin that hold one of the stems."""
    starts = set()
    for stem in stems:
        place = data.find(stem)
        while place >= 0:
            starts.add(data.rfind(b"\n", 0, place) + 1)
            place = data.find(stem, place + len(stem))
    return sorted(starts)


@cache
def _stems(keys: frozenset[str]) -> tuple[bytes, ...]:
    """The last words of the keys: each key ends in one of them."""
    ends = {key.rpartition("_")[2] for key in keys}
    return tuple(end.encode() for end in ends if not any(end != other and end.endswith(other) for other in ends))


def flat(data: bytes) -> dict[str, Any] | None:
    """A file that is nothing but ``key: scalar`` or W&B's ``key:`` and ``value: scalar``; None: ask the parser."""
    found: dict[str, Any] = {}
    place = 0
    while place < len(data):
        if data[place] == 10:  # an empty line
            place += 1
            continue
        match = _FLAT.match(data, place)
        if match is None or (not match[2] and match[3] is None) or (match[2] and match[3] is not None):
            return None
        value = _scalar(match[3] if match[3] is not None else match[2])
        if value is NotImplemented:
            return None
        found[match[1].decode()] = {"value": value} if match[3] is not None else value
        place = match.end()
    return found or None


def _scalar(text: bytes) -> Any:
    """A scalar as YAML reads it; NotImplemented for what is not plainly a number, a word, true, false or null."""
    try:
        word = text.decode("ascii").strip()
    except UnicodeDecodeError:
        return NotImplemented
    word = word.partition(" #")[0].rstrip()
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word) and not word.lstrip("+-").startswith("0" * 2):
        return float(word)
    if not word:
        return None
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "'\"" and not set(word[1:-1]) & set("'\"\\"):
        return word[1:-1]
    plain = _TEXT.fullmatch(word) and word.lower() not in _ALSO_WORDS
    return word if plain else NotImplemented
