"""The status as text and without secrets: what is done for many rows at once comes to what each row alone does."""

from __future__ import annotations

import json
import math
import pickle
import random
from dataclasses import fields
from typing import Any

import pytest

from tools.data import Evidence
from tools.row_base import BATCH, unasked
from tools.status import CheckpointRow, RunRow, SourceRow, Status, SweepRow
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


def test_a_row_that_nothing_is_asked_of_is_the_one_that_was_checked() -> None:
    chance = random.Random(6)
    make = unasked(RunRow)
    for _ in range(300):
        checked = _row(chance, AWKWARD)
        given = {name: value for name, value in vars(checked).items() if value is not None or chance.random() < 0.5}
        whole = {name: int(value) for name, value in given.items() if type(value) is float and value in (0.0, 3.0)}
        required = {name: None for name, field in RunRow.model_fields.items() if field.is_required()}
        values: dict[str, Any] = {**required, **given, **whole}
        shuffled = dict(chance.sample(list(values.items()), k=len(values)))
        made = make(**shuffled)
        assert repr(made) == repr(checked)
        assert [type(value) for value in vars(made).values()] == [type(value) for value in vars(checked).values()]
        assert list(vars(made)) == list(vars(checked)) == list(RunRow.model_fields)
        assert made.model_dump_json() == checked.model_dump_json() == RunRow(**shuffled).model_dump_json()
        assert made.model_copy(update={"live": True}) == checked.model_copy(update={"live": True})
        assert pickle.loads(pickle.dumps(made)).model_dump_json() == checked.model_dump_json()
    assert make(**{**shuffled, "loss": 1.0}) == RunRow(**{**shuffled, "loss": 1.0})


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
