"""Configuration files of a workspace: what is read from them, and what hostile ones can't do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab import Lab, wandb_lines

from tools import readers
from tools.diagnosis import targets
from tools.sources import kept
from tools.sources.configs import read_launchers
from tools.sources.index import walk
from tools.sources.yaml_files import load_keys, load_yaml, parsed, why_not

BOMBS = {
    "brackets": "[" * 100_000,
    "braces": "a: " + "{a: " * 5_000,
    "dashes": "- " * 20_000,
    "aliases": "a: &a [x, x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)),
    "merges": "a: &a {k: 1}\n"
    + "".join(f"b{n}: &b{n}\n  <<: [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(12)),
    "itself": "a: &a [*a]",
    "large": "a: " + "x" * 3_000_000,
    "bytes": "\x00\x01: [",
    "python": "!!python/object/apply:os.system ['true']",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_a_hostile_file_is_no_config_and_does_no_harm(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert load_yaml(path) is None


def test_a_fifo_in_a_configs_place_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")
    assert load_yaml(tmp_path / "x.yaml") is None


def test_small_numbers_are_numbers_and_anchors_work(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("lr: 1e-05\nbase: &base {n: 1}\nuse: {<<: *base, m: 2}\nname: 1e5x\n")
    assert load_yaml(path) == {"lr": 1e-05, "base": {"n": 1}, "use": {"n": 1, "m": 2}, "name": "1e5x"}


@pytest.mark.parametrize(
    ("config", "epochs", "steps"),
    [
        ({"trainer": {"max_epochs": 50}}, 50, None),
        ({"max_epochs": {"value": 50}}, 50, None),
        ({"epochs": 3, "trainer": {"max_epochs": 7}}, 7, None),
        ({"max_steps": -1, "num_train_epochs": 3.0}, 3, None),
        ({"max_epochs": None, "max_steps": 1000}, None, 1000),
        ({"max_epochs": 10, "max_steps": 1000}, 10, 1000),
        ({"max_iter": 500, "warmup_steps": 9}, None, None),
        ({"epochs": True, "steps": "many"}, None, None),
    ],
)
def test_targets_in_a_config(config: dict[str, object], epochs: float | None, steps: int | None) -> None:
    found = targets.in_config(config, "x")
    assert (found.epochs, found.steps) == (epochs, steps)


@pytest.mark.parametrize(
    ("line", "epochs"),
    [
        ("python train.py --epochs=40 --lr=0.1", 40),
        ("python train.py --num-epochs 40", 40),
        ("python train.py trainer.max_epochs=40", 40),
        ("python train.py +trainer.max_epochs=40 'name=a b'", 40),
        ("python train.py --warmup_epochs 5", None),
        ("python 'unclosed", None),
    ],
)
def test_targets_in_a_command(line: str, epochs: float | None) -> None:
    assert targets.in_command(line, "x").epochs == epochs


class TestWhichTargetCounts:
    def _job(self, lab: Lab, log: str = "epoch 5\n", **own: object) -> None:
        lab.job("9", **own)
        lab.file("logs/9.out", wandb_lines("aaa1", "sw1") + log)

    def test_the_log_first(self, lab: Lab) -> None:
        self._job(lab, "epoch 5/20\n")
        lab.file("outputs/aaa1/hydra_config.yaml", "max_epochs: 30\n")
        assert lab.row("9").target_epochs == 20

    def test_then_the_runs_own_config(self, lab: Lab) -> None:
        self._job(lab)
        lab.file("outputs/aaa1/hydra_config.yaml", "max_epochs: 30\n")
        lab.file("wandb/sweep-sw1/config-aaa1.yaml", "epochs: {value: 40}\n")
        assert lab.row("9", target={"epochs": 60}).target_epochs == 30

    def test_then_the_agents_map_then_the_project_file(self, lab: Lab) -> None:
        self._job(lab)
        assert lab.row("9", target={"epochs": 60}).target_epochs == 60
        lab.file("wandb/sweep-sw1/config-aaa1.yaml", "epochs: {value: 40}\n")
        assert lab.row("9", target={"epochs": 60}).target_epochs == 40

    def test_the_sweep_yaml_last_and_only_a_fixed_value(self, lab: Lab) -> None:
        self._job(lab, submit_args="sweep.sh exp.yaml")
        lab.file("experiments/exp.yaml", "method: grid\nparameters:\n  epochs: {values: [5, 9]}\n")
        assert lab.row("9").target_epochs is None
        lab.file("experiments/exp.yaml", "method: grid\nparameters:\n  epochs: {value: 70}\n")
        assert lab.row("9").target_epochs == 70

    def test_a_job_that_resumes_a_run_has_the_config_of_its_sweep(self, lab: Lab) -> None:
        lab.file("experiments/exp.yaml", "method: grid\nparameters:\n  epochs: {value: 70}\n")
        lab.job("8", submit_args="sweep.sh exp.yaml")
        lab.job("9", submit_args="run.sbatch sw1 aaa1")
        for job, run in (("8", "bbb2"), ("9", "aaa1")):
            lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + "{'loss': 0.5, 'epoch': 7.0}\n")
        assert (lab.row("9").target_epochs, lab.row("9").percent) == (70, 10)
        lab.file("experiments/other.yaml", "method: grid\nparameters:\n  epochs: {value: 90}\n")
        lab.job("7", submit_args="sweep.sh other.yaml")
        lab.file("logs/7.out", wandb_lines("ccc3", "sw1"))
        assert lab.row("9").target_epochs is None  # two configs of one sweep: neither is taken

    def test_none_is_unknown_and_said(self, lab: Lab) -> None:
        self._job(lab)
        row = lab.row("9")
        assert (row.target_epochs, row.percent) == (None, None)
        assert any(flag.startswith("target:") for flag in row.flags)


def test_a_sweep_tells_its_purpose_and_method(lab: Lab) -> None:
    lab.job("9", submit_args="sweep.sh exp.yaml")
    lab.file("logs/9.out", wandb_lines("aaa1", "sw1"))
    lab.file(
        "experiments/exp.yaml", "# Does width matter?\nmethod: bayes\nname: width\nparameters:\n  w: {values: [1]}\n"
    )
    sweep = lab.status().sweeps[0]
    assert (sweep.config, sweep.method, sweep.name, sweep.purpose) == (
        "experiments/exp.yaml", "bayes", "width", "Does width matter?",
    )  # fmt: skip
    assert sweep.url == "https://wandb.ai/lab/proj/sweeps/sw1"


def test_a_sweep_yaml_that_cannot_be_parsed_is_named_with_its_line_and_still_tied(lab: Lab) -> None:
    lab.job("9", submit_args="sweep.sh exp.yaml")
    lab.file("logs/9.out", wandb_lines("aaa1", "sw1"))
    lab.file("experiments/exp.yaml", "# Does width matter?\nmethod: grid\nparameters:\n  a: [1\n  b: 2\n")
    lab.file("values.yaml", "parameters:\n  a: [1\n  b: 2\n")  # broken, but nothing says that it is a sweep's
    status = lab.status()
    (source,) = [source for source in status.sources if source.name == "configs"]
    assert not source.ok
    assert (source.error or "").startswith("experiments/exp.yaml can't be read: line 5: ")
    assert (status.sweeps[0].config, status.sweeps[0].purpose) == ("experiments/exp.yaml", "Does width matter?")
    assert any(issue.startswith("can't be read as YAML: line 5") for issue in status.sweeps[0].issues)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "did not find expected"),
        ("a: 1\n b: *x\n", 2, "mapping values are not allowed"),
        ("- 1\n", None, "a list, not a mapping"),
        ("[" * 100, None, "nested too deep"),
        ("a: &a [*a]", None, "nested too deep, or too large"),
    ],
)
def test_why_a_file_is_no_mapping(text: str, line: int | None, why: str) -> None:
    data = text.encode()
    assert parsed(data) is None
    found, words = why_not(data)
    assert (found, words[: len(why)]) == (line, why)


def test_what_a_config_says_of_itself_under_any_case_of_the_keys(workspace: Path) -> None:
    (workspace / "s.yaml").write_text(
        "Description: d\nNOTES: n\ncomment: 3\nPurpose: |\n  two\n  lines\nhypothesis: h\nExpected Runtime: 24h\n"
        "command: [python, train.py]\nprogram: train.py\nrun_cap: 7\nearly_terminate: {type: hyperband, min_iter: 3}\n"
        "metric: {name: acc, goal: maximize}\n'parameters':\n  lr: {value: 1}\nextra: {description: not this}\n"
    )
    (config,) = readers.sweep_configs(walk(workspace), kept.Kept(None))()
    assert {key: (note.text, note.line) for key, note in config.told.items()} == {
        "description": ("d", 1), "notes": ("n", 2), "comment": ("3", 3), "purpose": ("two lines", 4),
        "hypothesis": ("h", 7), "expected_runtime": ("24h", 8),
    }  # fmt: skip
    assert (config.command, config.program, config.run_cap) == (("python", "train.py"), "train.py", 7)
    assert (config.metric, dict(config.early_terminate or {})) == ("maximize acc", {"type": "hyperband", "min_iter": 3})
    assert config.where("parameters.lr") == f"{workspace}/s.yaml:15"
    assert config.where("nowhere") == f"{workspace}/s.yaml"


def test_comments_of_a_large_or_hostile_head_are_bounded(workspace: Path) -> None:
    (workspace / "s.yaml").write_text(
        f"# {'x' * 3_000}\n" * 100 + "method: grid\nparameters:\n  a: {value: 1} # " + "'" * 9_000
    )
    (config,) = readers.sweep_configs(walk(workspace), kept.Kept(None))()
    assert len([note for note in config.comments if note.text]) == 60
    assert all(len(note.text) <= 300 for note in (*config.comments, *config.remarks.values()))


def test_a_make_target_counts_only_if_it_uses_sweep_and_run(workspace: Path) -> None:
    (workspace / "Makefile").write_text("run:\n\tpython train.py\n")
    assert not read_launchers(workspace).make_run
    (workspace / "Makefile").write_text("RUN := x\nrun: env\n\tsbatch r.sh $(SWEEP) ${RUN}\n")
    assert read_launchers(workspace).make_run


@pytest.mark.parametrize(
    "text",
    [
        "trainer:\n  max_epochs: 100\ndata:\n  steps: 7\n",
        "trainer:\n  max_epochs: 100\n\n  # a word\n  max_steps: -1\nmodel:\n  net:\n    epochs: 3\n",
        "a:\n  steps: 5\nb:\n  steps: 6\n",
        "epochs:\n  value: 5\nsampler:\n  epochs:\n    value: 7\n",
        "'train':\n    \"epochs\": 5\nenv: {steps: 9}\n",
        "steps: 5\n  steps: 7\n",
        "epochs: 5\nsteps:\n  epochs: 7\n",
    ],
)
def test_the_quick_reader_finds_the_target_that_the_parser_finds(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    quick, whole = load_keys(path, targets.KEYS) or {}, load_yaml(path) or {}
    assert targets.in_config(quick, "x") == targets.in_config(whole, "x")


def test_steps_of_a_sampler_or_a_data_set_are_no_target() -> None:
    config = {"trainer": {"max_epochs": 100}, "data": {"steps": 7}, "diffusion": {"num_steps": 1000}}
    assert targets.in_config(config, "x").steps is None
    assert targets.in_config({"train": {"num_steps": 1000}}, "x").steps == 1000


def test_max_steps_overrides_the_trainers_epochs_as_in_the_trainer_itself() -> None:
    assert targets.in_config({"num_train_epochs": 3, "max_steps": 500}, "x").epochs is None
    assert targets.in_config({"num_train_epochs": 3, "max_steps": -1}, "x").epochs == 3
    assert targets.in_config({"max_epochs": 3, "max_steps": 500}, "x").epochs == 3, "whichever comes first"
