"""``agent status --json`` against a real Slurm, real jobs and the real W&B client."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from scene import BROKEN, ENTITY, OTHER_SWEEP, PROJECT, REQUEUED_RUN, SWEEP, TASKS, Scene, Seen

from tools.sources.slurm import ALL_STATES

Row = dict[str, Any]


@pytest.fixture(scope="module")
def before(scene: Scene) -> dict[int, Seen]:
    """Where each live task stood before the agent looked; and an old checkpoint is made the newest file."""
    run = scene.own_run(scene.array, scene.victims[0])
    assert run is not None
    oldest = scene.workspace / "outputs" / run / f"checkpoint-{scene.checkpoints(run)[0]}"
    for path in (oldest, *oldest.iterdir()):
        os.utime(path)
    return {task: scene.seen(scene.array, task) for task in scene.live}


@pytest.fixture(scope="module")
def status(scene: Scene, before: dict[int, Seen], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return scene.ask(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def rows(scene: Scene, status: dict[str, Any]) -> dict[int, Row]:
    """The one row of each task of the sweep's array."""
    return {task: row_of(status, f"{scene.array}_{task}") for task in TASKS}


def row_of(status: dict[str, Any], job: str) -> Row:
    found = [row for row in status["runs"] if row["job"] == job]
    assert len(found) == 1, f"{job} has {len(found)} rows"
    return dict(found[0])


def own_evidence(scene: Scene, rows: dict[int, Row], task: int) -> str:
    """The words that a row quotes from its task's own error log; no other task's log may be named."""
    evidence = rows[task]["evidence"]
    for other in set(TASKS) - {task}:
        assert f"sweep_{scene.array}_{other}." not in str(evidence)
    return "\n".join(item["text"] for item in evidence if f"sweep_{scene.array}_{task}.err:" in item["where"])


def test_every_source_that_is_there_was_read(status: dict[str, Any]) -> None:
    states = {source["name"]: source for source in status["sources"]}
    for name in ("squeue", "sacct", "logs", "checkpoints", "configs", "wandb_files"):
        assert states[name]["ok"], states[name]


def test_every_task_has_one_row_with_its_state_run_and_sweep(scene: Scene, rows: dict[int, Row]) -> None:
    for task, row in rows.items():
        assert row["slurm_state"] == scene.state(task)
        assert row["run"] == scene.own_run(scene.array, task)
        assert row["sweep"] == SWEEP


def test_preempted_tasks_can_be_resumed_and_quote_their_own_log(scene: Scene, rows: dict[int, Row]) -> None:
    for task in scene.victims:
        assert rows[task]["cause"] == "preempted"
        assert "DUE TO PREEMPTION" in own_evidence(scene, rows, task)
        assert rows[task]["resumable"] == "yes"
        assert rows[task]["action"]


def test_a_task_out_of_time_can_be_resumed_and_quotes_its_own_log(scene: Scene, rows: dict[int, Row]) -> None:
    row = rows[scene.late]
    assert row["cause"] == "time_limit"
    assert "DUE TO TIME LIMIT" in own_evidence(scene, rows, scene.late)
    assert row["resumable"] == "yes"


def test_a_configuration_error_names_its_key_and_is_not_resumable(scene: Scene, rows: dict[int, Row]) -> None:
    row = rows[BROKEN]
    assert row["cause"] == "config_error"
    assert "'multistep_training' is not in struct" in own_evidence(scene, rows, BROKEN)
    assert row["checkpoint"] is None
    assert row["epoch"] is None and row["step"] is None
    assert row["resumable"] == "no"


def test_live_tasks_have_no_cause_and_nothing_to_resume(scene: Scene, rows: dict[int, Row]) -> None:
    for task in scene.live:
        assert rows[task]["cause"] == "none"
        assert rows[task]["resumable"] is None


