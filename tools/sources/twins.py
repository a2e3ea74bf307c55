"""Work shared with copies of this process: one processor reads and parses no faster, several do.

The copies are made when everything is known and end when their share is done. They take from one pipe what is left to
do, so that whoever is faster does more, and send back what they found. What a copy did not send is done here.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from tools.sources import command

MOST = 4
"""Processes that read at once: a login node has other users."""
SHARE = 16
"""Items that are taken at once, unless there are very many: all numbers of shares must fit into a pipe."""
SHARES = 800
_NUMBER, _LENGTH = struct.Struct("<I"), struct.Struct("<Q")

Some = Callable[[Iterable[int], Callable[[], Iterable[int]] | None], list[int]]
"""Does the work of these indexes, and of further ones while there are more; those that did not answer."""


def spare() -> int:
    """How many copies could work beside this process; none where that is not known to be safe."""
    return min(MOST, len(os.sched_getaffinity(0))) - 1 if sys.platform == "linux" else 0


class Shared:
    """Work that so many copies of this process have begun; ``finish`` does what is left of it."""

    def __init__(self, some: Some, results: list[Any], others: int, patience_s: float) -> None:
        """``some`` puts what it finds into ``results``. A copy that sends nothing for ``patience_s`` (twice that of one
        that is helped, as it may wait as long for a path) is ended, and its share done here.
        """
        self._some, self._results, self._patience_s = some, results, patience_s
        self._size = max(SHARE, len(results) // SHARES)
        self._todo, into = os.pipe()
        os.write(into, b"".join(map(_NUMBER.pack, range(0, len(results), self._size))))
        os.close(into)
        self._mine: list[int] = []
        self._copies: list[tuple[int, int]] = []
        for _ in range(others):
            out, into = os.pipe()
            try:
                self._copies.append((command.twin(partial(self._work, into), (self._todo, into)), out))
            except OSError:  # no more processes for this user
                os.close(out)
            finally:
                os.close(into)

    def finish(self, *, helped: bool) -> list[int]:
        """Fill ``results``, with the copies unless they are not ``helped``; the indexes that did not answer."""
        try:
            silent = set(self._some((), self._more) if helped else ())
            done = set(self._mine)
            for _, out in self._copies:
                for found, unanswered in _received(out, self._patience_s * (2 if helped else 1)):
                    for index, value in found:
                        self._results[index] = value
                        done.add(index)
                    silent.update(unanswered)
        finally:
            self.end()
        left = [index for index in range(len(self._results)) if index not in done]
        return sorted(silent.union(self._some(left, None)))

    def end(self) -> None:
        """End the copies, whatever they are at; nothing where that was done."""
        copies, self._copies = self._copies, []
        if self._todo >= 0:
            os.close(self._todo)
            self._todo = -1
        for number, out in copies:
            os.close(out)
            _end(number)

    def _more(self) -> Iterable[int]:
        number = os.read(self._todo, _NUMBER.size)
        if not number:
            return ()
        start = _NUMBER.unpack(number)[0]
        share = range(start, min(start + self._size, len(self._results)))
        self._mine.extend(share)
        return share

    def _work(self, out: int) -> None:
        silent = self._some((), self._more)
        found = [(index, self._results[index]) for index in self._mine]
        data = pickle.dumps((found, silent), protocol=5)
        with os.fdopen(out, "wb") as pipe:
            pipe.write(_LENGTH.pack(len(data)))
            pipe.write(data)


def _received(out: int, patience_s: float) -> Iterator[tuple[list[tuple[int, Any]], list[int]]]:
    """What a copy sent; nothing where it failed or does not answer."""
    data = bytearray()
    whole = _LENGTH.size
    while len(data) < whole:
        if not select.select([out], [], [], patience_s)[0]:
            return
        piece = os.read(out, 1 << 20)
        if not piece:
            return
        data += piece
        if whole == _LENGTH.size and len(data) >= whole:
            whole += _LENGTH.unpack_from(data)[0]
    # from a copy of this very process: its own data
    yield pickle.loads(memoryview(data)[_LENGTH.size :])  # noqa: S301


def _end(number: int) -> None:
    """End a copy. One that hangs in the kernel is not waited for."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        if os.waitpid(number, os.WNOHANG)[0]:
            return
        os.kill(number, signal.SIGKILL)
        for _ in range(100):
            if os.waitpid(number, os.WNOHANG)[0]:
                return
            time.sleep(0.001)
