"""What a person reads: tables that keep their cells, commands that stay whole, rows in words."""

from __future__ import annotations

import io
import time

import pytest
from lab import NOW, Lab, wandb_lines
from layouts.files import run_folder
from rich.console import Console

from agent.explain import Story
from agent.terminal.explain import print_story
from agent.terminal.report import print_report
from agent.words import flag_words, waiting_words


def _report(lab: Lab, width: int = 80) -> str:
    out = io.StringIO()
    print_report(lab.status(), Console(file=out, width=width, highlight=False, markup=False))
    return out.getvalue()


def _story(lab: Lab, job: str, exit_code: str | None = None, width: int = 80) -> str:
    out = io.StringIO()
    story = Story([lab.row(job)], str(lab.workspace), {job: exit_code})
    print_story(story, Console(file=out, width=width, highlight=False, markup=False))
    return out.getvalue()


class TestReport:
    def test_a_dead_run_says_what_its_error_is_about(self, lab: Lab) -> None:
        lab.job("17", "FAILED", exit="1:0")
        trace = "Traceback (most recent call last):\nRuntimeError: Error(s) in loading state_dict for Net:\n"
        lab.file("logs/17.out", wandb_lines("aaa1", "sw1") + trace + '\tMissing key(s) in state_dict: "fc.bias". \n')
        assert 'state_dict for Net: Missing key(s) in state_dict: "fc.bias"' in " ".join(_report(lab, 120).split())

    def test_who_cancelled_a_job_is_named(self, lab: Lab) -> None:
        lab.job("17", "CANCELLED", by="0")
        lab.file("logs/17.out", wandb_lines("aaa1", "sw1") + "epoch 2/9\n")
        assert "CANCELLED by root (uid 0)" in _report(lab, 120)

    def test_what_lies_on_disk_is_counted(self, lab: Lab) -> None:
        lab.job("17")
        lab.file("logs/17.out", wandb_lines("aaa1", "sw1") + "epoch 2/9\n")
        lab.checkpoint("aaa1", 20)
        run_folder(lab, "aaa1", offline=True)
        told = "On disk: 1 checkpoint, 1 run with one; 1 run folder, 1 offline (1 of them not synced)."
        assert told in " ".join(_report(lab, 120).split())

    def test_a_narrow_screen_loses_no_job(self, lab: Lab) -> None:
        lab.job("48213_1", "RUNNING")
        lab.file("logs/48213_1.out", wandb_lines("aaa1", "sw1") + "epoch 2/9\n")
        assert "48213_1 aaa1   2/9" in _report(lab, 20)

    @pytest.mark.parametrize("width", [60, 80, 100, 120])
    def test_long_ids_and_numbers_lose_no_cell(self, lab: Lab, width: int) -> None:
        lab.job("12345678_123", "RUNNING", start=NOW - 9000)
        epochs = "".join(f"epoch {n}/1200000 step={n * 1000} loss=0.5\n" for n in range(999_000, 999_009))
        lab.file("logs/12345678_123.out", wandb_lines("abcd1234", "sw1") + epochs)
        lines = _report(lab, width).splitlines()
        at = next(number for number, line in enumerate(lines) if "12345678_123 " in line)
        told = " ".join(" ".join(lines[at : at + 3]).split())
        for cell in ("12345678_123", "abcd1234", "999008/1200000", "999,008,000", "83 %", "0.5", "will not finish"):
            assert cell in told
        assert max(map(len, lines[at : at + 3])) <= width

    def test_a_run_that_is_well_has_nothing_behind_its_numbers(self, lab: Lab) -> None:
        lab.job("17", "RUNNING", start=NOW - 60)
        lab.file("logs/17.out", wandb_lines("aaa1", "sw1") + "epoch 2/9\n")
        (line,) = [line for line in _report(lab, 100).splitlines() if line.startswith("  17 ")]
        assert line.endswith("–")

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
        lab.job("17", "RUNNING", start=time.time() - 60)  # the real clock: the demo's squeue counts by it
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
