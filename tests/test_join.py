"""Job, log, run, sweep and checkpoint are brought together task by task."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import pytest
from lab import HOUR, NOW, Lab, ended, wandb_lines

from tools.data import Job
from tools.diagnosis.histories import histories
from tools.diagnosis.resume import command_in
from tools.kinds import counts


def _task(lab: Lab, task: int, run: str, epoch: int, state: str = "RUNNING", **own: object) -> None:
    lab.job(f"70_{task}", state, **own)
    lab.file(f"logs/70_{task}.err", wandb_lines(run, "sw1"))
    lab.file(f"logs/70_{task}.out", f"epoch {epoch}/100 step={epoch * 10} loss=0.5\n")


def test_each_task_has_its_own_run_and_its_own_numbers(lab: Lab) -> None:
    for task in range(12):
        _task(lab, task, f"run{task:02d}", epoch=10 + task)
    rows = {row.job: row for row in lab.status().runs}
    for task in range(12):
        row = rows[f"70_{task}"]
        assert (row.run, row.sweep, row.epoch, row.step) == (
            f"run{task:02d}",
            "sw1",
            10 + task,
            (10 + task) * 10,
        )
        assert row.percent == 10 + task
        assert all(f"70_{task}." in item.where for item in row.evidence if item.source in {"stderr", "stdout"})


def test_the_base_raw_id_of_an_array_is_not_taken_for_one_task(lab: Lab) -> None:
    """The task that starts last has the array's own number as raw id."""
    lab.job("70_0", raw="71", stdout="", stderr="")
    lab.job("70_1", raw="70", stdout="", stderr="")
    lab.file("logs/70.out", "epoch 99/100\n")
    rows = {row.job: row for row in lab.status().runs}
    assert rows["70_0"].epoch is None
    assert rows["70_1"].epoch is None
    assert any(flag.startswith("log:") for flag in rows["70_1"].flags)


def test_one_agent_that_trains_three_runs_has_three_rows(lab: Lab) -> None:
    lab.job("80")
    log = ""
    for run, epochs in (("aaa1", 100), ("bbb2", 40), ("ccc3", 7)):
        log += wandb_lines(run, "sw1")
        log += "".join(f"epoch {epoch}/100 step={epoch} loss=0.{epoch:03d}\n" for epoch in range(1, epochs + 1))
        if run == "bbb2":
            log += "Traceback (most recent call last):\nRuntimeError: CUDA out of memory. Tried to allocate 2.50 GiB\n"
        if run != "ccc3":
            log += ended(run)
    lab.file("logs/80.out", log)
    rows = {row.run: row for row in lab.status().runs}
    assert set(rows) == {"aaa1", "bbb2", "ccc3"}
    assert [(rows[run].epoch, rows[run].cause, rows[run].live) for run in ("aaa1", "bbb2", "ccc3")] == [
        (100, "none", False),
        (40, "cuda_oom", False),
        (7, "none", True),
    ]


def test_a_run_that_died_while_its_agent_lives_on_needs_no_further_agent(lab: Lab) -> None:
    lab.file("agent.sh", "#!/bin/bash\n")
    log = wandb_lines("aaa1", "sw1") + "epoch 3/100\nRuntimeError: CUDA out of memory. Tried to allocate 2.50 GiB\n"
    lab.file("logs/80.out", log + ended("aaa1") + wandb_lines("bbb2", "sw1") + "epoch 1/100\n")
    lab.job("80", submit_args="agent.sh lab/proj/sw1")
    row = lab.row("80", "aaa1")
    assert (row.cause, row.resumable) == ("cuda_oom", "no")
    assert row.action and row.action.endswith("then wait: the agent of job 80 lives and takes the sweep's next run")
    assert command_in(row.action) == (row.action, "")


