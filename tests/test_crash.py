"""The cause of a job's end, judged from labelled logs of real and of written ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.data import CAUSES, Progress
from tools.data_log import LogText
from tools.diagnosis import crash, crash_patterns, reading
from tools.layout import Thresholds
from tools.log_rows import from_logs
from tools.sources import log_files, logs
from tools.status import RunRow

LOGS = Path(__file__).parent.parent / "fixtures" / "logs"
# unseen/ is measured by tests/accuracy.py, not tuned for; unseen2/ is held out, and a failing test would name its cases
CASES = sorted(
    path.parent.relative_to(LOGS).as_posix()
    for path in LOGS.rglob("case.json")
    if path.parent.parent.name not in {"unseen", "unseen2"}
)


TRACEBACK = 'Traceback (most recent call last):\n  File "/home/user/exp/train.py", line 3, in <module>\n    main()\n'


def load(name: str) -> tuple[dict[str, Any], list[LogText]]:
    case: dict[str, Any] = json.loads((LOGS / name / "case.json").read_text(encoding="utf-8"))
    files = log_files.with_streams([str(path) for path in sorted((LOGS / name).glob("job.*"))])
    texts = (logs.read(file.path, file.stream) for file in files)
    return case, [text for text in texts if text is not None]


def judge(case: dict[str, Any], texts: list[LogText]) -> RunRow:
    return from_logs(
        texts,
        state=case["state"],
        exit_code=case["exit_code"],
        elapsed_s=case["elapsed_s"],
        target_epochs=case["target_epochs"],
        thresholds=Thresholds(),
    )


def classify(text: str, state: str | None = "FAILED", exit_code: str = "1:0", **more: Any) -> crash.Diagnosis:
    lines = tuple(line for line in text.split("\n") if line)
    log = LogText("job.err", "err", lines, tuple(range(1, len(lines) + 1)), len(text), 0.0)
    given: dict[str, Any] = {
        "elapsed_s": 9000,
        "progress": Progress(),
        "target_epochs": None,
        "target_steps": None,
    }
    found = reading.read(more.pop("logs", [log]), state)
    return crash.classify(state=state, exit_code=exit_code, reading=found, **{**given, **more})


def test_the_labelled_logs_are_there() -> None:
    assert len([name for name in CASES if "/" not in name]) == 49
    assert len([name for name in CASES if name.startswith("blind-seen/")]) == 60
    assert len([name for name in CASES if name.startswith("written/")]) >= 25


@pytest.mark.parametrize("name", CASES)
def test_a_labelled_end_has_its_cause_and_the_line_that_proves_it(name: str) -> None:
    case, texts = load(name)
    row = judge(case, texts)
    assert row.cause in {case["cause"], *case["also_ok"]}
    key = case["key_fact"]
    assert not key or any(key.casefold() in shown.text.casefold() for shown in row.evidence)
    assert set(case.get("flags", ())) <= set(row.flags)


@pytest.mark.parametrize("name", CASES)
def test_evidence_stands_where_it_says(name: str) -> None:
    case, texts = load(name)
    for shown in judge(case, texts).evidence:
        path, _, number = shown.where.rpartition(":")
        if shown.source in {"stdout", "stderr"}:
            raw = Path(path).read_bytes().decode("utf-8", "replace").split("\n")[int(number) - 1]
            assert shown.text[:40] in raw or "\x1b" in raw


@pytest.mark.parametrize("name", [name for name in CASES if "detail" in load(name)[0]])
def test_the_diagnosis_names_what_the_line_names(name: str) -> None:
    case, texts = load(name)
    found = crash.classify(
        state=case["state"],
        exit_code=case["exit_code"],
        elapsed_s=case["elapsed_s"],
        reading=reading.read(texts, case["state"]),
        progress=Progress(),
        target_epochs=case["target_epochs"],
        target_steps=None,
    )
    assert {key: found.detail.get(key) for key in case["detail"]} == case["detail"]


@pytest.mark.parametrize("name", CASES)
def test_one_merged_file_tells_the_same(name: str) -> None:
    """Most labs let Slurm write both streams into one file; buffered output then follows the traceback."""
    case, texts = load(name)
    lines = [line for text in sorted(texts, key=lambda text: text.stream == "out") for line in text.lines]
    merged = LogText("job.out", "both", tuple(lines), tuple(range(1, len(lines) + 1)), 1, 0.0)
    if case.get("merged", True) and lines:
        assert judge(case, [merged]).cause in {case["cause"], *case["also_ok"]}


def test_every_hint_passes_the_gate() -> None:
    hints = [hint for sign in crash_patterns.SIGNS for hint in sign.hints]
    assert [hint for hint in hints if not any(word in hint for word in crash_patterns.GATE)] == []


def test_every_cause_of_the_log_is_in_the_vocabulary() -> None:
    assert {sign.cause for sign in crash_patterns.SIGNS} <= set(CAUSES)


WORDINGS = [line.split("\t") for line in (LOGS / "wordings.tsv").read_text(encoding="utf-8").splitlines() if line]


@pytest.mark.parametrize(("cause", "text"), WORDINGS, ids=[f"{cause}: {text[-40:]}" for cause, text in WORDINGS])
def test_a_wording_has_its_cause(cause: str, text: str) -> None:
    assert classify(text.replace("@", TRACEBACK).replace("\\n", "\n")).cause == cause


def test_a_job_that_waits_or_lives_has_no_cause() -> None:
    for state in ("PENDING", "RUNNING", "COMPLETING"):
        assert classify("torch.OutOfMemoryError: CUDA out of memory", state=state).cause == "none"


def test_a_living_job_whose_log_ends_with_an_error_is_flagged() -> None:
    """An agent, or a peer that waits for a dead rank, keeps the job alive."""
    log = f"Epoch 3 loss 0.5\n{TRACEBACK}torch.OutOfMemoryError: CUDA out of memory"
    found = classify(log, state="RUNNING")
    assert (found.cause, found.flags) == ("none", ("error_at_end: cuda_oom, job.err:5",))
    assert [shown.where for shown in found.evidence] == ["job.err:5"]
    lived_on = log + "\n" + "\n".join(f"Epoch {i} loss 0.5" for i in range(4, 30))
    assert classify(lived_on, state="RUNNING").flags == ()


def test_an_old_error_beside_a_stream_that_goes_on_is_no_flag() -> None:
    def log(stream: Any, text: str, mtime: float) -> LogText:
        lines = tuple(text.split("\n"))
        return LogText(f"job.{stream}", stream, lines, tuple(range(1, len(lines) + 1)), 1, mtime)

    logs = [log("err", f"{TRACEBACK}KeyError: 'x'", 1000.0), log("out", "Epoch 3 loss 0.5", 9000.0)]
    assert classify("", state="RUNNING", logs=logs).flags == ()


def test_what_a_completed_job_did_without_is_no_cause() -> None:
    done = Progress(epoch=49)  # of 50, counted from 0
    for line in ("slurm_script: line 3: module: command not found", "NVIDIA-SMI has failed because it couldn't"):
        assert classify(line, state="COMPLETED", exit_code="0:0", progress=done, target_epochs=50).cause == "none"


@pytest.mark.parametrize(
    ("line", "stopped"),
    [
        ("Epoch 00019: early stopping", True),
        ("EarlyStopping: Training stopped early as no improvement observed in last 100 epochs.", True),
        ("No improvement for 10 epochs, stopping.", True),
        ("wandb.wandb_agent - INFO - Agent received command: stop", True),
        ("early_stopping: true", False),
        ("'early_stopping': {'patience': 10}", False),
        ("EarlyStopping(monitor='val_loss', mode='min')", False),
        ("EarlyStopping counter: 3 out of 10", False),
    ],
)
def test_a_word_that_training_stopped_early_is_no_setting(line: str, stopped: bool) -> None:
    short = Progress(epoch=19, where="job.err:9")
    found = classify(line, state="COMPLETED", exit_code="0:0", progress=short, target_epochs=100)
    assert (found.cause, "early_stopped" in found.flags) == (("none", True) if stopped else ("false_success", False))


SLURM = "slurmstepd: error: *** JOB 733 ON nid00294 CANCELLED AT 2026-11-20T09:00:00 {}***"
OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"


def test_what_slurm_did_outranks_what_the_log_of_an_earlier_start_says() -> None:
    log = SLURM.format("DUE TO PREEMPTION ") + "\nEpoch 3 loss 0.5\nEpoch 4 loss 0.5"
    assert classify(log, state="TIMEOUT", exit_code="0:0").cause == "time_limit"
    assert classify(log, state="CANCELLED by 1000", exit_code="0:0").cause == "preempted"


def test_a_real_error_before_somebody_cancelled_the_hanging_job_is_the_cause() -> None:
    log = f"{TRACEBACK}{OOM}\n{SLURM.format('')}"
    assert classify(log, state="CANCELLED by 1000", exit_code="0:0").cause == "cuda_oom"


def test_errors_after_the_cancel_are_its_consequence() -> None:
    log = f"{SLURM.format('')}\n{TRACEBACK}{OOM}"
    assert classify(log, state="CANCELLED by 1000", exit_code="0:0").cause == "cancelled"


def test_ranks_that_are_told_to_end_complain_of_one_another() -> None:
    log = f"{TRACEBACK}RuntimeError: Connection closed by peer [127.0.0.1]:18344"
    assert classify(log, state="CANCELLED by 1000", exit_code="0:0").cause == "cancelled"
    assert classify(log).cause == "nccl"


def test_an_exception_that_python_ignores_explains_nothing() -> None:
    log = f"Exception ignored in: <function Reader.__del__ at 0x7f00>\n{TRACEBACK}AttributeError: no such thing"
    assert classify(log).cause == "unknown"


def test_a_step_that_srun_cancels_after_a_rank_died_is_no_cancel() -> None:
    step = "slurmstepd: error: *** STEP 733.0 ON nid00294 CANCELLED AT 2026-11-20T09:00:00 ***"
    log = f"[rank1]: {TRACEBACK}[rank1]: IndexError: index 7 is out of range\n{step}\nsrun: error: n1: task 0: Killed"
    assert classify(log).cause == "python_exception"


def test_output_that_was_buffered_does_not_hide_the_error_before_it() -> None:
    log = TRACEBACK + OOM + "\n" + "\n".join(f"Epoch {i} loss 0.5" for i in range(30))
    assert classify(log).cause == "cuda_oom"
    done = Progress(epoch=29)
    assert classify(log, state="COMPLETED", exit_code="0:0", progress=done).cause == "none"
    assert classify(log, state="COMPLETED", exit_code="0:0", progress=done, target_epochs=50).cause == "cuda_oom"


def test_a_cancelled_step_does_not_hide_the_error_before_buffered_output() -> None:
    step = "slurmstepd: error: *** STEP 733.0 ON nid00294 CANCELLED AT 2026-11-20T09:00:00 ***"
    epochs = "\n".join(f"Epoch {i} loss 0.5" for i in range(30))
    log = f"{TRACEBACK}{OOM}\n{step}\n{epochs}"
    assert classify(log).cause == "cuda_oom"
    assert classify(log, state="CANCELLED by 1000", exit_code="0:0").cause == "cancelled"


def test_the_root_is_the_rank_that_torchrun_names() -> None:
    ranks = "\n".join(f"[rank{i}]: {TRACEBACK}[rank{i}]: {name}: x" for i, name in ((0, "KeyError"), (2, "TypeError")))
    log = f"{ranks}\nRoot Cause (first observed failure):\n  rank      : 2 (local_rank: 2)"
    assert classify(log).detail["exception"] == "TypeError"
    assert classify(ranks).detail["exception"] == "KeyError"


def test_words_in_source_lines_of_a_traceback_are_no_evidence() -> None:
    log = TRACEBACK.replace("main()", 'raise ValueError("CUDA out of memory")') + "IndexError: list index out of range"
    found = classify(log)
    assert (found.cause, found.detail["exception"]) == ("python_exception", "IndexError")


def test_interleaved_ranks_are_read_apart() -> None:
    log = "\n".join(
        f"{rank}: {line}" for line in [*TRACEBACK.splitlines(), "LookupFailed: no such entry"] for rank in range(3)
    )
    assert classify(log).detail["exception"] == "LookupFailed"


@pytest.mark.parametrize(
    ("exit_code", "cause"),
    [("127:0", "missing_dependency"), ("0:53", "config_error"), ("9:0", "killed"), ("0:9", "killed"),
     ("15:0", "killed"), ("11:0", "segfault"), ("2:0", "unknown"), ("1:0", "unknown"), (None, "unknown")],
)  # fmt: skip
def test_an_exit_code_alone_tells_what_it_can(exit_code: str, cause: str) -> None:
    assert classify("", exit_code=exit_code).cause == cause


def test_an_unknown_end_shows_the_last_words() -> None:
    assert [shown.text for shown in classify("loading\ngiving up").evidence] == ["FAILED 1:0", "giving up"]


def test_completed_far_from_the_target_is_a_false_success() -> None:
    done = Progress(epoch=3, epochs_total=50, where="job.err:1")
    found = classify("Epoch 3/50", state="COMPLETED", exit_code="0:0", progress=done, target_epochs=50, elapsed_s=60)
    assert (found.cause, found.flags) == ("false_success", ("short_run",))
    assert "Epoch 3/50" in [shown.text for shown in found.evidence]


def test_completed_at_the_target_is_done_counted_from_0_or_1() -> None:
    for epoch, cause in ((50, "none"), (49, "none"), (48, "false_success")):
        found = classify("", state="COMPLETED", exit_code="0:0", progress=Progress(epoch=epoch), target_epochs=50)
        assert found.cause == cause


def test_a_long_line_of_evidence_says_that_it_is_cut() -> None:
    log = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.18 GiB. " + "word " * 80
    (evidence, *_) = classify(log).evidence
    assert len(evidence.text) == 300 and evidence.text.endswith("…")
