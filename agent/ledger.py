"""What was really seen in this conversation. Only code appends; the model can cite, never add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tools.acts import Observation


class Ledger:
    """Append-only; of one kind and subject the latest observation counts."""

    def __init__(self) -> None:
        self._entries: list[Observation] = []
        self._latest: dict[tuple[str, str], Observation] = {}

    def append(self, source: str, facts: Iterable[tuple[str, str, str]], at: float) -> None:
        """Record (kind, subject, value) facts that a tool's code read at ``at``."""
        self.see(Observation(kind, subject, value, at, source) for kind, subject, value in facts)

    def see(self, seen: Iterable[Observation]) -> None:
        """Record observations."""
        for one in seen:
            self._entries.append(one)
            self._latest[one.kind, one.subject] = one

    def latest(self, kind: str, subject: str) -> Observation | None:
        """The newest observation of that kind of that subject."""
        return self._latest.get((kind, subject))

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._entries)

    def subjects(self) -> set[str]:
        """Every job and run that some source has shown."""
        return {entry.subject for entry in self._entries if isinstance(entry.value, str)}

    def values(self, subject: str, *kinds: str) -> set[str]:
        """All values that were seen of one subject; a job moves on between two looks, so each counts."""
        return {
            entry.value
            for entry in self._entries
            if entry.subject == subject and entry.kind in kinds and isinstance(entry.value, str)
        }
