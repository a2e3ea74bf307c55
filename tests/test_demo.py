"""The embedded demo: ordinary files and a simulated Slurm, read by the same code as a real one."""

from __future__ import annotations

import json
import multiprocessing
import os
import pwd
import shutil
import subprocess
import sys
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from agent import demo
from agent.demo import cluster
from agent.demo.wandb_run import more_history, run_log
from tools.layout import Layout
from tools.place import Place
from tools.sources.command import user_name
from tools.sources.slurm import read_accounting, read_queue
from tools.sources.wandb_files import read_run_dir
from tools.status import RunRow, Status
from tools.sweeps import read_status
from tools.text import Redactor

# The simulated Slurm goes by the real clock, as its accounting window of 14 days does.
NOW = float(int(time.time()))
DAY = 86_400.0


def _status(state: Path, now: float) -> Status:
    ready = demo.prepare(state, now)
    place = Place(ready.workspace, Layout(), user_name(), Redactor(), ready.slurm_bin, {}, demo=True)
    return read_status(place, lambda: now)[0]


def _rows(status: Status) -> dict[tuple[str | None, str | None], RunRow]:
    return {(row.job, row.run): row for row in status.runs}


def test_the_picture_is_the_one_the_scenario_tells(tmp_path: Path) -> None:
    status = _status(tmp_path, NOW)
    rows = _rows(status)
    assert {source.name for source in status.sources if not source.ok} == {"wandb_api"}
    assert [(sweep.id, sweep.config) for sweep in status.sweeps] == [
        ("q7m2vd", "experiments/llm_glue_sweep.yaml"),
        ("xk31p7", "experiments/comprehensive_bayes_tx.yaml"),
    ]
    expected = {
        ("48213_0", "a1b2c3d4"): ("RUNNING", "none", None),
        ("48213_1", "2f9c41d0"): ("COMPLETED", "none", None),
        ("48213_3", "e5f6a7b8"): ("PREEMPTED", "preempted", "yes"),
        ("48213_5", "0c1d2e3f"): ("FAILED", "cuda_oom", "yes"),
        ("48213_6", "5b6c7d8e"): ("TIMEOUT", "time_limit", "yes"),
        ("48213_7", "d4c3b2a1"): ("PREEMPTED", "preempted", "yes"),
        ("48240_0", "3c4d5e6f"): ("FAILED", "config_error", "no"),
        ("48240_1", "4e5f6a7b"): ("COMPLETED", "false_success", "no"),
        ("48240_3", "1a2b3c4d"): ("RUNNING", "none", None),
        ("48240_3", "8e9f0a1b"): ("RUNNING", "none", None),
        ("48244", "6f7e8d9c"): ("RUNNING", "none", None),
    }
    for key, (state, cause, resumable) in expected.items():
        assert (rows[key].slurm_state, rows[key].cause, rows[key].resumable) == (state, cause, resumable), key
    assert rows["48213_4", "77aa01bc"].health == "diverged"
    assert rows["48213_3", "e5f6a7b8"].percent == 84.2
    assert "superseded" in rows["48150", "b7a6c5d4"].flags
    assert rows["48213_8", None].slurm_state == "PENDING"
    assert status.other_jobs == 1


def test_slurms_reader_understands_every_record(tmp_path: Path) -> None:
    ready = demo.prepare(tmp_path, NOW)
    queue = read_queue(ready.slurm_bin / "squeue", user_name())
    accounting = read_accounting(ready.slurm_bin / "sacct", user_name())
    assert (queue.unreadable, accounting.unreadable) == (0, 0)
    waiting = {job.id: job.throttle for job in queue.jobs if job.waiting}
    assert waiting == {"48213_8": 8, "48213_9": 8}
    running = {job.id: job for job in queue.jobs if job.active}
    assert running["48213_2"].stderr == str(ready.workspace / "logs" / "sweep_48213_2.err")
    assert running["48213_2"].elapsed_s is not None
    assert running["48213_2"].elapsed_s >= 22 * 3600
    # 22.05 accounts for the submit line, not for the log's path: the path comes from the script's header
    logs = {job.id: job.stdout for job in accounting.jobs}
    assert logs["48213_3"] == str(ready.workspace / "logs" / "sweep_48213_3.out")
    assert all(path is None or Path(path).is_file() for path in logs.values())
    assert [job.state for job in accounting.jobs if job.id == "48244"] == ["PREEMPTED", "RUNNING"]
    assert {job.user for job in accounting.jobs} == {user_name()}