@pytest.mark.parametrize("filler", [0, 120], ids=["short", "long"])
def test_runs_in_the_middle_of_a_long_log_have_their_rows_too(lab: Lab, filler: int) -> None:
    """An agent that trains five runs in one log of 1 MB: of what lies between head and tail up to 64 MiB are read.

    The first run begins in the head and ends in the middle: it must not get the numbers of the one before the last.
    """
    runs = {
        "aaa1": (60, "false_success"),  # told to have ended, 40 epochs short
        "bbb2": (40, "cuda_oom"),
        "ccc3": (80, "false_success"),
        "ddd4": (100, "none"),
        "eee5": (7, "none"),
    }
    log = ""
    for run, (epochs, cause) in runs.items():
        log += wandb_lines(run, "sw1")
        for epoch in range(1, epochs + 1):
            log += (
                f"epoch {epoch}/100 step={epoch} loss=0.{epoch:03d}\n" + "loading a batch of the next shard\n" * filler
            )
        if cause == "cuda_oom":
            log += "Traceback (most recent call last):\nRuntimeError: CUDA out of memory. Tried to allocate 2.50 GiB\n"
        if run != "eee5":
            log += ended(run)
    path = lab.file("logs/80.out", log)
    assert not filler or path.stat().st_size > 1_000_000
    lab.job("80")

    rows = {row.run: row for row in lab.status().runs}

    assert {run: (row.job, row.sweep, row.epoch, row.cause, row.live) for run, row in rows.items()} == {
        run: ("80", "sw1", epochs, cause, run == "eee5") for run, (epochs, cause) in runs.items()
    }
    proof = next(line for line in rows["bbb2"].evidence if "2.50 GiB" in line.text)
    number = log[: log.index("RuntimeError: CUDA")].count("\n") + 1
    assert proof.where in {f"{path}:{number}", f"{path}:{number - log.count(chr(10)) - 1}"}, "counted from either end"


def test_progress_on_a_separate_stdout_is_split_where_the_epoch_starts_over(lab: Lab) -> None:
    lab.job("81_0")
    lab.file("logs/81_0.err", wandb_lines("aaa1", "s") + ended("aaa1") + wandb_lines("bbb2", "s"))
    first = "".join(f"epoch {epoch}/50\n" for epoch in range(1, 51))
    lab.file("logs/81_0.out", first + "".join(f"epoch {epoch}/50\n" for epoch in range(1, 6)))
    assert lab.row("81_0", "aaa1").epoch == 50
    assert lab.row("81_0", "bbb2").epoch == 5


def test_lines_of_two_runs_that_cannot_be_told_apart_are_given_to_neither(lab: Lab) -> None:
    lab.job("81_0")
    lab.file("logs/81_0.err", wandb_lines("aaa1", "s") + ended("aaa1") + wandb_lines("bbb2", "s"))
    lab.file("logs/81_0.out", "epoch 3/50\n")
    assert lab.row("81_0", "aaa1").epoch is None
    assert lab.row("81_0", "bbb2").epoch is None


def test_a_resumed_run_has_a_row_per_job_and_the_older_is_superseded(lab: Lab) -> None:
    lab.job("90_0", "PREEMPTED", end=NOW - 5 * HOUR)
    lab.file("logs/90_0.err", wandb_lines("aaa1", "sw1"))
    lab.file("logs/90_0.out", "epoch 30/100 step=300\n")
    lab.job("95", start=NOW - 4 * HOUR)
    lab.file("logs/95.out", wandb_lines("aaa1", "sw1") + "epoch 45/100 step=450\n")
    lab.checkpoint("aaa1", 400)
    old, new = lab.row("90_0"), lab.row("95")
    assert "superseded" in old.flags and "continued_by: 95" in old.flags
    assert (old.resumable, old.action, old.epoch) == (None, None, 30)
    assert (new.live, new.epoch) == (True, 45)
    assert "superseded" not in new.flags


