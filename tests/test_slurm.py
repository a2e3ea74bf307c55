"""The queue and accounting are read the same way from every version of Slurm.

The captures under fixtures/slurm were printed by real clusters. A small fake program hands them out with the
delimiters of the call, and refuses any option it doesn't know.
"""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.sources import slurm, slurm_rows
from tools.sources.command import Finished

FIXTURES = Path(__file__).parents[1] / "fixtures" / "slurm"
ARRAY = "lr|sweep\ntwo"
VERSIONS = ("20.11", "22.05", "24.11")

FAKE = """#!{python} -I
import re, sys
folder, name, args = {folder!r}, sys.argv[0].rsplit("/", 1)[1], sys.argv[1:]
def give(capture, field, record=""):
    text = open(f"{{folder}}/{{capture}}.out", newline="").read()
    sys.stdout.write(text.replace("\\x1fFIELD", field).replace("\\x1eRECORD", record))
if name == "sacct" and args == ["--helpformat"]:
    give("helpformat", "")
elif name == "sacct" and args[:4] == ["-X", "-D", "-n", "-p"]:
    fields = next(a for a in args if a.startswith("--format=")).removeprefix("--format=")
    asked = open(f"{{folder}}/sacct.fields").read().strip()
    if fields != asked:
        sys.exit(f"sacct: error: fake: captured with {{asked}}, asked for {{fields}}")
    give("sacct", next(a for a in args if a.startswith("--delimiter=")).removeprefix("--delimiter="))
elif name == "squeue" and args[:3] == ["-h", "-t", "all"] and args[3] == "-u" and args[5] == "-O":
    give("squeue", re.search("JobID:20([^,]+),", args[6])[1], args[6].rpartition("Name:256")[2])
else:
    sys.exit(f"{{name}}: error: fake: unknown arguments {{args}}")
"""


@pytest.fixture(params=VERSIONS)
def programs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    for name in ("squeue", "sacct"):
        path = tmp_path / name
        path.write_text(FAKE.format(python=sys.executable, folder=str(FIXTURES / request.param)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def test_every_record_is_read_although_the_name_holds_a_bar_and_a_newline(programs: Path) -> None:
    queue = slurm.read_queue(programs / "squeue", "alice")
    accounting = slurm.read_accounting(programs / "sacct", "alice")
    assert (queue.unreadable, accounting.unreadable) == (0, 0)
    tasks = {job.task for job in queue.jobs if job.name == ARRAY}
    assert tasks == {str(task) for task in range(8)}


def test_states_of_the_queue(programs: Path) -> None:
    jobs = {job.name: job for job in slurm.read_queue(programs / "squeue", "alice").jobs}
    assert jobs["urgent"].state == "RUNNING" and jobs["urgent"].active
    assert jobs["urgent"].limit_s == 3600 and jobs["urgent"].elapsed_s is not None
    assert jobs["held"].waiting and jobs["held"].reason == "JobHeldUser" and jobs["held"].start is None
    assert jobs["again"].waiting and jobs["again"].restarts == 1
    assert jobs["urgent"].command == "/scratch/me/proj/job.sh"


def test_a_task_knows_its_own_log(programs: Path) -> None:
    for job in slurm.read_queue(programs / "squeue", "alice").jobs:
        if job.name == ARRAY and job.active:
            assert job.stdout == f"/scratch/me/proj/logs/{ARRAY}_{job.id}.out"
            assert job.stderr == f"/scratch/me/proj/logs/{ARRAY}_{job.id}.err"


def test_accounting_tells_how_each_ended(programs: Path) -> None:
    rows = slurm.read_accounting(programs / "sacct", "alice").jobs
    by_name = {row.name: row for row in rows}
    cancelled = by_name["cancelled"]
    assert (cancelled.state, cancelled.cancelled_by) == ("CANCELLED", "0")
    assert by_name["nodefail"].state == "NODE_FAIL"
    by_task = {row.task: row for row in rows if row.name == ARRAY}
    failed = by_task["1"]
    assert (failed.state, failed.exit_code) == ("FAILED", "1:0")
    assert by_task["2"].exit_code == "0:9"
    preempted = by_task["0"]
    assert preempted.state == "PREEMPTED" and preempted.end and preempted.start and preempted.end > preempted.start


def test_a_requeued_job_keeps_its_first_incarnation(programs: Path) -> None:
    states = [row.state for row in slurm.read_accounting(programs / "sacct", "alice").jobs if row.name == "again"]
    assert states[0] == "PREEMPTED"


@pytest.mark.parametrize(
    ("text", "ids", "throttle", "total"),
    [
        ("12", ["12"], None, 1),
        ("12_3", ["12_3"], None, 1),
        ("12_[4-7%2]", ["12_4", "12_5", "12_6", "12_7"], 2, 4),
        ("12_[1,4-5,9]", ["12_1", "12_4", "12_5", "12_9"], None, 4),
        ("12_[1-9:4]", ["12_1", "12_5", "12_9"], None, 3),
        ("12_[1,2,…", [], None, 0),
        ("12_*", [], None, 0),
        ("", [], None, 0),
    ],
)
def test_array_forms(text: str, ids: list[str], throttle: int | None, total: int) -> None:
    assert slurm_rows.expand_tasks(text) == (ids, throttle, total)


def test_a_huge_array_is_counted_and_not_expanded_whole() -> None:
    ids, _, total = slurm_rows.expand_tasks("7_[0-999999]", limit=100)
    assert len(ids) == 100
    assert total == 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-02:03:04", 93784),
        ("12:34", 754),
        ("1:00:00", 3600),
        ("UNLIMITED", None),
        ("", None),
        ("INVALID", None),
    ],
)
def test_durations(text: str, expected: int | None) -> None:
    assert slurm_rows.seconds(text) == expected


