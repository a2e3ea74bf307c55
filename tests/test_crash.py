"""The cause of a job's end, judged from labelled logs of real and of written ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.data import CAUSES, LogText, Progress
from tools.diagnosis import crash, crash_patterns
from tools.layout import Thresholds
from tools.rows import from_logs
from tools.sources import logs
from tools.status import RunRow

LOGS = Path(__file__).parent.parent / "fixtures" / "logs"
CASES = sorted(path.parent.relative_to(LOGS).as_posix() for path in LOGS.rglob("case.json"))


def load(name: str) -> tuple[dict[str, Any], list[LogText]]:
    case: dict[str, Any] = json.loads((LOGS / name / "case.json").read_text(encoding="utf-8"))
    texts = (logs.read(str(LOGS / name / "job.out"), "out"), logs.read(str(LOGS / name / "job.err"), "err"))
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
    return crash.classify(state=state, exit_code=exit_code, logs=[log], **{**given, **more})


def test_the_labelled_logs_are_there() -> None:
    assert len([name for name in CASES if not name.startswith("written/")]) == 49
    assert len([name for name in CASES if name.startswith("written/")]) >= 25


@pytest.mark.parametrize("name", CASES)
def test_a_labelled_end_has_its_cause_and_the_line_that_proves_it(name: str) -> None:
    case, texts = load(name)
    row = judge(case, texts)
    assert row.cause in {case["cause"], *case["also_ok"]}
    assert any(case["key_fact"] in shown.text for shown in row.evidence)
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
        logs=texts,
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