@pytest.mark.parametrize("waits", [False, True])
def test_a_link_of_a_chain_ends_early_by_design(lab: Lab, waits: bool) -> None:
    """A job that COMPLETED half way is no false success where the next one goes on with its run, or waits to."""
    lab.job("90", "COMPLETED", start=NOW - 5 * HOUR, end=NOW - 4 * HOUR)
    lab.file("logs/90.out", wandb_lines("aaa1", "sw1") + "epoch 30/100\n")
    assert lab.row("90").cause == "false_success"
    if waits:
        lab.job("95", "PENDING", submit_args="go.sh aaa1", command="go.sh aaa1")
    else:
        lab.job("95", "RUNNING", start=NOW - HOUR)
        lab.file("logs/95.out", wandb_lines("aaa1", "sw1") + "epoch 45/100\n")
    row = lab.row("90")
    assert (row.cause, row.resumable, row.action) == ("none", None, None)
    assert "continued" in row.flags and "short_run" not in row.flags
    assert counts(lab.status())["finished"] == 0


def test_a_run_without_the_config_that_the_others_have_is_told_so(lab: Lab) -> None:
    """The guard would refuse to resume it: the lab's script reads that file."""
    for job, run in (("90", "aaa1"), ("91", "bbb2")):
        lab.job(job, "PREEMPTED")
        lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + "epoch 30/100\n")
        lab.checkpoint(run, 300)
    assert not any(flag.startswith("no_config") for flag in lab.row("90").flags)
    lab.file("outputs/bbb2/hydra_config.yaml", "lr: 1\n")
    assert [any(flag.startswith("no_config: ") for flag in lab.row(job).flags) for job in ("90", "91")] == [True, False]


@pytest.mark.parametrize(("silent_s", "said"), [(3600, False), (1800, True)])
def test_when_a_log_counts_as_silent_is_the_labs_own(lab: Lab, silent_s: int, said: bool) -> None:
    lab.job("90")
    log = lab.file("logs/90.out", wandb_lines("aaa1", "sw1") + "epoch 30/100\n")
    os.utime(log, (NOW - 2700, NOW - 2700))
    flags = lab.row("90", thresholds={"silent_s": silent_s}).flags
    assert ("log_silent: 45 min" in flags) == said


def test_another_run_under_the_same_job_name_supersedes_nothing(lab: Lab) -> None:
    lab.job("90", "PREEMPTED", name="same")
    lab.file("logs/90.out", wandb_lines("aaa1", "sw1") + "epoch 30/100\n")
    lab.job("95", name="same")
    lab.file("logs/95.out", wandb_lines("bbb2", "sw1") + "epoch 45/100\n")
    assert not any("superseded" in row.flags for row in lab.status().runs)


def test_a_requeued_job_is_one_row_its_latest(lab: Lab) -> None:
    lab.job("60", "PREEMPTED", start=NOW - 9 * HOUR, end=NOW - 5 * HOUR, partition="requeue")
    lab.job("60", "RUNNING", start=NOW - 4 * HOUR, submit=NOW - 5 * HOUR, restarts=1)
    lab.file("logs/60.out", wandb_lines("aaa1", "sw1") + "epoch 50/100\n")
    row = lab.row("60")
    assert (row.slurm_state, row.live, row.cause) == ("RUNNING", True, "none")
    assert "requeued: 1" in row.flags


def test_run_ids_are_free_text(lab: Lab) -> None:
    lab.job("61")
    lab.file("logs/61.out", wandb_lines("lr_3e-4.seed-7", "desy_bo") + "epoch 5/10\n")
    assert (lab.row("61").run, lab.row("61").sweep) == ("lr_3e-4.seed-7", "desy_bo")


def test_lab_made_run_and_sweep_lines_count_too(lab: Lab) -> None:
    lab.job("62")
    lab.file("logs/62.out", "Sweep ID: abc123\nRun: k2j3h4g5\nepoch 5/10\n")
    assert (lab.row("62").run, lab.row("62").sweep) == ("k2j3h4g5", "abc123")


def test_offline_the_agents_own_map_names_the_sweep(lab: Lab) -> None:
    lab.job("63")
    lab.file(
        "logs/63.out",
        "wandb: Run data is saved locally in /x/wandb/offline-run-20261120_100002-k2j3h4g5\nepoch 5/10\n",
    )
    lab.file("wandb/sweep-zz9/config-k2j3h4g5.yaml", "wandb_version: 1\nepochs:\n  value: 40\n")
    row = lab.row("63")
    assert (row.run, row.sweep) == ("k2j3h4g5", "zz9")
    assert row.target_epochs == 10, "N/T of the log counts before any config"


