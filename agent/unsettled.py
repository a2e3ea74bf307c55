"""Acts that were begun and whose end nobody has read: a killed process, or a controller that did not answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.audit import Audit
from tools.acts import Action, Ran

QUIET_S = 15.0
"""Two readings so far apart, both without a trace of it, show that an act of unknown end did nothing: a controller
that hung carries out what it was sent as soon as it answers again."""


class SettleError(Exception):
    """The record can't be read. One line."""


@dataclass(frozen=True, slots=True)
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

    def settled_by(self, now: float) -> bool:
        """Whether a reading at ``now`` that finds no effect is the last word."""
        sure = self.ran is not None and self.ran.certain
        return sure or (self.looked is not None and now - self.looked >= QUIET_S)

    @property
    def clock(self) -> str:
        return time.strftime("%H:%M:%S", time.localtime(self.at))


def open_acts(audit: Audit) -> list[Open]:
    """The acts that the record does not show the end of, oldest first. Raises SettleError."""
    found: dict[str, Open] = {}
    try:
        entries = list(audit.entries())
    except OSError as error:
        raise SettleError(f"the audit can't be read: {error.strerror}") from error
    for entry in entries:
        try:
            _follow(entry, found)
        except (KeyError, TypeError, ValueError) as error:
            raise SettleError(f"an act in the audit can't be read ({error}): agent audit verify") from None
    return list(found.values())


def _follow(entry: Mapping[str, Any], found: dict[str, Open]) -> None:
    kind, act = entry.get("kind"), str(entry.get("act"))
    if kind == "intended":
        found[act] = Open(act, Action.from_record(entry["action"]), float(entry["at"]))
    elif kind == "done" and act in found:
        ran = Ran(**{name: entry[name] for name in ("code", "out", "err", "seconds")})
        found[act] = replace(found[act], ran=ran)
    elif kind == "looked" and act in found and found[act].looked is None:
        found[act] = replace(found[act], looked=float(entry["at"]))
    elif kind == "verified":
        found.pop(act, None)
