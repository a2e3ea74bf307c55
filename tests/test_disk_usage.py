"""disk_usage over real files: whose they are, what could be given back, and that it stays small and honest."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import NOW, Lab, safetensors, wandb_lines

from tools.base import MAX_RESULT_CHARS, Context
from tools.disk_usage import DISK_USAGE
from tools.kinds import counts
from tools.sources import pointers, usage
from tools.sources.checkpoint_sizes import compared, numbered
from tools.sources.weights import measured

DAY = 86_400.0
FIXTURES = Path(__file__).parents[1] / "fixtures" / "wandb"


def _run(lab: Lab, **values: Any) -> Any:
    layout = values.pop("layout", {})
    output = DISK_USAGE.run(Context(lab.place(**layout), clock=lambda: NOW), DISK_USAGE.parse(values))
    assert len(output.text) <= MAX_RESULT_CHARS
    return json.loads(output.text)


def _aged(path: Path, days: float) -> Path:
    for place in [path, *path.rglob("*")]:
        os.utime(place, (NOW - days * DAY, NOW - days * DAY))
    return path


def _dead(lab: Lab, run: str, job: str = "70", state: str = "FAILED") -> None:
    lab.job(job, state, exit="1:0" if state == "FAILED" else "0:0")
    lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + "epoch 7/100 step=70\n")


def _saved(lab: Lab, run: str, *steps: int, size: int = 50_000, best: str | None = None) -> None:
    """Checkpoints whose weights load, with an optimizer's state of ``size`` bytes beside them."""
    for step in steps:
        folder = lab.checkpoint(run, step)
        (folder / "optimizer.pt").write_bytes(b"PK" + os.urandom(size))
        if best:
            state = {"global_step": step, "best_model_checkpoint": best}
            (folder / "trainer_state.json").write_text(json.dumps(state))


def test_folders_files_and_runs_the_largest_first(lab: Lab) -> None:
    _dead(lab, "aaa1")
    _saved(lab, "aaa1", 10, 20)
    lab.file("data/big.bin", b"x" * 900_000)
    found = _run(lab, limit=2)
    assert [row["folder"] for row in found["folders"]["largest"]] == ["data", "outputs"]
    assert found["folders"]["others"]["count"] == 1
    assert found["largest_files"][0]["path"] == "data/big.bin"
    assert found["checkpoints_by_run"]["largest"][0] | {"bytes": 0, "size": ""} == {
        "run": "aaa1", "checkpoints": 2, "bytes": 0, "size": "",
    }  # fmt: skip
    assert found["total"]["bytes"] > 1_000_000 and found["total"]["size"].endswith("MB")
    assert "stopped" not in found
    assert "can't be read" in found["quota"]
    assert ("seen", "aaa1", "disk") in DISK_USAGE.run(Context(lab.place()), DISK_USAGE.parse({})).facts


def test_older_checkpoints_of_a_dead_run_can_go_but_not_its_newest(lab: Lab) -> None:
    _dead(lab, "aaa1")
    _saved(lab, "aaa1", 10, 20, 30)
    lab.checkpoint("aaa1", 40, torn=True)
    found = _run(lab)["superseded_checkpoints"]
    assert [row["run"] for row in found["largest"]] == ["aaa1"]
    assert found["largest"][0]["paths"] == ["outputs/aaa1/checkpoint-10", "outputs/aaa1/checkpoint-20"]
    assert found["bytes"] >= 100_000
    assert _run(lab)["checkpoints_that_do_not_load"]["largest"][0]["path"] == "outputs/aaa1/checkpoint-40"


def test_the_best_one_of_the_trainer_is_never_given_up(lab: Lab) -> None:
    _dead(lab, "aaa1")
    _saved(lab, "aaa1", 10, 20, 30, best="/old/mount/aaa1/checkpoint-10")
    assert _run(lab)["superseded_checkpoints"]["largest"][0]["paths"] == ["outputs/aaa1/checkpoint-20"]
    (lab.workspace / "outputs/aaa1/latest").symlink_to("checkpoint-20")
    assert _run(lab)["superseded_checkpoints"]["checkpoints"] == 0


