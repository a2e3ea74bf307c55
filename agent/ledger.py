"""What was really seen in this conversation. Only code appends; the model can cite, never add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tools.acts import Observation


class Ledger:
    """Append-only; of one kind and subject the latest observation counts."""

    def __init__(self) -> None:
        self._entries: list[Observation] = []
        self._latest: dict[tuple[str, str], Observation] = {}
        self._values: dict[str, dict[str, set[str]]] = {}
        """Subject -> kind -> what was seen in words: a long conversation is checked as fast as a short one."""
        self.named: set[str] = set()
        """Jobs that stood in the text of a result: to speak of them is no invention, and no more than that."""

    def append(self, source: str, facts: Iterable[tuple[str, str, str]], at: float) -> None:
        """Record (kind, subject, value) facts that a tool's code read at ``at``."""
        self.see(Observation(kind, subject, value, at, source) for kind, subject, value in facts)

    def see(self, seen: Iterable[Observation]) -> None:
        """Record observations."""
        for one in seen:
            self._entries.append(one)
            self._latest[one.kind, one.subject] = one
            if isinstance(one.value, str):
                self._values.setdefault(one.subject, {}).setdefault(one.kind, set()).add(one.value)

    def latest(self, kind: str, subject: str) -> Observation | None:
        """The newest observation of that kind of that subject."""
        return self._latest.get((kind, subject))

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._entries)

    def subjects(self) -> set[str]:
        """Every job and run that some source has shown."""
        return set(self._values)

    def values(self, subject: str, *kinds: str) -> set[str]:
        """All values that were seen of one subject; a job moves on between two looks, so each counts."""
        seen = self._values.get(subject, {})
        return {value for kind in kinds for value in seen.get(kind, ())}
