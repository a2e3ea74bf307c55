"""Conversations are kept by a rule: the newest ones, never deleting one that an agent has open or what isn't ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config import load, user_file
from agent.config_file import ConfigError
from agent.history import History
from agent.transcript_keeping import Keeping, prune
from tools.text import Redactor


def _kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _conversation(folder: Path, number: int, size: int = 10) -> Path:
    path = folder / f"20261101-1200{number:02d}-0a0b.jsonl"
    path.write_bytes(b"x" * size)
    os.utime(path, (number, number))
    return path


def test_the_newest_stay_and_so_does_what_is_not_ours(tmp_path: Path) -> None:
    paths = [_conversation(tmp_path, number) for number in range(5)]
    (tmp_path / "notes.jsonl").write_text("mine")
    prune(tmp_path, Keeping(keep=2))
    assert _kept(tmp_path) == [paths[3].name, paths[4].name, "notes.jsonl"]


def test_so_many_megabytes_and_the_newest_however_large(tmp_path: Path) -> None:
    paths = [_conversation(tmp_path, number, 600_000) for number in range(3)]
    prune(tmp_path, Keeping(megabytes=1))
    assert _kept(tmp_path) == [paths[2].name]
    _conversation(tmp_path, 9, 5_000_000)
    prune(tmp_path, Keeping(megabytes=1))
    assert len(_kept(tmp_path)) == 1


def test_one_that_is_open_stays(tmp_path: Path) -> None:
    history = History.begin(tmp_path, tmp_path, Redactor(), 1e9, demo=True)
    history.keep([{"role": "user", "content": [{"type": "text", "text": "hello"}]}], 1e9)
    os.utime(history.path, (0, 0))
    newer = [_conversation(tmp_path, number) for number in (1, 2)]
    prune(tmp_path, Keeping(keep=1))
    assert _kept(tmp_path) == sorted([history.path.name, newer[1].name])


def test_no_folder_yet(tmp_path: Path) -> None:
    prune(tmp_path / "none", Keeping())


def test_the_users_own_file_says_how_many(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = user_file(environ)
    file.parent.mkdir()
    file.write_text("transcripts: {keep: 3}\n")
    assert load(environ, workspace=tmp_path).transcripts == Keeping(keep=3)
    file.write_text("transcripts:\n  keep: 0\n")
    with pytest.raises(ConfigError, match=r"line 2: transcripts\.keep: must be greater than 0"):
        load(environ, workspace=tmp_path)