def test_no_running_job_reaches_its_limit_or_target_within_the_day(tmp_path: Path) -> None:
    """A demo that is a day old must not show jobs that Slurm would have ended."""
    status = _status(tmp_path, NOW - DAY + 60)
    demo.prepare(tmp_path, NOW)
    status = _status(tmp_path, NOW)
    live = [row for row in status.runs if row.live]
    assert len(live) == 6
    assert all(row.percent is not None and row.percent < 100 for row in live)
    jobs = read_queue(tmp_path / "demo" / "bin" / "squeue", user_name()).jobs
    assert all(job.elapsed_s < job.limit_s for job in jobs if job.active and job.elapsed_s and job.limit_s)


def test_time_goes_on_and_nothing_goes_back(tmp_path: Path) -> None:
    before = _rows(_status(tmp_path, NOW))
    after = _rows(_status(tmp_path, NOW + 7200))
    for key, row in before.items():
        if row.live:
            later = after[key]
            assert later.live
            assert (later.epoch or 0) > (row.epoch or 0)
        else:
            assert (after[key].epoch, after[key].cause) == (row.epoch, row.cause)


def test_files_only_grow(tmp_path: Path) -> None:
    place = demo.prepare(tmp_path, NOW).workspace
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    demo.prepare(tmp_path, NOW + 7200)
    assert all(path.read_bytes().startswith(data) for path, data in before.items())
    grown = {path.name for path, data in before.items() if path.stat().st_size > len(data)}
    assert {"sweep_48213_0.out", "run-a1b2c3d4.wandb"} <= grown
    assert "sweep_48213_1.out" not in grown


def test_the_same_moment_is_told_the_same_however_often_one_looked(tmp_path: Path) -> None:
    often, once = tmp_path / "often", tmp_path / "once"
    for state, moments in ((often, range(0, 7201, 240)), (once, (0, 7200))):
        for seconds in moments:
            place = demo.prepare(state, NOW + seconds).workspace
    for log in sorted((place / "logs").glob("*.out")):
        assert (often / "demo" / "molprop" / "logs" / log.name).read_text() == log.read_text()


def test_time_used_grows_with_the_clock(tmp_path: Path) -> None:
    demo.prepare(tmp_path, NOW)
    state = cluster.load(str(tmp_path / "demo" / "cluster.json"), NOW)
    args = ["-h", "-t", "all", "-u", user_name(), "-O", "JobArrayID:20;,State:3-,TimeUsed:8|"]
    rows = [dict(line.split(";") for line in cluster.squeue(args, state, at).splitlines()) for at in (NOW, NOW + 90)]
    assert [row["48213_4".ljust(20)] for row in rows] == ["RUN-8:00:00 |", "RUN-8:01:30 |"]


def test_times_are_epoch_seconds_only_where_asked_for(tmp_path: Path) -> None:
    """Slurm prints local time by default: a reader that forgot to ask must not get away with it here."""
    ready = demo.prepare(tmp_path, NOW)
    argv = [str(ready.slurm_bin / "squeue"), "-h", "-t", "all", "-u", user_name(), "-O", "SubmitTime:30\n"]
    bare = subprocess.run(argv, capture_output=True, text=True, env={"TZ": "UTC"}).stdout
    asked = subprocess.run(argv, capture_output=True, text=True, env={"TZ": "UTC", "SLURM_TIME_FORMAT": "%s"}).stdout
    assert all("T" in line for line in bare.split())
    assert all(line.isdigit() for line in asked.split())


def test_it_lasts_a_day_and_can_be_thrown_away(tmp_path: Path) -> None:
    first = demo.prepare(tmp_path, NOW)
    (first.workspace / "mine.txt").write_text("kept for a day")
    assert first.expires_at == NOW + DAY
    assert demo.prepare(tmp_path, NOW + 86_000).made_at == NOW
    assert (first.workspace / "mine.txt").exists()
    assert demo.prepare(tmp_path, NOW + 86_500).made_at == NOW + 86_500
    assert not (first.workspace / "mine.txt").exists()
    demo.reset(tmp_path)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("name", ["clock.json", "cluster.json", "molprop", "molprop/logs", "bin"])
def test_a_broken_state_is_made_anew(tmp_path: Path, name: str) -> None:
    demo.prepare(tmp_path, NOW)
    place = tmp_path / "demo" / name
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.write_text("{torn")
    assert demo.prepare(tmp_path, NOW + 300).made_at == NOW + 300


