"""The text of one log file, or of one part of it, as the diagnosis reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any, overload

from tools.compact import compact
from tools.data import Stream


class Lines(Sequence[str]):
    """The lines of a log in UTF-8, each made text when it is asked for: of a long log hardly one in ten ever is."""

    __slots__ = ("encoded",)

    def __init__(self, encoded: Sequence[bytes]) -> None:
        self.encoded = encoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lines) and self.encoded == other.encoded

    def __hash__(self) -> int:
        return hash(tuple(self.encoded))

    def __len__(self) -> int:
        return len(self.encoded)

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[str, ...]: ...
    def __getitem__(self, i: int | slice) -> str | tuple[str, ...]:
        if isinstance(i, int):
            return self.encoded[i].decode()
        return tuple(map(bytes.decode, self.encoded[i]))

    def __iter__(self) -> Iterator[str]:
        return map(bytes.decode, self.encoded)

    def part(self, start: int, end: int) -> Lines:
        """Those from ``start`` to before ``end``."""
        return Lines(self.encoded[start:end])


@compact
class LogText:
    """Text of one log file, or of one part of it.

    Lines are split at newline and carriage return, free of ANSI colour codes and control characters,
    and cut at a fixed length. ``lines[i]`` stands in line ``numbers[i]`` of the file (1-based, by newline);
    a negative number is counted from the end (-1 is the last line), where the file is too large to be counted.
    """

    path: str
    stream: Stream
    lines: Sequence[str]
    numbers: Sequence[int]
    size: int
    mtime: float
    left_out: int = 0
    """Bytes in the middle of the file that were not read."""

    encoded: bytes = field(default=b"", compare=False, repr=False)
    """The lines in UTF-8, a newline between them; empty: there are none, or nobody has made it."""
    notes: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What the diagnosis has found out about these lines, to find it out once; each note has a ``part`` as well."""

    def part(self, start: int, end: int) -> LogText:
        """The lines from ``start`` to before ``end``."""
        if start == 0 and end >= len(self.lines):
            return self
        lines = self.lines.part(start, end) if isinstance(self.lines, Lines) else self.lines[start:end]
        numbers = self.numbers[start:end]
        notes = {name: note.part(start, end) for name, note in self.notes.items()}
        return LogText(self.path, self.stream, lines, numbers, self.size, self.mtime, self.left_out, notes=notes)

    def encoded_lines(self) -> Sequence[bytes]:
        """The lines in UTF-8."""
        if isinstance(self.lines, Lines):
            return self.lines.encoded
        return [line.encode("utf-8", "surrogatepass") for line in self.lines]

    def where(self, i: int) -> str:
        """``file:line`` of ``lines[i]``."""
        return f"{self.path}:{self.numbers[i]}"

    def index_of(self, where: str) -> int | None:
        """The last of ``lines`` that stands where ``where`` says."""
        path, _, number = where.rpartition(":")
        if path != self.path or not number.lstrip("-").isdigit():
            return None
        wanted = int(number)
        return next((i for i in range(len(self.lines) - 1, -1, -1) if self.numbers[i] == wanted), None)