def test_metadata_names_the_job_where_the_log_is_mute(lab: Lab) -> None:
    lab.job("70_3")
    lab.file("logs/70_3.out", "epoch 5/10\n")
    slurm = {"slurm": {"array_job_id": "70", "array_task_id": "3", "job_id": "74"}}
    lab.file("wandb/run-20261120_100002-k2j3h4g5/files/wandb-metadata.json", json.dumps(slurm))
    assert lab.row("70_3").run == "k2j3h4g5"


def test_waiting_tasks_have_rows_and_belong_to_the_sweep_of_their_array(lab: Lab) -> None:
    _task(lab, 0, "aaa1", 5)
    lab.job("70_[1-3%2]", "PENDING", reason="JobArrayTaskLimit")
    rows = {row.job: row for row in lab.status().runs}
    assert {job for job in rows if rows[job].slurm_state == "PENDING"} == {"70_1", "70_2", "70_3"}
    assert rows["70_2"].sweep == "sw1"
    assert rows["70_2"].reason == "JobArrayTaskLimit"


def test_jobs_of_other_folders_are_counted_and_not_shown(lab: Lab) -> None:
    lab.job("10", workdir="/home/me/else", stdout="/home/me/else/x.out")
    lab.job("11", "FAILED", workdir="/home/me/else", stdout="/home/me/else/x.out")
    status = lab.status()
    assert (status.runs, status.other_jobs) == ((), 1)


def test_a_job_whose_log_lies_in_the_workspace_is_in_scope(lab: Lab) -> None:
    lab.job("12", workdir="/home/me/else", stdout=f"{lab.workspace}/logs/%j.out")
    lab.file("logs/12.out", "epoch 5/10\n")
    assert lab.row("12").epoch == 5


def test_a_run_on_disk_without_a_job_has_a_row(lab: Lab) -> None:
    lab.checkpoint("oldrun1", 500)
    row = next(row for row in lab.status().runs if row.run == "oldrun1")
    assert (row.job, row.checkpoint and row.checkpoint.step) == (None, 500)


def test_secrets_in_logs_do_not_reach_the_status(lab: Lab) -> None:
    key = "ghp_" + "a1B2" * 9
    lab.job("13", "FAILED", exit="1:0")
    lab.file("logs/13.out", f"RuntimeError: bad credentials {key} \x1b]0;pwned\x07\x1b[2J\u202e\n")
    text = lab.status().to_json()
    assert key not in text
    assert "\\u001b" not in text and "\u202e" not in text


def test_a_job_that_only_accounting_calls_running_is_marked(lab: Lab) -> None:
    """Accounting lags behind; a row can also stay open for good."""
    lab.job("14")
    lab.program("squeue", "true")
    assert any(flag.startswith("not_in_queue") for flag in lab.row("14").flags)


def test_without_the_queue_accounting_still_tells(lab: Lab) -> None:
    lab.job("14", "PREEMPTED")
    lab.job("15")
    lab.program("squeue", "echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1")
    status = lab.status()
    states = {row.job: (row.slurm_state, row.cause) for row in status.runs}
    assert states == {"14": ("PREEMPTED", "preempted"), "15": ("RUNNING", "none")}
    assert status.other_jobs is None
    assert not any("not_in_queue" in flag for row in status.runs for flag in row.flags)


def test_without_accounting_the_queue_still_tells(lab: Lab) -> None:
    lab.job("15")
    lab.file("logs/15.out", "epoch 4/8\n")
    lab.program("sacct", "echo 'sacct: error: Problem talking to the database: Connection refused' >&2; exit 1")
    source = next(source for source in lab.status().sources if source.name == "sacct")
    assert (source.ok, source.error) == (False, "sacct: Problem talking to the database: Connection refused")
    assert lab.row("15").epoch == 4


