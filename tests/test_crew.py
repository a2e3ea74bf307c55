"""Many paths read side by side: all of them, in order, and a silent one costs one time-out."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tools.sources import crew, index


def test_results_come_in_the_items_order() -> None:
    results, silent = crew.each(lambda number: number * number, range(1000))
    assert results == [number * number for number in range(1000)]
    assert silent == []
    assert crew.each(str, []) == ([], [])


def test_what_an_item_raises_is_raised() -> None:
    def one(number: int) -> float:
        return 1 / (number - 500)

    with pytest.raises(ZeroDivisionError):
        crew.each(one, range(1000))


def test_a_silent_item_is_named_and_the_others_are_read() -> None:
    release = threading.Event()

    def one(number: int) -> int:
        if number == 7:
            release.wait(60)
        return number

    results, silent = crew.each(one, range(200), stall_s=0.2)
    release.set()
    assert silent == [7]
    assert results[7] is None
    assert [result for result in results if result is not None] == [n for n in range(200) if n != 7]


def test_items_found_on_the_way_are_read_too() -> None:
    seen: list[int] = []

    def one(number: int) -> list[int]:
        seen.append(number)
        return [number * 2, number * 2 + 1] if number < 64 else []

    assert crew.drain(one, [1]) == []
    assert sorted(seen) == list(range(1, 128))


def test_a_folder_that_does_not_answer_costs_one_time_out_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hanging mount, simulated where the listing is asked for."""
    for name in ("a", "hangs", "b"):
        (tmp_path / name / "logs").mkdir(parents=True)
        (tmp_path / name / "logs" / f"{name}.out").write_text("x")
    release = threading.Event()
    scandir = os.scandir

    def listing(path: str) -> object:
        if str(path).endswith("/hangs"):
            release.wait(60)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(crew, "STALL_S", 0.2)
    found = index.walk(tmp_path)
    release.set()
    assert [Path(path).name for path in found.logs] == ["a.out", "b.out"]
    assert found.unreadable == (f"{tmp_path.resolve()}/hangs: does not answer",)