def test_an_ended_task_stands_where_its_own_log_ends(scene: Scene, rows: dict[int, Row]) -> None:
    for task in (*scene.victims, scene.late):
        row, seen = rows[task], scene.seen(scene.array, task)
        assert (row["epoch"], row["step"], row["target_epochs"]) == (seen.epoch, seen.step, seen.target)
        assert row["percent"] == pytest.approx(100 * seen.epoch / seen.target, abs=0.1)


def test_a_live_task_stands_where_its_own_log_stood_at_the_look(
    scene: Scene, before: dict[int, Seen], rows: dict[int, Row]
) -> None:
    for task in scene.live:
        row, first, last = rows[task], before[task], scene.seen(scene.array, task)
        assert first.epoch <= row["epoch"] <= last.epoch
        assert row["step"] == row["epoch"] * (first.step // first.epoch)
        assert row["target_epochs"] == first.target
        assert row["percent"] == pytest.approx(100 * row["epoch"] / first.target, abs=0.1)


def test_the_checkpoint_is_the_one_with_the_highest_number(scene: Scene, rows: dict[int, Row]) -> None:
    for task in (*scene.victims, scene.late):
        run = scene.own_run(scene.array, task)
        assert run is not None
        newest = scene.checkpoints(run)[-1]
        checkpoint = rows[task]["checkpoint"]
        assert checkpoint["path"].endswith(f"outputs/{run}/checkpoint-{newest}")
        assert checkpoint["step"] == newest
        assert checkpoint["loadable"] is True


def test_bars_and_newlines_in_a_job_name_leave_the_table_whole(scene: Scene, status: dict[str, Any]) -> None:
    row = row_of(status, scene.odd)
    assert row["slurm_state"] == "RUNNING"
    assert row["run"] is None


def test_a_requeued_job_is_one_row_with_its_latest_start(scene: Scene, status: dict[str, Any]) -> None:
    row = row_of(status, scene.requeued)
    assert (row["slurm_state"], row["cause"]) == ("RUNNING", "none")
    assert (row["run"], row["sweep"]) == (REQUEUED_RUN, OTHER_SWEEP)
    assert row["resumable"] is None
    assert [other["job"] for other in status["runs"] if other["run"] == REQUEUED_RUN] == [scene.requeued]


def test_the_waiting_rest_of_an_array_has_a_row_per_task(scene: Scene, status: dict[str, Any]) -> None:
    for task in range(4, 8):
        row = row_of(status, f"{scene.waiting}_{task}")
        assert row["slurm_state"] == "PENDING"
        assert row["run"] is None


def test_the_sweep_has_its_link_and_its_live_agents(scene: Scene, status: dict[str, Any]) -> None:
    (sweep,) = [sweep for sweep in status["sweeps"] if sweep["id"] == SWEEP]
    assert sweep["url"] == f"https://wandb.ai/{ENTITY}/{PROJECT}/sweeps/{SWEEP}"
    assert sweep["active_agents"] == len(scene.live)


def test_with_the_controller_stopped_the_accounting_still_tells(
    scene: Scene, rows: dict[int, Row], tmp_path: Path
) -> None:
    """``rows`` comes first: the other tests see the cluster as it was before."""
    scene.cluster.stop_controller()
    try:
        status = scene.ask(tmp_path)
    finally:
        scene.cluster.start_controller()
    states = {source["name"]: source for source in status["sources"]}
    assert not states["squeue"]["ok"] and states["squeue"]["error"]
    assert states["sacct"]["ok"]
    for task in TASKS:
        assert row_of(status, f"{scene.array}_{task}")["slurm_state"] == scene.state(task)


def test_accounting_tells_of_a_job_that_was_cancelled_while_it_waited(scene: Scene) -> None:
    """A window without states leaves out what never became eligible."""
    window = ("-S", "now-14days", "-E", "now", "-s", ALL_STATES)
    listed = scene.cluster.run("sacct", "-X", "-D", "-n", "-P", *window, "--format=JobID,State")
    states = dict(line.split("|", 1) for line in listed.splitlines())
    assert states.get(scene.never_began, "").startswith("CANCELLED")
