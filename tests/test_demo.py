"""The embedded demo: ordinary files and a simulated Slurm, read by the same code as a real one."""

from __future__ import annotations

import multiprocessing
import subprocess
from pathlib import Path

import pytest

from agent import demo
from tools.layout import Layout
from tools.look import Place
from tools.sources.command import user_name
from tools.sources.wandb_files import read_run_dir
from tools.status import RunRow, Status
from tools.sweeps import read_status
from tools.text import Redactor

NOW = 1_795_000_000.0


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


def test_time_goes_on_and_nothing_goes_back(tmp_path: Path) -> None:
    before = _rows(_status(tmp_path, NOW))
    after = _rows(_status(tmp_path, NOW + 7200))
    for key, row in before.items():
        if row.live:
            later = after[key]
            assert later.live
            assert (later.epoch or 0) > (row.epoch or 0)
            assert (later.elapsed_s or 0) == (row.elapsed_s or 0) or (later.elapsed_s or 0) > (row.elapsed_s or 0)
        else:
            assert (after[key].epoch, after[key].cause) == (row.epoch, row.cause)


def test_it_lasts_a_day_and_can_be_thrown_away(tmp_path: Path) -> None:
    first = demo.prepare(tmp_path, NOW)
    (first.workspace / "mine.txt").write_text("kept for a day")
    assert demo.prepare(tmp_path, NOW + 86_000).made_at == NOW
    assert (first.workspace / "mine.txt").exists()
    assert demo.prepare(tmp_path, NOW + 86_500).made_at == NOW + 86_500
    assert not (first.workspace / "mine.txt").exists()
    demo.reset(tmp_path)
    assert not (tmp_path / "demo").exists()


def test_a_broken_state_is_made_anew(tmp_path: Path) -> None:
    demo.prepare(tmp_path, NOW)
    (tmp_path / "demo" / "clock.json").write_text("{torn")
    assert demo.prepare(tmp_path, NOW + 60).made_at == NOW + 60


def _prepare(state: str) -> float:
    return demo.prepare(Path(state), NOW).made_at


def test_two_at_once_get_the_same_demo(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_prepare, [str(tmp_path)] * 4) == [NOW] * 4


def test_folders_with_spaces_and_quotes_do(tmp_path: Path) -> None:
    assert _status(tmp_path / 'it\'s a "place"', NOW).runs


@pytest.mark.parametrize(
    "argv",
    [
        ["squeue", "--me"],
        ["squeue", "-h", "-t", "all", "-u", "me", "-o", "%i"],
        ["sacct", "-X"],
        ["sacct", "-j", "1"],
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

    ready = demo.prepare(tmp_path, NOW)
    folder = next((ready.workspace / "wandb").glob("run-*-2f9c41d0"))
    data = (folder / "run-2f9c41d0.wandb").read_bytes()
    records = []
    for raw in wandb_log.records(data, wandb_log.HEADER.size):
        record = proto.Record()
        record.ParseFromString(raw)
        records.append(record)
    assert (records[0].run.run_id, records[0].run.sweep_id, records[0].run.entity) == (
        "2f9c41d0",
        "xk31p7",
        "acme-lab",
    )
    assert records[-1].exit.exit_code == 0
    ours = read_run_dir(folder)
    assert (ours.run, ours.sweep, ours.exit_code, ours.job) == ("2f9c41d0", "xk31p7", 0, "48213_1")
    assert ours.config["num_train_epochs"] == 5000