def test_live_runs_are_left_alone_and_so_is_all_when_the_queue_is_silent(lab: Lab) -> None:
    _dead(lab, "aaa1", state="RUNNING")
    _saved(lab, "aaa1", 10, 20)
    found = _run(lab)
    assert found["superseded_checkpoints"]["checkpoints"] == 0
    assert found["superseded_checkpoints"]["runs_left_alone"] == {"it trains now": 1}
    assert found["checkpoints_by_run"]["largest"][0]["live"] is True
    lab.program("squeue", "exit 1")
    left = _run(lab)["superseded_checkpoints"]["runs_left_alone"]
    assert left == {"the queue could not be read: it may be training": 1}


def test_a_run_outside_slurm_may_still_be_training(lab: Lab) -> None:
    _saved(lab, "aaa1", 10, 20)
    left = _run(lab)["superseded_checkpoints"]
    assert left["checkpoints"] == 0 and "no job of it is known to have ended" in next(iter(left["runs_left_alone"]))
    _aged(lab.workspace / "outputs/aaa1", 3)
    assert _run(lab)["superseded_checkpoints"]["checkpoints"] == 1


def test_a_checkpoint_that_a_live_run_shares_stays(lab: Lab) -> None:
    _dead(lab, "aaa1")
    _dead(lab, "bbb2", "71", "RUNNING")
    for step in (10, 20):
        lab.file(f"shared/aaa1/bbb2/checkpoint-{step}/model.safetensors", safetensors())
    assert _run(lab)["superseded_checkpoints"]["checkpoints"] == 0


def test_orphans_are_runs_that_nothing_knows(lab: Lab) -> None:
    _dead(lab, "aaa1")
    for run in ("aaa1", "lost", "fold", "swpt", "new1"):
        _saved(lab, run, 10)
        _aged(lab.workspace / "outputs" / run, 0.5 if run == "new1" else 40)
    lab.file("wandb/run-20261120_100002-fold/files/config.yaml", "lr:\n  value: 0.1\n")
    lab.file("wandb/sweep-sw1/config-swpt.yaml", "lr:\n  value: 0.1\n")
    found = _run(lab)["runs_nobody_knows"]
    assert [row["run"] for row in found["largest"]] == ["lost"]
    assert found["bytes"] > 50_000
    lab.program("sacct", "exit 1")
    assert _run(lab)["runs_nobody_knows"].startswith("not told: sacct")


def test_checkpoints_that_no_run_is_known_for_are_told_by_folder(lab: Lab) -> None:
    lab.file("models/pretrained/model.safetensors", safetensors())
    assert _run(lab)["checkpoints_of_no_run"]["largest"][0]["folder"] == "models/pretrained"


def test_synced_folders_long_done(lab: Lab) -> None:
    source = next((FIXTURES / "0.31.0/finished").glob("offline-run-*"))
    place = lab.workspace / "wandb" / source.name
    shutil.copytree(source, place)
    _aged(place, 40)
    assert _run(lab)["synced_wandb_folders_long_done"]["count"] == 0
    log = next(place.glob("*.wandb"))
    Path(f"{log}.synced").touch()
    _aged(place, 40)
    assert _run(lab)["synced_wandb_folders_long_done"]["largest"][0]["run"] == "2f9c41d0"
    assert _run(lab, older_than_days=60)["synced_wandb_folders_long_done"]["count"] == 0


def test_old_logs_but_none_of_a_live_job(lab: Lab) -> None:
    lab.job("70", "RUNNING")
    lab.job("71", "FAILED", exit="1:0")
    for name in ("logs/70.out", "logs/71.out", "logs/old/5.err", "logs/new.out", "requirements.txt"):
        _aged(lab.file(name, "x"), 1 if "new" in name else 40)
    found = _run(lab)["old_logs"]
    assert sorted(row["path"] for row in found["largest"]) == ["logs/71.out", "logs/old/5.err"]
    assert found["largest"][0]["age_days"] == 40
    assert _run(lab, older_than_days=41)["old_logs"]["count"] == 0


def test_too_small_and_saved_nothing_also_stand_in_the_status(lab: Lab) -> None:
    _dead(lab, "aaa1")
    _dead(lab, "bbb2", "71")
    _saved(lab, "aaa1", 10, 20, 30)
    (lab.workspace / "outputs/aaa1/checkpoint-30/optimizer.pt").write_bytes(b"PK" + bytes(500))
    found = _run(lab)
    (small,) = found["checkpoints_too_small"]["smallest"]
    assert (small["run"], small["path"]) == ("aaa1", "outputs/aaa1/checkpoint-30")
    assert small["usual"].startswith("50.")
    assert found["runs_that_trained_and_saved_nothing"] == {"count": 1, "runs": ["bbb2"]}
    status = lab.status()
    flags = {row.run: row.flags for row in status.runs}
    assert "checkpoint_small: 502 B where 50.0 kB is usual" in flags["aaa1"]
    assert "no_checkpoint: it trained, and none was found" in flags["bbb2"]
    assert not any(flag.startswith("checkpoint_small") for flag in flags["bbb2"])
    assert counts(status)["no_checkpoint"] == counts(status)["checkpoint_small"] == 1