def test_another_installation_makes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands name the Python they were made with, which may be gone with the environment it was in."""
    demo.prepare(tmp_path, NOW)
    other = tmp_path / "python"
    other.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(other))
    ready = demo.prepare(tmp_path, NOW + 60)
    assert str(other) in (ready.slurm_bin / "squeue").read_text()


def test_what_a_killed_start_left_over_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "demo-abc" / "molprop").mkdir(parents=True)
    demo.prepare(tmp_path, NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "demo.lock"]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    demo.prepare(tmp_path, NOW)
    assert (tmp_path / "demo").stat().st_mode & 0o777 == 0o700


def test_a_user_without_a_name_has_jobs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    demo.prepare(tmp_path, NOW)
    jobs = json.loads((tmp_path / "demo" / "cluster.json").read_text())["jobs"]
    assert {job["user"] for job in jobs} == {str(os.getuid())}


def _prepare_together(state: Path, now: float, barrier: Barrier) -> None:
    for seconds in (0, 7200, 14_400):
        barrier.wait(60)
        demo.prepare(state, now + seconds)


def test_many_at_once_make_one_demo_and_write_each_line_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    together = tmp_path / "together"
    work = [context.Process(target=_prepare_together, args=(together, NOW, barrier)) for _ in range(4)]
    for process in work:
        process.start()
    for process in work:
        process.join(120)
    assert [process.exitcode for process in work] == [0] * 4
    for seconds in (0, 7200, 14_400):
        place = demo.prepare(tmp_path / "alone", NOW + seconds).workspace
    for log in sorted((place / "logs").glob("*.out")):
        assert (together / "demo" / "molprop" / "logs" / log.name).read_text() == log.read_text()
    assert sorted(path.name for path in together.iterdir()) == ["demo", "demo.lock"]


def test_folders_with_spaces_and_quotes_do(tmp_path: Path) -> None:
    assert _status(tmp_path / 'it\'s a "place"', NOW).runs


@pytest.mark.parametrize(
    "argv",
    [
        ["squeue", "--me"],
        ["squeue", "-h", "-t", "all", "-u", "me", "-o", "%i"],
        ["squeue", "-h", "-t", "all", "-u", "me", "-O", "JobID"],
        ["squeue", "-h", "-t", "all", "-u", "me", "-O", "NoSuchField:20"],
        ["sacct", "-X"],
        ["sacct", "-j", "1"],
        ["sacct", *"-X -D -n -p --delimiter=| -S now-14days -E now -u me --format=JobID,StdOut".split()],
    ],
)
def test_an_option_it_does_not_know_is_refused(tmp_path: Path, argv: list[str]) -> None:
    ready = demo.prepare(tmp_path, NOW)
    done = subprocess.run([ready.slurm_bin / argv[0], *argv[1:]], capture_output=True, text=True)
    assert done.returncode != 0
    assert "error" in done.stderr


def test_the_run_folders_hold_what_wandbs_own_classes_read(tmp_path: Path) -> None:
    from wandb.proto import wandb_internal_pb2 as proto

    from tools.sources import wandb_log

    def read(data: bytes) -> list[Any]:
        records = []
        for raw in wandb_log.records(data, wandb_log.HEADER.size):
            record = proto.Record()  # type: ignore[attr-defined]  # the stubs do not list it
            record.ParseFromString(raw)
            records.append(record)
        return records

    ready = demo.prepare(tmp_path, NOW)
    folder = next((ready.workspace / "wandb").glob("run-*-2f9c41d0"))
    records = read((folder / "run-2f9c41d0.wandb").read_bytes())
    run, last = records[0].run, records[-2].summary
    assert (run.run_id, run.sweep_id, run.entity) == ("2f9c41d0", "xk31p7", "acme-lab")
    assert {item.key: json.loads(item.value_json) for item in last.update}["epoch"] == 5000
    assert records[-1].exit.exit_code == 0
    ours = read_run_dir(folder)
    assert (ours.run, ours.sweep, ours.exit_code, ours.job) == ("2f9c41d0", "xk31p7", 0, "48213_1")
    assert ours.config["num_train_epochs"] == 5000
    assert ours.summary["epoch"] == 5000
    assert ours.written == NOW - 6.2 * 3600

    running = next((ready.workspace / "wandb").glob("run-*-a1b2c3d4"))
    for seconds in range(0, 80_000, 7000):
        demo.prepare(tmp_path, NOW + seconds)
    log = running / "run-a1b2c3d4.wandb"
    items = [item for record in read(log.read_bytes()) for item in record.history.item]
    steps = [json.loads(item.value_json) for item in items if item.key == "_step"]
    assert steps == list(range(1, len(steps) + 1))
    assert read_run_dir(running).history["_step"] == steps[-1]

    long = run_log({"run": "x"}, NOW, {}, [], None)
    for step in range(3000):  # over the end of several 32 KiB blocks
        long += more_history([{"_step": step}], len(long))
    assert [json.loads(record.history.item[0].value_json) for record in read(long)[1:]] == list(range(3000))
