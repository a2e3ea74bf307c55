"""What tools return to a model: bounded, whole, and honest about what they left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab import HOUR, NOW, Lab, wandb_lines

from tools.base import MAX_RESULT_CHARS, Context, Tool, ToolError
from tools.check_sweeps import CHECK_SWEEPS
from tools.explain_job import EXPLAIN_JOB
from tools.registry import BY_NAME, TOOLS
from tools.run_tools import LIST_CHECKPOINTS, TAIL_LOG, WANDB_GET
from tools.slurm_tools import SACCT, SQUEUE


def _run(tool: Tool, lab: Lab, **values: Any) -> Any:
    output = tool.run(Context(lab.place()), tool.parse(values))
    assert len(output.text) <= MAX_RESULT_CHARS + 80
    return json.loads(output.text)


def _many(lab: Lab, count: int) -> None:
    for task in range(count):
        state = "PREEMPTED" if task % 3 == 0 else "RUNNING"
        lab.job(f"70_{task}", state)
        lab.file(f"logs/70_{task}.err", wandb_lines(f"run{task:04d}", "sw1"))
        lab.file(f"logs/70_{task}.out", f"epoch {task % 90}/100 step={task}\n" + "x" * 200 + "\n")


def test_the_names_are_the_fixed_ones() -> None:
    assert list(BY_NAME) == [
        "check_sweeps", "explain_job", "training_health", "batch_sizes", "sweep_context", "squeue", "sacct",
        "find_logs", "tail_log", "list_checkpoints", "disk_usage", "sync_status", "wandb_get", "scancel_with_approval",
        "resume_run", "launch_agents", "set_sweep_state", "cancel_sweep", "restart_sweep", "create_sweep", "stop_run",
        "close_zombie_run", "edit_notes", "sync_offline", "update_active_sweeps", "update_claude_md", "archive_logs",
        "remove_checkpoints", "empty_trash",
    ]  # fmt: skip


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_explains_itself_and_its_arguments(tool: Tool) -> None:
    schema = tool.schema()
    assert len(schema["description"]) > 40
    for name, field in schema["input_schema"]["properties"].items():
        assert field.get("description"), name
    assert schema["input_schema"]["additionalProperties"] is False


def test_durations_are_told_as_a_person_says_them_and_what_waits_has_not_run(lab: Lab) -> None:
    lab.job("70_1", "RUNNING")
    lab.job("70_2", "PENDING")
    told = {row["job"]: row.get("times") or "" for row in _run(CHECK_SWEEPS, lab)["runs"]}
    assert "ran 10 h" in told["70_1"] and "ran" not in told["70_2"]


def test_with_many_runs_the_result_stays_small_and_says_what_it_left_out(lab: Lab) -> None:
    _many(lab, 120)
    found = _run(CHECK_SWEEPS, lab, limit=60)
    assert found["counts"]["live"] == 80
    assert found["counts"]["dead"] == 40
    assert 10 <= len(found["runs"]) <= 60
    assert found["left_out"]["runs"] == 120 - len(found["runs"])
    assert sum(found["left_out"]["are"].values()) == 120 - len(found["runs"])
    assert found["runs"][0]["kind"] == "dead", "what needs attention comes first"


def test_only_the_dead_or_one_sweep(lab: Lab) -> None:
    _many(lab, 6)
    assert {row["kind"] for row in _run(CHECK_SWEEPS, lab, show="dead")["runs"]} == {"dead"}
    assert _run(CHECK_SWEEPS, lab, sweep="other").get("runs") is None


def test_sources_that_failed_are_named(lab: Lab) -> None:
    lab.program("squeue", "echo 'squeue: error: down' >&2; exit 1")
    assert _run(CHECK_SWEEPS, lab)["sources"]["squeue"] == "NOT READ: squeue: down"
    with pytest.raises(ToolError, match="squeue: down"):
        _run(SQUEUE, lab)


def test_squeue_and_sacct_list_jobs_of_every_folder(lab: Lab) -> None:
    lab.job("10", workdir="/home/me/else")
    lab.job("11", "FAILED", exit="1:0")
    assert [job["id"] for job in _run(SQUEUE, lab)["jobs"]] == ["10"]
    assert _run(SACCT, lab, job_id="11")["jobs"][0]["exit_code"] == "1:0"
    assert _run(SACCT, lab, state="NOSUCH")["total"] == 0


def test_an_answer_may_cite_every_epoch_that_the_tail_shows(lab: Lab) -> None:
    lab.job("70")
    lab.file("logs/70.out", "loading data\nepoch 3/9\nsaved\nepoch 4/9 step=40\n")
    facts = TAIL_LOG.run(Context(lab.place()), TAIL_LOG.parse({"job_id": "70"})).facts
    assert {("epoch", "70", "3"), ("epoch", "70", "4"), ("step", "70", "40")} <= set(facts)


def test_the_tail_of_a_log_is_the_jobs_own_with_line_numbers(lab: Lab) -> None:
    _many(lab, 2)
    files = _run(TAIL_LOG, lab, job_id="70_1", lines=2)["files"]
    assert [file["path"].rpartition("/")[2] for file in files] == ["70_1.out", "70_1.err"]
    assert files[0]["lines"][0].startswith("1: epoch 1/100")
    facts = TAIL_LOG.run(Context(lab.place()), TAIL_LOG.parse({"job_id": "70_1"})).facts
    assert ("epoch", "70_1", "1") in facts, "an answer may cite a line that was shown"
    only = _run(TAIL_LOG, lab, job_id="70_1", contains="View run")["files"]
    assert len(only[1]["lines"]) == 1
    with pytest.raises(ToolError, match="no log file was found for job 999"):
        _run(TAIL_LOG, lab, job_id="999")


def test_checkpoints_newest_first_with_what_is_wrong(lab: Lab) -> None:
    lab.checkpoint("aaa1", 90)
    lab.checkpoint("aaa1", 100, torn=True)
    rows = _run(LIST_CHECKPOINTS, lab, run="aaa1")["checkpoints"]
    assert [(row["step"], row["loadable"]) for row in rows] == [(100, False), (90, True)]
    assert "torn" in rows[0]["problem"]
    with pytest.raises(ToolError, match="no checkpoint of run zzz"):
        _run(LIST_CHECKPOINTS, lab, run="zzz")


def test_wandb_get_tells_what_is_on_disk_and_that_the_service_is_not_asked(lab: Lab) -> None:
    lab.file("wandb/run-20261120_100002-aaa1/files/config.yaml", "lr:\n  value: 0.1\n")
    assert _run(WANDB_GET, lab, run="aaa1")["folders"][0]["config"] == {"lr": 0.1}
    with pytest.raises(ToolError, match="the W&B service was not read"):
        _run(WANDB_GET, lab, run="zzz")


def test_what_a_model_gets_stays_below_3000_tokens_however_many_runs_there_are(lab: Lab) -> None:
    _many(lab, 300)
    output = CHECK_SWEEPS.run(Context(lab.place()), CHECK_SWEEPS.parse({"limit": 60}))
    assert len(output.text) <= 12_000


class TestExplainJob:
    def test_one_job_with_all_its_evidence(self, lab: Lab) -> None:
        _many(lab, 4)
        lab.file("logs/70_0.err", wandb_lines("run0000", "sw1") + "RuntimeError: CUDA error: device-side assert\n")
        (row,) = _run(EXPLAIN_JOB, lab, job_id="70_0")["rows"]
        assert (row["job"], row["run"], row["cause"], row["kind"]) == ("70_0", "run0000", "preempted", "dead")
        assert all(not item["where"].startswith("/") for item in row["evidence"] if item["source"] == "stderr")

    def test_an_array_a_run_or_slurms_own_number_of_a_task(self, lab: Lab) -> None:
        _many(lab, 4)
        assert len(_run(EXPLAIN_JOB, lab, job_id="70")["rows"]) == 4
        assert _run(EXPLAIN_JOB, lab, run="run0002")["rows"][0]["job"] == "70_2"
        assert _run(EXPLAIN_JOB, lab, job_id="7003")["rows"][0]["job"] == "70_3"

    def test_an_unknown_one(self, lab: Lab) -> None:
        with pytest.raises(ToolError, match="nothing is known of 999"):
            _run(EXPLAIN_JOB, lab, job_id="999")


def test_what_changes_what_is_to_be_done_is_told_of_every_row_and_counts_are_of_what_was_asked(lab: Lab) -> None:
    _many(lab, 40)
    lab.job("900", "PREEMPTED")
    lab.file("logs/900.out", wandb_lines("zzz9", "other") + "epoch 2/9\n")
    lab.job("901", "PENDING", command="run.sbatch other zzz9", submit_args="run.sbatch other zzz9")
    found = _run(CHECK_SWEEPS, lab)
    (row,) = [row for row in found["runs"] if row.get("run") == "zzz9"]
    assert "queued_as: 901" in row["flags"], "else a model would resume it a second time"
    other = _run(CHECK_SWEEPS, lab, sweep="other")
    assert (other["counts"]["dead"], other["counts"]["live"]) == (1, 0)


def test_one_thing_has_one_name_in_every_tool() -> None:
    names = {name for tool in TOOLS for name in tool.args.model_fields}
    assert names == {
        "job_id", "run", "runs", "sweep", "config", "paths",  # what it is about
        "state", "show", "contains", "days", "older_than_days", "lines", "limit", "count",  # which, and how much
        "change", "reason", "text", "again", "plan",  # what is to be done
    }  # fmt: skip


def test_where_a_job_or_a_run_is_meant_one_of_them_is_asked_for(lab: Lab) -> None:
    _many(lab, 4)
    with pytest.raises(ToolError, match="give job_id or run"):
        EXPLAIN_JOB.parse({})
    assert [row["run"] for row in _run(EXPLAIN_JOB, lab, job_id="70_1", run="run0001")["rows"]] == ["run0001"]


def test_numbers_are_named_for_what_they_are_and_moments_have_their_age(lab: Lab) -> None:
    lab.job("70", start=NOW - 5 * HOUR)
    lab.file("logs/70.out", wandb_lines("aaa1", "sw1") + "".join(f"epoch {n}/20\n" for n in range(1, 11)))
    lab.job("71", "FAILED", start=NOW - 9 * HOUR, end=NOW - 3 * HOUR)
    (live, dead) = (_run(EXPLAIN_JOB, lab, job_id=job)["rows"][0] for job in ("70", "71"))
    assert "left_s" not in live and live["to_time_limit_s"] == live["limit_s"] - live["elapsed_s"]
    assert "h until that limit" in live["times"]
    assert "to_time_limit_s" not in dead, "a dead job has no limit to come"
    assert dead["ended"].endswith("+00:00, 3 h ago") and "ended_at" not in dead
    assert _run(SQUEUE, lab)["jobs"][0]["start"].endswith(", 5 h ago")


def test_what_is_cut_says_so_and_how_to_see_the_rest(lab: Lab) -> None:
    for number in range(3):
        lab.job(f"{number + 70}", workdir="/home/me/else")
    assert _run(SQUEUE, lab, limit=1)["left_out"] == "2 more; ask with state=… or a limit of up to 80"
    lab.job("80")
    lab.file("logs/80.out", "one\ntwo\n" + "x" * 500 + "\n")
    (file,) = _run(TAIL_LOG, lab, job_id="80", lines=1)["files"]
    assert file["lines"][0].endswith("x…") and file["earlier_lines"].startswith("2 more; ask with lines=")
    for step in range(40):
        lab.checkpoint("aaa1", step)
    found = _run(LIST_CHECKPOINTS, lab, run="aaa1")
    assert (found["total"], len(found["checkpoints"])) == (40, 30) and found["left_out"].startswith("10 older ones")


def test_a_run_whose_agent_ended_it_says_why_what_it_lost_is_not_known(lab: Lab) -> None:
    lab.job("70", "FAILED", start=NOW - 5 * HOUR, end=NOW - HOUR)
    ended = "wandb.wandb_agent - INFO - Cleaning up finished run: aaa1\n"
    lab.file("logs/70.out", wandb_lines("aaa1", "sw1") + "epoch 1/9\n" + ended)
    (row,) = _run(EXPLAIN_JOB, lab, job_id="70")["rows"]
    assert "training_not_saved_s" not in row
    assert "unsaved: its agent ended it before the job ended, and when is not known" in row["flags"]
