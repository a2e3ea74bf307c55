"""Which checkpoint is newest, and whether it would load."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from lab import Lab, safetensors, wandb_lines

from tools.sources import checkpoints, weights


def _dead(lab: Lab, run: str = "aaa1") -> None:
    lab.job("50_0", "PREEMPTED")
    lab.file(
        "logs/50_0.err",
        wandb_lines(run, "sw1")
        + "slurmstepd: error: *** JOB 51 ON n1 CANCELLED AT 2026-11-20T10:00:00 DUE TO PREEMPTION ***\n",
    )
    lab.file("logs/50_0.out", "epoch 90/100 step=900\n")


def test_newest_is_by_number_not_by_text_or_time(lab: Lab) -> None:
    _dead(lab)
    for step in (10_000, 9_500, 800):
        lab.checkpoint("aaa1", step)
    row = lab.row("50_0")
    assert row.checkpoint and row.checkpoint.step == 10_000
    assert (row.cause, row.resumable) == ("preempted", "yes")


def test_a_torn_newest_is_passed_over_and_said(lab: Lab) -> None:
    _dead(lab)
    lab.checkpoint("aaa1", 100)
    lab.checkpoint("aaa1", 200, torn=True)
    row = lab.row("50_0")
    assert row.checkpoint and (row.checkpoint.step, row.checkpoint.loadable) == (100, True)
    assert any("checkpoint-200" in flag and "torn" in flag for flag in row.flags)


def test_nothing_loadable_means_not_resumable(lab: Lab) -> None:
    _dead(lab)
    lab.checkpoint("aaa1", 200, torn=True)
    row = lab.row("50_0")
    assert row.checkpoint and row.checkpoint.loadable is False
    assert row.resumable == "no"


def test_a_shared_folder_is_no_evidence_for_one_run(lab: Lab) -> None:
    _dead(lab)
    lab.file("checkpoints/model.pt", b"PK")
    assert lab.row("50_0").checkpoint is None


def test_a_run_id_inside_another_is_not_that_run(lab: Lab) -> None:
    _dead(lab, "aaa1")
    lab.checkpoint("aaa11", 700)
    lab.checkpoint("xaaa1", 700)
    assert lab.row("50_0").checkpoint is None


@pytest.mark.parametrize(
    ("name", "step", "epoch"),
    [
        ("checkpoint-54000", 54000, None),
        ("global_step1200", 1200, None),
        ("epoch=3-step=400.ckpt", 400, 3),
        ("iter_0000500", 500, None),
        ("epoch_012.pt", None, 12),
        ("step-77-epoch-4-loss=0.1.pt", 77, 4),
        ("model_300.pt", 300, None),
        ("last.ckpt", None, None),
    ],
)
def test_numbers_in_names(tmp_path: Path, name: str, step: int | None, epoch: float | None) -> None:
    path = tmp_path / name
    path.mkdir() if "." not in name else path.write_bytes(b"\x80\x02x")
    found = next(checkpoints.ranked([str(path)]))
    assert (found.step, found.epoch) == (step, epoch)


def test_numbered_ones_come_before_last_and_best_comes_last(tmp_path: Path) -> None:
    names = ["best.ckpt", "last.ckpt", "epoch=9-step=90.ckpt", "epoch=10-step=100.ckpt"]
    for name in names:
        (tmp_path / name).write_bytes(b"\x80\x02x")
    order = [Path(found.path).name for found in checkpoints.ranked(str(tmp_path / name) for name in names)]
    assert order == ["epoch=10-step=100.ckpt", "epoch=9-step=90.ckpt", "last.ckpt", "best.ckpt"]


def _zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * 5000)
    return data.getvalue()


class TestWouldItLoad:
    @pytest.mark.parametrize("cut", [1, 7, 20, -1])
    def test_a_safetensors_file_cut_anywhere_would_not(self, tmp_path: Path, cut: int) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(safetensors()[:cut])
        assert weights.weight_problem(path)
        path.write_bytes(safetensors())
        assert weights.weight_problem(path) is None

    def test_a_torch_file_without_its_directory_would_not(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pt"
        path.write_bytes(_zip()[:-30])
        assert "torn" in (weights.weight_problem(path) or "")
        path.write_bytes(_zip())
        assert weights.weight_problem(path) is None

    def test_empty_and_zeroed_files_would_not(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pt"
        path.write_bytes(b"")
        assert "empty" in (weights.weight_problem(path) or "")
        path.write_bytes(bytes(4096))
        assert "zeros" in (weights.weight_problem(path) or "")

    def test_a_folder_without_weights_or_with_a_torn_state_would_not(self, tmp_path: Path) -> None:
        folder = tmp_path / "checkpoint-5"
        folder.mkdir()
        assert weights.examine(str(folder)).problem == "empty"
        (folder / "optimizer.pt").write_bytes(_zip())
        assert weights.examine(str(folder)).problem == "no weights in it"
        (folder / "model.safetensors").write_bytes(safetensors())
        assert weights.examine(str(folder)).loadable
        (folder / "trainer_state.json").write_text('{"global_step": 5, "log_hist')
        assert weights.examine(str(folder)).problem == "trainer_state.json is torn"

    @pytest.mark.parametrize("rows", [1, 3_000, 150_000])
    @pytest.mark.parametrize(
        ("end", "torn"), [("", False), ("\n \n", False), ("\n" * 300, False), ("x", True), ("\n" * 300 + "x", True)]
    )
    def test_a_long_state_is_torn_where_a_short_one_is(self, tmp_path: Path, rows: int, end: str, torn: bool) -> None:
        """Of a long one the middle is not read, of one of more than 4 MiB not the end either."""
        (tmp_path / "model.safetensors").write_bytes(safetensors())
        state = {"epoch": 2.5, "global_step": 70, "log_history": [{"loss": 0.5}] * rows}
        (tmp_path / "trainer_state.json").write_text(json.dumps(state, indent=2) + end)
        found = weights.examine(str(tmp_path))
        too_long = rows == 150_000
        assert (found.problem, found.epoch, found.step) == (
            ("trainer_state.json is torn", None, None) if torn and not too_long else (None, 2.5, 70)
        )

    def test_a_missing_shard_is_named(self, tmp_path: Path) -> None:
        folder = tmp_path / "checkpoint-5"
        folder.mkdir()
        (folder / "model-00001-of-00002.safetensors").write_bytes(safetensors())
        shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
        assert weights.examine(str(folder)).problem == "model-00002-of-00002.safetensors is missing"

    def test_a_pickle_is_never_opened(self, tmp_path: Path) -> None:
        """A file that would run code when unpickled is only looked at."""
        path = tmp_path / "model.pt"
        path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
        weights.examine(str(path))
        assert not (tmp_path / "ran").exists()


def test_a_step_that_equals_a_job_id_ties_nothing(lab: Lab) -> None:
    lab.job("48213_3", "PREEMPTED", raw="48217")
    lab.file("logs/48213_3.err", wandb_lines("aaa1", "s"))
    lab.checkpoint("other", 48217)
    lab.file("ckpt/48213/last.ckpt", b"\x80\x02x")
    assert lab.row("48213_3").checkpoint is None


def test_a_folder_named_after_the_job_is_its_runs_own(lab: Lab) -> None:
    lab.job("48217", "PREEMPTED")
    lab.file("logs/48217.out", wandb_lines("aaa1", "s"))
    lab.file("ckpt/48217/epoch=3-step=30.ckpt", b"\x80\x02x")
    row = lab.row("48217")
    assert row.checkpoint and row.checkpoint.step == 30
