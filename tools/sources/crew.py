"""Reading many paths: one after another where the disk answers at once, side by side where reading waits.

A network file system answers in milliseconds or not at all. Threads are added while most of the time goes into
waiting; a path that does not answer costs one time-out and is named, the others are read all the same. Where there are
very many, copies of this process take their share (``twins``).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from tools.sources import twins

MOST = 16
"""Threads at once: what a login node and its file server bear easily."""
LOOK_S = 0.02
"""How often it is asked whether the threads wait or work."""
STALL_S = 5.0
"""A path that has not answered for so long is given up."""
BUSY = 0.25
"""Share of the time spent computing above which more threads would only get in each other's way; on a machine that
others use too, half of the time can go to them without any path being slow."""

MANY = 400
"""Items that are worth copies of this process, where reading one takes half a millisecond."""

T = TypeVar("T")
R = TypeVar("R")


class Begun(Generic[T, R]):
    """The work on many items, begun in copies of this process where they are very many."""

    def __init__(
        self, function: Callable[[T], R], items: Sequence[T], stall_s: float | None, many: int, *, helped: bool = True
    ) -> None:
        """``helped``: whoever asks for the result does a part of the work meanwhile."""
        self._function, self._items, self._stall_s, self._helped = function, items, stall_s, helped
        self._results: list[R | None] = [None] * len(items)
        others = min(twins.spare(), len(items)) if len(items) >= many else 0
        patience_s = STALL_S if stall_s is None else stall_s
        self._shared = twins.Shared(self._some, self._results, others, patience_s) if others else None

    def result(self) -> tuple[list[R | None], list[T]]:
        """What ``each`` returns."""
        shared, self._shared = self._shared, None  # each holds the other: what is kept of a look leaves no circles
        silent = shared.finish(helped=self._helped) if shared else self._some(range(len(self._items)))
        return self._results, [self._items[index] for index in silent]

    def end(self) -> None:
        """Nobody wants the result any more."""
        shared, self._shared = self._shared, None
        if shared:
            shared.end()

    def _some(self, indexes: Iterable[int], more: Callable[[], Iterable[int]] | None = None) -> list[int]:
        def one(index: int) -> Iterable[int]:
            self._results[index] = self._function(self._items[index])
            return ()

        return drain(one, indexes, self._stall_s, more)


def apart(function: Callable[[], R], within_s: float) -> Begun[None, R]:
    """One piece of work in a copy of this process, where there can be one, while other work is done here.

    ``within_s``: seconds that it may take.
    """
    return Begun(lambda _: function(), (None,), within_s, 1, helped=False)


def each(
    function: Callable[[T], R], items: Sequence[T], stall_s: float | None = None, many: int = MANY
) -> tuple[list[R | None], list[T]]:
    """``function`` of every item, in the items' order; then the items that did not answer, whose result is None.

    ``stall_s`` is in seconds. From ``many`` items on several processes share the work: then ``function`` may change
    nothing, and what it returns is pickled. What it raises is raised here.
    """
    return Begun(function, items, stall_s, many).result()


def drain(
    function: Callable[[T], Iterable[T]],
    items: Iterable[T],
    stall_s: float | None = None,
    more: Callable[[], Iterable[T]] | None = None,
) -> list[T]:
    """Call ``function`` with every item and every item it returns; the items that did not answer within the time.

    ``more`` is asked for further items whenever there are none left, until it has none either. A thread that hangs in
    the kernel can't be ended: it is left behind, and does not keep the program from exiting.
    """
    crew = _Crew(function, items, more)
    limit = STALL_S if stall_s is None else stall_s
    crew.add_worker()
    wall, cpu = time.monotonic(), time.process_time()
    while not crew.over.wait(LOOK_S):
        if crew.failure:
            break
        now, computed = time.monotonic(), time.process_time()
        busy = (computed - cpu) / max(now - wall, 1e-9)
        wall, cpu = now, computed
        late = [item for item, since in list(crew.busy.values()) if now - since > limit]
        if crew.work and (len(crew.busy) < 1 or (busy < BUSY and len(crew.busy) < MOST)):
            crew.add_worker()
        elif late and len(late) >= len(crew.busy):
            crew.given_up = True
            return [*late, *crew.work]
    if crew.failure:
        raise crew.failure
    return []


class _Crew(Generic[T]):
    """The threads of one ``drain``."""

    def __init__(
        self, function: Callable[[T], Iterable[T]], items: Iterable[T], more: Callable[[], Iterable[T]] | None
    ) -> None:
        self._more = more
        self.work = deque(items)
        self.busy: dict[int, tuple[T, float]] = {}
        """Worker -> what it is at, and since when."""
        self.over = threading.Event()
        self.given_up = False
        self.failure: BaseException | None = None
        self._function = function
        self._started = 0
        self._lock = threading.Lock()

    def add_worker(self) -> None:
        self._started += 1
        me = self._started
        threading.Thread(target=self._run, args=(me,), daemon=True, name=f"reader-{me}").start()

    def _run(self, me: int) -> None:
        try:
            while not self.given_up:
                with self._lock:
                    # an item is taken and noted in one step: what nobody works on is still in the queue
                    if not self.work and self._more:
                        self.work.extend(self._more())
                    if not self.work:
                        break
                    item = self.work.popleft()
                    self.busy[me] = (item, time.monotonic())
                self.work.extend(self._function(item))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            self.failure = error
        finally:
            with self._lock:
                self.busy.pop(me, None)
                if not self.busy and (not self.work or self.failure):
                    self.over.set()
