"""The status as text and without secrets: what is done for many rows at once comes to what each row alone does."""

from __future__ import annotations

import json
import math
import random
from dataclasses import fields
from typing import Any

import pytest

from tools.data import Evidence
from tools.status import BATCH, CheckpointRow, RunRow, SourceRow, Status, SweepRow
from tools.text import GONE, Redactor

KEY = "hf_" + "aB3d" * 9
AWKWARD = [
    "plain",
    'a "quoted" \\ one',
    "…",
    "é ü",
    "\u2028",
    "tab\there",
    "\x1b[31mred",
    "two\nlines",
    "task-force",
    KEY,
]


def _row(chance: random.Random, texts: list[str]) -> RunRow:
    def text() -> str:
        return chance.choice(texts)

    def number() -> float | None:
        return chance.choice([None, 0.0, 1e-5, 3.0, 1e16, -2.5, math.nan, math.inf, -math.inf])

    return RunRow(
        job=text(),
        run=text(),
        sweep=chance.choice([None, text()]),
        slurm_state=text(),
        wandb_state=None,
        epoch=number(),
        step=chance.choice([None, 0, 7]),
        target_epochs=number(),
        target_steps=None,
        percent=number(),
        loss=number(),
        health=None,
        trend=chance.choice([None, "↓"]),
        elapsed_s=3,
        checkpoint=chance.choice([None, CheckpointRow(text(), 3, False, problem=text(), saved_at=1.5)]),
        cause="none",
        evidence=tuple(Evidence(text(), text(), text()) for _ in range(chance.randint(0, 3))),
        resumable=None,
        action=text(),
        flags=tuple(text() for _ in range(chance.randint(0, 3))),
    )


def _status(rows: list[RunRow]) -> Status:
    source = SourceRow(name="logs", ok=False, age_s=0.5, error=f"{KEY} not read")
    sweep = SweepRow(
        id="s1", url=None, config=None, state=None, expected_agents=1, active_agents=1, zombies=None, stale=0
    )
    return Status(at="2026", workspace="/w", sources=(source,), sweeps=(sweep,), runs=tuple(rows))


@pytest.mark.parametrize("count", [0, 1, 2, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 2 * BATCH + 3])
def test_the_text_in_pieces_is_that_of_the_whole(count: int) -> None:
    chance = random.Random(count)
    status = _status([_row(chance, AWKWARD) for _ in range(count)])
    text = status.to_json()
    assert text == status.model_dump_json(indent=1, by_alias=True)
    assert len(json.loads(text)["runs"]) == count


@pytest.mark.parametrize("texts", [AWKWARD, AWKWARD[:3], [*["plain"] * 400, KEY], [*["plain"] * 400, "\u200b"]])
def test_many_rows_at_once_are_cleaned_as_each_alone(texts: list[str]) -> None:
    chance = random.Random(3)
    redactor = Redactor(["plain secret"])
    status = _status([_row(chance, texts) for _ in range(2 * BATCH + 7)])
    cleaned = status.cleaned(redactor.clean, redactor.plain)
    assert cleaned.to_json() == status.cleaned(redactor.clean).to_json()
    assert KEY not in cleaned.to_json()
    assert GONE in cleaned.to_json()


def test_rows_without_anything_to_clean_stay_the_same_objects() -> None:
    chance = random.Random(4)
    status = _status([_row(chance, ["plain", "…", "é"]) for _ in range(BATCH + 1)])
    redactor = Redactor()
    assert all(
        new is old for new, old in zip(status.cleaned(redactor.clean, redactor.plain).runs, status.runs, strict=True)
    )


def _with(row: RunRow, name: str, value: Any) -> RunRow:
    return row.model_copy(update={name: value})


def test_a_secret_is_found_in_every_field_that_can_hold_text() -> None:
    clean = _row(random.Random(5), ["plain"])
    spoilt = [_with(clean, name, KEY) for name in RunRow.model_fields]
    spoilt += [_with(clean, "flags", ("x", KEY)), _with(clean, "checkpoint", CheckpointRow(KEY, None, True))]
    spoilt += [
        _with(
            clean,
            "evidence",
            (Evidence("x", "y", "z"), Evidence(**{**dict.fromkeys("source where text".split(), ""), one.name: KEY})),
        )
        for one in fields(Evidence)
    ]
    spoilt.append(_with(clean, "checkpoint", CheckpointRow("x", None, False, problem=KEY)))
    redactor = Redactor()
    for row in spoilt:
        status = _status([clean, row, clean])
        assert KEY not in repr(status.cleaned(redactor.clean, redactor.plain))
