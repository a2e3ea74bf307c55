"""The question that closes an answer fits what is most pressing."""

from __future__ import annotations

from lab import Lab, wandb_lines

from tools.questions import ALL_RESUMABLE, DEFAULT, follow_up


def _job(lab: Lab, job: str, state: str, log: str, run: str = "aaa1", **own: object) -> None:
    lab.job(job, state, **own)
    lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + log)


def test_nothing_here(lab: Lab) -> None:
    assert "is it the right folder" in follow_up(lab.status())
    lab.program("squeue", "exit 1")
    assert "queue could not be read" in follow_up(lab.status())


def test_a_diverged_job_comes_first(lab: Lab) -> None:
    _job(lab, "1", "RUNNING", "".join(f"epoch {n}/9 loss=nan\n" for n in range(1, 5)))
    _job(lab, "2", "PREEMPTED", "epoch 8/9\n", "bbb2")
    lab.checkpoint("bbb2", 5)
    assert follow_up(lab.status()).startswith("Job 1 has diverged")


def test_a_run_near_its_end_is_resumed_first(lab: Lab) -> None:
    _job(lab, "2", "PREEMPTED", "epoch 80/100\n", "bbb2")
    _job(lab, "3", "PREEMPTED", "epoch 20/100\n", "ccc3")
    lab.checkpoint("bbb2", 5)
    lab.checkpoint("ccc3", 5)
    assert follow_up(lab.status()) == "Run bbb2 was at 80 %: resume it and the 1 other resumable run first?"


def test_preempted_runs_early_on(lab: Lab) -> None:
    _job(lab, "3", "PREEMPTED", "epoch 20/100\n", "ccc3")
    lab.checkpoint("ccc3", 5)
    assert follow_up(lab.status()) == "Should I resume run ccc3?"


def test_a_success_that_trained_nothing(lab: Lab) -> None:
    _job(lab, "4", "COMPLETED", "epoch 0/100\n")
    assert follow_up(lab.status()) == "Job 4 ended far too early: shall I look into its log?"


def test_another_crash(lab: Lab) -> None:
    _job(lab, "5", "FAILED", "ModuleNotFoundError: No module named 'einops'\n", exit="1:0")
    assert "the crash of job 5" in follow_up(lab.status())


def test_all_well(lab: Lab) -> None:
    _job(lab, "6", "RUNNING", "epoch 5/100\n")
    assert follow_up(lab.status()) == "All sweeps look healthy: launch more agents, or wait for completion?"


def test_what_the_person_declined_is_not_asked_again_and_is_not_called_healthy(lab: Lab) -> None:
    _job(lab, "1", "RUNNING", "".join(f"epoch {n}/9 loss=nan\n" for n in range(1, 5)))
    _job(lab, "2", "PREEMPTED", "epoch 80/100\n", "bbb2")
    _job(lab, "3", "PREEMPTED", "epoch 20/100\n", "ccc3")
    lab.checkpoint("bbb2", 5)
    lab.checkpoint("ccc3", 5)
    status = lab.status()
    assert follow_up(status, {"1"}).startswith("Run bbb2 was at 80 %")
    assert follow_up(status, {"1", "bbb2"}) == "Should I resume run ccc3?"
    assert follow_up(status, {"1", ALL_RESUMABLE}) == DEFAULT