def test_a_run_that_a_line_only_mentions_is_not_the_one_that_is_trained(lab: Lab) -> None:
    lab.job("16")
    lab.file(
        "logs/16.out",
        wandb_lines("aaa1", "sw1")
        + "Loading weights from wandb/run-20261101_000000-zzz9/files/model.pt\n"
        + "comparing with https://wandb.ai/lab/proj/runs/yyy8 of https://wandb.ai/lab/proj/sweeps/other\n"
        + "Syncing: https://wandb.ai/lab/proj/runs/xxx7 ... done.\nepoch 5/10\n",
    )
    row = lab.row("16")
    assert (row.run, row.sweep, row.epoch) == ("aaa1", "sw1", 5)


def test_without_better_lines_the_only_run_folder_named_counts(lab: Lab) -> None:
    lab.job("16")
    lab.file("logs/16.out", "saving to /x/wandb/run-20261101_000000-zzz9/files\nepoch 5/10\n")
    assert lab.row("16").run == "zzz9"
    more = "saving to wandb/run-20261101_000000-yyy8\n"
    lab.file("logs/16.out", f"saving to /x/wandb/run-20261101_000000-zzz9/files\n{more}epoch 5/10\n")
    assert lab.row("16").run is None


def test_words_after_run_are_no_run_ids(lab: Lab) -> None:
    lab.job("16")
    lab.file("logs/16.out", "Run: 3\nStarting Run: again\nepoch 5/10\n")
    assert lab.row("16").run is None


def test_a_log_that_a_later_job_wrote_over_is_not_the_earlier_jobs(lab: Lab) -> None:
    lab.job("17", "FAILED", start=NOW - 9 * HOUR, exit="1:0", submit_args="-o train.out train.sh")
    lab.job("18", stdout="train.out", start=NOW - 2 * HOUR)
    lab.file("train.out", wandb_lines("bbb2", "s") + "epoch 5/10\n")
    first, second = lab.row("17"), lab.row("18")
    assert (second.run, second.epoch) == ("bbb2", 5)
    assert (first.run, first.epoch) == (None, None)
    assert any("written over by a later job" in flag for flag in first.flags)


def test_one_file_for_all_tasks_of_an_array_tells_about_none(lab: Lab) -> None:
    for task in (0, 1):
        lab.job(f"70_{task}", stdout=f"{lab.workspace}/logs/%A.out", stderr="(null)")
    lab.file("logs/70.out", wandb_lines("bbb2", "s") + "epoch 5/10\n")
    for task in (0, 1):
        row = lab.row(f"70_{task}")
        assert (row.run, row.epoch) == (None, None)
        assert any("written by all tasks of the array" in flag for flag in row.flags)


def test_live_jobs_that_share_a_run_id_all_stay_and_are_told_so(lab: Lab) -> None:
    for task, start in ((0, 9), (1, 8), (2, 7)):
        lab.job(f"70_{task}", start=NOW - start * HOUR)
        lab.file(f"logs/70_{task}.err", wandb_lines("same", "sw1"))
    lab.job("71", "FAILED", exit="1:0", start=NOW - 3 * HOUR, end=NOW - 2 * HOUR)
    lab.file("logs/71.out", wandb_lines("same", "sw1") + "epoch 3/100\n")
    lab.checkpoint("same", 100)
    rows = {row.job: row for row in lab.status().runs}
    assert [rows[f"70_{task}"].live for task in range(3)] == [True] * 3
    assert not any(row.superseded for row in rows.values())
    assert "duplicate_run: job 70_1 trains this run too" in rows["70_0"].flags
    dead = rows["71"]
    assert (dead.resumable, dead.action) == (None, None), "another job trains this run: resuming it would be wrong"


def test_a_job_that_ended_before_another_began_does_not_continue_it(lab: Lab) -> None:
    lab.job("90", "PREEMPTED", start=NOW - 4 * HOUR, end=NOW - HOUR)
    lab.file("logs/90.out", wandb_lines("aaa1", "sw1") + "epoch 45/100\n")
    lab.job("95", "FAILED", start=NOW - 9 * HOUR, end=NOW - 8 * HOUR, submit=NOW - 2 * HOUR)
    lab.file("logs/95.out", wandb_lines("aaa1", "sw1") + "epoch 5/100\n")
    assert not lab.row("90").superseded
    assert "continued_by: 90" in lab.row("95").flags


