"""What was really seen in this conversation. Only code appends; the model can cite, never add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one subject (a job or run), as a source reader gave it. ``at`` is epoch seconds."""

    id: int
    kind: str
    subject: str
    value: str
    source: str
    at: float


@dataclass(slots=True)
class Ledger:
    _entries: list[Observation] = field(default_factory=list)

    def append(self, source: str, facts: Iterable[tuple[str, str, str]], at: float) -> None:
        """Record (kind, subject, value) facts that a tool's code read at ``at``."""
        for kind, subject, value in facts:
            self._entries.append(Observation(len(self._entries) + 1, kind, subject, value, source, at))

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._entries)

    def subjects(self) -> set[str]:
        """Every job and run that some source has shown."""
        return {entry.subject for entry in self._entries}

    def values(self, subject: str, *kinds: str) -> set[str]:
        """All values that were seen of one subject; a job moves on between two looks, so each counts."""
        return {entry.value for entry in self._entries if entry.subject == subject and entry.kind in kinds}
