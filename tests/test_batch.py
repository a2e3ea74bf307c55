"""Batch sizes from configurations, the smaller batch after out of memory, and the rules' sizes. Values are made up."""

from __future__ import annotations

from typing import Any

import pytest

from tools.diagnosis import resume
from tools.diagnosis.batch import Batch, components
from tools.diagnosis.batch_advice import model_size, recommendation, recovery
from tools.diagnosis.leaves import in_line


def _batch(config: dict[str, Any], gpus: int | None = None) -> Batch:
    return components({"config": config}, gpus)


def _numbers(batch: Batch) -> tuple[int | None, int | None, int | None, int | None]:
    parts = (batch.per_device, batch.accumulation, batch.gpus)
    return (*(part.value if part else None for part in parts), batch.effective)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("config", "gpus", "expected"),
    [
        ({"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, "n_gpu": 4}, None, (8, 2, 4, 64)),
        (
            {"trainer": {"accumulate_grad_batches": 4, "devices": 2}, "data": {"batch_size": "16"}},
            None,
            (16, 4, 2, 128),
        ),
        ({"train.batch_size": 8, "train.grad_accum": 2}, 3, (8, 2, 3, 48)),
        ({"batch_size": {"value": 8, "desc": None}, "accum_steps": {"value": 2}}, 1, (8, 2, 1, 16)),
        ({"batch_size": 8, "update_freq": [2], "trainer": {"gpus": [0, 1]}}, None, (8, 2, 2, 32)),
        ({"batch_size": 8, "accum_iter": 1, "slurm": {"gpus_per_node": 4, "nodes": 2}}, None, (8, 1, 8, 64)),
        # the size of a graph is no number of nodes
        ({"batch_size": 8, "accum_iter": 1, "devices": 2, "graph": {"num_nodes": 500}}, None, (8, 1, 2, 16)),
        ({"batch_size": 8, "accum_iter": 1, "devices": "auto"}, 4, (8, 1, 4, 32)),
        ({"batch_size": 8, "accum_iter": 1, "devices": -1}, 4, (8, 1, 4, 32)),
        ({"eval": {"batch_size": 64}, "accum_iter": 1}, 1, (None, 1, 1, None)),
        # what evaluation uses doesn't make training's unclear
        ({"batch_size": 8, "val_loader": {"batch_size": 32}, "accum_iter": 1}, 1, (8, 1, 1, 8)),
        ({"global_batch_size": 64}, None, (None, None, None, 64)),
        ({"train": {"batch_size": 8}, "replay": {"batch_size": 64}, "accum_iter": 1}, 1, (8, 1, 1, 8)),
        ({"batch_size": True, "accum_iter": 1}, 1, (None, 1, 1, None)),
        ({"micro_batch_size": "auto", "accum_iter": 2}, 1, (None, 2, 1, None)),
    ],
)
def test_the_parts_are_found_however_they_are_written(
    config: dict[str, Any], gpus: int | None, expected: tuple[int | None, ...]
) -> None:
    assert _numbers(_batch(config, gpus)) == expected


def test_each_number_says_where_it_stands_and_an_assumed_one_says_so() -> None:
    batch = components({"hydra config": {"opt": {"lr": 1}}, "run config": {"a": {"batch_size": 8}}}, 4)
    assert batch.per_device and batch.accumulation and batch.gpus
    assert batch.per_device.where == "run config a.batch_size"
    assert batch.gpus.where == "Slurm's allocation"
    assert batch.accumulation.where.startswith("assumed")
    assert any("1 is assumed" in note for note in batch.notes)


def test_nothing_is_assumed_where_nothing_is_known() -> None:
    batch = components({}, None)
    assert (batch.per_device, batch.accumulation, batch.effective) == (None, None, None)


def test_an_unknown_part_leaves_the_effective_batch_unknown_and_says_why() -> None:
    batch = _batch({"batch_size": 8, "accum_iter": 2})
    assert _numbers(batch) == (8, 2, None, None)
    assert [note for note in batch.notes if note.startswith("GPUs: no configuration")]


def test_slurm_and_the_configuration_may_contradict() -> None:
    batch = _batch({"batch_size": 8, "accum_iter": 1, "n_gpu": 8}, 4)
    assert batch.effective == 64
    assert "GPUs: config says 8 (n_gpu), Slurm allocated 4" in batch.notes


def test_two_values_under_one_name_are_not_chosen_from() -> None:
    batch = _batch({"actor": {"batch_size": 8}, "critic": {"batch_size": 64}, "accum_iter": 1}, 1)
    assert _numbers(batch) == (None, 1, 1, None)
    assert "actor.batch_size 8, critic.batch_size 64" in batch.notes[0]
    scheduled = _batch({"batch_size": 8, "accumulate_grad_batches": {0: 8, 4: 4}}, 1)
    assert _numbers(scheduled) == (8, None, 1, None), "an accumulation that changes is none, and not 1 either"


@pytest.mark.parametrize("key", ["global_batch_size", "train_batch_size"])
def test_a_global_batch_is_not_multiplied_and_gives_the_accumulation(key: str) -> None:
    batch = _batch({key: 64, "micro_batch_size": 4, "devices": 4})
    assert _numbers(batch) == (4, 4, 4, 64)
    assert batch.accumulation and batch.accumulation.derived
    assert recovery(batch).overrides == ("micro_batch_size=2",), "the trainer computes the accumulation itself"


def test_deepspeed_may_name_only_the_global_batch() -> None:
    batch = _batch({"deepspeed": {"train_batch_size": 64, "gradient_accumulation_steps": 2}}, 4)
    assert _numbers(batch) == (8, 2, 4, 64)
    assert recovery(batch).overrides == ("deepspeed.gradient_accumulation_steps=4",)


def test_a_lone_train_batch_size_can_be_either_and_is_not_multiplied() -> None:
    batch = _batch({"train_batch_size": 64, "gradient_accumulation_steps": 2}, 4)
    assert _numbers(batch) == (None, 2, 4, None)
    assert "may be the global batch" in batch.notes[0]


def test_parts_that_contradict_the_global_batch_leave_it_unknown() -> None:
    batch = _batch({"global_batch_size": 100, "micro_batch_size": 4, "accum_steps": 2}, 4)
    assert batch.effective is None
    assert "the parts come to 32" in batch.notes[-1]


def test_a_larger_batch_size_beside_a_micro_one_forbids_assuming_no_accumulation() -> None:
    assert _numbers(_batch({"batch_size": 128, "micro_batch_size": 4}, 1)) == (4, None, 1, None)


def test_a_command_keeps_its_own_spelling() -> None:
    line = "python train.py --batch-size 8 --accum-steps=2 +data.workers=4"
    batch = components({"command": in_line(line)}, 2)
    assert batch.effective == 32
    assert recovery(batch).overrides == ("--batch-size=4", "--accum-steps=4")


@pytest.mark.parametrize(
    ("old", "steps", "rules", "exact"),
    [
        (8, 2, (6, 3, 72), (4, 4, 64)),
        (4, 3, (3, 4, 48), (3, 4, 48)),
        (2, 1, (1, 2, 8), (1, 2, 8)),
        (7, 1, (5, 2, 40), (1, 7, 28)),
        (12, 6, (9, 8, 288), (9, 8, 288)),
        (4, 300, (3, 399, 4788), (3, 400, 4800)),
    ],
)
def test_the_smaller_batch_and_what_it_really_makes(
    old: int, steps: int, rules: tuple[int, ...], exact: tuple[int, ...]
) -> None:
    found = recovery(_batch({"micro_batch_size": old, "accum_steps": steps}, 4))
    assert found.rules and found.exact
    assert (found.rules.per_device, found.rules.accumulation, found.rules.effective) == rules
    assert (found.exact.per_device, found.exact.accumulation, found.exact.effective) == exact
    assert found.exact.effective == old * steps * 4, "the preferred pair keeps the effective batch"
    assert found.words.startswith(f"batch {old} → {exact[0]}, accumulation {steps} → {exact[1]} (effective stays")
    assert (f"would make it {rules[2]}, " in found.words) == (rules != exact)
    assert ": " not in found.words, "it stands before the colon of an action"


def test_the_overrides_use_the_configurations_own_keys() -> None:
    config = {"training": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}}
    expected = ("training.per_device_train_batch_size=4", "training.gradient_accumulation_steps=4")
    assert recovery(_batch(config)).overrides == expected
    unnamed = recovery(_batch({"batch_size": 8}, 1))
    assert unnamed.overrides == (), "half of the change would alter the effective batch"
    assert "accumulation 1 (assumed) → 2" in unnamed.words


