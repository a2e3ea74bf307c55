"""What may be called unneeded, too small or unknown: pure judgements over values made up here."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import median
from typing import Any

import pytest

from tools.data import Job
from tools.diagnosis import disk
from tools.diagnosis.disk import Saved
from tools.diagnosis.join import Link
from tools.wandb_data import RunDir, SweepParams

MB = 1_000_000


def _saved(step: int | None, size: int = 480 * MB, name: str | None = None, **own: Any) -> Saved:
    name = name or f"checkpoint-{step}"
    values = {"path": f"/w/outputs/aaa1/{name}", "step": step, "epoch": None, "numbered": step is not None}
    return Saved(**{**values, "kind": ("/w/outputs/aaa1", ""), "allocated": size, "apparent": size, **own})


def _older(saved: list[Saved], best: int = 300, **own: Any) -> tuple[list[int | None], str | None]:
    values: dict[str, Any] = {"live": False, "pointed_at": frozenset(), "named": set(), **own}
    found, why = disk.superseded(saved, f"/w/outputs/aaa1/checkpoint-{best}", **values)
    return [one.step for one in found], why


RUN = [_saved(100), _saved(200), _saved(300), _saved(400)]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (480 * MB, "480.0 MB"),
        (999_960, "1.0 MB"),
        (3 * 10**18, "3000.0 PB"),
    ],
)
def test_sizes_in_words(size: int, said: str) -> None:
    assert disk.words(size) == said


def test_only_what_is_older_than_the_newest_loadable_one() -> None:
    assert _older(RUN) == ([100, 200], None), "400 does not load: 300 is what a resume would take"


def test_a_live_run_is_left_alone() -> None:
    assert _older(RUN, live=True) == ([], "it trains now")


def test_without_a_loadable_one_nothing_is_unneeded() -> None:
    assert _older(RUN, best=999) == ([], "none of its checkpoints loads")


def test_what_the_trainer_calls_best_stays() -> None:
    assert _older(RUN, pointed_at=frozenset({"checkpoint-100"})) == ([200], None)
    assert _older(RUN, pointed_at=frozenset({"200"}))[0] == [100], "a tracker may hold a bare number"


def test_where_the_best_one_is_not_known_nothing_is_said() -> None:
    found, why = _older(RUN, pointed_at=None)
    assert not found and "could not be read" in (why or "")


def test_what_another_run_starts_from_stays() -> None:
    configs = [
        {"model": {"init": "outputs/aaa1/checkpoint-200/"}},
        ["python train.py --ckpt=/w/outputs/aaa1/checkpoint-100"],
    ]
    assert _older(RUN, named=disk.named_paths(configs)) == ([], None)
    assert _older(RUN, named=disk.named_paths([{"x": "outputs/bbb2/checkpoint-200"}]))[0] == [100, 200]


def test_un_numbered_ones_scores_and_other_folders_stay() -> None:
    others = [
        _saved(None, name="final.pt"),
        replace(_saved(1), path="/w/outputs/aaa1/epoch=1-val_loss=0.2.ckpt"),
        replace(_saved(1), kind=("/w/outputs/aaa1/pretrained", "")),
    ]
    assert _older([*others, *RUN])[0] == [100, 200]


def test_step_and_epoch_are_not_compared_with_each_other() -> None:
    by_epoch = [replace(_saved(None, name=f"epoch-{n}"), epoch=float(n), numbered=True) for n in (1, 2)]
    assert _older([*by_epoch, *RUN])[0] == [100, 200]
    found, _ = disk.superseded(
        by_epoch, "/w/outputs/aaa1/epoch-2", live=False, pointed_at=frozenset(), named=frozenset()
    )
    assert [one.epoch for one in found] == [1.0]


def test_too_small_to_be_whole() -> None:
    small = _saved(400, 1_200_000)
    assert disk.small_ones([*RUN[:3], small]) == [(small, 480 * MB)]
    assert disk.small_ones([_saved(1, 160 * MB), _saved(2), _saved(3)]) == [], "without the optimizer it is a third"
    assert disk.small_ones([small]) == [], "nothing to compare it with"
    assert disk.small_ones([*RUN[:3], replace(small, whole=False)]) == [], "the walk stopped before its end"
    assert disk.small_ones([*RUN[:3], replace(small, numbered=False)]) == [], "best.pt may hold the weights alone"


def _link(run: str, **own: Any) -> Link:
    return Link(**{"job": None, "run": run, **own})


def test_runs_that_nothing_knows() -> None:
    job = Job("7", "7", "train", "me", "FAILED", "sacct")
    links = [
        _link("lost"),
        _link("with_job", job=job),
        _link("with_folder", run_dirs=(RunDir("with_folder", "/w/x", True),)),
        _link("in_sweep", params=SweepParams("sw1", "in_sweep", {}, "/w/c", 0.0)),
        _link("not_read"),
    ]
    assert disk.unknown_runs(links, {"not_read"}) == ["lost"]


def test_wandb_folders_long_done() -> None:
    done = RunDir("aaa1", "/w/wandb/offline-run-1-aaa1", True, exit_code=0, synced=True, written=0.0)
    others = [
        replace(done, synced=False), replace(done, exit_code=None), replace(done, offline=False),
        replace(done, written=31 * disk.DAY_S), replace(done, written=None), replace(done, run="live"),
    ]  # fmt: skip
    assert disk.long_done([done, *others], {"live"}, 40 * disk.DAY_S, 30) == [done]


def test_a_checkpoint_is_small_by_the_median_of_the_others_alone() -> None:
    chance = random.Random(2)
    small = 0
    for _ in range(3000):
        others = [chance.choice([0, 1, 9, 10, 11, 99, 100, 101, 10**12]) for _ in range(chance.randint(0, 5))]
        size = chance.choice([0, 1, 9, 10, 11, 99, 100, 10**11, 10**12])
        usual = int(median(others)) if others else 0
        found = disk.usual_size(size, others)
        small += found is not None
        assert found == (usual if size < disk.SMALL * usual else None), (size, others)
    assert small > 300
