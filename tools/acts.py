"""Plain data of an act: what was seen, what exactly would be done, and what came of it.

Everything is frozen. An ``Action`` is rebuilt from the world before it starts; what its digest covers must be the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from tools.compact import compact

Value = str | bool | None


@compact
class Observation:
    """One value of one subject (a job, run or sweep) as a source reader gave it; only code makes these."""

    kind: str
    subject: str
    value: Value
    """None: a source that should tell could not be read, or does not tell."""
    at: float
    """Epoch seconds at which the source was read."""
    source: str
    text: str = ""
    """What was seen, in a few words for a person."""


@compact
class Program:
    """One program to start; the first word of ``argv`` is its absolute path."""

    argv: tuple[str, ...]
    folder: str
    """Working folder; empty: an empty one of its own."""
    person: bool = False
    """Runs in the person's own environment (conda, modules), as a submission must; else in the allow-list."""
    files: tuple[tuple[str, str], ...] = ()
    """(path, SHA-256) of the scripts and the Makefile that it starts with."""


@compact
class Item:
    """One file or folder of an act that is about many; what it is now is bound by the digest."""

    path: str
    """Absolute, no link on the way."""
    stamp: str
    """Device, inode, kind, files, bytes and time: another value is another thing."""
    goes: str = ""
    """Where to; empty where it is deleted."""


@compact
class Action:
    """One change to one subject, ready to be judged, shown, approved and started."""

    verb: str
    """Names its rule: ``cancel``, ``resume``, ``launch`` …"""
    subject: str
    """The job, run or sweep that the rule's needs are about."""
    names: tuple[str, ...]
    """Its own ids, such as the job's and its run's: a person who typed one of them has named this act."""
    thing: str
    """What is counted in a request for several: ``run``, ``job``, ``agent``."""
    identity: tuple[tuple[str, str], ...]
    """What the subject is now (submit time, owner, restarts, checkpoint …): another value voids an approval."""
    program: Program | None = None
    change: tuple[tuple[str, str], ...] = ()
    """For changes to files: (path, what is done to it, with a digest of the new content)."""
    content: str = ""
    """What a changed file will hold, bound by its digest; no part of the record."""
    confirm: str = ""
    """What a person types for it alone; empty: the verb and the subject. Not bound: counts in it move on."""
    first: Program | None = None
    """Started before ``program``, alone; what it must leave behind is looked for before the program is started."""
    items: tuple[Item, ...] = ()
    """Files that are moved or deleted, every one."""
    lists: tuple[str, ...] = ()
    """A line for each item, shown in full before the request; no part of the record."""
    shows: tuple[str, ...] = ()
    """What a person sees of it, one line each; not bound, since ages in it move on."""
    brief: tuple[str, ...] = ()
    """The same in fewer lines, for a request for many; empty where there is no shorter way."""
    pages: tuple[str, ...] = ()
    """W&B's page of it, then that of its sweep, as far as they are known; not bound."""
    keeps: tuple[tuple[str, str], ...] = ()
    """Subjects that must stay as they are, with their state now: an array's other tasks."""
    within: tuple[str, ...] = ()
    """The sweep that it is a part of: a person who typed that id has named more than this act."""
    together: str = ""
    """Acts that differ in this are never put into one request."""
    says: tuple[tuple[str, str], ...] = ()
    """The caller's own words on status, action and risks; never evidence."""

    def binding(self, nonce: str = "") -> str:
        """SHA-256 over all that an approval is of."""
        programs = [asdict(program) if program else None for program in (self.first, self.program)]
        items = [asdict(item) for item in self.items]
        bound = [self.verb, self.subject, self.identity, programs, self.change, items, nonce]
        return hashlib.sha256(json.dumps(bound, ensure_ascii=False, sort_keys=True).encode()).hexdigest()

    def to_record(self) -> dict[str, Any]:
        """For the audit."""
        return {name: value for name, value in asdict(self).items() if name not in {"content", "lists"}}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Action:
        """An action as the audit kept it. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            verb=str(record["verb"]),
            subject=str(record["subject"]),
            names=tuple(record["names"]),
            within=tuple(record.get("within", ())),
            thing=str(record["thing"]),
            identity=_pairs(record["identity"]),
            program=_program(record["program"]),
            first=_program(record.get("first")),
            change=_pairs(record["change"]),
            confirm=str(record.get("confirm", "")),
            items=tuple(Item(**item) for item in record.get("items", ())),
            shows=tuple(record["shows"]),
            brief=tuple(record.get("brief", ())),
            pages=tuple(record.get("pages", ())),
            keeps=_pairs(record["keeps"]),
            together=str(record["together"]),
            says=_pairs(record.get("says", ())),
        )


def _program(record: Mapping[str, Any] | None) -> Program | None:
    if record is None:
        return None
    return Program(tuple(record["argv"]), record["folder"], record["person"], _pairs(record["files"]))


def _pairs(record: Sequence[Sequence[object]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(first), str(second)) for first, second in record)


@compact
class Proposal:
    """An action and everything code saw that bears on it."""

    action: Action
    seen: tuple[Observation, ...]

    @property
    def subject(self) -> str:
        return self.action.subject


@compact
class Refused:
    """One of several targets that no act can be made of; the others of its call are asked for all the same."""

    subject: str
    why: str
    """Names it, and what would help."""


@compact
class Ran:
    """What a started program did; ``code`` is None where it did not end in time, so that nothing is known of it."""

    code: int | None
    out: str = ""
    err: str = ""
    seconds: float = 0.0

    @property
    def certain(self) -> bool:
        """Whether it either worked or was refused at once. A controller that hangs lets scancel and sbatch fail, and
        carries them out later: seen on 20.11, 22.05 and 24.11."""
        if self.code == 0:
            return True
        lost = ("timed out", "unable to contact", "zero bytes", "connection", "communication")
        return self.code is not None and self.seconds < 5 and not any(word in self.err.lower() for word in lost)


@compact
class Done:
    """An act that came to something, as the record has it."""

    verb: str
    at: float
    """When that was seen, epoch seconds."""
    jobs: tuple[str, ...] = ()
    """What it submitted."""
    reason: str = ""
    """Why, where the act asks for that; the words of who proposed it, as a person approved them."""


@compact
class Outcome:
    """What is so after an act, by reading the world again."""

    state: Literal["done", "not_done", "unknown"]
    text: str
    """For the person and the model, one line or a few."""
    seen: tuple[Observation, ...] = ()
