"""What a look begins with: whatever becomes of it, the look has its files, its listings, and leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lab import Lab

import tools.picture
from tools import outset
from tools.sources import index, twins
from tools.sweeps import read_status


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "spare", lambda: 1)


def _left() -> tuple[int, set[str]]:
    """Open descriptors, and copies that are still there."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    return len(os.listdir("/proc/self/fd")), set(children.read_text().split())


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stopped() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _hanging() -> None:
    threading.Event().wait()


@pytest.mark.parametrize("fate", [_killed, _stopped, _hanging], ids=["killed", "silent", "given up"])
def test_a_workspace_whose_walk_came_to_nothing_is_walked_once_more(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, fate: Callable[[], None]
) -> None:
    lab.file("logs/7.out", "epoch 1\n")
    me, walk, before = os.getpid(), index.walk, _left()

    def walked(*arguments: object) -> index.Index:
        if os.getpid() != me:
            fate()
        return walk(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(index, "walk", walked)
    monkeypatch.setattr(index, "WITHIN_S", 0.2)
    with outset.begin(lab.place(), lambda: 1e9) as begun:
        shared = begun._walk._shared
        assert shared
        select.select([shared._copies[0][1]], [], [], 1)  # until the copy has told that it gives up, where it does
        assert begun.tree().logs == (str(lab.workspace / "logs" / "7.out"),)
        assert all(told[1].ok for told in begun.listings())
    assert _left() == before


def test_a_look_that_does_not_come_to_its_end_leaves_no_copies(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    lab.job("7", "COMPLETED", stdout="logs/7.out")
    lab.file("logs/7.out", "epoch 1\n")
    os.utime(lab.workspace / "logs" / "7.out", (1e9, 1e9))
    state = tmp_path / "state"
    monkeypatch.setattr(tools.picture, "status_of", interrupted)
    before = _left()
    with pytest.raises(KeyboardInterrupt):
        read_status(replace(lab.place(), state=state))
    assert _left() == before
    assert [path.name for path in (state / "index").iterdir() if path.name != "lock"], (
        "what was read is kept all the same"
    )
