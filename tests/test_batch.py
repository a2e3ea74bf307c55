"""Batch sizes as configs name them, and what keeps the effective batch after running out of memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab import Lab, wandb_lines

from tools.base import Context, ToolError
from tools.batch_sizes import BATCH_SIZES
from tools.diagnosis import batch

CONFIG = {"trainer": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, "n_gpu": 4}}


@pytest.mark.parametrize(
    ("config", "gpus", "expected"),
    [
        (CONFIG, None, (8, 2, 4, 64)),
        ({"batch_size": {"value": 16}, "accumulate_grad_batches": {"value": 4}}, 2, (16, 4, 2, 128)),
        ({"train_micro_batch_size_per_gpu": 4, "grad_accum_steps": 8, "train_batch_size": 64}, 2, (4, 8, 2, 64)),
        ({"batch_size": 32}, None, (32, 1, None, None)),
        ({"batch_size": 32, "global_batch_size": 256}, 4, (32, 1, 4, 256)),
        ({"lr": 0.1}, 4, (None, None, 4, None)),
        ({"batch_size": "auto"}, 4, (None, None, 4, None)),
        ({"batch_size": 32}, 0, (32, 1, None, None)),
    ],
)  # fmt: skip
def test_components(config: dict[str, Any], gpus: int | None, expected: tuple[int | None, ...]) -> None:
    found = batch.components(config, gpus)
    assert (found.per_device, found.accumulation, found.gpus, found.effective) == expected
    if found.effective is None:
        assert any("unknown without" in note for note in found.notes)


def test_recovery_keeps_the_effective_batch_first_and_then_gives_the_rules_formula() -> None:
    exact, formula = batch.recovery(batch.components(CONFIG, None))
    assert (exact.per_device, exact.accumulation, exact.effective) == (4, 4, 64)
    assert exact.words == "batch 8 → 4, accumulation 2 → 4, effective batch the same"
    assert exact.overrides == "trainer.per_device_train_batch_size=4 trainer.gradient_accumulation_steps=4"
    assert (formula.per_device, formula.accumulation, formula.effective) == (6, 3, 72)
    assert formula.words.endswith("effective batch 64 → 72")


def test_a_batch_of_one_can_not_shrink_and_an_unknown_one_neither() -> None:
    assert batch.recovery(batch.components({"batch_size": 1}, 4)) == ()
    assert batch.recovery(batch.components({}, 4)) == ()


@pytest.mark.parametrize(
    ("size", "expected"), [(0.6, "16-32"), (1.0, "4-8"), (4.0, "2-4"), (7.9, "2-4"), (70.0, "1-2")]
)
def test_recommendations_by_model_size(size: float, expected: str) -> None:
    assert batch.recommendation(size)["batch"] == expected


def test_a_models_size_is_read_from_its_name() -> None:
    assert batch.model_size({"model_name_or_path": "org/some-7b-instruct"}) == (
        7.0,
        "model_name_or_path: org/some-7b-instruct",
    )
    assert batch.model_size({"model": {"size": "500m"}, "backbone": "net-500m"}) == (0.5, "backbone: net-500m")
    assert batch.model_size({"model": "resnet50b"}) is None
    assert batch.model_size({"note": "7b"}) is None


def _ask(lab: Lab, **values: Any) -> Any:
    return json.loads(BATCH_SIZES.run(Context(lab.place()), BATCH_SIZES.parse(values)).text)


def _died_of_memory(lab: Lab) -> None:
    lab.job("50", "FAILED", exit="1:0")
    lab.file("logs/50.out", wandb_lines("aaa1", "sw1") + "epoch 3/10\ntorch.OutOfMemoryError: CUDA out of memory\n")
    lab.file(
        "outputs/aaa1/hydra_config.yaml",
        "trainer:\n  per_device_train_batch_size: 8\n  gradient_accumulation_steps: 2\nmodel: net-7b\n",
    )
    lab.checkpoint("aaa1", 300)


def test_a_run_out_of_memory_comes_first_with_what_to_change(lab: Lab) -> None:
    lab.job("49")
    lab.file("logs/49.out", wandb_lines("bbb2", "sw1") + "epoch 3/10\n")
    _died_of_memory(lab)
    dead, live = _ask(lab)["runs"]
    assert (dead["run"], dead["batch"], dead["accumulation"], dead["gpus"], dead["effective"]) == ("aaa1", 8, 2, 4, 64)
    assert dead["from"] == "outputs/aaa1/hydra_config.yaml"
    assert dead["try"][0]["change"].endswith("the same")
    assert dead["memory"] == "used 36.4 GiB of 64.0 GiB asked for"
    assert dead["model"]["recommended"]["batch"] == "2-4"
    assert live["run"] == "bbb2"
    assert "batch" not in live, "unknown is left out"
    with pytest.raises(ToolError, match="no run is known of nosuch"):
        _ask(lab, run_or_job="nosuch")


def test_the_action_names_the_change_and_fills_it_into_the_template(lab: Lab) -> None:
    _died_of_memory(lab)
    row = lab.row("50", resume="sbatch resume.sh {run} {overrides}")
    assert row.action == (
        "reduce the batch size (batch 8 → 4, accumulation 2 → 4, effective batch the same), then resume: sbatch "
        "resume.sh aaa1 trainer.per_device_train_batch_size=4 trainer.gradient_accumulation_steps=4"
    )