def test_without_gpus_the_change_is_told_without_an_effective_batch() -> None:
    words = recovery(_batch({"batch_size": 8, "accum_iter": 2})).words
    assert "batch × accumulation stays 16" in words and "18 per GPU, +12.5 %" in words


def test_a_batch_of_one_and_an_unknown_one() -> None:
    assert "gradient checkpointing" in recovery(_batch({"batch_size": 1, "accum_iter": 2}, 1)).words
    assert "not all known" in recovery(_batch({})).words
    huge = recovery(_batch({"batch_size": 999_999_999_999, "accum_iter": 1}, 1))
    assert huge.exact is None, "no batch size, and nothing to count down from"


@pytest.mark.parametrize(
    ("billions", "model"),
    [(0.6, "< 1B"), (1.0, "1-4B"), (3.9, "1-4B"), (4.0, "4-8B"), (8.0, "4-8B"), (8.1, "> 8B"), (70, "> 8B")],
)
def test_the_rules_table(billions: float, model: str) -> None:
    row = recommendation(billions * 1e9)
    assert row.model == model
    assert row.effective == (row.per_device[0] * row.accumulation[0], row.per_device[1] * row.accumulation[1]) or (
        row.effective == (32, 128)
    )


@pytest.mark.parametrize(
    ("config", "parameters", "hint"),
    [
        ({"model/num_parameters": 596_049_920}, 596_049_920, False),
        ({"model_name_or_path": "/models/Qwen3-0.6B"}, 0.6e9, True),
        ({"model": {"name": "pythia-160m"}}, 160e6, True),
        ({"model_name": "llama-2-7b-hf", "num_params": 6.7e9}, 6.7e9, False),
    ],
)
def test_the_size_of_the_model_and_whether_it_is_a_hint(config: dict[str, Any], parameters: float, hint: bool) -> None:
    found = model_size({"config": config})
    assert found and found.hint is hint
    assert found.parameters == pytest.approx(parameters)


@pytest.mark.parametrize("name", ["mixtral-8x7b", "bert-base", "resnet50", "model-4bit", "a" * 5000 + "7b"])
def test_a_name_without_a_size_gives_none(name: str) -> None:
    assert model_size({"config": {"model_name": name}}) is None


def test_overrides_reach_the_resume_command_each_quoted_by_itself() -> None:
    command = resume.resume_command(
        "sbatch go.sh {run} {overrides}", make_run=False, run_script=None, sweep=None, run="r1",
        overrides=("a.batch=4", "b;c=2"),
    )  # fmt: skip
    assert command == "sbatch go.sh r1 a.batch=4 'b;c=2'"
