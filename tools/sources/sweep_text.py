"""What stands in a sweep YAML beside its data: comments, and the lines of its keys. The text need not parse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.wandb_data import Note

MAX_LINES = 5_000
MAX_COMMENTS = 60
MAX_TEXT = 300
HEAD = 10
"""Comments between the keys of so many first lines belong to the head as well, as in the rules' script."""

_KEY = re.compile(r"( {0,40})(?:- )?['\"]?([A-Za-z_][\w ./-]{0,120}?)['\"]?\s{0,4}:(?:\s|$)")
_ORNAMENT = re.compile(r"[-=#*~_+\s]{0,300}")
# A line that was switched off, not a word about the sweep: ``lr: 0.1``, ``- program``.
_SWITCHED_OFF = re.compile(r"[A-Za-z_][\w./-]{0,80}:(?:\s{1,9}[-+.\d\[{'\"]|\s{0,9}$)|- ")


@dataclass(slots=True)
class Words:
    """See the fields of the same names in ``SweepConfig``."""

    comments: tuple[Note, ...] = ()
    remarks: dict[str, Note] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read_words(text: str) -> Words:
    """One pass over the first 5,000 lines."""
    found = Words()
    rows = [(number, line[:2000]) for number, line in enumerate(text.splitlines()[:MAX_LINES], 1)]
    for number, line in rows:
        if (match := _KEY.match(line)) and not match[1]:
            found.lines.setdefault(match[2], number)
    found.comments = tuple(_head(rows, found.lines))
    begin = found.lines.get("parameters")
    if begin is not None:
        after = [number for number in found.lines.values() if number > begin]
        _parameters(rows[begin : min(after, default=len(rows) + 1) - 1], found)
    return found


def _head(rows: list[tuple[int, str]], keys: dict[str, int]) -> Iterator[Note]:
    """The comment lines before the first key, and those between the first keys."""
    first = min(keys.values(), default=len(rows) + 1)
    last = min(max(first, HEAD + 1), keys.get("parameters", len(rows) + 1))
    given = 0
    for number, line in rows[: last - 1]:
        if given >= MAX_COMMENTS:
            return
        if not line.startswith("#"):
            yield Note("", number)
            continue
        text = line.lstrip("#").strip()
        ornament = _ORNAMENT.fullmatch(text)
        given += not ornament
        yield Note("" if ornament else text[:MAX_TEXT], number)


def _parameters(rows: list[tuple[int, str]], found: Words) -> None:
    """Lines of the parameters, with the comments beside them, below them and right above them."""
    indent: int | None = None
    current = None
    above: list[Note] = []
    for number, line in rows:
        bare = line.strip()
        match = _KEY.match(line)
        if bare.startswith("#"):
            note = Note(bare.lstrip("# ").rstrip(), number)
            inside = indent is not None and len(line) - len(line.lstrip()) > indent
            if current and inside:
                _remark(found, current, [note])
            else:
                above.append(note)
            continue
        if match and (indent is None or len(match[1]) <= indent):
            indent, current = len(match[1]), match[2]
            found.lines.setdefault(f"parameters.{current}", number)
            _remark(found, current, above)
        if current and (beside := _beside(line)):
            _remark(found, current, [Note(beside, number)])
        above = []


def _beside(line: str) -> str | None:
    """The comment at the end of a line; a number sign inside quotes is none."""
    place = line.find(" #")
    while place >= 0:
        before = line[:place]
        if before.count('"') % 2 == 0 and before.count("'") % 2 == 0:
            return line[place + 2 :].strip() or None
        place = line.find(" #", place + 1)
    return None


def _remark(found: Words, parameter: str, notes: list[Note]) -> None:
    for note in notes:
        if not note.text or _SWITCHED_OFF.match(note.text) or _ORNAMENT.fullmatch(note.text):
            continue
        before = found.remarks.get(parameter)
        text = f"{before.text} {note.text}" if before else note.text
        found.remarks[parameter] = Note(text[:MAX_TEXT], before.line if before else note.line)
