"""What is said of a run from its losses: what is so, and nothing where little is known. All values are synthetic."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from tools.diagnosis.series import Point, Series
from tools.diagnosis.training import Health, judge


def points(values: Sequence[float], first: int = 0) -> tuple[Point, ...]:
    return tuple(Point(float(i), None, value, f"job.out:{i + 1}") for i, value in enumerate(values, first))


def of(values: Sequence[float], **other: Sequence[float]) -> Health:
    """The verdict on training losses that stand in one log from its first epoch on."""
    step = max(1, len(values) // 24)
    kinds = {name: points(series) for name, series in other.items()}
    return judge(Series(training=points(values)[-200:], curve=points(values)[::step], **kinds))


def words(health: Health) -> str:
    return "; ".join(finding.words for finding in health.findings)


FALLING = [2.0 * 0.97**i for i in range(100)]


def noisy(values: Sequence[float], part: float) -> list[float]:
    chance = random.Random(3)
    return [value * (1 + part * chance.uniform(-1, 1)) for value in values]


@pytest.mark.parametrize(
    ("values", "verdict", "arrow"),
    [
        (FALLING, "falling", "↓"),
        (noisy(FALLING, 0.2), "falling", "↓"),
        (FALLING[:6], "falling", "↓"),
        ([2.0] * 30, "flat", "→"),
        (noisy([2.0] * 60, 0.2), "flat", "→"),
        ([0.5 + i / 100 for i in range(40)], "rising", "↑"),
        ([-1.0 - i / 10 for i in range(40)], "falling", "↓"),
        ([0.0] * 20, "flat", "→"),
        (FALLING[:5], None, None),
        ([], None, None),
        ([1.0, math.nan, math.nan], None, None),
    ],
)
def test_the_trend(values: list[float], verdict: str | None, arrow: str | None) -> None:
    health = of(values)
    assert (health.verdict, health.arrow) == (verdict, arrow)
    assert (health.unknown is None) == (verdict is not None), "no verdict comes without a reason"


def test_one_spike_is_no_trend() -> None:
    assert of([*FALLING, 500.0]).verdict == "falling"
    assert of([*FALLING[:50], 500.0, *FALLING[50:]]).findings == ()


def test_a_rise_is_put_into_numbers() -> None:
    assert words(of([0.5] * 10 + [0.6] * 10 + [0.8] * 10)) == "loss rose from 0.5 to 0.8 over its last 30 values"


def test_diverged_is_three_losses_in_a_row_that_are_not_finite() -> None:
    assert of([*FALLING, math.nan, math.nan]).verdict == "falling"
    assert words(of([*FALLING, math.nan, math.nan])) == "2 of the last 20 losses are not finite"
    health = of([*FALLING, math.nan, math.inf, math.nan])
    assert (health.verdict, health.arrow) == ("diverged", None)
    assert health.findings[0].words == "the last 3 losses are not finite (nan, inf, nan); 0.09805 before that"
    assert health.findings[0].point.where == "job.out:101", "where it began"
    assert of([math.nan] * 3).verdict == "diverged"
    assert of([*FALLING, math.nan, math.nan, math.nan, 0.1]).verdict == "falling"


def test_what_was_before_a_long_divergence_is_told_from_the_whole_log() -> None:
    assert words(of([*FALLING, *[math.nan] * 400])).startswith("the last 200 losses are not finite (nan, nan, nan); 0.")


def test_a_plateau_is_flat_for_long() -> None:
    stuck = of(noisy([2.1] * 150, 0.02))
    assert (stuck.verdict, stuck.arrow) == ("plateau", "→")
    assert "for its last 150 values" in words(stuck)
    assert of(noisy([2.1] * 60, 0.02)).verdict == "flat"


def test_a_long_training_that_falls_slowly_is_no_plateau() -> None:
    """Its last 200 of 20,000 values hardly move; the whole log shows that it still learns."""
    assert of(noisy([3.0 * (i + 10) ** -0.3 for i in range(20_000)], 0.05)).verdict == "flat"


def test_an_exploding_loss() -> None:
    health = of([*FALLING[:60], *[9.0, 20.0, 31.0, 40.0, 55.0]])
    assert health.verdict == "exploding"
    assert words(health).startswith("loss 31, ")
    gone = of([*FALLING, *[60.0] * 300])
    assert gone.verdict == "exploding", "also long after it happened"
    assert of([5000.0 - 20 * i for i in range(60)]).verdict == "falling", "a summed loss is large from the start"


def test_an_exploding_gradient_norm() -> None:
    health = of(FALLING, grad_norm=[*[20.0] * 40, *[500.0, 812.0, 900.0, 30.0, 1200.0]])
    assert health.verdict == "exploding"
    assert words(health) == "gradient norm 812, 41 times its median"
    assert of(FALLING, grad_norm=[*[20.0] * 40, 812.0, 900.0]).findings == (), "two spikes"
    assert "gradient norms are not finite" in words(of(FALLING, grad_norm=[1.0, math.inf, math.inf, math.inf]))


def test_a_rising_validation_loss() -> None:
    health = of(FALLING, validation=[0.6, 0.5, 0.41, 0.43, 0.47, 0.55])
    assert (health.verdict, health.arrow) == ("overfitting", "↓")
    assert words(health) == "validation loss rose for the last 3 evaluations: 0.41 → 0.55"
    assert of(FALLING, validation=[0.5, 0.41, 0.43, 0.47]).verdict == "falling", "two rises happen"
    assert of(FALLING, validation=[0.41, 0.4101, 0.4102, 0.4103]).verdict == "falling", "by next to nothing"
    later = of(FALLING, validation=[0.5, 0.4, 0.45, 0.44, 0.46, 0.43, 0.47])
    assert words(later) == "validation loss 0.47, best was 0.4 5 evaluations ago"
    rising = of([0.5 + i / 100 for i in range(40)], validation=[0.4, 0.5, 0.6, 0.7])
    assert rising.verdict == "rising", "training gets worse too: that is no overfitting"


SIBLINGS = [points([2.0 * 0.9**i * factor for i in range(20)]) for factor in (0.9, 1.0, 1.0, 1.1, 1.2)]


def _beside(values: Sequence[float], siblings: Sequence[Sequence[Point]], first: int = 0) -> Health:
    return judge(Series(training=points(values, first)), siblings)


def test_a_run_behind_its_siblings() -> None:
    health = _beside([9.3, 9.2, 9.1, 9.1], SIBLINGS)
    assert health.behind is not None
    assert health.behind.words == "loss 9.1 at epoch 3 where 5 siblings have a median of 1.458"
    assert health.behind in health.findings
    assert health.verdict is None, "four values make no trend"


def test_a_run_like_its_siblings_or_with_too_few_of_them_is_not_behind() -> None:
    assert _beside([2.0, 1.9, 1.8, 1.7], SIBLINGS).behind is None
    assert _beside([9.3, 9.2, 9.1, 9.1], SIBLINGS[:2]).behind is None
    assert _beside([9.3, 9.2, 9.1, 9.1], SIBLINGS, first=40).behind is None, "none of them was ever there"
    apart = [points([level] * 20) for level in (0.5, 2.0, 5.0, 8.0)]
    assert _beside([9.3, 9.2, 9.1, 9.1], apart).behind is None, "they differ as much among themselves"


def test_a_thinned_curve_blames_nobody() -> None:
    """Between two of its values a sibling may still have been as high as the older one."""
    steep = [(Point(0.0, None, 9.0, "o:1"), Point(10.0, None, 1.0, "o:2"))] * 3
    assert _beside([9.3, 9.2, 9.1, 9.1], steep).behind is None


def test_siblings_are_compared_by_step_where_no_epoch_is_logged() -> None:
    def steps(values: Sequence[float]) -> tuple[Point, ...]:
        return tuple(Point(None, 100 * i, value, f"o:{i}") for i, value in enumerate(values))

    health = judge(Series(training=steps([9.0, 9.0, 9.0])), [steps([2.0, 1.5, 1.2, 1.0])] * 4)
    assert health.behind is not None
    assert "at step 200 where 4 siblings" in health.behind.words


def test_last_values_are_those_of_the_log() -> None:
    health = of(FALLING, validation=[0.5], grad_norm=[1.5], learning_rate=[0.001])
    assert health.loss is not None and health.loss.where == "job.out:100"
    assert [point.value for point in (health.validation_loss, health.grad_norm, health.learning_rate) if point] == [
        0.5,
        1.5,
        0.001,
    ]
    assert judge(Series()).loss is None


def test_the_note_is_the_gravest_finding_or_why_nothing_is_known() -> None:
    assert of(FALLING).note is None
    assert of([]).note == "no training loss in its log"
    assert of([1.0]).note == "1 training loss in its log: a trend needs 6 finite ones"
    assert (of([*FALLING, *[math.nan] * 3], validation=[0.4, 0.5, 0.6, 0.7]).note or "").startswith("the last 3 losses")
