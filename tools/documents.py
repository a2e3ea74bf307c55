"""ACTIVE_SWEEPS.md and the block in CLAUDE.md, as text: what the look says, merged with what stands there already.

Pure. A line that this program did not write survives: which ones it wrote stands at the end of the file, as short
digests, so that this holds on another machine too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from tools.document_notes import experiment, notes
from tools.document_tables import HEADS, MAX_ROWS, NOTHING_DONE, UNKNOWN, Known, moment, resumed_as, tables, taken
from tools.status import Status

HEADER = "<!-- AGENT-GENERATED: Do not commit to git unless explicitly requested -->"
TITLE = "# Active Sweeps"
BEGIN = "<!-- sweep-agent: what stands from here to the end mark is written anew -->"
END = "<!-- sweep-agent: end -->"
SECTIONS = ("Running Sweeps", "Job Details", "Source Locations", "Discrepancy Log", "Preemption History", "Notes")
HISTORIES = ("Discrepancy Log", "Preemption History")
"""Tables whose old rows stay: what happened, happened. The others are of now."""
_OURS = re.compile(r"<!-- sweep-agent lines: ([0-9a-f ]*) \(others are yours and stay\) -->")


class DocumentError(Exception):
    """A document can't be updated without losing something. One line."""


def active_sweeps(status: Status, known: Known, old: str, now: float) -> str:
    """The whole new text of ACTIVE_SWEEPS.md. ``old`` is what stands there, empty where nothing does."""
    match = _OURS.search(old)
    ours = set(match[1].split()) if match else set()
    yours = _sections(_OURS.sub("", old))
    found = {**tables(status, known, now), "Notes": notes(status, known)}
    again = resumed_as(status, known)
    taken_over = not match and HEADER in old  # another agent wrote it by the same template: its rows of now are stale
    lines: list[str] = [HEADER, TITLE, "", f"Last updated: {moment(now)}", ""]
    written = {_digest(line) for line in lines}
    above = [line for line in yours.pop("", []) if _digest(line) not in ours | written]
    lines += [line for line in above if not (taken_over and line.startswith("Last updated:"))]
    for name in SECTIONS:
        own = [f"## {name}", *([HEADS[name], re.sub(r"[^|]+", "---", HEADS[name])] if name in HEADS else [])]
        rows = found.get(name, [])
        kept = yours.pop(name, [])
        if name in HISTORIES:
            earlier = [line for line in kept if line.startswith("|") and _digest(line) in ours]
            rows = _with_earlier(rows, earlier, known, again)
        stale = {line for line in kept if line.startswith("|") and (taken_over and name not in HISTORIES)}
        own += rows
        written |= {_digest(line) for line in own}
        more = [line for line in kept if line not in stale and _digest(line) not in ours | written]
        lines += [*own, *_trimmed(more), ""]
    for name, kept in yours.items():
        lines += [f"## {name}", *_trimmed(kept), ""]
    return "\n".join([*lines, _told_ours(written), ""])


def _told_ours(written: set[str]) -> str:
    """Which lines this program has written, as a comment: all others are a person's."""
    digests = " ".join(sorted(written - {_digest("")}))
    return f"<!-- sweep-agent lines: {digests} (others are yours and stay) -->"


def experiment_block(status: Status, known: Known, old: str) -> str:
    """The whole new text of CLAUDE.md: ``old`` with the one marked block written anew, at the end where it is new.

    Lines that somebody wrote into it, or ticked, go right behind it. Raises DocumentError where the marks are not one
    pair.
    """
    lines = experiment(status, known)
    written = {_digest(line) for line in lines}
    block = "\n".join([BEGIN, *lines, _told_ours(written), END])
    if (old.count(BEGIN), old.count(END)) == (0, 0):
        return f"{old.rstrip()}\n\n{block}\n" if old.strip() else f"{block}\n"
    if (old.count(BEGIN), old.count(END)) != (1, 1) or old.index(END) < old.index(BEGIN):
        raise DocumentError("its sweep-agent marks are not one pair: remove them, and the block is written anew")
    before, _, rest = old.partition(BEGIN)
    inside, _, behind = rest.partition(END)
    match = _OURS.search(inside)
    ours = written | set(match[1].split()) if match else None
    within = _OURS.sub("", inside).splitlines()
    yours = [f"\n{line}" for line in within if ours is not None and line.strip() and _digest(line) not in ours]
    return before + block + "".join(["\n", *yours] if yours else []) + behind


def went_behind(old: str, new: str) -> int:
    """How many lines that stood in the block of ``old`` stand behind that of ``new``."""
    if END not in old:
        return 0
    found = [[line for line in text.partition(END)[2].splitlines() if line.strip()] for text in (old, new)]
    return len(found[1]) - len(found[0])


def same_but_for_the_time(old: str, new: str) -> bool:
    """Whether nothing changed but when it was looked."""
    return _timeless(old) == _timeless(new)


def _timeless(text: str) -> str:
    text = re.sub(r"(?m)^Last updated: .*$|<!-- sweep-agent lines: .*$", "", text)
    return re.sub(r"(?m)\| \d{4}-\d\d-\d\d \|$", "|", text)  # Last Verified


def _with_earlier(rows: list[str], earlier: Iterable[str], known: Known, again: Mapping[str, str]) -> list[str]:
    """Old rows of a history, then the new; the same thing is one row, with what is known of it now and its first time.

    A checkpoint that was seen then may be a later job's now: the cell of then stays.
    """
    headings = set(HEADS.values()) | {re.sub(r"[^|]+", "---", head) for head in HEADS.values()}
    found = {_key(row): _cells(row) for row in earlier if row not in headings}
    for row in rows:
        new, old = _cells(row), found.get(_key(row))
        if old and _dated(row):
            new[0] = old[0]
        elif old and new[3] == UNKNOWN:
            new[3] = old[3]
        found[_key(row)] = new
    for cells in found.values():
        if cells[-1] == NOTHING_DONE:
            cells[-1] = taken((cells[1],), known, again)
    return [f"| {' | '.join(cells)} |" for cells in found.values()][-MAX_ROWS:]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def _key(row: str) -> tuple[str, ...]:
    """Job, run and time of a preemption; of a discrepancy the run and both states."""
    return tuple(_cells(row)[1:4] if _dated(row) else _cells(row)[:3])


def _dated(row: str) -> bool:
    return re.match(r"\| \d{4}-\d\d-\d\d ", row) is not None


def _sections(text: str) -> dict[str, list[str]]:
    """Heading -> its lines; those before the first heading under the empty name."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in text.splitlines():
        if line.startswith("## "):
            name = line[3:].strip()
            found.setdefault(name, [])
        else:
            found[name].append(line.rstrip())
    return found


def _trimmed(lines: Sequence[str]) -> list[str]:
    return "\n".join(lines).strip("\n").split("\n") if any(lines) else []


def _digest(line: str) -> str:
    return hashlib.sha256(line.rstrip().encode()).hexdigest()[:8]