def test_a_resume_that_waits_in_the_queue_is_not_proposed_again(lab: Lab) -> None:
    lab.job("90", "PREEMPTED", end=NOW - 5 * HOUR)
    lab.file("logs/90.out", wandb_lines("aaa1", "sw1") + "epoch 30/100\n")
    lab.checkpoint("aaa1", 300)
    lab.file("Makefile", "run:\n\tsbatch run.sbatch $(SWEEP) $(RUN)\n")
    lab.job("95", "PENDING", command="run.sbatch sw1 aaa1", submit_args="run.sbatch sw1 aaa1")
    row = lab.row("90")
    assert (row.resumable, row.action) == ("yes", None)
    assert "queued_as: 95" in row.flags


def test_a_finished_run_of_a_live_agent_rests_on_the_agents_word_not_on_accounting(lab: Lab) -> None:
    lab.job("80")
    log = wandb_lines("aaa1", "s") + "epoch 100/100\n" + ended("aaa1") + wandb_lines("bbb2", "s") + "epoch 3/100\n"
    lab.file("logs/80.out", log)
    row = lab.row("80", "aaa1")
    assert row.cause == "none"
    assert not any(item.source in {"sacct", "contradiction"} for item in row.evidence)
    assert any("Cleaning up finished run: aaa1" in item.text for item in row.evidence)


def test_a_short_job_that_has_nothing_to_do_with_training_is_no_red_flag(lab: Lab) -> None:
    lab.job(
        "81", "COMPLETED", name="copy", command="copy.sh", submit_args="copy.sh", start=NOW - HOUR - 60, end=NOW - HOUR
    )
    lab.file("logs/81.out", "copied 12 files\n")
    lab.job("82", "FAILED", exit="1:0", name="copy", command="copy.sh", submit_args="copy.sh")
    lab.file("logs/82.out", "cp: cannot stat 'x': No such file or directory\n")
    lab.file("copy.sh", "#!/bin/sh\ncp x y\n")
    assert lab.row("81").cause == "none"
    assert any(flag.startswith("no_training_seen") for flag in lab.row("81").flags)
    failed = lab.row("82")
    assert failed.resumable is None
    assert failed.action is not None
    assert "submit it again: sbatch copy.sh" in failed.action
    assert "agent" not in failed.action


def test_the_array_that_still_runs_says_how_many_agents_are_expected(lab: Lab) -> None:
    for task in range(3):
        lab.job(f"60_{task}", "CANCELLED", submit=NOW - 30 * HOUR, start=NOW - 29 * HOUR, end=NOW - 28 * HOUR)
        lab.file(f"logs/60_{task}.err", wandb_lines(f"old{task}", "sw1"))
    for task in range(4):
        _task(lab, task, f"run{task}", epoch=10, state="PREEMPTED" if task == 3 else "RUNNING")
    sweep = lab.status().sweeps[0]
    assert (sweep.expected_agents, sweep.active_agents) == (4, 3)
    lab.job("75", start=NOW - HOUR / 2)
    lab.file("logs/75.out", wandb_lines("run3", "sw1") + "epoch 12/100\n")
    sweep = lab.status().sweeps[0]
    assert (sweep.expected_agents, sweep.active_agents) == (4, 4), "a job that resumed a task's run stands for it"


@pytest.mark.parametrize(("submitted", "expected"), [(HOUR / 2, 4), (9 * HOUR, 6)], ids=["for the dead", "beside"])
def test_agents_that_were_launched_for_dead_tasks_are_no_more_expected(
    lab: Lab, submitted: float, expected: int
) -> None:
    for task in range(4):
        dead = {"state": "FAILED", "exit": "1:0", "end": NOW - HOUR} if task > 1 else {}
        _task(lab, task, f"run{task}", epoch=10, submit=NOW - 9 * HOUR, start=NOW - 8 * HOUR, **dead)
    for task in range(2):
        lab.job(f"80_{task}", submit=NOW - submitted, start=NOW - submitted)
        lab.file(f"logs/80_{task}.err", wandb_lines(f"new{task}", "sw1"))
        lab.file(f"logs/80_{task}.out", "epoch 1/100\n")
    (sweep,) = lab.status().sweeps
    assert (sweep.expected_agents, sweep.active_agents) == (expected, 4)


