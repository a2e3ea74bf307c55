"""Losses, gradient norms and rates over time, from the shapes that training scripts print. All values are synthetic."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tools.data_log import LogText
from tools.diagnosis.series import CANDIDATES, MOST, SPOTS, Point, Series, read_curve, read_series, with_history


def log(*lines: str, path: str = "job.out") -> LogText:
    return LogText(path, "out", lines, tuple(range(1, len(lines) + 1)), 1, 0.0)


def read(*lines: str) -> Series:
    return read_series([log(*lines)])


def _last(points: tuple[Point, ...]) -> float | None:
    return points[-1].value if points else None


# (line, training loss, validation loss, gradient norm, learning rate)
SHAPES = [
    ("{'loss': 0.41, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 1.25}", 0.41, None, 1.5, 5e-5),
    ("{'loss': '4.166', 'grad_norm': '1.5', 'learning_rate': '5e-05', 'epoch': '1.25'}", 4.166, None, 1.5, 5e-5),
    ("{'eval_loss': 0.5, 'eval_runtime': 3.2, 'epoch': 1.0}", None, 0.5, None, None),
    ("{'train_runtime': 312.1, 'train_loss': 0.9, 'epoch': 3.0}", None, None, None, None),
    ('{"epoch": 3, "train_loss": 0.4, "test_loss": 0.5, "train_lr": 0.001}', 0.4, 0.5, None, 0.001),
    ("Epoch 3:  45%|####5     | 450/1000 [12:01<14:41,  1.60it/s, train_loss=0.31, val_loss=0.5]",
     0.31, 0.5, None, None),
    ("500/500 [====] - 10s 20ms/step - loss: 0.31 - acc: 0.9 - val_loss: 0.44 - val_acc: 0.8", 0.31, 0.44, None, None),
    ("epoch 3/5 step=7 loss=0.5 lr=3.0e-05", 0.5, None, None, 3e-5),
    ("step 250: train loss 2.31, val loss 2.42", 2.31, 2.42, None, None),
    ("Epoch 3 | Val. Loss: 0.7", None, 0.7, None, None),
    ("Epoch 3 Validation Loss: nan", None, math.nan, None, None),
    (" validation loss at iteration 1000 | lm loss value: 2.5E+00 | lm loss PPL: 1.2E+01", None, 2.5, None, None),
    (" iteration  1200/ 5000 | learning rate: 1.0E-04 | lm loss: 2.5E+00 | grad norm: 1.25 |", 2.5, None, 1.25, 1e-4),
    ("epoch 003:  10 / 100 loss=7.2, ppl=148, num_updates=410, lr=0.0005, gnorm=1.9, clip=0", 7.2, None, 1.9, 5e-4),
    ("| valid | epoch 003 | valid on 'valid' subset | loss 7.1 | ppl 140", None, 7.1, None, None),
    ("2026-11-20 - root - INFO - step: 10  loss: 12.2  grad_norm: 3.5  memory: 9.9GiB(12%)", 12.2, None, 3.5, None),
    ("Test:  [ 10/97]  eta: 0:00:01  loss: 0.9 (1.0)  time: 0.1", None, None, None, None),
    ("* Acc@1 75.0 Acc@5 92.1 loss 1.02 (epoch 3)", None, 1.02, None, None),
    ("step=100, skipped=0, lr=[0.0001, 0.0001], mom=[0.9]", None, None, None, 1e-4),
    ("config: batch_size=64 lr=0.001 max_grad_norm=1.0 val_loss=0", None, 0.0, None, 0.001),
    ("config: batch_size=64 lr=0.001 grad_norm: 1.0", None, None, None, None),
    ("epoch 3 loss 0.5 max_grad_norm=1.0", 0.5, None, None, None),
    ("epoch 3 best val_loss: 0.2", None, None, None, None),
    ("Namespace(lr=0.1, loss=0.3, epoch=3)", None, None, None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "training", "validation", "norm", "rate"), SHAPES, ids=[row[0][:50] for row in SHAPES]
)
def test_a_printed_shape_gives_its_values(
    line: str, training: float | None, validation: float | None, norm: float | None, rate: float | None
) -> None:
    found = read(line)
    seen = [_last(points) for points in (found.training, found.validation, found.grad_norm, found.learning_rate)]
    assert str(seen) == str([training, validation, norm, rate])


def test_each_value_has_its_place_and_the_order_is_the_logs() -> None:
    found = read("epoch 1/9 step=10 loss=0.9", "saving", "epoch 2/9 step=20 loss=0.8")
    assert found.training == (Point(1.0, 10, 0.9, "job.out:1"), Point(2.0, 20, 0.8, "job.out:3"))
    assert read("loss: 0.5").training == (Point(None, None, 0.5, "job.out:1"),)


def test_only_the_last_values_are_kept() -> None:
    found = read(*(f"step {i} loss {i}.5 grad_norm 1.0" for i in range(3 * MOST)))
    assert len(found.training) == MOST
    assert found.training[-1].value == 3 * MOST - 0.5
    assert len(found.grad_norm) == MOST


def test_a_bar_tells_an_evaluation_once() -> None:
    """Lightning shows the last validation loss on every bar until the next evaluation."""
    bars = [
        f"Epoch {epoch}:  {i}%|##   | {i}/100 [00:10<00:10, 9.00it/s, train_loss=0.{i + 10}, val_loss=0.{9 - epoch}]"
        for epoch in range(5)
        for i in range(10, 90)
    ]
    found = read(*bars)
    assert [point.value for point in found.validation] == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert len(found.training) == MOST


def test_an_evaluations_loss_is_told_once_though_the_steps_go_on() -> None:
    found = read(*(f"step {i} loss 0.{i} val_loss 0.{9 - i // 10}" for i in range(10, 40)))
    assert [point.value for point in found.validation] == [0.8, 0.7, 0.6]


def test_a_bar_that_repeats_its_loss_is_one_value_but_a_loss_without_a_place_may_stay_the_same() -> None:
    bar = "Epoch 3:  45%|####5     | 450/1000 [12:01<14:41,  1.60it/s, train_loss=0.31]"
    assert len(read(*[bar] * 50).training) == 1
    assert len(read(*["loss: 2.1"] * 50).training) == 50
    assert len(read(*["epoch 3 loss: nan"] * 3).training) == 3


def test_the_stream_that_says_more_counts() -> None:
    out, err = log("epoch 1 loss 0.5 val_loss 0.6"), log("step 1 loss 0.7", "step 2 loss 0.6", path="job.err")
    found = read_series([out, err])
    assert [point.where for point in found.training] == ["job.err:1", "job.err:2"]
    assert [point.where for point in found.validation] == ["job.out:1"]


def test_test_losses_count_only_where_nothing_is_validated() -> None:
    assert [p.value for p in read("epoch 1 val_loss 0.5", "epoch 1 test_loss 0.9").validation] == [0.5]
    assert [p.value for p in read("epoch 1 test_loss 0.9").validation] == [0.9]


def test_evaluations_lie_far_apart_and_are_found_still() -> None:
    steps = [f"step {i} loss 0.5{i}" for i in range(MOST)]
    found = read("step 0 val loss 0.9", *steps, "step 200 val loss 0.8", *steps)
    assert [point.value for point in found.validation] == [0.9, 0.8]


def test_reading_is_bounded() -> None:
    found = read("epoch 1 loss 0.5", *["no loss yet in this line"] * CANDIDATES)
    assert found.training == ()


def test_the_curve_spans_the_whole_log() -> None:
    curve = read_curve([log(*(f"epoch {i} loss {1000 - i}" for i in range(1000)))])
    assert len(curve) == SPOTS
    assert (curve[0].epoch, curve[-1].epoch) == (0, 999)
    assert max(b.epoch - a.epoch for a, b in pairwise(curve)) < 50  # type: ignore[operator]
    assert read_curve([log()]) == ()
    assert len(read_curve([log("epoch 1 loss 0.5", "saved", "epoch 2 loss 0.4")])) == 2


def test_what_the_log_is_mute_about_comes_from_wandb() -> None:
    row = {"loss": 0.5, "val/loss": 0.6, "epoch": 3, "_step": 30}
    found = with_history(Series(), row, "wandb/run-1-aaa1 history")
    assert found.training == (Point(3.0, 30, 0.5, "wandb/run-1-aaa1 history"),)
    assert _last(found.validation) == 0.6
    told = read("epoch 4 loss 0.4")
    assert with_history(told, row, "history").training == told.training
    assert with_history(told, row, "wandb/run-1-aaa1 history").validation == found.validation


HOSTILE = [
    "val_loss " * 220,
    "valid loss" * 200,
    "grad norm " * 200,
    "lr " * 660,
    "Test: [" * 280,
    "'val_loss': " * 150,
]


@pytest.mark.parametrize("line", HOSTILE, ids=[row[:12] for row in HOSTILE])
def test_hostile_lines_give_nothing_and_never_raise(line: str) -> None:
    assert read_series([log(*[line] * 256)]) == Series()
