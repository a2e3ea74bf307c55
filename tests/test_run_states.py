"""What a status says of runs and sweeps once the W&B service (a stand-in) is asked."""

from __future__ import annotations

import json

from lab import HOUR, NOW, Lab, ended, wandb_lines
from wandb_worlds import iso

from tools.status import RunRow, Status, SweepRow


def _live(lab: Lab, job: str = "7_1", run: str = "aaa1", log: str = "epoch 30/100\n") -> None:
    lab.job(job)
    lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + log)


def _sweep(status: Status) -> SweepRow:
    (row,) = status.sweeps
    return row


def _run(status: Status, run: str = "aaa1") -> RunRow:
    (row,) = [row for row in status.runs if row.run == run]
    return row


def _told(row: RunRow, name: str) -> str:
    return next((flag.partition(": ")[2] for flag in row.flags if flag.startswith(f"{name}: ")), "")


def test_the_state_and_the_sweep_come_from_the_service(lab: Lab) -> None:
    _live(lab)
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab", state="PAUSED", description="how far lr goes")
    world.add_run("aaa1", "sw1", "proj", "lab", heartbeatAt=iso(NOW - 20))
    status = lab.status()
    row = _run(status)
    assert (row.wandb_state, row.heartbeat_age_s, _told(row, "consistency")) == ("running", 20, "")
    sweep = _sweep(status)
    assert (sweep.state, sweep.zombies, sweep.stale, sweep.purpose) == ("PAUSED", 0, 0, "how far lr goes")
    assert "paused: agents get no new runs until the sweep is resumed" in sweep.issues


def test_a_row_that_a_later_job_went_on_with_does_not_say_that_the_service_lists_no_such_run(lab: Lab) -> None:
    lab.file("logs/6_1.out", wandb_lines("aaa1", "sw1") + "epoch 20/100\n")
    lab.job("6_1", "PREEMPTED", start=NOW - 30 * HOUR, end=NOW - 20 * HOUR, submit=NOW - 31 * HOUR)
    _live(lab, "7_1")
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab")
    world.add_run("aaa1", "sw1", "proj", "lab", heartbeatAt=iso(NOW - 20))
    rows = {row.job: row for row in lab.status().runs}
    assert rows["7_1"].wandb_state == "running"
    assert _told(rows["6_1"], "wandb_state") == "the run went on, so W&B tells of job 7_1"


def test_the_sources_say_where_entity_project_and_server_were_found(lab: Lab) -> None:
    _live(lab)
    lab.serve().world.add_sweep("sw1", "proj", "lab")
    (source,) = [source for source in lab.status().sources if source.name == "configs"]
    assert "entity from environment, project from environment, server from environment" in (source.detail or "")


def test_a_zombie_is_a_silent_run_of_mine_that_no_job_has(lab: Lab) -> None:
    lab.job("7_9", "COMPLETED")
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab")
    world.add_run("aaa1", "sw1", "proj", "lab", heartbeatAt=iso(NOW - 2 * HOUR))
    status = lab.status()
    assert _told(_run(status), "consistency").startswith(
        "zombie: W&B says running, and no job has it (last heartbeat 120"
    )
    assert _sweep(status).zombies == 1


def test_a_run_that_still_sends_heartbeats_is_no_zombie_but_runs_elsewhere(lab: Lab) -> None:
    lab.job("7_9", "COMPLETED")
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab")
    world.add_run("aaa1", "sw1", "proj", "lab", heartbeatAt=iso(NOW - 60))
    status = lab.status()
    assert "it runs somewhere else" in _told(_run(status), "consistency")
    assert _sweep(status).zombies == 0


def test_another_persons_run_is_shown_with_its_owner_and_nothing_else_is_said_of_it(lab: Lab) -> None:
    _live(lab)
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab")
    world.add_run("aaa1", "sw1", "proj", "lab", heartbeatAt=iso(NOW))
    world.add_run("ooo1", "sw1", "proj", "lab", heartbeatAt=iso(NOW - 9 * HOUR), user={"username": "bob"})
    lab.checkpoint("ooo1", 300)
    status = lab.status()
    row = _run(status, "ooo1")
    assert (row.owner, row.resumable, row.action) == ("bob", None, None)
    assert _told(row, "consistency") == "" and _sweep(status).zombies == 0


def test_a_job_that_is_preempted_and_waits_again_makes_no_zombie(lab: Lab) -> None:
    lab.job("7_1", "PENDING", reason="BeginTime", restarts=1)
    lab.file("logs/7_1.out", wandb_lines("aaa1", "sw1") + "epoch 3/100\n")
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab")
    world.add_run("aaa1", "sw1", "proj", "lab", heartbeatAt=iso(NOW - 2 * HOUR))
    assert _sweep(lab.status()).zombies == 0


def test_where_the_queue_is_not_read_nobody_knows_of_zombies(lab: Lab) -> None:
    lab.job("7_9", "COMPLETED")
    lab.program("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab")
    world.add_run("aaa1", "sw1", "proj", "lab", heartbeatAt=iso(NOW - 2 * HOUR))
    status = lab.status()
    assert _sweep(status).zombies is None and _told(_run(status), "consistency") == ""


