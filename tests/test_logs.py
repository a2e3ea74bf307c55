"""Finding a job's logs, and reading them within bounds."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab import Lab

from tools.sources import log_middle, log_names, log_paths, logs

NAMES = log_names.Names(job="48213_7", raw="48221", name="bayes tx", user="me", nodes="gpu[03-05],gpu09")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("logs/sweep_%A_%a.out", "/w/logs/sweep_48213_7.out"),
        ("/abs/%x-%j.log", "/abs/bayes tx-48221.log"),
        ("%u/%N/%8j_%3a.txt", "/w/me/gpu/00048221_007.txt"),
        ("100%%_%j", "/w/100%_48221"),
        ("logs\\%j.out", "/w/logs%j.out"),
        ("", None),
        ("(null)", None),
        ("/dev/null", None),
    ],
)
def test_slurms_patterns_are_filled_in(pattern: str, path: str | None) -> None:
    assert log_names.fill(pattern, NAMES, "/w") == path


@given(
    st.lists(st.sampled_from([*"%AajJxuNnstb0283z/. \\é", "%%", "%q", "5%-", "%A", "%4a", "%08j", "%x", "%03N"])).map(
        "".join
    ),
    st.sampled_from(["12", "12_0", "12_37"]),
    st.sampled_from(["", "%s", "x y", "/abs", "007"]),
    st.sampled_from(["", "gpu[03-05],gpu09", "n1.cluster,n2", "12"]),
    st.sampled_from(["/w", "/w%d", ""]),
)
def test_each_pattern_stands_for_its_value_whatever_else_the_name_holds(
    pattern: str, job: str, name: str, nodes: str, workdir: str
) -> None:
    array, _, task = job.partition("_")
    node = re.split(r"[,\[]", nodes)[0].split(".")[0]
    values = {"A": array, "a": task or "4294967294", "j": "99", "J": "99", "x": name, "u": "me", "N": node}
    values |= {"n": "0", "s": "batch", "t": "0", "b": str(int(task) % 10) if task else ""}

    def one(match: re.Match[str]) -> str:
        value = "%" if match[1] == "%" else values[match[3]]
        return value.zfill(int(match[2])) if match[2] and value.isdigit() else value

    path: str | None = re.sub(r"%(%|([0-9]{0,2})([AajJxuNnstb]))", one, pattern)
    if "\\" in pattern:
        path = pattern.replace("\\", "")
    if path is not None and not path.startswith("/"):
        path = f"{workdir}/{path}" if workdir else None
    if not pattern or ("%N" in pattern and not node):
        path = None
    assert log_names.fill(pattern, log_names.Names(job, "99", name, "me", nodes), workdir) == path


def test_a_job_that_is_no_array_task_fills_a_as_slurm_does() -> None:
    single = log_names.Names(job="12", raw="12", name="x", user="me")
    assert log_names.fill("%A_%a.out", single, "/w") == "/w/12_4294967294.out"


@pytest.mark.parametrize(
    ("line", "script", "arguments", "out"),
    [
        (
            "sbatch --array=0-7%4 -o logs/%A_%a.out sweep.sbatch cfg.yaml e/p/s",
            "sweep.sbatch",
            ("cfg.yaml", "e/p/s"),
            "logs/%A_%a.out",
        ),
        ("sbatch --output=x.log run.sh", "run.sh", (), "x.log"),
        ("sbatch -ox.log -p gpu run.sh -o notlog", "run.sh", ("-o", "notlog"), "x.log"),
        ("/home/me/run.sh a b", "/home/me/run.sh", ("a", "b"), None),
        ("sbatch --partition gpu --time 1:00 run.sh", "run.sh", (), None),
    ],
)
def test_submit_lines(line: str, script: str, arguments: tuple[str, ...], out: str | None) -> None:
    given = log_paths.read_submit_line(line)
    assert (given.script, given.arguments, given.out) == (script, arguments, out)


class TestFinding:
    def test_the_scripts_own_directive_is_used_where_slurm_does_not_tell(self, lab: Lab) -> None:
        lab.file(
            "run.sbatch",
            "#!/bin/bash\n#SBATCH --job-name=x\n#SBATCH -o deep/er/%j.txt\npython train.py\n#SBATCH -o no\n",
        )
        lab.file("deep/er/33.txt", "epoch 4/8\n")
        lab.job("33", "FAILED", exit="1:0", submit_args="-p gpu run.sbatch")
        assert lab.row("33").epoch == 4

    def test_the_default_name_is_used_where_the_script_names_none(self, lab: Lab) -> None:
        lab.file("run.sbatch", "#!/bin/bash\npython train.py\n")
        lab.file("slurm-33.out", "epoch 4/8\n")
        lab.job("33", "FAILED", exit="1:0", submit_args="run.sbatch")
        assert lab.row("33").epoch == 4

    @pytest.mark.parametrize(
        "name",
        [
            "logs/train-70_3.log",
            "watch/70/x_70_3.stdout",
            "wild.70-3.txt",
            ".submitit/70_3/70_3_0_log.out",
            "073.out",
        ],
    )
    def test_by_id_and_task_anywhere_in_the_path(self, lab: Lab, name: str) -> None:
        lab.job("70_3", "FAILED", raw="073" if name == "073.out" else "74", exit="1:0", submit_args="--wrap x")
        lab.job("70_4", "FAILED", exit="1:0", submit_args="--wrap x", raw="75")
        lab.file(name, "epoch 4/8\n")
        assert lab.row("70_3").epoch == 4
        assert lab.row("70_4").epoch is None

    def test_an_id_within_a_longer_number_does_not_count(self, lab: Lab) -> None:
        lab.job("170", "FAILED", exit="1:0", submit_args="--wrap x")
        lab.file("logs/1700.out", "epoch 4/8\n")
        lab.file("logs/5170.out", "epoch 4/8\n")
        assert lab.row("170").epoch is None

    def test_by_content_where_no_name_holds_the_id(self, lab: Lab) -> None:
        lab.job("88", "PREEMPTED", submit_args="--wrap x")
        lab.file(
            "train.out",
            "epoch 4/8\nslurmstepd: error: *** JOB 88 ON n1 CANCELLED AT 2026-11-20T10:00:00 DUE TO PREEMPTION ***\n",
        )
        assert lab.row("88").epoch == 4

    def test_by_the_project_files_pattern(self, lab: Lab) -> None:
        lab.job("70_3", "FAILED", exit="1:0", submit_args="--wrap x")
        lab.file("results/run-A70-T3/console", "epoch 4/8\n")
        assert lab.row("70_3").epoch is None
        assert lab.row("70_3", logs=["results/run-A{array}-T{task}/console"]).epoch == 4

    def test_a_pattern_does_not_lead_out_of_the_workspace(self, lab: Lab, tmp_path: Path) -> None:
        lab.job("70", "FAILED", exit="1:0", submit_args="--wrap x")
        (tmp_path / "secret-70.log").write_text("epoch 4/8\n")
        (lab.workspace / "link-70").symlink_to(tmp_path / "secret-70.log")
        assert lab.row("70", logs=["../secret-{job}.log", "link-{job}"]).epoch is None

    def test_outputs_behind_a_top_level_link_are_the_workspaces_own(self, lab: Lab, tmp_path: Path) -> None:
        scratch = tmp_path / "scratch"
        (scratch / "logs").mkdir(parents=True)
        (scratch / "logs" / "x_70.log").write_text("epoch 4/8\n")
        (lab.workspace / "results").symlink_to(scratch)
        lab.job("70", "FAILED", exit="1:0", submit_args="--wrap x")
        assert lab.row("70").epoch == 4


class TestReading:
    def test_a_large_log_is_read_at_both_ends_with_true_line_numbers(self, tmp_path: Path) -> None:
        path = tmp_path / "big.out"
        path.write_text("".join(f"line {number}\n" for number in range(1, 200_001)))
        text = logs.read(str(path), head=1000, tail=1000)
        assert text is not None and text.left_out > 0
        assert (text.lines[0], text.numbers[0]) == ("line 1", 1)
        assert (text.lines[-1], text.numbers[-1]) == ("line 200000", 200_000)
        assert len(text.lines) < 300

    @pytest.mark.parametrize("between", [logs.BETWEEN, 6_000_000], ids=["all of it searched", "its last part searched"])
    def test_where_a_run_begins_in_the_middle_is_read_with_true_line_numbers(
        self, tmp_path: Path, between: int
    ) -> None:
        path = tmp_path / "big.out"
        lines = [f"line {number} of a log that is long" for number in range(1, 300_001)]
        places = {150_000: "aaa1", 200_000: "bbb2", 200_001: "bbb2", 240_000: "ccc3"}
        for number, run in places.items():
            lines[number - 1] += f" wandb: View run at https://wandb.ai/e/p/runs/{run}"
        path.write_text("".join(f"{line}\n" for line in lines))
        text = logs.read(str(path), head=1000, tail=1000, between=between)
        assert text is not None
        near = dict(zip(text.numbers, text.lines, strict=True))
        counted_from_the_end = {number - 300_001: words for number, words in enumerate(lines, 1)}
        for number in places if between == logs.BETWEEN else (200_000, 240_000):
            for at in (number - 500, number, number + 100):
                assert near.get(at, near.get(at - 300_001)) == lines[at - 1]
        assert all(line == counted_from_the_end[number] for number, line in near.items() if -300_000 < number < -40)
        assert len(text.lines) < 10_000, "no more than that"

    @pytest.mark.parametrize(
        "end", ["\r" * 20, "\x1b[0m" * 5, "\r\r\n" * 7, "\n"], ids=["drawn over", "colours", "both", "newline"]
    )
    def test_a_tail_in_which_nothing_is_printed_counts_all_the_same(self, tmp_path: Path, end: str) -> None:
        path = tmp_path / "x.out"
        lines = [f"line {number}" for number in range(1, 400)]
        lines[390] = "wandb: View run at https://wandb.ai/e/p/runs/aaa1"
        path.write_text("\n".join(lines) + end, newline="")
        text = logs.read(str(path), head=20, tail=len(end), between=200)
        assert text is not None
        newlines = len(lines) - 1 + end.count("\n")
        whole = newlines + (not end.endswith("\n"))
        assert dict(zip(text.lines, text.numbers, strict=True))[lines[390]] == 391 - 1 - whole  # -1 is the last line

    def test_a_folder_called_runs_in_every_line_is_not_looked_at_line_by_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked: list[int] = []

        class Counting:
            def search(self, data: bytes, start: int, end: int) -> None:
                looked.append(start)

        monkeypatch.setattr(log_middle, "_NAMED", Counting())
        path = tmp_path / "big.out"
        path.write_text("saved to /scratch/me/runs/exp1/model\n" * 40_000 + "Synced 5 files\n" + "step 1\n" * 200_000)
        assert logs.read(str(path)) is not None
        assert len(looked) == 1, "only where W&B may speak"

    def test_carriage_returns_colour_and_bad_bytes(self, tmp_path: Path) -> None:
        path = tmp_path / "x.err"
        path.write_bytes(b"10%|#| 1/10\r20%|##| 2/10\r\x1b[31mred\x1b[0m \xff\xfe\n" + b"y" * 5000 + b"\n")
        text = logs.read(str(path))
        assert text is not None
        assert text.lines[:3] == ("10%|#| 1/10", "20%|##| 2/10", "red \ufffd\ufffd")
        assert text.numbers[:4] == (1, 1, 1, 2)
        assert len(text.lines[3]) == logs.LINE_CHARS

    def test_a_fifo_or_folder_in_a_logs_place_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "x.out")
        (tmp_path / "y.out").mkdir()
        assert logs.read(str(tmp_path / "x.out")) is None
        assert logs.read(str(tmp_path / "y.out")) is None
        assert logs.read(str(tmp_path / "missing.out")) is None
