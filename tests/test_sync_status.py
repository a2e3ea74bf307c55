"""sync_status over run folders that the real client made: what is synced, what is not, what a sync would do."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import NOW, Lab, wandb_lines

from tools.base import MAX_RESULT_CHARS, Context
from tools.diagnosis import sync
from tools.sources.wandb_records import BLOCK
from tools.sources.wandb_sync import read_offline
from tools.sync_status import SYNC_STATUS
from tools.wandb_data import OfflineLog, RunDir

FIXTURES = Path(__file__).parents[1] / "fixtures" / "wandb"
LOGS = sorted(FIXTURES.glob("*/*/*/run-*.wandb"))
DAY = 86_400.0


def _run(lab: Lab, **values: Any) -> Any:
    output = SYNC_STATUS.run(Context(lab.place(), clock=lambda: NOW), SYNC_STATUS.parse(values))
    assert len(output.text) <= MAX_RESULT_CHARS
    return json.loads(output.text)


def _copy(lab: Lab, case: str, version: str = "0.31.0", age: float = 5 * DAY, name: str | None = None) -> Path:
    """A fixture's folder, last written ``age`` seconds ago; returns its log."""
    source = next((FIXTURES / version / case).glob("offline-run-*"))
    place = lab.workspace / "wandb" / (name or source.name)
    shutil.copytree(source, place)
    log = next(place.glob("*.wandb"))
    os.utime(log, (NOW - age, NOW - age))
    return log


def _mark(log: Path, age: float = DAY) -> None:
    mark = Path(f"{log}.synced")
    mark.touch()
    os.utime(mark, (NOW - age, NOW - age))


def test_each_state_with_what_a_sync_would_do(lab: Lab) -> None:
    _copy(lab, "finished")
    _copy(lab, "killed")
    _copy(lab, "killed-early")
    _mark(_copy(lab, "failed"))
    torn = _copy(lab, "preempted")
    torn.write_bytes(torn.read_bytes()[:-30])
    os.utime(torn, (NOW - DAY, NOW - DAY))
    found = _run(lab)
    assert found["states"] == {"complete": 1, "killed": 1, "empty": 1, "synced": 1, "torn": 1}
    assert [row["state"] for row in found["need_a_look"]] == ["torn", "empty", "killed"], "the worst first"
    assert "appends all its rows again" in found["meaning"]["torn"]
    assert "closed as failed" in found["meaning"]["killed"]
    assert found["offline_folders"] == 5
    assert found["not_synced"]["folders"] == 2
    (command,) = found["commands"]
    paths = sorted(
        log.parent.name for log in LOGS if log.parts[-4] == "0.31.0" and log.parts[-3] in ("finished", "killed")
    )
    assert command == f"wandb sync wandb/{paths[0]} wandb/{paths[1]}"
    assert "include-synced" in found["flags_of_the_rules"]


def test_a_run_whose_job_is_live_must_not_be_synced(lab: Lab) -> None:
    lab.job("70", "RUNNING")
    lab.file("logs/70.out", wandb_lines("2f9c41d0", "sw1"))
    _copy(lab, "finished", age=10 * DAY, name="offline-run-20261101_100000-2f9c41d0")
    _copy(lab, "finished", age=10 * DAY)
    found = _run(lab)
    assert found["states"] == {"complete": 1, "live": 1}, "only its newest folder is being written"
    assert found["need_a_look"][0]["path"] == "wandb/offline-run-20261123_231106-2f9c41d0"
    assert "20261101" in found["commands"][0] and "20261123" not in found["commands"][0]


@pytest.mark.parametrize(
    ("version", "case", "age", "state"),
    [
        ("0.31.0", "killed", 120, "maybe_live"),  # it writes every 15 s
        ("0.31.0", "killed", 3600, "killed"),
        ("0.22.3", "cut", 3600, "maybe_live"),  # it writes whole blocks, whenever one is full
        ("0.22.3", "cut", 3 * DAY, "torn"),
        ("0.22.3", "finished", 60, "complete"),
    ],
)
def test_what_the_time_of_a_log_tells_depends_on_who_wrote_it(
    lab: Lab, version: str, case: str, age: float, state: str
) -> None:
    log = _copy(lab, "finished" if case == "cut" else case, version)
    if case == "cut":
        log.write_bytes(log.read_bytes()[:-105])
        os.utime(log, (NOW - age, NOW - age))
    else:
        os.utime(log, (NOW - age, NOW - age))
    assert _run(lab)["states"] == {state: 1}


def test_a_live_job_of_an_unknown_run_may_write_any_of_them(lab: Lab) -> None:
    log = _copy(lab, "finished", "0.22.3", name="offline-run-20261123_231033-zzz9")
    log.write_bytes(log.read_bytes()[:-105])
    os.utime(log, (NOW - 3 * DAY, NOW - 3 * DAY))
    assert _run(lab)["states"] == {"torn": 1}
    lab.job("70", "RUNNING")
    assert _run(lab)["states"] == {"maybe_live": 1}


def test_a_run_whose_job_has_ended_is_not_being_written(lab: Lab) -> None:
    log = _copy(lab, "finished", "0.22.3")
    log.write_bytes(log.read_bytes()[:-105])
    os.utime(log, (NOW - 600, NOW - 600))
    assert _run(lab)["states"] == {"maybe_live": 1}
    lab.job("70", "FAILED", exit="1:0")
    lab.file("logs/70.out", wandb_lines("2f9c41d0", "sw1"))
    assert _run(lab)["states"] == {"torn": 1}


