"""What a ``.wandb`` transaction log says of its run, read with the standard library alone.

Only whole records whose checksums hold are used; a torn or growing tail ends the reading silently.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Any

from tools.sources.wandb_items import Latest, any_entry, apply, changes, integer, plain_entry, row
from tools.sources.wandb_records import BLOCK, HEADER, content, fields, record_at, records

__all__ = ["HEADER", "LogFacts", "read_log", "records"]

HEAD_BLOCKS = 2
# A log of much console output can have many blocks without a history row; then the longer tail is read.
TAIL_BLOCKS = (2, 8, 64)
WHOLE = (HEAD_BLOCKS + TAIL_BLOCKS[0]) * BLOCK

# Field numbers of Record and of what lies in it (wandb_internal.proto; the same from 0.16 to 0.31).
HISTORY, SUMMARY, CONFIG, RUN, EXIT, PREEMPTING, ENVIRONMENT = 2, 3, 5, 17, 18, 23, 26
_HISTORY_TAG, _SUMMARY_TAG = HISTORY << 3 | 2, SUMMARY << 3 | 2
# telemetry's, statistics' and the console's records, the most numerous of those that nobody asks for
_UNASKED: dict[int, list[bytes | int] | None] = dict.fromkeys(number << 3 | 2 for number in (7, 11, 13))
_OTHERS = frozenset((CONFIG, RUN, EXIT, PREEMPTING, ENVIRONMENT))
LAST_SUMMARIES = 1
_RUN_TEXT = {1: "run", 2: "entity", 3: "project", 8: "name", 9: "notes", 12: "sweep", 13: "host"}


@dataclass(slots=True)
class LogFacts:
    """What the first and last blocks of one log hold; None and empty where it holds nothing.

    ``slurm`` has the job's SLURM variables, lower case and without the prefix (written by 0.22 and later).
    """

    run: dict[str, str] = field(default_factory=dict)
    started: float | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    slurm: dict[str, str] = field(default_factory=dict)
    written: float | None = None
    """Modification time of the file when it was opened."""
    exit_code: int | None = None
    preempting: bool = False
    problem: str | None = None


class _Damaged(Exception):
    """A record whose checksum was to be looked at later does not hold."""


def read_log(path: str | os.PathLike[str], *, quick: bool = False) -> LogFacts:
    """The run, its config and its last values; never raises, what is wrong is in ``problem``.

    ``quick``: of the summary only what was logged last, and nothing where there is a history row; a look at
    thousands of runs needs no more.

    Of a log larger than 128 KiB only the first and the last 64 KiB (up to 2 MiB where those hold no history
    row) are read: config set in between is missed, history and summary come from the end alone.
    """
    try:
        return _read(path, quick=quick)
    except _Damaged:
        return _read(path, quick=quick, careful=True)


def _read(path: str | os.PathLike[str], *, quick: bool, careful: bool = False) -> LogFacts:
    """``careful``: with every checksum, so that nothing behind a damage is taken for the end of it."""
    facts = LogFacts()
    try:
        # opening a pipe would wait for its writer
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        facts.problem = f"can't be read: {error.strerror}"
        return facts
    try:
        info = os.fstat(handle)
        facts.written = info.st_mtime
        if not stat.S_ISREG(info.st_mode):
            facts.problem = "not a file"
            return facts
        data = os.pread(handle, info.st_size if info.st_size <= WHOLE else HEAD_BLOCKS * BLOCK, 0)
        if len(data) < HEADER.size or HEADER.unpack_from(data)[:2] != (b":W&B", 0xBEE1):
            facts.problem = "not a W&B log" if data else "empty"
        elif len(data) == HEADER.size:
            facts.problem = "nothing reached the disk"
        elif info.st_size <= WHOLE:
            _take(data, HEADER.size, facts, quick=quick, careful=careful)
        else:
            _take(data, HEADER.size, facts, early=True, careful=careful)
            blocks = -(-info.st_size // BLOCK)
            for tail in TAIL_BLOCKS:
                start = max(HEAD_BLOCKS, blocks - tail) * BLOCK
                _take(os.pread(handle, tail * BLOCK, start), 0, facts, quick=quick, careful=careful)
                if facts.history:
                    break
    except OSError as error:
        facts.problem = f"can't be read: {error.strerror}"
    finally:
        os.close(handle)
    return facts


def _take(data: bytes, at: int, facts: LogFacts, *, careful: bool, early: bool = False, quick: bool = False) -> None:
    """Add what blocks hold, from byte ``at`` on; ``early``: but no values that later ones replace."""
    rows: list[bytes | int] = []
    sums: list[bytes | int] = []
    broken = False
    # rows and summaries are most of a log, and all but the last are never opened
    put_off = {} if careful else {**_UNASKED, _HISTORY_TAG: rows, _SUMMARY_TAG: sums}
    for record in records(data, at, put_off):
        try:
            number, body = content(record)
            if number == HISTORY:
                rows.append(record)
            elif number == SUMMARY:
                sums.append(record)
            elif number in _OTHERS:
                _take_field(number, body, facts)
        except (ValueError, RecursionError):
            broken = True
    if not early:
        # most of the time goes into decoding rows, and only the last is wanted
        facts.history, whole = _last_row(data, rows, facts.history)
        summary = Latest()
        if quick:
            sums = sums[-LAST_SUMMARIES:] if not facts.history else []
        for last in sums:
            try:
                summary.add(changes(_body(data, last)))
            except (ValueError, RecursionError):
                broken = True
        broken = not summary.into(facts.summary) or broken or not whole
    if broken:
        facts.problem = "holds a record that can't be read"


def _body(data: bytes, record: bytes | int) -> bytes:
    """What a record is about. Raises _Damaged where it lies in a chunk whose checksum does not hold; Broken."""
    whole = record_at(data, record) if isinstance(record, int) else record
    if whole is None:
        raise _Damaged
    return content(whole)[1]


def _last_row(data: bytes, rows: list[bytes | int], before: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The last row that can be decoded, and whether none after it was broken."""
    whole = True
    for record in reversed(rows):
        try:
            return row(_body(data, record)), whole
        except (ValueError, RecursionError):
            whole = False
    return before, whole


def _take_field(number: int, body: bytes, facts: LogFacts) -> None:
    if number == CONFIG:
        for change in changes(body):
            apply(facts.config, change)
    elif number == RUN:
        _take_run(body, facts)
    elif number == ENVIRONMENT:
        for inner, wire, value in fields(body):
            if inner == 27 and wire == 2:
                name, told = plain_entry(value) or any_entry(value)
                facts.slurm[name] = told
    elif number == EXIT:
        facts.exit_code = integer(body)
    elif number == PREEMPTING:
        facts.preempting = True


def _take_run(body: bytes, facts: LogFacts) -> None:
    told: dict[str, str] = {}
    named = _RUN_TEXT.get
    for number, wire, value in fields(body):
        if name := named(number):
            if wire == 2 and value:
                told[name] = value.decode()
        elif number == 4 and wire == 2:
            for change in changes(value):
                apply(facts.config, change)
        elif number == 17 and wire == 2:
            stamp = {part: ticks for part, kind, ticks in fields(value) if kind == 0}
            if 0 < stamp.get(1, 0) < 1e11:
                facts.started = stamp[1] + stamp.get(2, 0) / 1e9
    # an edit writes the whole record again: what is no longer in it was taken away
    facts.run = told