def test_it_stays_small_and_says_what_it_left_out(lab: Lab) -> None:
    for number in range(60):
        _saved(lab, f"run{number:03d}-{'long' * 20}", 10, 20, size=10)
    _aged(lab.workspace / "outputs", 40)
    found = _run(lab, limit=50)
    assert found["checkpoints_by_run"]["runs"] == 60
    assert 1 <= len(found["checkpoints_by_run"]["largest"]) < 50, "whole rows went, and the result is still JSON"


def test_where_it_stopped_is_the_first_thing_said(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(400):
        lab.file(f"data/{number % 20}/{number}", "x")
    monkeypatch.setitem(usage.measure.__kwdefaults__ or {}, "max_entries", 300)
    found = _run(lab)
    assert found["stopped"].startswith("stopped after ")
    assert found["total"]["lower_bound"] is True


class TestPointers:
    def test_nothing_points_at_a_checkpoint_that_is_one_file(self, tmp_path: Path) -> None:
        (tmp_path / "epoch=1.ckpt").write_bytes(b"x")
        assert pointers.pointed_at(str(tmp_path / "epoch=1.ckpt")) == frozenset()

    @pytest.mark.parametrize("name", ["latest", "latest_checkpointed_iteration.txt", "last_checkpoint"])
    def test_trackers(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "global_step9").mkdir()
        (tmp_path / name).write_text("/old/place/global_step5\n")
        assert pointers.pointed_at(str(tmp_path / "global_step9")) == {"global_step5"}

    def test_a_torn_state_tells_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "checkpoint-9").mkdir()
        (tmp_path / "checkpoint-9/trainer_state.json").write_text('{"best_model_check')
        assert pointers.pointed_at(str(tmp_path / "checkpoint-9")) is None

    def test_a_state_with_a_long_history_is_read_at_its_head(self, tmp_path: Path) -> None:
        (tmp_path / "checkpoint-9").mkdir()
        state = {"best_model_checkpoint": "outputs/aaa1/checkpoint-4", "log_history": ["x" * 5_000_000]}
        (tmp_path / "checkpoint-9/trainer_state.json").write_text(json.dumps(state, indent=2))
        assert pointers.pointed_at(str(tmp_path / "checkpoint-9")) == {"checkpoint-4"}

    def test_a_long_state_that_names_none_tells_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "checkpoint-9").mkdir()
        (tmp_path / "checkpoint-9/trainer_state.json").write_text(json.dumps({"log_history": ["x" * 5_000_000]}))
        assert pointers.pointed_at(str(tmp_path / "checkpoint-9")) is None


class TestCompared:
    def test_the_largest_file_with_the_same_of_the_others(self, lab: Lab) -> None:
        _saved(lab, "aaa1", 10, 20, size=998)
        paths = [str(lab.workspace / f"outputs/aaa1/checkpoint-{step}") for step in (10, 20)]
        largest = measured(paths[1], None, None)[1]
        assert compared(paths[1], largest, paths) == (1000, (1000,))
        assert compared(paths[1], largest, paths[1:]) == (None, ())

    def test_files_of_another_kind_do_not_count(self, tmp_path: Path) -> None:
        for name, size in (("step_1.pt", 9), ("step_2.pt", 8), ("step_3.ckpt", 1), ("best_step_4.pt", 1)):
            (tmp_path / name).write_bytes(bytes(size))
        paths = [str(path) for path in sorted(tmp_path.iterdir())]
        path = str(tmp_path / "step_2.pt")
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "step_5.pt").write_bytes(bytes(7))
        paths += [str(tmp_path / "more" / "step_5.pt"), f"{tmp_path}2/step_6.pt"]
        assert compared(path, measured(path, None, None)[1], paths) == (8, (9,))
        assert not numbered(str(tmp_path / "best_step_4.pt"))
