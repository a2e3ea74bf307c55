"""A job's own submit line, given again for one task of its array."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.data import Job
from tools.diagnosis import resume
from tools.next_step import own_submission, parts_of_arguments
from tools.sources.log_paths import read_submit_line

LINES = [
    "sbatch run.sh",
    "run.sh a b",
    "sbatch --array=0-39%20 -J grid run.sh configs/grid.yaml lab/proj/sw1",
    "sbatch -a 1,3 --mem 4G run.sh --lr=1e-4 'two words' \"it's\" $HOME a=b=c",
    "sbatch -J 'a b' --clusters x run.sh ';rm' '*'",
    "sbatch --wrap true",
    "sbatch",
    "",
    "sbatch run.sh 'not closed",
]


def _job(workspace: Path, line: str, job_id: str) -> Job:
    return Job(job_id, "7", "grid", "me", "FAILED", "sacct", workdir=str(workspace), command=line)


@pytest.mark.parametrize("line", LINES)
def test_each_task_of_an_array_has_its_own_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "run.sh").touch()
    given = read_submit_line(line)
    for job_id, array in (("7_1", ("--array=1",)), ("7_12", ("--array=12",)), ("7", ())):
        whole = None
        if given.script:
            whole = resume.shell("sbatch", *given.options, *array, given.script, *given.arguments)
        assert own_submission(_job(tmp_path, line, job_id), 1.0) == whole


@pytest.mark.parametrize("line", LINES)
def test_the_parts_of_its_arguments(line: str) -> None:
    words = [part for word in read_submit_line(line).arguments for part in word.split("=")]
    assert parts_of_arguments(line) == set(words)


def test_a_script_that_is_gone_is_not_submitted_again(tmp_path: Path) -> None:
    assert own_submission(_job(tmp_path, "sbatch run.sh", "7_1"), 2.0) is None
