"""W&B's own debug logs, as the real client wrote them in three versions, and hostile ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from lab import Lab

from tools.base import Context
from tools.run_tools import WANDB_GET
from tools.sources.wandb_debug import MAX_SHOWN, TAIL, DebugLine, read_debug

REAL = Path(__file__).parents[1] / "fixtures" / "wandb_debug"


def _lines(folder: Path) -> list[DebugLine]:
    return [line for log in read_debug(str(folder)) for line in log.lines]


def _write(folder: Path, text: str | bytes, name: str = "debug-internal.log") -> Path:
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "logs" / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def _entry(text: str, level: str = "INFO") -> str:
    return json.dumps({"time": "2026-11-24T02:55:16.8Z", "level": level, "msg": text}) + "\n"


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("0.31.0/online", ["got exitcode: 0", "stream: all finished"]),
        ("0.31.0/forbidden", ["got exitcode: 0", "status=403", "failed to upload: 403", "all finished"]),
        ("0.31.0/broken", ["got exitcode: 0", "status=500", "fatal error: filestream"]),
        ("0.31.0/refused", ["connection refused", "failed to init run", "all finished", "run not yet initialized"]),
        ("0.31.0/failed", ["Uncaught exception", "all finished"]),
        ("0.19.11/refused", ["retrying error error=Post"]),
        ("0.16.6/refused", ["timed out after 6.0 sec", "Run initialization has timed out", "Connection refused"]),
        ("0.16.6/failed", ["handling exit code: 1"]),
    ],
)  # fmt: skip
def test_what_real_logs_tell_and_nothing_else(case: str, words: list[str]) -> None:
    found = _lines(REAL / case)
    assert len(found) == len(words), found
    for line, word in zip(found, words, strict=True):
        assert word in line.text


def test_where_it_stands_how_often_and_when_last() -> None:
    line = next(line for line in _lines(REAL / "0.31.0/broken") if "500" in line.text)
    assert line.where == f"{REAL}/0.31.0/broken/logs/debug-internal.log:9"
    assert (line.times, line.at, line.level) == (4, "2026-11-24T02:55:37", "INFO")
    traceback = next(line for line in _lines(REAL / "0.16.6/refused") if line.text.startswith("Retry attempt"))
    assert "ConnectionError" in traceback.text, "the last line of the traceback below the entry"


def test_of_a_large_file_only_the_end_is_read_and_said(tmp_path: Path) -> None:
    text = _entry("first", "ERROR") + _entry("nothing") * (2 * TAIL // 60) + _entry("last", "ERROR")
    (log,) = read_debug(str(_write(tmp_path, text)))
    assert [(line.text, line.where.rpartition(":")[2]) for line in log.lines] == [("last", "-1")]
    assert log.unread == len(text) - TAIL


def test_errors_come_before_the_rest_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    text = _entry("the cause", "ERROR+4") + "".join(_entry(f"retrying {n}") for n in range(50))
    (log,) = read_debug(str(_write(tmp_path, text)))
    assert log.lines[0].text == "the cause" and log.lines[-1].text == "retrying 49"
    assert (len(log.lines), log.left_out) == (MAX_SHOWN, 51 - MAX_SHOWN)


def test_hostile_files_do_no_harm(tmp_path: Path) -> None:
    _write(tmp_path, b"\xff\x00{" + b"[" * TAIL)
    _write(tmp_path, "{" * 5_000 + "\n" + "2026-11-24 02:55:16,1 ERROR " + "a" * TAIL, "debug.log")
    assert _lines(tmp_path) == []
    assert read_debug(str(tmp_path / "none")) == ()
    other = tmp_path / "other"
    (other / "logs").mkdir(parents=True)
    os.mkfifo(other / "logs" / "debug.log")
    (other / "logs" / "debug-internal.log").symlink_to(REAL / "0.31.0/forbidden/logs/debug-internal.log")
    assert [log.lines for log in read_debug(str(other))] == [()], "a pipe is passed over, a link is not followed"


def test_signed_addresses_lose_their_signature(tmp_path: Path) -> None:
    _write(tmp_path, _entry("failed to upload https://storage.example/x?Signature=0123456789abcdefghij", "ERROR"))
    assert _lines(tmp_path)[0].text == "failed to upload https://storage.example/x?…"


def test_wandb_get_shows_them_under_debug(lab: Lab) -> None:
    for name in ("debug.log", "debug-internal.log"):
        lab.file(f"wandb/run-20261120_100002-aaa1/logs/{name}", (REAL / "0.31.0/forbidden/logs" / name).read_bytes())
    output = WANDB_GET.run(Context(lab.place()), WANDB_GET.parse({"run": "aaa1"}))
    debug: list[Any] = json.loads(output.text)["folders"][0]["debug"]
    assert debug[0].startswith("logs/debug.log:21 2026-11-24 02:55:20 INFO got exitcode: 0")
    assert any(line.startswith("logs/debug-internal.log:9 ") and "403" in line for line in debug)


def test_a_run_without_debug_logs_has_no_such_key(lab: Lab) -> None:
    lab.file("wandb/run-20261120_100002-aaa1/files/config.yaml", "lr:\n  value: 0.1\n")
    output = WANDB_GET.run(Context(lab.place()), WANDB_GET.parse({"run": "aaa1"}))
    assert "debug" not in json.loads(output.text)["folders"][0]
