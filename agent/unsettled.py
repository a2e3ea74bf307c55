"""Acts that were begun and whose end nobody has read: a killed process, or a controller that did not answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.audit import Audit
from tools.acts import Action, Done, Ran
from tools.compact import compact

QUIET_S = 15.0
"""Two readings so far apart, both without a trace of it, show that an act of unknown end did nothing: a controller
that hung carries out what it was sent as soon as it answers again."""


class SettleError(Exception):
    """The record can't be read. One line."""


@compact
class Open:
    """One act without a known outcome."""

    act: str
    action: Action
    at: float
    """When it was begun, epoch seconds."""
    ran: Ran | None = None
    """How its program ended; None where nobody saw that."""
    looked: float | None = None
    """When its effect was first looked for and not found."""
    cluster: str | None = None
    """Where it was begun; the queue of another tells nothing of it. None: an older record."""
    host: tuple[str, str] | None = None
    """The machine it was begun on, and that one's start; None: an older record."""

    def settled_by(self, now: float) -> bool:
        """Whether a reading at ``now`` that finds no effect is the last word."""
        sure = self.ran is not None and self.ran.certain
        return sure or (self.looked is not None and now - self.looked >= QUIET_S)

    def elsewhere(self, here: tuple[str, str]) -> str:
        """The machine on which a program of it may live, unseen from ``here``; empty where none can."""
        return self.host[0] if self.host and self.host[0] != here[0] and self.host[1] != here[1] else ""

    @property
    def clock(self) -> str:
        return time.strftime("%H:%M:%S", time.localtime(self.at))


class Acts:
    """What the record shows of acts. Each look at it reads only what was added since the last one."""

    def __init__(self, audit: Audit) -> None:
        self._audit, self._at = audit, 0
        self._open: dict[str, Open] = {}
        self._submitted: dict[str, list[str]] = {}
        self._done: dict[str, Done] = {}

    def open(self) -> list[Open]:
        """The acts that the record does not show the end of, oldest first. Raises SettleError."""
        self._read()
        return list(self._open.values())

    def submitted(self) -> Mapping[str, Sequence[str]]:
        """Subject -> the jobs that this program has submitted for it. Raises SettleError."""
        self._read()
        return self._submitted

    def done(self) -> Mapping[str, Done]:
        """Job, run or sweep -> the last act on it that came to something. Raises SettleError."""
        self._read()
        return self._done

    def know(self, submitted: Iterable[Sequence[str]]) -> None:
        """Remember (subject, job) pairs, also where they could not be written down."""
        for subject, job in submitted:
            jobs = self._submitted.setdefault(str(subject), [])
            if str(job) not in jobs:
                jobs.append(str(job))

    def _read(self) -> None:
        try:
            for entry, position in self._audit.after(self._at):
                self._follow(entry)
                self._at = position
        except OSError as error:
            raise SettleError(f"the audit can't be read: {error.strerror}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # it stays there, and so does this: what follows it is not judged without it
            raise SettleError(f"an act in the audit can't be read ({error}): agent audit verify") from None

    def _follow(self, entry: Mapping[str, Any]) -> None:
        begun = self._open.get(str(entry.get("act")))
        _follow(entry, self._open)
        if entry.get("kind") == "verified":
            if begun and entry.get("state") == "done":
                jobs = tuple(str(job) for _, job in entry.get("submitted", ()))
                reason = dict(begun.action.identity).get("reason", "")
                done = Done(begun.action.verb, float(entry["at"]), jobs, reason)
                self._done |= dict.fromkeys((begun.action.subject, *begun.action.names, *begun.action.within), done)
            self.know(entry.get("submitted", ()))


def _follow(entry: Mapping[str, Any], found: dict[str, Open]) -> None:
    kind, act = entry.get("kind"), str(entry.get("act"))
    if kind == "intended":
        action, host = Action.from_record(entry["action"]), entry.get("host")
        here = (str(host[0]), str(host[1])) if host else None
        found[act] = Open(act, action, float(entry["at"]), cluster=entry.get("cluster"), host=here)
    elif kind == "done" and act in found:
        ran = Ran(**{name: entry[name] for name in ("code", "out", "err", "seconds")})
        found[act] = replace(found[act], ran=ran)
    elif kind == "looked" and act in found and found[act].looked is None:
        found[act] = replace(found[act], looked=float(entry["at"]))
    elif kind == "verified":
        found.pop(act, None)
