"""The status as text and without secrets: what is done for many rows at once comes to what each row alone does."""

from __future__ import annotations

import json
import math
import pickle
import random
from dataclasses import MISSING, FrozenInstanceError, fields, replace
from typing import Any, get_type_hints

import pytest
from pydantic import ConfigDict, create_model

from agent.answer_json import _findings
from tools.data import Evidence
from tools.row_base import BATCH, json_of
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


def _model(kind: type, names: dict[str, Any]) -> Any:
    """What pydantic makes of the same fields."""
    hints = get_type_hints(kind)
    own = {one.name: (hints[one.name], ... if one.default is MISSING else one.default) for one in fields(kind)}
    return create_model(kind.__name__, __config__=ConfigDict(ser_json_inf_nan="strings", extra="forbid"), **own)(
        **names
    )


def test_a_row_is_the_one_that_pydantic_would_check() -> None:
    """Mypy sees the types; of what it lets through only whole numbers for floats have to be changed."""
    chance = random.Random(6)
    for _ in range(200):
        given = vars(_row(chance, AWKWARD))
        whole = {name: int(value) for name, value in given.items() if type(value) is float and value in (0.0, 3.0)}
        values = dict(chance.sample(list({**given, **whole}.items()), k=len(given)))
        made, checked = RunRow(**values), _model(RunRow, values)
        assert repr(made) == repr(checked)
        assert [type(value) for value in vars(made).values()] == [type(value) for value in vars(checked).values()]
        assert json_of(vars(made)) == checked.model_dump_json(indent=1)
        assert pickle.loads(pickle.dumps(made)).__dict__.keys() == vars(checked).keys()
        assert vars(replace(made, live=True)) | {"live": False} == vars(made)


def test_a_row_is_frozen_and_of_its_fields_alone() -> None:
    row = _row(random.Random(7), ["plain"])
    with pytest.raises(FrozenInstanceError):
        row.job = "1"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del row.job
    with pytest.raises(TypeError, match="RunRow: unknown or not given: jobb"):
        RunRow(**vars(row), jobb="1")
    with pytest.raises(TypeError, match="SourceRow: unknown or not given: ok"):
        SourceRow(name="logs", age_s=0)  # type: ignore[call-arg]
    assert row == replace(row) and hash(row) == hash(replace(row)) and row != replace(row, live=True)


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
    lists = {name: [vars(row) for row in getattr(status, name)] for name in ("sources", "sweeps", "runs")}
    assert text == json_of({**vars(status), **lists})
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
    return replace(row, **{name: value})


def test_a_secret_is_found_in_every_field_that_can_hold_text() -> None:
    clean = _row(random.Random(5), ["plain"])
    spoilt = [_with(clean, name, KEY) for name in vars(clean)]
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


def test_a_loss_that_is_no_number_has_one_name_in_all_json() -> None:
    row = replace(_row(random.Random(1), ["plain"]), loss=math.nan, flags=())
    status = _status([row])
    assert json.loads(status.to_json())["runs"][0]["loss"] == "NaN"
    assert _findings(status)["runs"][0]["loss"] == "NaN"