def _program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_what_slurm_complains_of_is_the_error(tmp_path: Path) -> None:
    squeue = _program(tmp_path / "squeue", "echo 'squeue: error: Invalid user: nobody' >&2")
    with pytest.raises(slurm.SlurmError, match="squeue: Invalid user: nobody"):
        slurm.read_queue(squeue, "nobody")
    sacct = _program(tmp_path / "sacct", "echo 'sacct: error: Problem talking to the database' >&2; exit 1")
    with pytest.raises(slurm.SlurmError, match="Problem talking to the database"):
        slurm.read_accounting(sacct, "me")


def test_records_that_do_not_fit_are_counted_not_guessed(tmp_path: Path) -> None:
    squeue = _program(tmp_path / "squeue", r'd=${6##*Name:256}; printf "1 2 3%s\n" "$d"')
    listing = slurm.read_queue(squeue, "me")
    assert (listing.jobs, listing.unreadable) == ((), 1)


def test_memory_asked_for_is_that_of_the_whole_job_on_every_version(programs: Path) -> None:
    """20.11 printed ``100Mc`` for four CPUs where 22.05 and 24.11 print ``400M``."""
    rows = {row.name: row for row in slurm.read_accounting(programs / "sacct", "alice").jobs if row.end}
    assert (rows["again"].memory, rows["limited"].memory) == (400 << 20, 100 << 20)
    assert rows["again"].node_count == 1


@given(st.lists(st.text(" ax\n\té", max_size=12).map(lambda text: text + " " * (7 * len(text) % 30))))
def test_a_field_loses_the_spaces_at_its_end_and_no_others(values: list[str]) -> None:
    assert list(slurm._unpadded(values)) == [value.rstrip(" ") for value in values]


@given(st.text("0123456789 -.\n١²", max_size=14))
def test_only_plain_digits_are_a_time_or_a_number(text: str) -> None:
    assert slurm_rows._when(text) == (float(text) if re.fullmatch("[0-9]{6,12}", text) else None)
    assert slurm_rows._number(text) == (int(text) if re.fullmatch("[0-9]{1,12}", text) else None)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_accounting_that_breaks_off_gives_the_records_before(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut after any field: whole records are read, what is left of the last one is counted."""
    folder = FIXTURES / version
    fields = (folder / "sacct.fields").read_text().strip().split(",")
    parts = (folder / "sacct.out").read_text().split("\x1fFIELD")

    def listing(count: int) -> slurm.Listing:
        def printed(_: Path, args: Sequence[str], timeout: float = 0) -> Finished:
            field = next((one for one in args if one.startswith("--delimiter=")), "").removeprefix("--delimiter=")
            helped = args == ["--helpformat"]
            out = (
                (folder / "helpformat.out").read_text() if helped else "".join(f"{one}{field}" for one in parts[:count])
            )
            return Finished((), 0, out, "", 0.0, False)

        monkeypatch.setattr(slurm, "_run", printed)
        return slurm.read_accounting(Path("sacct"), "alice")

    whole = listing(len(parts) - 1)
    assert whole.unreadable == 0 and whole.jobs
    for count in range(len(parts)):
        cut = listing(count)
        assert cut.unreadable == (count % len(fields) > 0)
        assert cut.jobs == whole.jobs[: len(cut.jobs)]