def test_a_live_job_whose_heartbeats_stopped_is_stale(lab: Lab) -> None:
    _live(lab)
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab")
    world.add_run("aaa1", "sw1", "proj", "lab", heartbeatAt=iso(NOW - 41 * 60))
    status = lab.status()
    assert _told(_run(status), "consistency") == "heartbeat 41 min old: look at its log"
    assert (_sweep(status).stale, _sweep(status).zombies) == (1, 0)


def test_agents_that_idle_after_the_sweep_is_done_are_named_and_none_is_missing(lab: Lab) -> None:
    lab.job("7_1", submit_args="--array=0-3 x")
    lab.file("logs/7_1.out", wandb_lines("aaa1", "sw1") + "epoch 100/100\n" + ended("aaa1"))
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab", state="FINISHED")
    world.add_run("aaa1", "sw1", "proj", "lab", state="finished")
    issues = " ".join(_sweep(lab.status()).issues)
    assert "idle: the sweep is FINISHED and gives no more runs, yet 7_1 still runs" in issues
    assert "under capacity" not in issues


def test_a_new_sweep_that_no_agent_has_begun_is_shown_with_its_link(lab: Lab) -> None:
    lab.job("7_9", "COMPLETED")
    lab.serve().world.add_sweep("new1", "proj", "lab")
    row = _sweep(lab.status())
    assert row.id == "new1" and row.url and row.url.endswith("/lab/proj/sweeps/new1")
    assert "no agent has begun a run of it" in row.issues


class TestProgress:
    def _served(self, lab: Lab, log: str, **summary: object) -> RunRow:
        _live(lab, log=log)
        world = lab.serve().world
        world.add_sweep("sw1", "proj", "lab")
        told = {"max_epochs": 100}
        world.add_run("aaa1", "sw1", "proj", "lab", config=told, summary=summary, heartbeatAt=iso(NOW))
        return _run(lab.status())

    def test_a_mute_log_is_filled_in_with_age_and_the_runs_own_config_gives_the_target(self, lab: Lab) -> None:
        summary = {"epoch": 42, "trainer/global_step": 900, "loss": 0.5, "_timestamp": NOW - 180}
        row = self._served(lab, "nothing of use\n", **summary)
        assert (row.epoch, row.step, row.loss, row.target_epochs, row.percent) == (42, 900, 0.5, 100, 42.0)
        assert _told(row, "progress_from") == "W&B, logged 3 min ago"

    def test_a_row_that_is_newer_than_the_log_counts(self, lab: Lab) -> None:
        row = self._served(lab, "epoch 30/100\n", epoch=44, _timestamp=NOW + 3600)
        assert row.epoch == 44

    def test_an_older_row_says_nothing_against_the_log(self, lab: Lab) -> None:
        row = self._served(lab, "epoch 30/100\n", epoch=44, _timestamp=NOW - 20 * HOUR)
        assert row.epoch == 30 and _told(row, "progress_from") == ""

    def test_the_count_of_rows_is_a_step_to_show_and_no_measure(self, lab: Lab) -> None:
        row = self._served(lab, "target of 1000 steps\n", _step=500, _timestamp=NOW)
        assert row.step == 500 and row.percent is None
        assert _told(row, "step_from") == "the rows it has logged to W&B (_step)"


class TestWithoutAJob:
    def _row(self, lab: Lab, state: str, **summary: object) -> RunRow:
        lab.job("7_9", "COMPLETED")
        world = lab.serve().world
        world.add_sweep("sw1", "proj", "lab")
        world.add_run(
            "aaa1", "sw1", "proj", "lab", config={"max_epochs": 100}, summary=summary, state=state,
            heartbeatAt=iso(NOW - HOUR),
        )  # fmt: skip
        return _run(lab.status())

    def test_a_crash_is_no_cause_and_is_told_as_what_the_service_says(self, lab: Lab) -> None:
        lab.checkpoint("aaa1", 300)
        row = self._row(lab, "crashed", epoch=30)
        assert (row.cause, row.resumable) == ("unknown", "maybe")
        assert row.evidence[0].text == "W&B says crashed, last heartbeat 60 min ago"

    def test_preempted_is_one(self, lab: Lab) -> None:
        assert self._row(lab, "preempted", epoch=30).cause == "preempted"

    def test_finished_short_of_its_target_is_a_false_success(self, lab: Lab) -> None:
        row = self._row(lab, "finished", epoch=3)
        assert row.cause == "false_success" and "reached epoch 3 of 100" in [one.text for one in row.evidence]

    def test_finished_at_its_target_is_well(self, lab: Lab) -> None:
        assert self._row(lab, "finished", epoch=100).cause == "none"


def test_what_the_service_tells_is_json_like_the_rest(lab: Lab) -> None:
    _live(lab)
    lab.serve().world.add_run("aaa1", "sw1", "proj", "lab", summary={"loss": float("nan")})
    (row,) = [row for row in json.loads(lab.status().to_json())["runs"] if row["run"] == "aaa1"]
    assert row["wandb_state"] == "running"
