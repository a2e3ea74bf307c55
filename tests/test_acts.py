"""What each act looks at before anybody is asked, in made workspaces over the demo's Slurm program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from lab import HOUR, NOW, Lab, wandb_lines
from stage import PLAN, Stage

from agent.models.playbook import Playbook
from agent.told import Told
from tools.actions.cancel import SCANCEL
from tools.actions.launch import LAUNCH
from tools.actions.resume import RESUME
from tools.base import ActTool

MAKEFILE = "run:\n\tsbatch experiments/run.sbatch $(SWEEP) $(RUN)\n"


@pytest.fixture
def stage(lab: Lab, tmp_path: Path) -> Stage:
    for name in ("scancel", "sbatch", "make"):
        lab.program(name, "exit 0")
    return Stage(tmp_path / "state", Playbook(), lab.place())


def train(lab: Lab, job: str, run: str, state: str = "PREEMPTED", log: str = "epoch 30/100\n", **own: Any) -> None:
    """A job that trained a run which left a loadable checkpoint."""
    for name in ("scancel", "sbatch", "make"):
        lab.program(name, "exit 0")
    lab.job(job, state, **own)
    lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + log)
    lab.checkpoint(run, 300)


def _act(stage: Stage, tool: ActTool, **values: Any) -> Told:
    (told,) = stage.guard.act([(tool, values)])
    return told


def _asked(stage: Stage) -> str:
    """The request, as one line."""
    return " ".join(" ".join(stage.person.asked[0].lines).split())


def _cancel(stage: Stage, job: str) -> Told:
    return _act(stage, SCANCEL, job_id=job, plan=PLAN)


class TestCancel:
    def test_a_job_that_trains_needs_its_id_typed_and_then_says_what_is_lost(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1", "RUNNING")
        denied = _cancel(stage, "7_1")
        assert denied.state == "denied"
        assert "needed that it makes no progress, which is not so" in denied.text
        assert stage.person.asked == []
        stage.ask("hello 7_1", typed=True)
        assert _cancel(stage, "7_1").state == "declined"
        text = _asked(stage)
        assert "it IS making progress: epoch 30 <1 min ago" in text
        assert "since checkpoint-300 (loads)" in text
        assert stage.person.asked[0].confirm == "cancel 7_1"

    def test_the_id_of_its_sweep_is_enough_and_said_to_be_no_more_than_that(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1", "RUNNING")
        stage.ask("hello sw1", typed=True)
        stage.person.says = None
        _cancel(stage, "7_1")
        text = _asked(stage)
        assert "YOU NAMED ONLY the sweep sw1, not 7_1: nothing else allows this" in text
        assert "it IS making progress: epoch 30" in text
        assert "[ok] the id of its sweep sw1 was typed here, not its own" in text and "typed its id" not in text
        (begun,) = [entry for entry in stage.audit.entries() if entry["kind"] == "intended"]
        assert "the id of its sweep sw1 was typed here, not its own" in begun["seen"]
        assert begun["says_shown"] is True

    def test_where_something_else_allows_it_the_sweep_is_no_matter(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1", "RUNNING", "".join(f"epoch {epoch}/100 loss=nan\n" for epoch in range(30, 36)))
        stage.ask("hello sw1", typed=True)
        _cancel(stage, "7_1")
        assert "YOU NAMED ONLY" not in _asked(stage) and "not its own" in _asked(stage)

    def test_what_was_not_typed_at_a_terminal_does_not_count(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1", "RUNNING")
        stage.ask("cancel 7_1")
        assert _cancel(stage, "7_1").state == "denied"

    def test_a_diverged_job_may_be_cancelled_and_its_siblings_are_named(self, lab: Lab, stage: Stage) -> None:
        lines = "".join(f"epoch {epoch}/100 loss=nan\n" for epoch in range(30, 36))
        train(lab, "7_1", "aaa1", "RUNNING", lines)
        train(lab, "7_2", "bbb2", "RUNNING")
        assert _cancel(stage, "7_1").state == "declined"
        text = _asked(stage)
        assert "NOT touched: 1 other task of array 7" in text
        assert "scancel--7_1" in text.replace(" ", "")

    def test_checkpoints_that_could_not_be_read_are_not_said_to_be_lost(
        self, lab: Lab, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        train(lab, "7_1", "aaa1", "RUNNING")
        listing = os.scandir

        def shut(path: str) -> Any:
            if str(path).endswith("/outputs"):
                raise PermissionError(13, "Permission denied", str(path))
            return listing(path)

        monkeypatch.setattr(os, "scandir", shut)
        stage.ask("cancel 7_1", typed=True)
        told = _cancel(stage, "7_1")
        assert told.state == "denied"
        assert "needed that its checkpoints were looked for, which is not known" in told.text
        assert "outputs" in told.text
        assert stage.person.asked == []

    def test_a_job_that_was_requeued_after_the_question_is_another_one(self, lab: Lab, tmp_path: Path) -> None:
        """However fast the person answers: the world is read again."""
        train(lab, "7_1", "aaa1", "RUNNING")
        lab.program("scancel", f"touch {lab.workspace}/started")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(), lambda: NOW)
        stage.ask("hello 7_1", typed=True)
        stage.person.says = None
        stage.person.meanwhile = lambda: lab.change("7_1", restarts=1)
        told = _cancel(stage, "7_1")
        assert told.state == "denied"
        assert "7_1 changed after the approval (restarts: 0 → 1)" in told.text
        assert not (lab.workspace / "started").exists()

    def test_a_hostile_name_of_a_job_is_shown_and_does_nothing(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1", "RUNNING", name="\x1b[2J\u202e--user=x '; rm -rf / #" + "y" * 200)
        stage.ask("cancel 7_1", typed=True)
        assert _cancel(stage, "7_1").state == "declined"
        request = stage.person.asked[0]
        assert request.fits and all(line.isprintable() for line in request.lines)
        assert "x1b[2J" in _asked(stage) and "u202e" in _asked(stage) and "--user=x" in _asked(stage)
        runs = next(line for line in request.lines if line.strip().startswith("runs "))
        assert "user" not in runs, "a name is never an argument"

    @pytest.mark.parametrize(
        ("job", "said"),
        [
            ("7", "names a whole array (2 tasks): only one task is cancelled at a time, and which one is the"),
            ("9", "9 is COMPLETED: it is not in the queue"),
            ("7777", "is no job of yours in the queue now"),
            ("701", "701 is Slurm's own number of 7_1"),
        ],
    )
    def test_what_is_no_one_live_job_is_refused_with_the_reason(
        self, lab: Lab, stage: Stage, job: str, said: str
    ) -> None:
        train(lab, "7_1", "aaa1", "RUNNING")
        train(lab, "7_2", "bbb2", "RUNNING")
        train(lab, "9", "ccc3", "COMPLETED")
        stage.ask(f"cancel {job}", typed=True)
        told = _cancel(stage, job)
        assert told.state == "denied"
        assert said in told.text

    def test_a_queue_that_cannot_be_read_changes_nothing(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1", "RUNNING")
        lab.program("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
        stage.ask("cancel 7_1", typed=True)
        assert "the queue can't be read" in _cancel(stage, "7_1").text


def _resume(stage: Stage, run: str = "aaa1", **more: str) -> Told:
    return _act(stage, RESUME, **{"plan": PLAN, "run": run, **more})


class TestResume:
    @pytest.fixture(autouse=True)
    def _makefile(self, lab: Lab) -> None:
        lab.file("Makefile", MAKEFILE)
        lab.file("experiments/run.sbatch", "#!/bin/sh\n")

    def test_a_preempted_run_with_a_checkpoint_is_put_to_the_person(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        assert _resume(stage).state == "declined"
        text = _asked(stage)
        assert "make run SWEEP=sw1 RUN=aaa1" in text
        assert "aaa1 sw1 from 300 (loads, " in text
        assert "bound to the bytes of Makefile, run.sbatch" in text

    def test_a_slow_cluster_does_not_age_what_was_seen_out_of_an_approval(self, lab: Lab, tmp_path: Path) -> None:
        """Eleven approved together are started over half a minute, by a clock that goes on with every reading."""
        now = [NOW]

        def clock() -> float:
            now[0] += 0.13
            return now[0]

        for number in range(11):
            train(lab, f"7_{number}", f"run{number:02}x")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(), clock)
        stage.person.says = None
        told = stage.guard.act([(RESUME, {"run": f"run{number:02}x", "plan": PLAN}) for number in range(11)])
        assert now[0] - NOW > 20
        assert [one.text for one in told if "needed that" in one.text] == []
        assert len(stage.person.asked) == 1

    def test_a_long_command_is_asked_for_with_every_need_and_what_was_seen(self, lab: Lab, tmp_path: Path) -> None:
        train(lab, "7_1", "aaa1")
        line = (
            "sbatch --partition=gpu-a100 --gres=gpu:4 --time=3-00:00:00 --mem=256G "
            "--export=ALL,WANDB_PROJECT=molprop,NCCL_DEBUG=WARN --output=logs/%x_%j.out experiments/run.sbatch {sweep} "
            "{run} trainer.resume_from_checkpoint=true trainer.devices=4 trainer.max_epochs=100 data.workers=8"
        )
        stage = Stage(tmp_path / "state", Playbook(), lab.place(resume=line))
        assert _resume(stage, plan=dict.fromkeys(PLAN, "word " * 30)).state == "declined"
        assert stage.person.asked[0].fits
        text = _asked(stage)
        assert sum(line.startswith(" [ok] ") for line in stage.person.asked[0].lines) == 10, "each on its line"
        assert "read within 10 s:" in text and "its checkpoint loads: checkpoint-300 loads [ok]" in text

    def _denied(self, stage: Stage, said: str, run: str = "aaa1", **more: str) -> None:
        told = _resume(stage, run, **more)
        assert told.state == "denied", told
        assert said in told.text
        assert stage.person.asked == []

    def test_a_sweeps_id_names_none_of_its_runs(self, lab: Lab, stage: Stage) -> None:
        """ "Resume all of sw1" is no word on the one that ran out of memory; its own id or its job's is."""
        train(lab, "7_1", "aaa1", "FAILED", "epoch 30/100\ntorch.OutOfMemoryError: CUDA out of memory\n", exit="1:0")
        stage.ask("hello sw1", typed=True)
        self._denied(
            stage, "which is not so (only the id of its sweep sw1 was typed here): the person can type its own"
        )
        stage.ask("hello 7_1", typed=True)
        assert _resume(stage).state == "declined"
        assert "[ok] a person typed its id here: 7_1" in _asked(stage)

    def test_the_request_says_what_was_lost_and_which_newer_checkpoint_is_torn(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1", "TIMEOUT")
        lab.checkpoint("aaa1", 310, torn=True)
        _resume(stage)
        text = _asked(stage)
        assert "not from the newer checkpoint-310: model.safetensors is torn" in text
        assert "30 % time limit lost: 9 h" in text or ("time limit" in text and "lost: " in text)

    def test_not_without_a_checkpoint_that_loads(self, lab: Lab, stage: Stage) -> None:
        lab.job("7_1", "PREEMPTED")
        lab.file("logs/7_1.out", wandb_lines("aaa1", "sw1") + "epoch 30/100\n")
        self._denied(stage, "needed that its checkpoint loads, which is not so (it has none)")
        lab.checkpoint("aaa1", 300, torn=True)
        stage.context.forget()
        self._denied(stage, "needed that its checkpoint loads")

    def test_not_while_a_job_trains_it(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1", end=NOW - 5 * HOUR)
        train(lab, "8", "aaa1", "RUNNING", start=NOW - HOUR)
        self._denied(stage, "needed that nothing trains it now, which is not so (job 8 trains it)")

    def test_not_while_a_live_job_may_train_it_that_has_not_said_which_run_it_trains(
        self, lab: Lab, stage: Stage
    ) -> None:
        """Of its own sweep, or of nobody knows which; a job that serves another sweep or run trains this one not."""
        train(lab, "7_1", "aaa1")
        train(lab, "5_1", "ddd4", "COMPLETED", name="other", log=wandb_lines("ddd4", "sw2"))
        words = "experiments/sweep.sbatch experiments/glue.yaml lab/proj/"
        lab.job("20_0", command=f"{words}sw2", submit_args=f"{words}sw2")
        lab.job("21", command="experiments/run.sbatch sw1 ddd4", submit_args="experiments/run.sbatch sw1 ddd4")
        lab.job("22", workdir="/elsewhere", stdout="/elsewhere/%j.out")
        assert _resume(stage).state == "declined"
        stage.person.asked.clear()
        lab.job("30_0", command=f"{words}sw1", submit_args=f"{words}sw1")
        stage.context.forget()
        self._denied(stage, "nothing trains it now, which is not known (job 30_0 runs, and which run it trains is not")
        lab.file("logs/30_0.out", wandb_lines("eee5", "sw1"))
        stage.context.forget()
        assert _resume(stage).state == "declined", "its log names its run by now"

    def test_an_agent_of_some_sweep_may_train_a_run_whose_sweep_nobody_knows(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        lab.job("9", "PREEMPTED", command="run.sbatch zzz9", submit_args="run.sbatch zzz9")
        lab.file("logs/9.out", "epoch 30/100\n")
        lab.checkpoint("zzz9", 300)
        words = "experiments/sweep.sbatch experiments/glue.yaml lab/proj/sw1"
        lab.job("30_0", command=words, submit_args=words)
        told = _resume(stage, "zzz9")
        assert told.state == "denied" and "job 30_0 runs, and which run it trains is not known" in told.text

    def test_a_person_may_say_that_such_a_job_trains_something_else_and_sees_that_nothing_but_their_word_stands_for_it(
        self, lab: Lab, stage: Stage
    ) -> None:
        train(lab, "7_1", "aaa1")
        train(lab, "7_2", "bbb2")
        for job in ("40", "41"):
            lab.job(job, command="notebook.sh", submit_args="notebook.sh", start=NOW - 900)
        lab.job(
            "42", command="notebook.sh", submit_args="notebook.sh", start=NOW - 5 * HOUR
        )  # while both still trained
        stage.ask("40 is my notebook", typed=True)
        self._denied(stage, "(job 40, 41 runs, and which runs they train is not known): wait until")
        stage.ask("and so is 41", typed=True)
        calls = [(RESUME, {"run": run, "plan": PLAN}) for run in ("aaa1", "bbb2")]
        assert {told.state for told in stage.guard.act(calls)} == {"declined"}
        assert "by your word alone: job 40, 41 runs, and which runs they train is not known; you typed" in _asked(stage)

    def test_a_job_that_came_into_the_queue_after_the_look_may_train_it_too(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        stage.context.look()
        lab.job("50", command="opaque.sh", submit_args="opaque.sh")
        self._denied(stage, "job 50 runs, and which run it trains is not known")

    def test_runs_resumed_together_do_not_stand_in_each_others_way(self, lab: Lab, tmp_path: Path) -> None:
        """The job of the first may run before the second is started, by a script whose words name no run."""
        now = [NOW]

        def clock() -> float:
            now[0] += 0.13
            return now[0]

        for number in range(3):
            train(lab, f"7_{number}", f"run{number:02}x")
        lab.queues("make", command="opaque.sh")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(), clock)
        stage.person.says = None
        told = stage.guard.act([(RESUME, {"run": f"run{number:02}x", "plan": PLAN}) for number in range(3)])
        assert [one.state for one in told] == ["done"] * 3, told

    def test_not_while_a_job_waits_that_carries_it_in_its_words(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        lab.job(
            "8", "PENDING", command="experiments/run.sbatch sw1 aaa1", submit_args="experiments/run.sbatch sw1 aaa1"
        )
        self._denied(stage, "nothing waits with it, which is not so (job 8 waits with it)")

    def test_not_while_a_job_waits_that_this_program_submitted_for_it(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        lab.job("8", "PENDING", command="opaque.sbatch", submit_args="opaque.sbatch")
        stage.audit.append("verified", NOW, {"act": "0", "state": "done", "text": "", "submitted": [["aaa1", "8"]]})
        self._denied(stage, "job 8 waits with it")

    def test_a_config_error_must_be_mended_first(self, lab: Lab, stage: Stage) -> None:
        error = "omegaconf.errors.ConfigAttributeError: Key 'lr_decay' is not in struct\n"
        train(lab, "7_1", "aaa1", "FAILED", "epoch 30/100\n" + error, exit="1:0", end=NOW - HOUR)
        config = lab.file("outputs/aaa1/hydra_config.yaml", "lr: 1\n")
        os.utime(config, (NOW - 9 * HOUR, NOW - 9 * HOUR))
        stage.ask("resume aaa1", typed=True)
        stage.person.asked.clear()
        self._denied(stage, "needed that no config error stands, which is not so")
        os.utime(config, (NOW, NOW))
        stage.context.forget()
        assert _resume(stage).state == "declined"

    def test_out_of_memory_needs_a_command_that_carries_a_smaller_batch(self, lab: Lab, stage: Stage) -> None:
        oom = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB.\n"
        train(lab, "7_1", "aaa1", "FAILED", "epoch 30/100\n" + oom, exit="1:0")
        config = lab.file("outputs/aaa1/hydra_config.yaml", "per_device_train_batch_size: 8\n")
        os.utime(config, (NOW - 9 * HOUR,) * 2)
        self._denied(stage, "put {overrides} into resume: of sweep-agent.yaml")
        config.write_text("per_device_train_batch_size: 4\n")  # as the advice says, by hand
        os.utime(config, (NOW, NOW))
        stage.context.forget()
        row, now = lab.row("7_1"), "batch 4 × accumulation 1, effective 16 (hydra_config.yaml was changed since)"
        assert row.action and row.action.startswith(f"{now}, then resume: "), row.action
        assert _resume(stage).state == "declined", "a person is asked"
        assert f"it ran out of GPU memory; now {now}" in _asked(stage)
        assert f"with {now}" in _asked(stage) and "no smaller batch" not in _asked(stage)

    def test_its_config_must_be_there_where_others_have_one(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        train(lab, "7_2", "bbb2")
        lab.file("outputs/bbb2/hydra_config.yaml", "lr: 1\n")
        self._denied(stage, "other runs here have one, this one has none")

    def _makes_configs(self, lab: Lab, make: str) -> dict[str, str]:
        """Other runs have a config; the project file names what writes one, and how a run is resumed."""
        lab.file("outputs/zzz9/hydra_config.yaml", "lr: 1\n")
        lab.program("make", make)
        lab.queues("sbatch", command="opaque.sh")
        return {"run_config": "make config RUN={run}", "resume": "sbatch experiments/run.sbatch {sweep} {run}"}

    def test_a_run_that_a_job_takes_up_while_its_config_is_made_is_not_resumed(self, lab: Lab, tmp_path: Path) -> None:
        train(lab, "7_1", "aaa1")
        layout = self._makes_configs(lab, "")
        lab.queues("other", command="experiments/run.sbatch sw1 aaa1")
        made = 'mkdir -p outputs/aaa1; echo "lr: 1" >outputs/aaa1/hydra_config.yaml'
        lab.program("make", f"{made}\n{lab.bin / 'other'}")
        lab.program("sbatch", f"touch {lab.workspace / 'submitted'}")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(**layout))
        stage.person.says = None
        told = _resume(stage)
        assert told.state != "done" and "has taken it up meanwhile" in told.text, told
        assert not (lab.workspace / "submitted").exists()

    def test_a_missing_config_is_made_first_by_the_labs_own_command_and_looked_for(
        self, lab: Lab, tmp_path: Path
    ) -> None:
        for number, run in enumerate(("aaa1", "bbb2")):
            train(lab, f"7_{number}", run)
        make = 'mkdir -p "outputs/${2#RUN=}"; echo "lr: 1" >"outputs/${2#RUN=}/hydra_config.yaml"; echo $* >>made'
        stage = Stage(tmp_path / "state", Playbook(), lab.place(**self._makes_configs(lab, make)))
        assert _resume(stage).state == "declined"
        text = _asked(stage)
        assert "/make config RUN=aaa1" in text and text.index(" first ") < text.index(" runs ")
        assert "bound to the bytes of Makefile, run.sbatch" in text
        assert "its config is there, or made first: not yet: it is made first" in text
        assert not (lab.workspace / "made").exists(), "nothing is made before somebody said yes"
        stage.person.says = None
        told = stage.guard.act([(RESUME, {"run": run, "plan": PLAN}) for run in ("aaa1", "bbb2")])
        assert [one.state for one in told] == ["done"] * 2, told
        text = " ".join(" ".join(stage.person.asked[-1].lines).split())
        assert " 1 first " in text and "make config RUN=aaa1" in text and "experiments/run.sbatch sw1 aaa1" in text
        assert "each other runs the same, with its own run for aaa1" in text
        assert (lab.workspace / "made").read_text().split() == ["config", "RUN=aaa1", "config", "RUN=bbb2"]
        train(lab, "7_1", "ccc3")
        lab.file("outputs/ccc3/hydra_config.yaml", "lr: 1\n")
        lab.program("make", "exit 9")
        stage.context.forget()
        stage.person.says = "no"
        assert _resume(stage, "ccc3").state == "declined"
        assert " first " not in " ".join(stage.person.asked[-1].lines), "it has one already"

    @pytest.mark.parametrize(("make", "how"), [("exit 0", "exit code 0"), ("echo no such rule >&2; exit 2", "code 2")])
    def test_a_run_whose_config_was_not_made_is_not_resumed(
        self, lab: Lab, tmp_path: Path, make: str, how: str
    ) -> None:
        train(lab, "7_1", "aaa1")
        layout = self._makes_configs(lab, make)
        lab.program("sbatch", f"touch {lab.workspace}/started")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(**layout))
        stage.person.says = None
        told = _resume(stage)
        assert told.state == "failed" and "its config is not there after that" in told.text and how in told.text
        assert not (lab.workspace / "started").exists()

    def test_what_makes_the_config_may_not_change_what_resumes(self, lab: Lab, tmp_path: Path) -> None:
        train(lab, "7_1", "aaa1")
        make = "echo 'rm -rf /' >>experiments/run.sbatch; echo lr: 1 >outputs/aaa1/hydra_config.yaml"
        layout = self._makes_configs(lab, make)
        lab.program("sbatch", f"touch {lab.workspace}/started")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(**layout))
        stage.person.says = None
        told = _resume(stage)
        assert told.state == "failed" and "run.sbatch is not what was approved any more" in told.text
        assert not (lab.workspace / "started").exists()

    def test_what_makes_the_config_is_bound_too(self, lab: Lab, tmp_path: Path) -> None:
        train(lab, "7_1", "aaa1")
        layout = {**self._makes_configs(lab, "exit 0"), "run_config": "env LAB=1 ./write_config {run}"}
        script = lab.file("write_config", "#!/bin/sh\n")
        script.chmod(0o755)
        lab.program("sbatch", f"touch {lab.workspace}/started")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(**layout))
        stage.person.says = None
        stage.person.meanwhile = lambda: script.write_text(f"#!/bin/sh\ntouch {lab.workspace}/started\n")
        told = _resume(stage)
        assert told.state == "denied" and "write_config has other content" in told.text
        assert not (lab.workspace / "started").exists()

    def test_no_command_is_made_up(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        (lab.workspace / "Makefile").unlink()
        (lab.workspace / "experiments" / "run.sbatch").unlink()
        self._denied(stage, "nothing here shows how a run is resumed")

    def test_another_sweep_than_the_runs_own_is_refused(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        self._denied(stage, "run aaa1 is of sweep sw1, not of other", sweep="other")

    def test_an_unknown_run_is_refused(self, lab: Lab, stage: Stage) -> None:
        self._denied(stage, "no run nosuch was seen", "nosuch")

    def test_a_script_that_changes_after_the_approval_is_not_started(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_1", "aaa1")
        lab.program("make", f"touch {lab.workspace}/started")
        script = lab.workspace / "experiments" / "run.sbatch"
        stage.person.says = None
        stage.person.meanwhile = lambda: script.write_text("#!/bin/sh\nrm -rf /\n")
        told = _resume(stage)
        assert told.state == "denied"
        assert "run.sbatch has other content" in told.text
        assert not (lab.workspace / "started").exists()

    def test_another_command_after_the_approval_is_not_started(self, lab: Lab, stage: Stage) -> None:
        """The Makefile goes, and with it `make run`: what was shown is no longer what this workspace would run."""
        train(lab, "7_1", "aaa1")
        for name in ("make", "sbatch"):
            lab.program(name, f"touch {lab.workspace}/started")
        stage.person.says = None
        stage.person.meanwhile = (lab.workspace / "Makefile").unlink
        told = _resume(stage)
        assert told.state == "denied"
        assert "changed after the approval (another command)" in told.text
        assert not (lab.workspace / "started").exists()

    @pytest.mark.parametrize(
        ("template", "said"),
        [
            ("make run RUN={run}; rm -rf /", "needs a shell"),
            ("make run RUN=$(whoami) {run}", "needs a shell"),
            ("FOO=1 make {run}", "must begin with a program"),
            ("nosuchprogram {run}", "nosuchprogram"),
        ],
    )
    def test_a_template_that_needs_a_shell_is_refused(self, lab: Lab, tmp_path: Path, template: str, said: str) -> None:
        train(lab, "7_1", "aaa1")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(resume=template))
        told = _resume(stage)
        assert told.state == "denied"
        assert said in told.text


def sweep(lab: Lab, method: str = "grid", script: str = "wandb agent $1\n", state: str = "RUNNING") -> None:
    """A sweep sw1 with one agent, by a script that names it."""
    lab.program("sbatch", "exit 0")
    lab.file("experiments/sweep.sbatch", f"#!/bin/sh\n{script}")
    config = f"program: train.py\nmethod: {method}\nparameters:\n  lr: {{values: [1, 2]}}\n"
    lab.file("experiments/small_sweep.yaml", config)
    words = "experiments/sweep.sbatch experiments/small_sweep.yaml lab/proj/sw1"
    lab.job("7_1", state, command=words, submit_args=f"--array=0-3 {words}")
    lab.file("logs/7_1.out", wandb_lines("aaa1", "sw1") + "epoch 3/9\n")


class TestLaunch:
    def test_a_newer_job_that_resumes_one_run_shows_no_way_to_start_agents(self, lab: Lab, stage: Stage) -> None:
        """Its line would start that run a second time, as often as agents are asked for."""
        sweep(lab)
        lab.file("experiments/run.sbatch", "#!/bin/sh\n")
        words = "experiments/run.sbatch sw1 bbb2"
        lab.job("9", command=words, submit_args=words, submit=NOW - HOUR, start=NOW - HOUR)
        lab.file("logs/9.out", wandb_lines("bbb2", "sw1") + "epoch 3/9\n")
        assert _act(stage, LAUNCH, plan=PLAN, sweep="sw1", count=2).state == "declined"
        assert "experiments/sweep.sbatch" in _asked(stage) and "bbb2" not in _asked(stage)

    def test_agents_are_started_as_an_array_with_the_name_by_the_rule(self, lab: Lab, stage: Stage) -> None:
        sweep(lab)
        assert _act(stage, LAUNCH, plan=PLAN, sweep="sw1", count=3).state == "declined"
        text = _asked(stage)
        assert "--array=0-2 --job-name=small experiments/sweep.sbatch" in text
        assert "now 1 of" in text

    def test_what_waits_counts_and_too_many_are_told(self, lab: Lab, stage: Stage) -> None:
        sweep(lab)
        lab.job("7_[2-3]", "PENDING", command="experiments/sweep.sbatch s.yaml lab/proj/sw1")
        assert _act(stage, LAUNCH, plan=PLAN, sweep="sw1", count=3).state == "declined"
        assert "now 1 of 3 run, and 2 wait: with these 6, more than expected" in _asked(stage)

    def test_bayes_is_never_started_offline(self, lab: Lab, stage: Stage) -> None:
        sweep(lab, "bayes", "export WANDB_MODE=offline\nwandb agent $1\n")
        told = _act(stage, LAUNCH, plan=PLAN, sweep="sw1")
        assert told.state == "denied"
        assert "its method may run as it would be started" in told.text

    def test_an_unknown_sweep_is_refused_with_those_that_are_known(self, lab: Lab, stage: Stage) -> None:
        sweep(lab)
        assert "no sweep zzz was seen in this workspace; seen: sw1" in _act(stage, LAUNCH, plan=PLAN, sweep="zzz").text


def test_a_status_where_no_sweep_is_known_is_the_status_alone(lab: Lab, stage: Stage) -> None:
    lab.job("7_1")
    lab.file("logs/7_1.out", "epoch 3/9\n")
    answer = stage.ask("check on sweeps")
    assert "sweep_context" not in answer.tools
    assert "no sweep or sweep config" not in answer.text
