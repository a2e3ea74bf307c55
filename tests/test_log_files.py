"""Which files are a job's logs: quick ways of telling come to the same as the slow ones."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.data import Job
from tools.sources import log_files, log_numbers
from tools.sources.index import Index


def _job(job_id: str, raw: str = "", **own: object) -> Job:
    values = {"name": "x", "user": "me", "state": "FAILED", "source": "sacct", "start": 1.0, **own}
    return Job(id=job_id, raw_id=raw or job_id, **values)  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([*"/._-x\n", "err", "out", ".err", ".out", ".stderr", ".stdout", ".error"])))
def test_a_stream_is_told_by_the_end_of_a_name_as_by_the_whole_of_it(pieces: list[str]) -> None:
    path = "".join(pieces)
    err, out = log_files._ERR_NAME.search(path), log_files._OUT_NAME.search(path)
    assert log_files._stream(path) == ("err" if err else "out" if out else "both")


_NAMES = st.lists(st.sampled_from(["1", "12", "012", "3", "_", "-", "/", "a", ".out"]), min_size=1).map("".join)


@given(
    st.lists(_NAMES, max_size=8),
    st.sampled_from(["12", "12_3", "12_012", "1_12"]),
    st.sampled_from(["", "1", "3", "12"]),
)
def test_the_numbers_of_a_path_are_those_of_its_folders_and_its_name(names: list[str], job_id: str, raw: str) -> None:
    logs = tuple(f"{root}{name}" for name in names for root in ("/w/", "/w3/"))
    job = Job(job_id, raw, "x", "me", "FAILED", "sacct")
    by_id: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for path in logs:
        for match in re.finditer(r"(?<!\d)(\d{1,12})(?:[_-](\d{1,9}))?(?!\d)", path.removeprefix("/w")):
            by_id[match[1]].append((path, match[2]))
            if match[2]:
                by_id[match[2]].append((path, None))
    found = log_numbers.Numbered(Index("/w", ("/w",), logs), [job])
    for number in {job.array_id, raw}:
        assert list(found.any(number)) == [path for path, _ in by_id.get(number, ())]
        assert list(found.alone(number)) == [path for path, after in by_id.get(number, ()) if after is None]
    if job.task is not None:
        tied = [path for path, after in by_id.get(job.array_id, ()) if after and int(after) == int(job.task)]
        assert list(found.task(job.array_id, job.task)) == tied


@pytest.mark.parametrize("walked", [True, False], ids=["seen by the walk", "never seen before"])
def test_what_became_of_a_log_since_the_walk_is_told(
    tmp_path: Path, walked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("fine", "gone", "pipe", "folder", "shut")
    paths = {name: f"{tmp_path}/{name}.out" for name in names}
    Path(paths["fine"]).touch()
    Path(paths["shut"]).touch()
    os.mkfifo(paths["pipe"])
    Path(paths["folder"]).mkdir()
    # root may read everything
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != paths["shut"] and may(path, mode))
    jobs = [_job(str(number), stdout=path) for number, path in enumerate(paths.values(), 1)]
    # a pipe that the walk has met is in no list of logs
    logs = tuple(paths[name] for name in ("fine", "gone", "shut")) if walked else ()
    found = log_files.find(jobs, Index(str(tmp_path), (str(tmp_path),), logs))
    assert {job: [(file.path, file.problem) for file in files] for job, files in found.items()} == {
        "1": [(paths["fine"], None)],
        "3": [(paths["pipe"], "is no file (a pipe, a device or a folder)")],
        "4": [(paths["folder"], "is no file (a pipe, a device or a folder)")],
        "5": [(paths["shut"], "can't be read: Permission denied")],
    }


def test_a_file_that_several_jobs_name_is_the_last_starters_or_shared(tmp_path: Path) -> None:
    one, two, three = (str(tmp_path / name) for name in ("one.out", "two.out", "three.err"))
    for path in (one, two, three):
        Path(path).touch()
    jobs = [
        _job("1", stdout=one, start=5.0),
        _job("2", stdout=one, start=9.0),
        _job("3", stdout=one, start=None, state="PENDING"),
        _job("7_1", stdout=two, stderr=three),
        _job("7_2", stdout=two),
    ]
    found = log_files.find(jobs, Index(str(tmp_path), (str(tmp_path),), (one, three, two)))
    assert {job: [(file.stream, file.shared, file.overwritten) for file in files] for job, files in found.items()} == {
        "1": [("both", False, True)],
        "2": [("both", False, False)],
        "3": [("both", False, True)],
        "7_1": [("out", True, False), ("err", False, False)],
        "7_2": [("both", True, False)],
    }
