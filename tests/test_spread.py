"""What must not run beside itself stays in one process when tests are spread over several."""

from __future__ import annotations

from pathlib import Path

import pytest
from spread import WHOLE, group_of


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/slurm/test_real_slurm.py::test_every_source_that_is_there_was_read[22.05]", "tests/slurm/22.05"),
        ("tests/slurm/test_guard_slurm.py::TestOneTask::test_it[22.05-{0}_[0-7]]", "tests/slurm/22.05"),
        ("tests/slurm/test_guard_slurm.py::TestOneTask::test_it[installed--u]", "tests/slurm/installed"),
        ("tests/test_cassettes.py::test_it_is_played_whole[impatient]", "tests/test_cassettes.py"),
    ],
)
def test_one_cluster_of_a_version_and_one_player_of_the_cassettes(test: str, group: str) -> None:
    assert group_of(test) == group


def test_every_other_test_runs_anywhere() -> None:
    assert group_of("tests/test_join.py::test_it[a-22.05]") == "tests/test_join.py::test_it[a-22.05]"


def test_what_stays_whole_is_there() -> None:
    assert all((Path(__file__).parents[1] / path).is_file() for path in WHOLE)
