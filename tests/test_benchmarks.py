"""The workspace that speed is measured on is read truly, so that the measure is of true work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from benchmarks import plan, workspace

from tools.layout import Layout
from tools.place import Place
from tools.sources.command import user_name
from tools.status import RunRow, Status
from tools.sweeps import read_status
from tools.text import Redactor


@pytest.fixture(params=[12, plan.SWEEP_RUNS], ids="{} runs".format)
def made(tmp_path: Path, request: pytest.FixtureRequest) -> workspace.Made:
    return workspace.make(tmp_path / "bench", request.param)


def _look(made: workspace.Made) -> Status:
    return read_status(Place(made.workspace, Layout(), user_name(), Redactor(), slurm_bin=made.bin))[0]


def _told(row: RunRow, names: Iterable[str]) -> dict[str, Any]:
    told = vars(row) | {"checkpoint": row.checkpoint.step if row.checkpoint else None}
    return {name: told[name] for name in names}


def test_every_run_of_a_benchmark_is_read_as_it_is(made: workspace.Made) -> None:
    status = _look(made)
    assert {row.name for row in status.sources if not row.ok} == {"wandb_api"}
    expected = {row["job"]: row for row in made.truth}
    assert {row.job: _told(row, expected[str(row.job)]) for row in status.runs} == expected
    assert len(status.runs) == len(expected)
    assert {sweep.config for sweep in status.sweeps} == {"experiments/bayes-000.yaml"}
    running = sum(row["slurm_state"] == "RUNNING" for row in made.truth)
    assert [sweep.active_agents for sweep in status.sweeps] == [running]


def test_a_benchmark_has_runs_of_every_kind_and_realistic_files(tmp_path: Path) -> None:
    made = workspace.make(tmp_path / "bench", plan.SWEEP_RUNS)
    kinds = {"none", "preempted", "time_limit", "cuda_oom", "config_error", "missing_dependency", "nan_loss"}
    assert {row["cause"] for row in made.truth} == kinds
    assert {row["slurm_state"] for row in made.truth} >= {"RUNNING", "PENDING", "PREEMPTED", "TIMEOUT", "FAILED"}
    trained = [row for row in made.truth if row["epoch"] is not None]
    sizes = sorted((made.workspace / "logs" / f"sweep_{row['job']}.out").stat().st_size for row in trained)
    assert sizes[0] > 10_000 and 20_000 < sizes[len(sizes) // 2] < 80_000
    configs = [path.stat().st_size for path in made.workspace.glob("outputs/*/hydra_config.yaml")]
    assert min(configs) > 3_000 and max(configs) < 6_000


def test_a_workspace_is_used_again_only_for_the_same_runs(tmp_path: Path) -> None:
    made = workspace.make(tmp_path / "bench", 12)
    assert workspace.make(tmp_path / "bench", 12) == made
    with pytest.raises(SystemExit, match="another workspace"):
        workspace.make(tmp_path / "bench", 13)
