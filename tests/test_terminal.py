"""What a person reads: tables that keep their cells, commands that stay whole, rows in words."""

from __future__ import annotations

import io

import pytest
from lab import NOW, Lab, wandb_lines
from rich.console import Console

from agent.explain import Story
from agent.terminal.explain import print_story
from agent.terminal.report import print_report
from agent.terminal.screen import Screen
from agent.words import flag_words, waiting_words
from tools.text import Redactor


def _report(lab: Lab, width: int = 80) -> str:
    out = io.StringIO()
    print_report(lab.status(), Console(file=out, width=width, highlight=False, markup=False))
    return out.getvalue()


def _story(lab: Lab, job: str, exit_code: str | None = None, width: int = 80) -> str:
    out = io.StringIO()
    story = Story([lab.row(job)], str(lab.workspace), {job: exit_code})
    print_story(story, Console(file=out, width=width, highlight=False, markup=False))
    return out.getvalue()


def _said(text: str, width: int = 60) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, markup=False, force_terminal=True, no_color=True)
    screen = Screen(console, console, Redactor())
    screen.text(text)
    screen.flush()
    return out.getvalue()


class TestFolding:
    @pytest.mark.parametrize(
        "line",
        [
            "    sbatch --array=0 experiments/sweep.sbatch experiments/llm_glue_sweep.yaml lab/proj/q7m2vd",
            "make run SWEEP=xk31p7 RUN=e5f6a7b8 EXTRA=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "It cancels nothing by itself, and nothing was changed. A person can run: scancel -- 48213_4",
            "Then run `sbatch experiments/sweep.sbatch experiments/llm_glue_sweep.yaml` on the login node",
            "The sweep is at https://wandb.ai/acme-laboratory/molecular-properties/sweeps/xk31p7 and runs",
        ],
    )
    def test_a_command_or_link_is_one_line_in_a_terminal(self, line: str) -> None:
        assert f"\n{line}\n" in _said(line)

    def test_what_is_fenced_off_is_not_folded(self) -> None:
        line = "PYTHONPATH=src ./start.sh --config experiments/llm_glue_sweep.yaml --resume outputs/aaa1"
        assert f"\n{line}\n" in _said(f"Run:\n```\n{line}\n```\nShall I?")

    def test_prose_is_folded_and_indented_like_its_beginning(self) -> None:
        said = _said("  stderr logs/1.err:5  RuntimeError: the size of tensor a must match the size of tensor b")
        first, second = said.strip("\n").splitlines()
        assert len(first) <= 60
        assert second.startswith("  ") and not second.startswith("   ")
        assert not first.endswith(" ")


class TestReport:
    def test_a_narrow_screen_loses_no_job(self, lab: Lab) -> None:
        lab.job("48213_1", "RUNNING")
        lab.file("logs/48213_1.out", wandb_lines("aaa1", "sw1") + "epoch 2/9\n")
        assert "48213_1  aaa1" in _report(lab, 20)

    def test_jobs_of_several_names_are_told_apart(self, lab: Lab) -> None:
        lab.job("17", "RUNNING", name="preprocess")
        lab.job("18", "PENDING", name="evaluate", reason="Priority")
        shown = _report(lab)
        assert "preprocess" in shown
        assert "waiting: 18 evaluate (Priority)" in shown

    def test_jobs_elsewhere_can_be_found(self, lab: Lab) -> None:
        lab.job("17", "RUNNING", workdir="/elsewhere", stdout="/elsewhere/17.out")
        assert "1 other job of yours in other folders (squeue --me lists all)" in " ".join(_report(lab).split())

    def test_an_unknown_time_left_is_explained(self, lab: Lab) -> None:
        lab.job("17", "RUNNING", start=NOW - 60)
        lab.file("logs/17.out", wandb_lines("aaa1", "sw1") + "epoch 2/9\n")
        assert "(? until a job has run for 10 min)" in _report(lab, 100)

    def test_no_slurm_is_the_first_thing_said(self, lab: Lab) -> None:
        lab.program("squeue", "exit 1")
        assert "Slurm was not seen" not in _report(lab)
        lab.program("sacct", "exit 1")
        assert _report(lab, 120).splitlines()[2].startswith("Slurm was not seen: neither squeue nor sacct")


class TestStory:
    def test_a_dead_job(self, lab: Lab) -> None:
        lab.job("17", "FAILED", exit="1:0")
        trace = "Traceback (most recent call last):\n" + "RuntimeError: " + "size of tensor a must match " * 5
        lab.file("logs/17.out", wandb_lines("aaa1", "sw1", str(lab.workspace)) + f"epoch 2/9\n{trace}\n")
        lab.checkpoint("aaa1", 20)
        shown = _story(lab, "17", "1:0")
        assert "FAILED, exit code 1:0, ran 9:00:00" in shown
        assert str(lab.workspace) not in shown
        assert "  log  logs/17.out:10\n" in shown
        assert shown.count("outputs/aaa1/checkpoint-20") == 1
        assert "Run data is saved locally" not in shown
        assert not [line for line in shown.splitlines() if line != line.rstrip()]
        folded = [line for line in shown.splitlines() if "must match" in line or "size of tensor" in line]
        assert len(folded) > 1 and all(line.startswith("      ") for line in folded)
        assert "W&B state unknown: " in shown and "wandb_state" not in shown

    def test_a_waiting_job_says_why_and_what_to_do(self, lab: Lab) -> None:
        lab.job("17", "PENDING", reason="JobHeldUser")
        shown = _story(lab, "17")
        assert shown.startswith("17: waiting: JobHeldUser\n  you hold it: scontrol release 17 lets it go on\n")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("DependencyNeverSatisfied", "it will never start"),
        ("PartitionTimeLimit", "scontrol update JobId=7_3 TimeLimit=…"),
        ("JobArrayTaskLimit", "scontrol update JobId=7 ArrayTaskThrottle=N"),
        ("QOSMaxJobsPerUserLimit", "a limit of your account"),
        ("AssocGrpGRES", "a limit of your account"),
        ("ReqNodeNotAvail, UnavailableNodes:gpu1", "down, drained or reserved"),
    ],
)
def test_reasons_in_words(reason: str, words: str) -> None:
    assert words in waiting_words(reason, "7_3")


def test_a_reason_nobody_knows_is_left_as_it_is() -> None:
    assert waiting_words("{job}Quux", "7") == ""


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("log_silent: 90 min", "log silent for 90 min"),
        ("will_not_finish: at this pace", "will not finish: at this pace"),
        ("continued_by: 7_2", "job 7_2 went on with this run"),
        ("superseded", ""),
        ("requeued: 1", "requeued once"),
        ("epoch: no line of the log names {one}", "epoch unknown: no line of the log names {one}"),
    ],
)
def test_flags_in_words(flag: str, words: str) -> None:
    assert flag_words(flag) == words
