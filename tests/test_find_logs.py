"""find_logs: of a job, of a run, of nobody; what was searched and what was not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from lab import NOW, Lab, wandb_lines

from tools.base import MAX_RESULT_CHARS, Context, ToolError
from tools.find_logs import FIND_LOGS
from tools.sources import log_search

DAY = 86_400.0


def _run(lab: Lab, **values: Any) -> Any:
    output = FIND_LOGS.run(Context(lab.place(), clock=lambda: NOW), FIND_LOGS.parse(values))
    assert len(output.text) <= MAX_RESULT_CHARS
    return json.loads(output.text)


def _paths(found: Any) -> list[str]:
    return sorted(row["path"] for row in found["files"])


def _array(lab: Lab) -> None:
    for task in range(3):
        lab.job(f"70_{task}", "RUNNING")
        lab.file(f"logs/70_{task}.out", "epoch 1/10\n")
        lab.file(f"logs/70_{task}.err", wandb_lines(f"run{task}", "sw1") + "CUDA out of memory\n" * task)


def test_the_logs_of_one_task_or_of_the_whole_array(lab: Lab) -> None:
    _array(lab)
    found = _run(lab, job_id="70_1")
    assert _paths(found) == ["logs/70_1.err", "logs/70_1.out"]
    row = next(row for row in found["files"] if row["path"].endswith(".err"))
    assert (row["job"], row["run"], row["stream"], row["found_by"]) == ("70_1", "run1", "err", "Slurm said")
    assert row["bytes"] == (lab.workspace / "logs/70_1.err").stat().st_size
    assert _run(lab, job_id="70")["total"] == 6
    facts = FIND_LOGS.run(Context(lab.place()), FIND_LOGS.parse({"job_id": "70_1"})).facts
    assert set(facts) == {("seen", "70_1", "log"), ("seen", "run1", "log")}


def test_the_logs_of_a_run_are_those_of_its_jobs_and_its_own_console(lab: Lab) -> None:
    _array(lab)
    lab.file("wandb/run-20261120_100002-run1/files/output.log", "epoch 1\n")
    found = _run(lab, run="run1")
    assert _paths(found) == ["logs/70_1.err", "logs/70_1.out", "wandb/run-20261120_100002-run1/files/output.log"]
    assert {row["found_by"] for row in found["files"]} == {"Slurm said", "the run's W&B folder"}


def test_a_link_out_of_the_workspace_is_no_log_of_a_run(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    lab.file("wandb/run-20261120_100002-run1/files/a", "")
    (lab.workspace / "wandb/run-20261120_100002-run1/files/output.log").symlink_to(tmp_path / "secret")
    with pytest.raises(ToolError, match="no log file of run run1"):
        _run(lab, run="run1")


def test_logs_of_no_known_job_are_told_apart(lab: Lab) -> None:
    _array(lab)
    lab.file("logs/old/123.out", "x")
    lab.file("logs/notes.txt", "x")
    lab.file("requirements.txt", "x")
    found = _run(lab)
    assert found["of_no_known_job"] == 2
    assert sorted(row["path"] for row in found["files"] if row["found_by"] == "of no known job") == [
        "logs/notes.txt", "logs/old/123.out",
    ]  # fmt: skip


def test_a_text_is_looked_for_whatever_its_case(lab: Lab) -> None:
    _array(lab)
    found = _run(lab, contains="OUT OF MEMORY")
    assert _paths(found) == ["logs/70_1.err", "logs/70_2.err"]
    row = next(row for row in found["files"] if "70_2" in row["path"])
    assert (row["lines"], row["last"]) == (2, "CUDA out of memory")
    assert found["search"] == {"for": "OUT OF MEMORY", "files_searched": 6}
    assert _run(lab, contains="a.*b")["total"] == 0, "it is no pattern"


def test_only_old_ones(lab: Lab) -> None:
    _array(lab)
    path = lab.workspace / "logs/70_0.out"
    os.utime(path, (NOW - 40 * DAY, NOW - 40 * DAY))
    assert _paths(_run(lab, older_than_days=30)) == ["logs/70_0.out"]
    assert _run(lab, older_than_days=50)["total"] == 0


def test_shared_and_overwritten_files_are_said_to_be(lab: Lab) -> None:
    for number in (1, 2):
        lab.job(f"8{number}", "RUNNING", stdout="train.out", start=NOW - number * 3600)
    lab.file("train.out", "x")
    notes = {row["job"]: row.get("note") for row in _run(lab)["files"]}
    assert notes == {"81": None, "82": "written over by a later job"}


def test_what_has_no_log_says_why(lab: Lab) -> None:
    lab.job("90", "PENDING")
    lab.job("91", "FAILED", exit="1:0")
    with pytest.raises(ToolError, match="job 90 has not started"):
        _run(lab, job_id="90")
    with pytest.raises(ToolError, match="no log file of job 91 was found; set `logs`"):
        _run(lab, job_id="91")
    with pytest.raises(ToolError, match="nothing is known of job 999"):
        _run(lab, job_id="999")
    with pytest.raises(ToolError, match="nothing is known of run zzz"):
        _run(lab, run="zzz")


def test_many_files_are_counted_newest_first(lab: Lab) -> None:
    for number in range(150):
        path = lab.file(f"logs/{'long' * 30}/{number}.out", "x")
        os.utime(path, (NOW - number, NOW - number))
    found = _run(lab, limit=200)
    assert found["total"] == 150
    assert found["left_out"] == f"{150 - len(found['files'])} more; ask with job_id=…, run=… or a limit of up to 200"
    assert found["files"][0]["path"].endswith("/0.out")


class TestSearch:
    def test_only_the_end_of_a_large_file_and_it_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "a.out"
        path.write_text("early\n" + "x" * 99 + "\n" + ("y" * 99 + "\n") * 11_000 + "late\n")
        assert log_search.search([str(path)], "early").matches == ()
        found = log_search.search([str(path)], "late")
        assert [(match.lines, match.number, match.text) for match in found.matches] == [(1, None, "late")]
        assert found.only_ends == 1

    def test_bounds_leave_files_out_and_say_how_many(self, tmp_path: Path) -> None:
        paths = [str(tmp_path / f"{number}") for number in range(5)]
        for path in paths:
            Path(path).write_text("here\n" * 10)
        found = log_search.search(paths, "here", max_bytes=100)
        assert (found.searched, found.left_out, len(found.matches)) == (2, 3, 2)
        assert log_search.search(paths, "here", max_seconds=-1).left_out == 5

    def test_a_pipe_or_a_missing_file_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        found = log_search.search([str(tmp_path / "pipe"), str(tmp_path / "none")], "x")
        assert (found.searched, found.unreadable) == (2, 2)