def test_a_launch_template_takes_entity_and_project_from_the_runs_own_log(lab: Lab) -> None:
    lab.job("70_0", "PREEMPTED")
    lab.file("logs/70_0.err", wandb_lines("aaa1", "sw1"))
    assert lab.row("70_0", launch="sbatch agent.sh {entity}/{project}/{sweep}").action == (
        "relaunch an agent: sbatch agent.sh lab/proj/sw1"
    )


def test_a_log_that_is_there_and_cannot_be_read_is_said_to_be(lab: Lab) -> None:
    lab.job("70_0")
    (lab.workspace / "logs").mkdir()
    os.mkfifo(lab.workspace / "logs/70_0.out")
    lab.file("logs/70_0.err", wandb_lines("aaa1", "sw1"))
    lab.job("71", stdout=f"{lab.workspace}/gone/71.out", stderr="(null)")
    status = lab.status()
    rows = {row.job: row for row in status.runs}
    assert rows["70_0"].run == "aaa1", "the other stream is read all the same"
    assert any("gone/71.out, which is not there" in flag for flag in rows["71"].flags)
    logs = next(source for source in status.sources if source.name == "logs")
    assert not logs.ok
    assert "70_0.out is no file (a pipe, a device or a folder)" in (logs.error or "")


def test_a_job_cancelled_while_it_waited_is_shown(lab: Lab) -> None:
    lab.job("70", "CANCELLED", start=None, end=NOW - HOUR, by="1000")
    row = lab.row("70")
    assert (row.slurm_state, row.cause) == ("CANCELLED", "cancelled")


def test_a_diverged_run_that_somebody_cancelled_is_not_simply_resumed(lab: Lab) -> None:
    """Its checkpoint loads and "cancelled" allows it, but from there it diverges again."""
    lab.file("Makefile", "run:\n\tsbatch run.sbatch $(SWEEP) $(RUN)\n")
    for job, losses in (("81", "0.5 nan nan nan"), ("82", "nan nan nan 0.5")):
        lab.job(job, "CANCELLED by 0")
        log = "".join(f"epoch {step}/100 step={step} loss={loss}\n" for step, loss in enumerate(losses.split(), 1))
        lab.file(f"logs/{job}.out", wandb_lines(f"run{job}", "sw1") + log)
        lab.checkpoint(f"run{job}", 1)
    rows = {row.job: row for row in lab.status().runs}
    assert (rows["81"].cause, rows["81"].resumable) == ("cancelled", "maybe")
    assert (rows["81"].action or "").startswith("choose an earlier checkpoint or a lower learning rate, then resume: ")
    assert "diverged: its last losses are not finite" in rows["81"].flags
    assert (rows["82"].resumable, rows["82"].action) == ("yes", "make run SWEEP=sw1 RUN=run82")


def test_the_queue_tells_what_is_now_and_accounting_only_what_it_alone_knows() -> None:
    told: dict[str, Any] = {
        one.name: f"{one.name} of the queue" if one.type == "str" else 1.0 for one in dataclasses.fields(Job)
    }
    queue = Job(**{**told, "id": "7", "state": "RUNNING", "stdout": "/a", "stderr": None, "exit_code": "1:0"})
    known = Job("7", "70", "x", "you", "RUNNING", "sacct", start=2.0, cancelled_by="9", gpus=4, memory=5, node_count=6)
    (entry,) = histories([queue], [known])
    changed = {"exit_code": None, "cancelled_by": "9", "end": None, "gpus": 4, "memory": 5, "node_count": 6}
    assert entry.job == dataclasses.replace(queue, **changed)
    assert entry.earlier == ()
