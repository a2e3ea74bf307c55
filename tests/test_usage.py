"""The walk that adds up sizes: right where it ends, honest where it stops. All files are made here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.sources import usage
from tools.sources.usage import measure


def _file(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def _du(folder: Path) -> int:
    return int(subprocess.run(["du", "-s", "-B1", str(folder)], capture_output=True, check=True).stdout.split()[0])


def test_it_agrees_with_du(workspace: Path) -> None:
    _file(workspace / "outputs/a/checkpoint-1/model.pt", 100_000)
    _file(workspace / "outputs/b/model.pt", 50_000)
    _file(workspace / ".git/objects/x", 3000)
    _file(workspace / "notes.txt", 10)
    used = measure(workspace)
    assert used.total.allocated == _du(workspace)
    for name in ("outputs", "outputs/a", "outputs/b", ".git"):
        assert used.folders[name].allocated == _du(workspace / name), name
    assert used.total.files == 4
    assert used.total.apparent == 153_010
    assert used.folders["outputs"].files == 2
    assert "outputs/a/checkpoint-1" not in used.folders, "two levels are told"
    assert used.largest[0][1] == f"{workspace}/outputs/a/checkpoint-1/model.pt"
    assert used.stopped is None and not used.unreadable


def test_hard_links_count_once_and_holes_take_no_room(workspace: Path) -> None:
    first = _file(workspace / "outputs/model.pt", 80_000)
    (workspace / "other").mkdir()
    os.link(first, workspace / "other/model.pt")
    with (workspace / "outputs/sparse").open("wb") as file:
        file.truncate(50_000_000)
    used = measure(workspace)
    assert used.total.allocated == _du(workspace)
    assert used.total.apparent == 50_080_000
    assert used.total.files == 2


def test_links_are_followed_only_where_they_are_roots(workspace: Path, tmp_path: Path) -> None:
    _file(tmp_path / "scratch/run/model.pt", 60_000)
    _file(tmp_path / "elsewhere/huge", 900_000)
    (workspace / "outputs").symlink_to(tmp_path / "scratch")
    (workspace / "deep").mkdir()
    (workspace / "deep/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "scratch/loop").symlink_to(workspace)
    used = measure(workspace)
    assert used.folders["outputs/run"].apparent == 60_000, "a top-level link goes by its name in the workspace"
    assert used.total.apparent == 60_000


def test_a_root_inside_another_counts_once(workspace: Path, tmp_path: Path) -> None:
    _file(workspace / "data/set/x.bin", 70_000)
    used = measure(workspace, [workspace / "data", tmp_path])
    assert used.total.apparent == 70_000


def test_what_was_asked_for_is_told_by_path_the_inner_one_apart(workspace: Path) -> None:
    folder = workspace / "wandb/run-20261120_100002-aaa1"
    _file(folder / "run-aaa1.wandb", 5000)
    inner = _file(folder / "files/model.ckpt", 40_000)
    used = measure(workspace, units=[str(folder), str(inner)])
    assert used.units[str(inner)].apparent == 40_000
    assert used.units[str(folder)].apparent == 5000
    assert used.units[str(inner)].newest == inner.stat().st_mtime


def test_it_stops_at_its_bound_and_says_where_while_small_folders_are_whole(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "THREADS", 1)  # with more, which folder comes first is chance
    for number in range(60):
        for part in range(20):
            _file(workspace / f"data/{number}/{part}", 1)
    _file(workspace / "logs/a/b/c/1.out", 10)
    used = measure(workspace, max_entries=600)
    assert used.stopped and used.stopped.startswith("stopped after ") and "entries in data/" in used.stopped
    assert "lower bounds" in used.stopped
    assert not used.total.whole and not used.folders["data"].whole
    assert used.folders["logs"].whole, "a huge folder does not hide the others"
    assert 600 <= used.entries < 1200


def test_one_huge_folder_is_cut_in_its_middle(workspace: Path) -> None:
    for number in range(3000):
        (workspace / f"{number}").touch()
    used = measure(workspace, max_entries=500)
    assert used.stopped and used.entries < 1000
    assert not used.total.whole


def test_time_ends_it_too(workspace: Path) -> None:
    _file(workspace / "a/b/c", 1)
    used = measure(workspace, max_seconds=0)
    assert used.stopped and used.stopped.startswith("stopped after 0 s in ")


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_folder_that_is_closed_is_named(workspace: Path) -> None:
    _file(workspace / "shut/x", 1)
    (workspace / "shut").chmod(0)
    assert measure(workspace).unreadable == (f"{workspace}/shut: Permission denied",)


def test_a_root_that_is_gone_is_named(tmp_path: Path) -> None:
    used = measure(tmp_path / "nowhere")
    assert used.unreadable == (f"{tmp_path}/nowhere: No such file or directory",)
    assert used.total.files == 0


def test_the_file_system_says_what_is_free(workspace: Path) -> None:
    (found,) = measure(workspace).file_systems
    assert found.root == str(workspace)
    assert 0 <= found.free <= found.size
