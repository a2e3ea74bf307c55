"""What earlier looks read is used again only while the files are the same, and never gets in the way."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab import NOW, Lab, wandb_lines

from tools.place import Place
from tools.sources import checkpoints, kept, logs, wandb_files
from tools.status import Status
from tools.sweeps import read_status


def _aged(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (NOW - 600, NOW - 600))


class _Look:
    """Looks with a state folder, counting the logs that are opened."""

    def __init__(self, lab: Lab, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place: Place = replace(lab.place(), state=state)
        self.opened: list[str] = []
        read = logs.read

        def counted(path: str, *args: Any, **more: Any) -> Any:
            # some twice: for the course of a run that is compared with those that train
            self.opened += [] if Path(path).name in self.opened else [Path(path).name]
            return read(path, *args, **more)

        monkeypatch.setattr(logs, "read", counted)

    def __call__(self) -> Status:
        self.opened.clear()
        return read_status(self.place, lambda: NOW)[0]


def _counted(real: Callable[..., Any], name: str, calls: list[str]) -> Callable[..., Any]:
    def counted(*args: Any, **more: Any) -> Any:
        calls.append(name)
        return real(*args, **more)

    return counted


def _told(status: Status) -> list[tuple[object, ...]]:
    """What the files say; how long a job runs goes on by itself."""
    return [(row.job, row.run, row.sweep, row.epoch, row.loss, row.cause, row.evidence) for row in status.runs]


@pytest.fixture
def look(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Look:
    for task in range(3):
        lab.job(f"70_{task}", "PREEMPTED" if task else "RUNNING")
        _aged(
            lab.file(f"logs/70_{task}.err", wandb_lines(f"run{task}", "sw1")),
            lab.file(f"logs/70_{task}.out", f"epoch {task + 5}/100 loss=0.5\n"),
        )
    return _Look(lab, tmp_path / "state", monkeypatch)


def test_the_second_look_opens_only_what_changed_and_says_the_same(lab: Lab, look: _Look) -> None:
    first = look()
    assert len(look.opened) == 6
    second = look()
    assert look.opened == []
    assert _told(second) == _told(first)
    path = lab.file("logs/70_1.out", "epoch 77/100 loss=0.4\n")
    _aged(path)
    os.utime(path, (NOW - 300, NOW - 300))
    third = look()
    assert look.opened == ["70_1.out", "70_1.err"]
    assert {row.job: row.epoch for row in third.runs} == {"70_0": 5, "70_1": 77, "70_2": 7}


def test_run_folders_and_checkpoints_are_kept_too(lab: Lab, look: _Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that holds one thing it may not hold is no index at all."""
    folder = lab.file("wandb/run-20261120_100002-run0/files/output.log", "").parents[1]
    params = lab.file("wandb/sweep-sw1/config-run0.yaml", "wandb_version: 1\n\nlr:\n  value: 0.1\n")
    saved = lab.checkpoint("run0", 40)
    _aged(*folder.rglob("*"), folder, params, *saved.iterdir(), saved)
    read: list[str] = []
    for module, name in (
        (wandb_files, "read_run_dir"),
        (wandb_files, "read_sweep_params"),
        (checkpoints, "newest_measured"),
    ):
        monkeypatch.setattr(module, name, _counted(getattr(module, name), name, read))
    first = look()
    assert sorted(read) == [*["newest_measured"] * 3, "read_run_dir", "read_sweep_params"]
    read.clear()
    assert _told(look()) == _told(first)
    assert (read, look.opened) == ([], [])


def test_a_file_of_the_same_size_and_time_in_its_place_is_read(lab: Lab, look: _Look) -> None:
    look()
    other = lab.file("other", "epoch 9/100 loss=0.5\n")
    path = lab.workspace / "logs/70_0.out"
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert {row.job: row.epoch for row in look().runs}["70_0"] == 9


def test_what_was_written_a_moment_ago_is_not_kept(lab: Lab, look: _Look) -> None:
    path = lab.workspace / "logs/70_2.out"
    os.utime(path, (time.time(), time.time()))
    look()
    look()
    assert look.opened == ["70_2.out", "70_2.err"]


def _damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _foreign(path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {path}.ran",)

    path.write_bytes(pickle.dumps(Evil()))


def _writable(path: Path) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize("spoil", [_damage, _foreign, _writable, Path.unlink])
def test_a_spoilt_index_is_no_index(look: _Look, spoil: Callable[[Path], None]) -> None:
    first = look()
    path = kept.file_of(look.place.state, look.place.workspace)
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    spoil(path)
    assert _told(look()) == _told(first)
    assert len(look.opened) == 6
    assert not Path(f"{path}.ran").exists()


def test_an_index_of_other_code_is_not_used(look: _Look, monkeypatch: pytest.MonkeyPatch) -> None:
    look()
    monkeypatch.setattr(kept, "_readers", lambda: "another version")
    look()
    assert len(look.opened) == 6


@pytest.mark.parametrize("hinder", ["file", "lock"])
def test_where_nothing_can_be_kept_the_look_goes_on(look: _Look, hinder: str) -> None:
    import fcntl

    folder = look.place.state / "index"  # type: ignore[operator]
    if hinder == "file":
        folder.parent.mkdir(parents=True)
        folder.write_text("in the way")
        assert len(look().runs) == 3
        return
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert len(look().runs) == 3
        assert list(folder.iterdir()) == [folder / "lock"]
