"""What a run survived, who spoke last, and what only looks like an end: whole little logs, judged as files are."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from tools.data_log import LogText
from tools.layout import Thresholds
from tools.log_rows import from_logs
from tools.status import RunRow

TRACEBACK = 'Traceback (most recent call last):\n  File "/home/user/exp/train.py", line 3, in <module>\n    main()\n'
OOM = f"{TRACEBACK}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
STALE = f"{TRACEBACK}OSError: [Errno 116] Stale file handle"
ALL = "\n".join(f"Epoch {i}/50 loss {2 / i:.3f}" for i in range(1, 51))


def log(text: str, stream: Literal["out", "err", "both"]) -> LogText:
    lines = tuple(line for line in text.split("\n") if line)
    return LogText(f"job.{stream}", stream, lines, tuple(range(1, len(lines) + 1)), len(text), 0.0)


def judge(
    err: str, out: str = "", *, state: str | None = "FAILED", exit_code: str | None = "1:0", **more: Any
) -> RunRow:
    given = {"elapsed_s": 9000, "target_epochs": 50, **more}
    logs = [log(out, "out"), log(err, "err")] if out else [log(err, "both")]
    return from_logs(logs, state=state, exit_code=exit_code, thresholds=Thresholds(), **given)


def done(err: str, out: str = "") -> str:
    return judge(err, out, state="COMPLETED", exit_code="0:0").cause


def shown(row: RunRow) -> list[str]:
    return [one.text for one in row.evidence]


NO_END = [
    "Config: stop_training_on_nan: true, early_termination: null",
    "[ERROR] tensorboard not installed, logging disabled",
    "xFormers not available: pip install xformers",
    "ModuleNotFoundError: No module named 'flash_attn' -- continuing without",
    "Could not load 'libcudnn' dynamic library",
    "Skipping batch 33: CUDA out of memory",
    "val loss nan at epoch 3 (skipped)",
    "slurm_script: line 3: nvidia-smi: command not found",
    "cp: cannot stat '/data/optional.txt': No such file or directory",
    f"Error in atexit._run_exitfuncs:\n{TRACEBACK}ValueError: I/O operation on closed file.",
    f"--- Logging error ---\n{STALE}\nCall stack:\n  File \"x.py\", line 3\nMessage: 'hello'",
    f"Exception in thread Thread-3 (_pin_memory_loop):\n{TRACEBACK}ConnectionResetError: [Errno 104] Connection reset",
    "free(): invalid pointer",
    "max epochs reached, stopping training",
    "Segmentation mIoU: 0.81 class killed: 0.2",
]


@pytest.mark.parametrize("words", NO_END, ids=[words[:40] for words in NO_END])
def test_words_beside_a_training_that_reached_its_target_are_no_end(words: str) -> None:
    assert done(f"{words}\n{ALL}") == "none"
    assert done(f"{ALL}\n{words}") == "none"
    assert done(words, ALL) == "none"


def test_an_error_that_is_said_to_be_survived_is_not_the_one_that_ended_it() -> None:
    """A logger prints the traceback of what it caught; where its stream holds no progress only words tell."""
    for told in (f"ERROR:root:OOM in batch 3, skipping\n{OOM}", f"{OOM}\nINFO:root:retrying with batch size 16"):
        assert (
            judge(f"{told}\n{TRACEBACK}FileNotFoundError: [Errno 2] No such file: 'x.npy'", ALL).cause == "data_error"
        )
    assert judge(f"--- Logging error ---\n{STALE}\n{TRACEBACK}IndexError: list index out of range").cause == (
        "python_exception"
    )


def test_an_error_early_in_a_long_healthy_training_was_survived_whatever_the_shape_of_its_lines() -> None:
    caught = "[tuner] batch_size=256 failed: CUDA out of memory. Tried to allocate 3.12 GiB."
    steps = "\n".join(f"  [ {epoch}][ {i}/1000] loss 0.8 (0.9)" for epoch in range(1, 61) for i in (0, 500))
    log = f"{caught}\n{steps}\nDone. Best top1 74.10 at epoch 58"
    assert done(log) == "none"
    assert judge(f"{log}\n{TRACEBACK}KeyError: 'x'").cause == "python_exception"


def test_slurms_aborted_steps_and_a_repeated_complaint_are_no_progress() -> None:
    aborted = "srun: Job step aborted: Waiting up to 32 seconds for job step to finish.\n" * 4
    assert judge(f"{OOM}\n{aborted}").cause == "cuda_oom"
    assert judge("Loss is nan, stopping training\n" * 8).cause == "nan_loss"


def test_a_thread_that_dies_after_the_error_is_its_consequence() -> None:
    thread = (
        f"Exception in thread Thread-1 (_run):\n{TRACEBACK}RuntimeError: cannot schedule new futures after shutdown"
    )
    row = judge(f"{TRACEBACK}IndexError: list index out of range\n{thread}")
    assert "IndexError: list index out of range" in shown(row)
    assert judge(thread).cause == "python_exception"


@pytest.mark.parametrize(
    "message",
    ["ValueError: step size must be positive", "AssertionError: epoch 3 has no batches", "RuntimeError: loss = 3"],
)
def test_an_exception_that_speaks_of_steps_is_no_progress(message: str) -> None:
    row = judge(TRACEBACK + message)
    assert (row.cause, shown(row)[0]) == ("python_exception", message)


def test_the_line_of_the_jobs_own_code_is_shown() -> None:
    library = (
        '  File "/opt/env/lib/python3.11/site-packages/torch/nn/functional.py", line 2900, in linear\n    return x\n'
    )
    row = judge(f"{TRACEBACK}{library}RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert shown(row)[1:] == ['File "/home/user/exp/train.py", line 3, in <module>']


@pytest.mark.parametrize(
    ("where", "raised", "cause"),
    [
        (
            "/opt/lib/python3.11/site-packages/h5py/_hl/group.py",
            "KeyError: \"object 'labels' doesn't exist\"",
            "data_error",
        ),
        ("/opt/lib/python3.11/site-packages/PIL/ImageFile.py", "SyntaxError: broken PNG file", "data_error"),
        ("/opt/lib/python3.11/argparse.py", "ValueError: bad conversion", "config_error"),
        ("/home/u/x.py", "gin.config.GinError: x", "config_error"),
        ("/opt/lib/python3.11/site-packages/hydra/main.py", "KeyError: 'x'", "config_error"),
        ("/opt/lib/python3.11/site-packages/pandas/core/indexes/base.py", "KeyError: 'label'", "python_exception"),
        ("/home/u/h5py/PIL/gin/train.py", "KeyError: 'label'", "python_exception"),
    ],
)
def test_an_exception_without_a_known_wording_is_judged_by_who_raised_it(where: str, raised: str, cause: str) -> None:
    assert judge(f'{TRACEBACK}  File "{where}", line 30, in f\n    g()\n{raised}').cause == cause


def test_what_the_jobs_own_code_raised_is_not_the_librarys_that_called_it() -> None:
    through = '  File "/opt/lib/python3.11/site-packages/hydra/main.py", line 94, in decorated\n    _run(\n'
    own = '  File "/home/user/exp/train.py", line 30, in main\n    step()\n'
    assert judge(f"{TRACEBACK}{through}{own}ValueError: bad shape").cause == "python_exception"


@pytest.mark.parametrize(
    "words",
    [
        "Validation loss did not improve for 10 epochs. Stopping training.",
        "Hit patience limit (10), terminating training early.",
        "Epoch 17: val_loss has not improved for 10 epochs, stopping training",
        "Trial 3 pruned.",
        "Stopping trial due to ASHA",
        "Converged: gradient norm below tolerance, stopping.",
    ],
)
def test_a_run_that_stopped_by_its_own_rule_is_no_false_success(words: str) -> None:
    row = judge(f"{ALL[: ALL.index('Epoch 18/')]}{words}", state="COMPLETED", exit_code="0:0")
    assert (row.cause, "early_stopped" in row.flags) == ("none", True)


@pytest.mark.parametrize("words", ["Received SIGTERM, stopping training", "Time limit near: stopping training"])
def test_a_run_that_was_told_to_stop_did_not_stop_early(words: str) -> None:
    row = judge(f"{ALL[: ALL.index('Epoch 18/')]}{words}", state="COMPLETED", exit_code="0:0")
    assert row.cause == "false_success"


def test_the_scripts_own_last_word_is_shown_and_a_bare_done_excuses_nothing() -> None:
    almost = ALL[: ALL.index("Epoch 50/")]
    assert "all 50 epochs done" in shown(judge(f"{ALL}\nall 50 epochs done", state="COMPLETED", exit_code="0:0"))
    assert done(OOM, f"{almost}Training time 3:12:11") == "none"
    assert done(OOM, f"{almost}Done") == "cuda_oom"


def test_a_log_without_slurms_word_is_judged_by_its_own() -> None:
    def alone(text: str) -> str:
        return judge(text, state=None, exit_code=None, elapsed_s=None).cause

    short = ALL[: ALL.index("Epoch 18/")]
    assert alone(f"{ALL}\nTraining finished.") == "none"
    assert alone(f"{short}Early stopping at epoch 17") == "none"
    assert (alone(ALL), alone(f"{short}Training finished.")) == ("unknown", "unknown")
    assert alone(f"{ALL}\nTraining finished.\n{OOM}") == "cuda_oom"


def test_an_error_that_follows_from_a_loss_that_is_no_number_is_its_consequence() -> None:
    lost = "\n".join(f"step {i} loss: nan" for i in range(30))
    empty = f"{TRACEBACK}IndexError: index 0 is out of bounds for dimension 0 with size 0"
    row = judge(f"{lost}\n{empty}")
    assert (row.cause, shown(row)) == ("nan_loss", ["step 29 loss: nan", empty.splitlines()[-1]])
    assert judge(f"{lost}\n{OOM}").cause == "cuda_oom"
    assert judge(f"step 1 loss: 0.3\nstep 2 loss: nan\n{empty}").cause == "python_exception"


def test_words_far_behind_in_a_line_are_quoted() -> None:
    why = "DEADLINE_EXCEEDED: Barrier timed out. Id: [x]"
    line = f"F0311 client.h:80] Terminating process. {'See the other logs. ' * 20}{why}"
    row = judge(line)
    assert row.cause == "nccl"
    assert any("Barrier timed out" in text for text in shown(row))


def test_a_message_that_ends_with_a_colon_is_shown_with_what_it_announces() -> None:
    nan = f"{TRACEBACK}ValueError: Expected parameter loc to satisfy the constraint Real(), but found invalid values:\n"
    assert "tensor([[nan, nan]," in shown(judge(f"{nan}tensor([[nan, nan],\n        [nan, nan]])"))
    assert "no such split: dev" in shown(judge(f"{TRACEBACK}RuntimeError: could not begin:\nno such split: dev"))


def test_who_pressed_ctrl_c_is_shown() -> None:
    row = judge(f"^Csrun: sending Ctrl-C to StepId=5512.2\nsrun: forcing job termination\n{TRACEBACK}KeyboardInterrupt")
    assert row.cause == "cancelled"
    assert any("Ctrl-C" in text for text in shown(row))


AGENT = "2025-03-11 09:21:06,095 - wandb.wandb_agent - INFO - Running runs: ['{}']"


def test_wandbs_closing_words_begin_no_run() -> None:
    """A run's folder may bear another id than the agent gave it; what it died of is still this run's."""
    closing = "wandb: 🚀 View run sage-3 at: https://wandb.ai/e/p/runs/x1\n"
    closing += "wandb: Find logs at: ./wandb/run-20250311_091420-x1/logs"
    row = judge(
        f"{AGENT.format('7tt09abz')}\nEpoch 1/50 loss 0.5\n{OOM}\n{closing}", state="COMPLETED", exit_code="0:0"
    )
    assert (row.run, row.cause) == ("7tt09abz", "cuda_oom")
    assert judge(closing).run == "x1"


def test_what_slurm_says_of_the_jobs_end_is_of_the_agents_last_run() -> None:
    """Standard error names no run: whose line it is, its meaning tells."""
    ended = "2025-03-11 10:39:09,777 - wandb.wandb_agent - INFO - Cleaning up finished run: {}"
    out = (
        f"{AGENT.format('aaaa1111')}\n{ALL}\n{ended.format('aaaa1111')}\n{AGENT.format('bbbb2222')}\nEpoch 3/50 loss 1"
    )
    err = "slurmstepd: error: *** JOB 5 ON n1 CANCELLED AT 2025-03-11T13:14:05 DUE TO TIME LIMIT ***"
    row = judge(err, out, state="TIMEOUT", exit_code="0:0")
    assert (row.run, row.cause) == ("bbbb2222", "time_limit")
    assert any("DUE TO TIME LIMIT" in text for text in shown(row))


TOLD = "slurmstepd-node1: error: *** JOB 4711 ON node1 CANCELLED AT 2026-11-20T10:00:00 DUE TO {} ***"
EARLIER = "\n".join(f"Epoch {i}/50 loss {2 / i:.3f}" for i in range(1, 31))


@pytest.mark.parametrize("told", ["PREEMPTION", "TIME LIMIT", "NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS"])
@pytest.mark.parametrize(
    ("new", "cause", "quoted"),
    [
        (f"{TRACEBACK}KeyError: 'lr'", "python_exception", "KeyError: 'lr'"),
        (f"Loading data\n{OOM}", "cuda_oom", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."),
        ("train.py: error: unrecognized arguments: --lrr", "config_error", "train.py: error: unrecognized"),
    ],
)
def test_a_job_that_was_started_anew_died_of_what_its_last_start_said(
    told: str, new: str, cause: str, quoted: str
) -> None:
    row = judge(f"{EARLIER}\n{TOLD.format(told)}\n{new}")

    assert row.cause == cause
    assert shown(row)[0].startswith(quoted)
    assert not any("CANCELLED" in text for text in shown(row))


def test_the_last_of_several_starts_counts() -> None:
    preempted = TOLD.format("PREEMPTION")
    row = judge(f"{EARLIER}\n{preempted}\n{OOM}\n{preempted}\n{TRACEBACK}KeyError: 'lr'")

    assert (row.cause, shown(row)[0]) == ("python_exception", "KeyError: 'lr'")


@pytest.mark.parametrize(
    "last",
    [
        f"{TRACEBACK}KeyboardInterrupt",
        f"{TRACEBACK}BrokenPipeError: [Errno 32] Broken pipe",
        f"{TRACEBACK}RuntimeError: NCCL communicator was aborted on rank 1.",
    ],
)
def test_what_a_job_cries_while_it_is_ended_is_no_new_start(last: str) -> None:
    assert judge(f"{EARLIER}\n{TOLD.format('PREEMPTION')}\n{last}").cause == "preempted"


def test_slurms_own_word_that_it_was_preempted_stands_whatever_follows() -> None:
    text = f"{EARLIER}\n{TOLD.format('PREEMPTION')}\n{TRACEBACK}KeyError: 'lr'"

    assert judge(text, state="PREEMPTED", exit_code="0:0").cause == "preempted"
