"""Very many items are shared with copies of the process: nothing is lost, whatever becomes of a copy."""

from __future__ import annotations

import gc
import os
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.sources import crew, kept, twins

ITEMS = range(2000)


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "spare", lambda: 1)


def test_a_copy_does_its_share_and_results_keep_their_order() -> None:
    me, shared = os.getpid(), threading.Event()

    def one(number: int) -> tuple[int, int]:
        if os.getpid() == me and not shared.is_set():
            shared.wait(0.2)  # time for the copy to take some
            shared.set()
        return number, os.getpid()

    results, silent = crew.each(one, ITEMS, many=2)
    assert silent == []
    assert [result[0] for result in results if result] == list(ITEMS)
    (copy,) = {result[1] for result in results if result} - {me}
    with pytest.raises(ChildProcessError):
        os.waitpid(copy, os.WNOHANG)  # it has been seen off


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _failing() -> None:
    raise OSError("only here")


def _stopped() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.parametrize("fate", [_killed, _failing, _stopped], ids=["killed", "failing", "silent"])
def test_the_share_of_a_copy_that_sends_nothing_is_done_here(fate: Callable[[], None]) -> None:
    me, taken = os.getpid(), threading.Event()

    def one(number: int) -> int:
        if os.getpid() != me:
            fate()
        elif not taken.is_set():
            taken.wait(0.2)  # time for the copy to take some
            taken.set()
        return number

    results, silent = crew.each(one, ITEMS, 0.2, many=2)
    assert (results, silent) == (list(ITEMS), [])


def test_where_no_copy_may_be_made_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    before = len(os.listdir("/proc/self/fd"))
    assert crew.each(str, ITEMS, many=2) == ([str(number) for number in ITEMS], [])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_path_that_does_not_answer_is_named_whoever_reads_it() -> None:
    def one(number: int) -> int:
        if number in (7, 1990):
            threading.Event().wait(60)
        return number

    results, silent = crew.each(one, ITEMS, 0.3, many=2)
    assert silent == [7, 1990]
    assert [result for result in results if result is not None] == [n for n in ITEMS if n not in silent]


def test_what_an_item_raises_is_raised_here_too() -> None:
    def one(number: int) -> float:
        return 1 / (number - 1500)

    with pytest.raises(ZeroDivisionError):
        crew.each(one, ITEMS, many=2)


def test_what_copies_have_read_is_kept_as_well(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}") for number in range(100)]
    for path in paths:
        Path(path).write_text(path)
        os.utime(path, (1e9, 1e9))
    index = tmp_path / "state" / "index"

    def read(path: str) -> str:
        return Path(path).read_text()

    first = kept.Kept(index)
    assert first.begin("word", paths, read, lambda path, _: (path,), many=2)() == (paths, [])
    first.save()()

    def refuse(path: str) -> str:
        raise AssertionError(f"{path} was read again")

    assert kept.Kept(index).load().begin("word", paths, refuse, lambda path, _: (path,), many=2)() == (paths, [])


def test_copies_whose_work_nobody_waits_for_any_more_are_ended(tmp_path: Path) -> None:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before, others = len(os.listdir("/proc/self/fd")), set(children.read_text().split())
    memory = kept.Kept(tmp_path / "index")
    memory.begin("word", [str(number) for number in ITEMS], str.upper, lambda *_: (), many=2)
    (copy,) = set(children.read_text().split()) - others
    memory.abandon()
    assert not Path(f"/proc/{copy}").exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_was_shared_leaves_no_circles() -> None:
    """A look keeps the collector from what it made (``read_status``): what only that could free would stay for good."""
    gc.collect()
    gc.disable()
    try:
        crew.each(str, ITEMS, many=2)
        crew.Begun(str, ITEMS, None, 2).end()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_copy_holds_nothing_open_that_others_wait_for() -> None:
    """Else a program that another thread starts meanwhile never seems to end, where the copy waits for the look."""
    mine, others = os.pipe()
    # what it has found is more than a pipe holds: it waits until that is asked for
    begun = crew.Begun(lambda number: "x" * 1000 + str(number), ITEMS, None, 2)
    os.close(others)
    try:
        assert select.select([mine], [], [], 20)[0]
        assert os.read(mine, 1) == b""
        assert begun.result()[1] == []
    finally:
        begun.end()
        os.close(mine)