def test_rows_written_after_the_mark_are_lost(lab: Lab) -> None:
    _mark(_copy(lab, "finished", age=DAY), age=2 * DAY)
    (row,) = _run(lab)["need_a_look"]
    assert row["state"] == "synced"
    assert "after it was marked" in row["hazards"][0]
    assert "commands" not in _run(lab)


def test_the_same_run_online_or_in_several_folders(lab: Lab) -> None:
    _copy(lab, "finished")
    _copy(lab, "finished", name="offline-run-20261120_100000-2f9c41d0")
    lab.file("wandb/run-20261119_100002-2f9c41d0/files/config.yaml", "lr:\n  value: 0.1\n")
    found = _run(lab)
    for row in found["need_a_look"]:
        assert any("also ran online" in hazard for hazard in row["hazards"])
        assert any("one of 2 offline folders" in hazard for hazard in row["hazards"])
    assert found["online_folders"] == 1
    (command,) = found["commands"]
    assert command.count("offline-run-") == 2


def test_bayes_and_hyperband_need_to_be_online(lab: Lab) -> None:
    _copy(lab, "sweep")
    lab.file(
        "sweeps/bayes_tx.yaml",
        "method: bayes\nprogram: t.py\nearly_terminate: {type: hyperband}\nparameters: {lr: {}}\n",
    )
    lab.job("70", "FAILED", exit="1:0", submit_args="train.sh bayes_tx.yaml")
    lab.file("logs/70.out", wandb_lines("h7k2m9qa", "xk31p7"))
    (row,) = _run(lab)["offline_sweeps_that_need_online"]
    assert row["sweep"] == "xk31p7" and row["offline_folders"] == 1
    assert "bayes" in row["hazard"] and "hyperband" in row["hazard"] and "WANDB_MODE=online" in row["hazard"]
    issues = lab.status().sweeps[0].issues
    assert all(text in issues for text in row["hazard"].split("; ")), "the same words as in a status"
    assert _run(lab, sweep="xk31p7")["offline_folders"] == 1
    assert _run(lab, sweep="other")["offline_folders"] == 0


def test_the_labs_own_script_and_what_its_flags_do(lab: Lab) -> None:
    _copy(lab, "finished")
    lab.file(
        "experiments/sync_all_offline.sbatch", "#!/bin/bash\nwandb sync --include-synced --no-mark-synced wandb/off*\n"
    )
    lab.file("jobs/my_sync_offline_runs.sbatch", "wandb sync wandb/offline-run-*\n")
    first, second = _run(lab)["labs_own_scripts"]
    assert first["command"] == "sbatch experiments/sync_all_offline.sbatch"
    assert first["flags"] == ["--include-synced", "--no-mark-synced"] and "second time" in first["hazard"]
    assert second == {"command": "sbatch jobs/my_sync_offline_runs.sbatch"}


def test_a_run_without_a_project_gets_the_workspaces(lab: Lab) -> None:
    lab.file("wandb/settings", "[default]\nentity = lab\nproject = proj\n")
    folder = RunDir("a b", f"{lab.workspace}/wandb/offline-run-1-a b", True, log="x", exit_code=0)
    one = sync.judge(
        folder, OfflineLog(9, 0.0), live=False, ended=True, unknown_writer=False, now=NOW, online=False, siblings=1
    )
    assert "uncategorized" in one.hazards[0]
    assert sync.commands([one], str(lab.workspace), "lab", "proj", 20) == [
        ("wandb sync -e lab -p proj 'wandb/offline-run-1-a b'", 1)
    ]


def test_many_runs_are_counted_and_the_commands_cut(lab: Lab) -> None:
    for number in range(90):
        _copy(lab, "killed", name=f"offline-run-20261120_1000{number:02d}-{'x' * 60}{number:02d}")
    found = _run(lab, limit=3)
    assert found["states"] == {"killed": 90}
    assert len(found["need_a_look"]) == 3 and found["need_a_look_left_out"].startswith("87 more; ask with sweep=")
    assert len(found["commands"]) == 3 and found["commands_left_out"].startswith("27 more"), "three folders each"
    assert len(_run(lab, limit=100)["need_a_look"]) > 3


def test_without_the_queue_it_is_said_that_life_is_not_known(lab: Lab) -> None:
    lab.program("squeue", "exit 1")
    _copy(lab, "finished")
    assert "is not known" in _run(lab)["queue"]


@pytest.mark.parametrize("log", LOGS, ids=lambda path: "-".join(path.parts[-4:-2]))
def test_logs_of_the_real_client_end_whole_and_every_cut_is_seen(log: Path, tmp_path: Path) -> None:
    told = read_offline(str(log))
    assert told and not told.torn
    version = log.parts[-4]
    assert told.client == (None if version == "0.16.6" or told.size == 7 else version), "0.16 does not tell"
    data = log.read_bytes()
    if len(data) == 7:
        return
    copy = tmp_path / log.name
    for missing in (1, 5, 30):
        copy.write_bytes(data[:-missing])
        cut = read_offline(str(copy))
        assert cut and cut.torn, missing
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 0xFF]) + b"\1")
    damaged = read_offline(str(copy))
    assert damaged and damaged.torn


def test_a_log_that_ends_with_a_block_in_the_middle_of_a_record_is_torn(tmp_path: Path) -> None:
    data = next(path for path in LOGS if "long" in str(path)).read_bytes()
    copy = tmp_path / "run-x.wandb"
    copy.write_bytes(data[:BLOCK])
    cut = read_offline(str(copy))
    assert cut and cut.torn, "wandb 0.18 to 0.30 write whole blocks: what was killed ends like this"


def test_nothing_there(tmp_path: Path) -> None:
    assert read_offline(str(tmp_path / "none")) is None
