"""Six workspaces as real repositories lay them out, without any configuration: what a person would miss."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import HOUR, NOW, Lab, safetensors, wandb_lines
from layouts import agent_array, hf_trainer, hydra_lightning, plain_torch, rules, said, submitit
from layouts.files import at, run_folder, saved, torch_file

from tools.base import Context
from tools.run_tools import LIST_CHECKPOINTS
from tools.sources import checkpoints
from tools.status import RunRow
from tools.sweeps import read_status


def _rows(lab: Lab) -> dict[str | None, RunRow]:
    """By run; every run has one row."""
    rows = lab.status().runs
    assert len({row.run for row in rows}) == len(rows), rows
    return {row.run: row for row in rows}


def _newest(lab: Lab, row: RunRow) -> str | None:
    return os.path.relpath(row.checkpoint.path, lab.workspace) if row.checkpoint else None


def _why(row: RunRow, value: str) -> str:
    """The reason for a null."""
    return next((flag for flag in row.flags if flag.startswith(f"{value}: ")), "")


class TestRules:
    @pytest.fixture(autouse=True)
    def built(self, lab: Lab) -> None:
        rules.build(lab)

    def test_jobs_runs_numbers_and_causes(self, lab: Lab) -> None:
        rows = {row.job: row for row in lab.status().runs}
        told = {
            job: (row.run, row.epoch, row.step, row.target_epochs, row.percent, row.cause, row.resumable)
            for job, row in rows.items()
        }
        assert told == {
            "48213_0": (rules.RUNS[0], 2341, 53843, 5000, 46.8, "none", None),
            "48213_1": (rules.RUNS[1], 1200, 27600, 5000, 24.0, "preempted", "yes"),
            "48213_2": (rules.RUNS[2], None, None, None, None, "config_error", "no"),
            "48213_3": (rules.RUNS[3], 5000, 115000, 5000, 100.0, "none", None),
            "48213_4": (None, None, None, None, None, "none", None),
            "48213_5": (None, None, None, None, None, "none", None),
        }
        assert [row.live for row in rows.values()] == [True, False, False, False, False, False]

    def test_the_newest_that_loads_by_number_and_the_torn_one_said(self, lab: Lab) -> None:
        rows = _tasks(lab)
        assert _newest(lab, rows["48213_1"]) == f"outputs/{rules.RUNS[1]}/checkpoint-27600"
        assert _why(rows["48213_1"], "newer_checkpoint_does_not_load").endswith("torn (header)")
        assert _newest(lab, rows["48213_0"]) == f"outputs/{rules.RUNS[0]}/checkpoint-53000"
        assert rows["48213_3"].checkpoint is None

    def test_the_sweep_its_link_and_config_though_no_line_has_its_id(self, lab: Lab) -> None:
        status = lab.status()
        (sweep,) = status.sweeps
        assert sweep.url == f"https://wandb.ai/lab/proj/sweeps/{rules.SWEEP}"
        assert sweep.config == "experiments/llm_glue_sweep.yaml"
        assert (sweep.active_agents, sweep.expected_agents) == (1, 4)
        assert {row.sweep for row in status.runs} == {rules.SWEEP}


def _tasks(lab: Lab) -> dict[str | None, RunRow]:
    return {row.job: row for row in lab.status().runs}


class TestAgentArray:
    @pytest.mark.parametrize("told", ["slurm", "script", "name"])
    @pytest.mark.parametrize("offline", [True, False])
    def test_every_run_of_a_log_has_its_own_row(self, lab: Lab, told: str, offline: bool) -> None:
        agent_array.build(lab, told=told, offline=offline)
        rows = _rows(lab)
        assert {run: (row.job, row.epoch, row.percent, row.cause, row.live) for run, row in rows.items()} == {
            agent_array.FIRST: ("48300_0", 40, 100.0, "none", False),
            agent_array.SECOND: ("48300_0", 17, 42.5, "cuda_oom", False),
            agent_array.THIRD: ("48300_0", 9, 22.5, "none", True),
            agent_array.LATE: ("48300_1", 22, 55.0, "time_limit", False),
        }
        assert {row.sweep for row in rows.values()} == {agent_array.SWEEP}
        assert lab.status().sweeps[0].url == f"https://wandb.ai/lab/proj/sweeps/{agent_array.SWEEP}"
        assert all(_why(row, "step") == "step: no line of the log names one" for row in rows.values())

    @pytest.mark.parametrize(("silent", "emoji"), [(True, True), (False, False)])
    def test_neither_silence_nor_missing_emoji_hide_a_run(self, lab: Lab, silent: bool, emoji: bool) -> None:
        agent_array.build(lab, offline=False, silent=silent, emoji=emoji)
        rows = _rows(lab)
        assert {run: (row.job, row.epoch, row.sweep) for run, row in rows.items()} == {
            agent_array.FIRST: ("48300_0", 40, agent_array.SWEEP),
            agent_array.SECOND: ("48300_0", 17, agent_array.SWEEP),
            agent_array.THIRD: ("48300_0", 9, agent_array.SWEEP),
            agent_array.LATE: ("48300_1", 22, agent_array.SWEEP),
        }

    def test_without_entity_and_project_there_is_no_link_and_that_is_said(self, lab: Lab) -> None:
        agent_array.build(lab)
        (lab.workspace / "wandb" / "settings").unlink()
        (sweep,) = lab.status().sweeps
        assert sweep.url is None
        assert any(issue.startswith("no link: the W&B entity or project is not known") for issue in sweep.issues)

    def test_a_job_that_has_said_nothing_yet_is_of_the_sweep_in_its_script(self, lab: Lab) -> None:
        lab.file("agent.sh", agent_array.SCRIPT)
        lab.file("wandb/settings", "[default]\nentity = lab\nproject = proj\n")
        lab.job("48400", submit_args="agent.sh", command="agent.sh", stdout=f"{lab.workspace}/slurm-%j.out")
        lab.file("slurm-48400.out", "wandb: Starting wandb agent 🕵️\n")
        assert lab.row("48400").sweep == agent_array.SWEEP

    def test_a_script_with_the_sweep_in_it_is_submitted_again(self, lab: Lab) -> None:
        agent_array.build(lab, told="script")
        assert lab.row("48300_1").action == "relaunch an agent: sbatch --array=1 agent.sh"


class TestHydraLightning:
    def test_each_training_of_the_job_has_its_own_folder(self, lab: Lab) -> None:
        hydra_lightning.build(lab)
        done, live = (_rows(lab)[run] for run in (hydra_lightning.DONE, hydra_lightning.NOW_TRAINED))
        assert (done.job, live.job, done.live, live.live) == ("99999", "99999", False, True)
        assert (done.epoch, done.percent, done.wandb_state) == (100, 100.0, "finished")
        assert (live.epoch, live.percent, live.sweep) == (41, 41.0, None)
        assert _newest(lab, done) == f"{hydra_lightning.MULTIRUN}/0/checkpoints/epoch_099.ckpt"
        assert _newest(lab, live) == f"{hydra_lightning.MULTIRUN}/1/checkpoints/last.ckpt", "an hour newer"

    def test_the_target_is_the_nested_one_and_no_other_sections_steps(self, lab: Lab) -> None:
        hydra_lightning.build(lab)
        live = _rows(lab)[hydra_lightning.NOW_TRAINED]
        assert (live.target_epochs, live.target_steps) == (100, None)

    def test_a_preempted_one_goes_on_from_its_last(self, lab: Lab) -> None:
        hydra_lightning.build(lab, state="PREEMPTED")
        row = _rows(lab)[hydra_lightning.NOW_TRAINED]
        assert (row.cause, row.resumable) == ("preempted", "yes")

    def test_a_torn_last_is_passed_over(self, lab: Lab) -> None:
        hydra_lightning.build(lab, state="PREEMPTED")
        saved(lab, f"{hydra_lightning.MULTIRUN}/1/checkpoints/last.ckpt", hours_ago=1.5, torn=True)
        row = _rows(lab)[hydra_lightning.NOW_TRAINED]
        assert _newest(lab, row) == f"{hydra_lightning.MULTIRUN}/1/checkpoints/epoch_037.ckpt"
        assert "last.ckpt is torn" in _why(row, "newer_checkpoint_does_not_load")

    @pytest.mark.parametrize("state", ["RUNNING", "PREEMPTED"])
    def test_one_that_reached_its_target_has_no_cause_whatever_became_of_its_job(self, lab: Lab, state: str) -> None:
        hydra_lightning.build(lab, state=state)
        row = _rows(lab)[hydra_lightning.DONE]
        assert (row.cause, row.resumable, row.action) == ("none", None, None)

    def test_the_target_is_known_before_the_first_checkpoint(self, lab: Lab) -> None:
        hydra_lightning.build(lab)
        for path in (lab.workspace / hydra_lightning.MULTIRUN / "1" / "checkpoints").iterdir():
            path.unlink()
        assert _rows(lab)[hydra_lightning.NOW_TRAINED].target_epochs == 100


class TestHfTrainer:
    @pytest.mark.parametrize(("same_name", "output_dir"), [(False, True), (False, False), (True, True)])
    def test_checkpoints_below_a_folder_named_after_the_run(self, lab: Lab, same_name: bool, output_dir: bool) -> None:
        hf_trainer.build(lab, same_name=same_name, output_dir=output_dir)
        rows = _rows(lab)
        dead, live = rows[hf_trainer.DEAD], rows[hf_trainer.LIVE]
        assert (_newest(lab, dead), _newest(lab, live)) == (
            "results/bert-lr3e-5/checkpoint-3500",
            "results/bert-lr5e-5/checkpoint-4000",
        )
        assert (dead.job, dead.cause, dead.resumable) == ("99998", "time_limit", "yes")
        assert (live.job, live.cause, live.resumable) == ("100001", "none", None)

    def test_the_steps_are_the_target_and_not_the_trainers_default_of_three_epochs(self, lab: Lab) -> None:
        hf_trainer.build(lab)
        rows = _rows(lab)
        told = {run: (row.step, row.target_steps, row.target_epochs, row.percent) for run, row in rows.items()}
        assert told == {
            hf_trainer.DEAD: (3600, 10_000, None, 36.0),
            hf_trainer.LIVE: (4010, 10_000, None, 40.1),
        }

    def test_likewise_where_the_log_shows_no_bar(self, lab: Lab) -> None:
        hf_trainer.build(lab)
        log = lab.workspace / "slurm_logs" / "finetune_100001.out"
        log.write_text("\n".join(line for line in log.read_text().split("\n") if "%|" not in line))
        row = _rows(lab)[hf_trainer.LIVE]
        assert (row.target_epochs, row.target_steps, row.epoch) == (None, 10_000, 20)
        log.write_text("{'loss': 0.4, 'epoch': 20.0}\n" + said.init(hf_trainer.LIVE, "/x"))
        row = _rows(lab)[hf_trainer.LIVE]
        assert (row.target_epochs, row.target_steps, row.epoch) == (None, 10_000, 20)

    def test_two_runs_of_one_name_and_nothing_else_own_neither_folder(self, lab: Lab) -> None:
        hf_trainer.build(lab, same_name=True, output_dir=False)
        assert all(row.checkpoint is None for row in _rows(lab).values())

    def test_one_folder_for_two_runs_is_neithers(self, lab: Lab) -> None:
        hf_trainer.build(lab, output_dir=False)
        for run in (hf_trainer.DEAD, hf_trainer.LIVE):
            run_folder(lab, run, name="x" + run, config={"output_dir": "results/bert-lr3e-5"})
        assert all(row.checkpoint is None for row in _rows(lab).values())

    def test_a_downloaded_model_of_the_same_name_is_no_checkpoint(self, lab: Lab) -> None:
        lab.job("60", "PREEMPTED")
        lab.file("logs/60.out", said.init("aaaa1111", "/x", name="bert-base"))
        run_folder(lab, "aaaa1111", name="bert-base")
        at(lab.file("models/bert-base/model.safetensors", safetensors()), hours_ago=300)
        assert lab.row("60").checkpoint is None
        at(lab.workspace / "models/bert-base/model.safetensors", hours_ago=2)
        assert _newest(lab, lab.row("60")) == "models/bert-base/model.safetensors"

    def test_a_config_cannot_claim_the_workspace_or_what_lies_outside(self, lab: Lab, tmp_path: Path) -> None:
        lab.job("60", "PREEMPTED")
        lab.file("logs/60.out", said.init("aaaa1111", "/x"))
        lab.file("checkpoint-5/model.safetensors", safetensors())
        for folder in (".", str(lab.workspace), "..", str(tmp_path), "/", ""):
            run_folder(lab, "aaaa1111", config={"output_dir": folder})
            assert lab.row("60").checkpoint is None, folder

    def test_an_output_folder_with_a_runs_name_is_no_second_run(self, lab: Lab) -> None:
        lab.job("60", "PREEMPTED")
        lab.file("logs/60.out", said.init("aaaa1111", "/x", name="bert-lr3e-5"))
        run_folder(lab, "aaaa1111", name="bert-lr3e-5")
        lab.checkpoint("bert-lr3e-5", 500)
        assert [row.run for row in lab.status().runs] == ["aaaa1111"]


class TestPlainTorch:
    def test_the_overwritten_log_is_the_later_jobs_and_the_earlier_is_told_so(self, lab: Lab) -> None:
        plain_torch.build(lab)
        earlier, later = lab.row("5001"), lab.row("5002")
        assert (earlier.run, earlier.epoch, earlier.cause) == (None, None, "unknown")
        assert _why(earlier, "log").endswith("train.out was written over by a later job")
        assert (later.run, later.epoch, later.cause) == (plain_torch.NEW, 12, "time_limit")

    def test_epochs_without_a_total_have_no_percent(self, lab: Lab) -> None:
        plain_torch.build(lab)
        row = lab.row("5002")
        assert (row.target_epochs, row.target_steps, row.percent) == (None, None, None)
        assert _why(row, "target")

    def test_a_file_that_all_share_is_nobodys(self, lab: Lab) -> None:
        plain_torch.build(lab)
        assert [row.checkpoint for row in lab.status().runs] == [None, None]

    def test_a_folder_named_after_the_job_is_its_runs(self, lab: Lab) -> None:
        plain_torch.build(lab, keyed=True)
        row = lab.row("5002")
        assert _newest(lab, row) == "models/5002/model.pt", "an optimizer's state alone is no model"
        assert row.checkpoint and (row.checkpoint.loadable, row.checkpoint.step) == (True, None)
        assert row.resumable == "yes"

    def test_of_a_job_that_trained_two_runs_it_is_neithers(self, lab: Lab) -> None:
        plain_torch.build(lab, keyed=True, in_one_job=True)
        rows = _rows(lab)
        assert {run: (row.epoch, row.checkpoint) for run, row in rows.items()} == {
            plain_torch.OLD: (30, None),
            plain_torch.NEW: (12, None),
        }

    def test_in_a_loop_only_the_last_was_cut_off(self, lab: Lab) -> None:
        plain_torch.build(lab, in_one_job=True)
        assert {run: row.cause for run, row in _rows(lab).items()} == {
            plain_torch.OLD: "none",
            plain_torch.NEW: "time_limit",
        }

    def test_where_a_shared_file_may_be_its_own_nobody_says_that_it_cant_be_resumed(self, lab: Lab) -> None:
        plain_torch.build(lab)
        row = lab.row("5002")
        assert row.resumable == "unknown"
        assert "checkpoints/" in _why(row, "checkpoint"), "says where the files are that nothing ties to a run"


class TestSubmitit:
    @pytest.mark.parametrize("array", [True, False])
    @pytest.mark.parametrize("told", [True, False])
    def test_logs_folders_and_targets(self, lab: Lab, array: bool, told: bool) -> None:
        jobs = submitit.build(lab, array=array, told=told)
        rows = _tasks(lab)
        told_of = [
            (rows[job].run, rows[job].epoch, rows[job].target_epochs, rows[job].percent, rows[job].cause)
            for job in jobs
        ]
        assert told_of == [
            (submitit.RUNS[0], 20, 80, 25.0, "none"),
            (submitit.RUNS[1], 21, 80, 26.2, "preempted"),
        ]
        assert [_newest(lab, rows[job]) for job in jobs] == [f"{submitit.MULTIRUN}/{n}/ckpt.pt" for n in (0, 1)]
        assert [rows[job].resumable for job in jobs] == [None, "yes"]

    def test_the_rank_is_no_task(self, lab: Lab) -> None:
        """``77003_0_log.out`` is of job 77003, and of task 0 of no array."""
        lab.job("77003_0", raw="77004", stdout="(null)", stderr="(null)")
        lab.job("77003_1", raw="77003", stdout="(null)", stderr="(null)")
        lab.file(".submitit/77003_1/77003_1_0_log.out", "Epoch 5\n")
        rows = _tasks(lab)
        assert (rows["77003_0"].epoch, rows["77003_1"].epoch) == (None, 5)


class TestLogs:
    @pytest.mark.parametrize("told_by", ["queue", "script"])
    def test_an_absolute_folder_elsewhere(self, lab: Lab, tmp_path: Path, told_by: str) -> None:
        folder = tmp_path / "scratch" / "logs"
        folder.mkdir(parents=True)
        out, err = f"{folder}/%A/%a.log", f"{folder}/%A/%a.err"
        if told_by == "queue":
            lab.job("70_3", stdout=out, stderr=err)
        else:
            lab.file("train.sh", f"#!/bin/bash\n#SBATCH --output={out}\n#SBATCH -e {err}\npython train.py\n")
            lab.job("70_3", "PREEMPTED", stdout="(null)", stderr="(null)")
        (folder / "70").mkdir()
        (folder / "70" / "3.err").write_text(wandb_lines("aaaa1111", "sw1"))
        (folder / "70" / "3.log").write_text(said.epochs(0, 7))
        row = lab.row("70_3")
        assert (row.run, row.sweep, row.epoch) == ("aaaa1111", "sw1", 7)

    def test_two_tasks_in_one_file_are_told_nothing(self, lab: Lab) -> None:
        for task in (0, 1):
            lab.job(f"70_{task}", stdout=f"{lab.workspace}/logs/%A.out", stderr="(null)")
        lab.file("logs/70.out", wandb_lines("aaaa1111", "s") + said.epochs(0, 7))
        for row in lab.status().runs[:2]:
            assert (row.run, row.epoch) == (None, None)
            assert "is written by all tasks of the array" in _why(row, "log")

    @pytest.mark.parametrize("told", [True, False])
    def test_raw_ids_name_the_logs_of_an_arrays_tasks(self, lab: Lab, told: bool) -> None:
        name = f"{lab.workspace}/logs/%j.out" if told else "(null)"
        for task, raw in ((0, "71"), (1, "72"), (2, "70")):
            lab.job(f"70_{task}", raw=raw, stdout=name, stderr="(null)")
            lab.file(f"logs/{raw}.out", wandb_lines(f"aaaa111{task}", "s") + said.epochs(0, task + 1))
        rows = _tasks(lab)
        assert [(rows[f"70_{task}"].run, rows[f"70_{task}"].epoch) for task in (0, 1)] == [
            ("aaaa1110", 1),
            ("aaaa1111", 2),
        ]
        last = rows["70_2"]
        assert (last.run, last.epoch) == (("aaaa1112", 3) if told else (None, None)), "70 may be the whole array"
        assert told or _why(last, "log")

    def test_ids_across_a_hundred_thousand(self, lab: Lab) -> None:
        """Ordered as text, 100000 comes before 99999; and one id stands in another."""
        none = {"stdout": "(null)", "stderr": "(null)"}
        lab.job("99999", "PREEMPTED", **none, start=NOW - 30 * HOUR, submit=NOW - 31 * HOUR, end=NOW - 20 * HOUR)
        lab.job("100000", **none)
        lab.file("log/train-99999.log", wandb_lines("aaaa1111", "s") + said.epochs(0, 7))
        lab.file("log/train-100000.log", wandb_lines("aaaa1111", "s") + said.epochs(7, 9))
        lab.file("log/train-1000000.log", wandb_lines("bbbb2222", "s") + said.epochs(0, 90))
        old, new = lab.row("99999"), lab.row("100000")
        assert (old.superseded, new.superseded) == (True, False)
        assert "continued_by: 100000" in old.flags
        assert (new.run, new.epoch, new.live) == ("aaaa1111", 9, True)

    def test_two_agents_in_one_job_are_both_live_and_their_lines_nobodys(self, lab: Lab) -> None:
        lab.job("80", stdout=f"{lab.workspace}/logs/%j.out", stderr="(null)")
        log = said.agent_starts() + said.agent_starts()
        log += said.init("aaaa1111", "/x", sweep="s") + said.init("bbbb2222", "/x", sweep="s")
        for epoch in range(3):
            log += said.agent_runs("aaaa1111") + said.agent_runs("bbbb2222") + said.epochs(epoch, epoch) * 2
        lab.file("logs/80.out", log)
        rows = _rows(lab)
        assert {run: (row.live, row.epoch) for run, row in rows.items()} == {
            "aaaa1111": (True, None),
            "bbbb2222": (True, None),
        }
        assert all("epoch" in _why(row, "epoch") for row in rows.values())


Built = Callable[[Lab, str], None]


def _megatron(lab: Lab, folder: str) -> None:
    for step in (400, 500, 600):
        saved(lab, f"{folder}/iter_{step:07d}/mp_rank_00/model_optim_rng.pt")
    lab.file(f"{folder}/latest_checkpointed_iteration.txt", "500")


def _deepspeed(lab: Lab, folder: str) -> None:
    for step in (400, 500, 600):
        saved(lab, f"{folder}/global_step{step}/mp_rank_00_model_states.pt")
    lab.file(f"{folder}/latest", "global_step500")


def _verl(lab: Lab, folder: str) -> None:
    for step in (400, 500, 600):
        saved(lab, f"{folder}/global_step_{step}/actor/model_world_size_1_rank_0.pt")
    lab.file(f"{folder}/latest_checkpointed_iteration.txt", "500\n")


def _olmo(lab: Lab, folder: str) -> None:
    for step in (400, 500, 600):
        saved(lab, f"{folder}/step{step}/model.pt")
    (lab.workspace / folder / "latest").symlink_to("step500")


def _lerobot(lab: Lab, folder: str) -> None:
    for step in (400, 500, 600):
        lab.file(f"{folder}/{step:06d}/pretrained_model/model.safetensors", safetensors())
    (lab.workspace / folder / "last").symlink_to("000500")


class TestCheckpoints:
    @pytest.fixture(autouse=True)
    def dead(self, lab: Lab) -> None:
        lab.job("60", "PREEMPTED")
        lab.file("logs/60.out", said.init("aaaa1111", "/x"))

    @pytest.mark.parametrize("built", [_megatron, _deepspeed, _verl, _olmo, _lerobot])
    def test_what_the_tracker_does_not_name_yet_is_not_finished(self, lab: Lab, built: Built) -> None:
        built(lab, "ckpt/aaaa1111")
        row = lab.row("60")
        assert row.checkpoint and (row.checkpoint.step, row.checkpoint.loadable) == (500, True)
        assert "600: not finished: la" in _why(row, "newer_checkpoint_does_not_load")

    @pytest.mark.parametrize("words", ["global_step900", "global_step450", "", "release", "x" * 10_000, "\0"])
    def test_a_tracker_that_names_nothing_there_takes_nothing_away(self, lab: Lab, words: str) -> None:
        _deepspeed(lab, "ckpt/aaaa1111")
        lab.file("ckpt/aaaa1111/latest", words)
        row = lab.row("60")
        assert row.checkpoint and row.checkpoint.step == 600

    def test_fairseqs_last_is_newer_than_its_numbers(self, lab: Lab) -> None:
        for name, ago in (("checkpoint11.pt", 3.0), ("checkpoint12.pt", 2.0), ("checkpoint_best.pt", 0.5)):
            saved(lab, f"ckpt/aaaa1111/{name}", hours_ago=ago)
        saved(lab, "ckpt/aaaa1111/checkpoint_12_4000.pt", hours_ago=1.5)
        row = lab.row("60")
        assert row.checkpoint and row.checkpoint.step == 4000
        saved(lab, "ckpt/aaaa1111/checkpoint_last.pt", hours_ago=1)
        assert _newest(lab, lab.row("60")) == "ckpt/aaaa1111/checkpoint_last.pt"

    def test_a_last_of_the_same_save_leaves_the_number(self, lab: Lab) -> None:
        saved(lab, "ckpt/aaaa1111/epoch=3-step=400.ckpt", hours_ago=1)
        saved(lab, "ckpt/aaaa1111/last.ckpt", hours_ago=1 - 5 / 3600)
        row = lab.row("60")
        assert row.checkpoint and row.checkpoint.step == 400

    def test_an_old_last_does_not_hide_newer_numbers(self, lab: Lab) -> None:
        saved(lab, "ckpt/aaaa1111/last.ckpt", hours_ago=9)
        saved(lab, "ckpt/aaaa1111/epoch=3-step=400.ckpt", hours_ago=1)
        row = lab.row("60")
        assert row.checkpoint and row.checkpoint.step == 400

    def test_a_link_to_the_last_counts_once_as_what_it_leads_to(self, lab: Lab) -> None:
        saved(lab, "ckpt/aaaa1111/epoch=3-step=400.ckpt")
        (lab.workspace / "ckpt/aaaa1111/last.ckpt").symlink_to("epoch=3-step=400.ckpt")
        row = lab.row("60")
        assert row.checkpoint and row.checkpoint.step == 400

    def test_a_zip_of_stable_baselines_is_a_checkpoint_and_any_other_zip_is_not(self, lab: Lab) -> None:
        saved(lab, "ckpt/aaaa1111/code.zip")
        assert lab.row("60").checkpoint is None
        saved(lab, "ckpt/aaaa1111/rl_model_5000_steps.zip")
        row = lab.row("60")
        assert row.checkpoint and row.checkpoint.step == 5000

    def test_a_torn_zip_of_torch_does_not_load(self, lab: Lab) -> None:
        saved(lab, "ckpt/aaaa1111/model.pt", data=torch_file({"epoch": 3}), torn=True)
        row = lab.row("60")
        assert row.checkpoint and row.checkpoint.loadable is False
        assert row.resumable == "no"

    @pytest.mark.parametrize(
        ("name", "step", "epoch"),
        [
            ("checkpoint12.pt", None, 12),
            ("rl_model_5000_steps.zip", 5000, None),
            ("checkpoint_3_1000.pt", 1000, 3),
            ("checkpoint-12.pth.tar", None, 12),
            ("ep3-ba300-rank0.pt", 300, 3),
            ("ep0003_step400.pt", 400, 3),
            ("checkpoint-12", 12, None),
            ("global_step_500", 500, None),
            ("003000", 3000, None),
        ],
    )
    def test_numbers_in_the_names_of_frameworks(
        self, tmp_path: Path, name: str, step: int | None, epoch: float | None
    ) -> None:
        path = tmp_path / name
        path.write_bytes(torch_file()) if "." in name else path.mkdir()
        found = next(checkpoints.ranked([str(path)]))
        assert (found.step, found.epoch) == (step, epoch)

    def test_a_second_look_sees_what_was_written_over(self, lab: Lab, tmp_path: Path) -> None:
        """The index of an earlier look counts only while nothing has changed that had a say."""
        place = dataclasses.replace(lab.place(), state=tmp_path / "state")
        saved(lab, "ckpt/aaaa1111/epoch=3-step=400.ckpt", hours_ago=2)
        last = saved(lab, "ckpt/aaaa1111/last.ckpt", hours_ago=2)
        _deepspeed(lab, "ckpt/aaaa1111/ds")
        for path in (lab.workspace / "ckpt/aaaa1111/ds").rglob("*"):
            at(path, hours_ago=2)

        def newest() -> str | None:
            status, _ = read_status(place, lambda: NOW)
            return _newest(lab, status.runs[0])

        assert newest() == "ckpt/aaaa1111/ds/global_step500"
        tracker = lab.file("ckpt/aaaa1111/ds/latest", "global_step600")
        at(tracker, hours_ago=1.9)
        assert newest() == "ckpt/aaaa1111/ds/global_step600"
        at(last, hours_ago=1)
        assert newest() == "ckpt/aaaa1111/last.ckpt"


def test_what_another_runs_id_stands_in_is_not_taken_by_the_run_that_saves_above_it(lab: Lab) -> None:
    lab.job("60", "PREEMPTED")
    lab.file("logs/60.out", said.init("aaaa1111", "/x"))
    run_folder(lab, "aaaa1111", config={"trainer": {"default_root_dir": "results"}})
    lab.job("61", "PREEMPTED")
    lab.file("logs/61.out", said.init("bbbb2222", "/x"))
    saved(lab, "results/bbbb2222/epoch=9-step=90.ckpt")
    assert (lab.row("60").checkpoint, _newest(lab, lab.row("61"))) == (None, "results/bbbb2222/epoch=9-step=90.ckpt")
    saved(lab, "results/epoch=1-step=10.ckpt")
    assert _newest(lab, lab.row("60")) == "results/epoch=1-step=10.ckpt"


def test_of_two_folders_one_in_the_other_each_run_has_its_own(lab: Lab) -> None:
    for job, run, folder in (("60", "aaaa1111", "results"), ("61", "bbbb2222", "results/second")):
        lab.job(job, "PREEMPTED")
        lab.file(f"logs/{job}.out", said.init(run, "/x"))
        run_folder(lab, run, name=f"name of {run}", config={"output_dir": folder})
    saved(lab, "results/second/epoch=9-step=90.ckpt")
    assert lab.row("60").checkpoint is None
    saved(lab, "results/epoch=1-step=10.ckpt")
    assert (_newest(lab, lab.row("60")), _newest(lab, lab.row("61"))) == (
        "results/epoch=1-step=10.ckpt",
        "results/second/epoch=9-step=90.ckpt",
    )


def test_the_workspace_itself_is_no_runs_hydra_folder(lab: Lab) -> None:
    lab.job("60", "PREEMPTED")
    lab.file("logs/60.out", said.init("aaaa1111", "/x"))
    run_folder(lab, "aaaa1111")
    lab.file(".hydra/config.yaml", "max_epochs: 5\n")
    saved(lab, "checkpoints/model.ckpt")
    assert lab.row("60").checkpoint is None


def test_a_hydra_folder_of_two_runs_is_neithers(lab: Lab) -> None:
    for job, run in (("60", "aaaa1111"), ("61", "bbbb2222")):
        lab.job(job, "PREEMPTED")
        lab.file(f"logs/{job}.out", said.init(run, "/x"))
        run_folder(lab, run, "outputs/exp")
    lab.file("outputs/exp/.hydra/config.yaml", "max_epochs: 5\n")
    saved(lab, "outputs/exp/model.ckpt")
    assert [lab.row(job).checkpoint for job in ("60", "61")] == [None, None]


def test_a_folder_without_hydras_config_ties_nothing_though_w_and_b_is_in_it(lab: Lab) -> None:
    lab.job("60", "PREEMPTED")
    lab.file("logs/60.out", said.init("aaaa1111", "/x"))
    run_folder(lab, "aaaa1111", "experiments")
    saved(lab, "experiments/model.ckpt")
    assert lab.row("60").checkpoint is None


def test_the_tool_lists_what_the_status_shows(lab: Lab) -> None:
    plain_torch.build(lab, keyed=True)
    output = LIST_CHECKPOINTS.run(Context(lab.place()), LIST_CHECKPOINTS.parse({"run": plain_torch.NEW}))
    assert json.loads(output.text)["checkpoints"][0]["path"].endswith("models/5002/model.pt")
