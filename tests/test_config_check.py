"""What is wrong with a sweep's config and its jobs, with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import HOUR, NOW, Lab, wandb_lines

from tools import readers
from tools.diagnosis.config_check import Problem, problems
from tools.sources import index, kept, wandb_mode
from tools.wandb_data import SweepConfig

SOUND = """\
method: bayes
metric: {name: loss, goal: minimize}
early_terminate: {type: hyperband, min_iter: 3}
parameters:
  epochs: {value: 9}
  lr: {min: 0.1, max: 0.5}
"""


def _found(
    tmp_path: Path,
    text: str,
    *,
    jobs: tuple[str, ...] = (),
    offline: str | None = None,
    has_target: bool | None = None,
) -> list[Problem]:
    (tmp_path / "bayes_tx.yaml").write_text(text)
    (config,) = readers.sweep_configs(index.walk(tmp_path), kept.Kept(None))()
    return list(problems(config, jobs, offline, has_target=has_target))


def _places(found: list[Problem]) -> list[tuple[str, str]]:
    return [(one.where.rpartition("/")[2], one.key) for one in found]


def test_a_sound_config_has_no_problem(tmp_path: Path) -> None:
    assert _found(tmp_path, SOUND, jobs=("bayes-tx", "bayes_tx"), has_target=True) == []


def test_bayes_and_hyperband_with_offline_runs_are_flagged_each_at_its_line(tmp_path: Path) -> None:
    found = _found(tmp_path, SOUND, offline="the newest run is offline")
    assert _places(found) == [("bayes_tx.yaml:1", "method"), ("bayes_tx.yaml:3", "early_terminate")]
    assert "bayes needs WANDB_MODE=online: the newest run is offline" in found[0].text
    assert "hyperband needs WANDB_MODE=online" in found[1].text
    assert _found(tmp_path, "method: random\nparameters: {epochs: {value: 1}}\n", offline="x") == []


@pytest.mark.parametrize(
    ("text", "where", "key", "words"),
    [
        (SOUND.replace("method: bayes\n", "program: x\n"), "bayes_tx.yaml", "method", "no method"),
        (SOUND.replace("bayes", "bayesian"), "bayes_tx.yaml:1", "method", "bayesian: W&B knows"),
        ("method: bayes\nparameters: {a: {value: 1}}\n", "bayes_tx.yaml:1", "metric", "bayes without a metric"),
        (SOUND.replace("name: loss, ", ""), "bayes_tx.yaml:2", "metric", "metric without a name"),
        (SOUND.replace("minimize", "min"), "bayes_tx.yaml:2", "metric", "goal min:"),
        (SOUND.replace("hyperband", "median"), "bayes_tx.yaml:3", "early_terminate", "of type median"),
        (SOUND.replace(", min_iter: 3", ""), "bayes_tx.yaml:3", "early_terminate", "needs min_iter"),
        (SOUND.replace("{min: 0.1, max: 0.5}", "0.1"), "bayes_tx.yaml:6", "lr", "write value"),
        (SOUND + "run_cap: 0\n", "bayes_tx.yaml:7", "run_cap", "at least 1"),
        (SOUND + "run_cap: many\n", "bayes_tx.yaml:7", "run_cap", "no whole number"),
        (SOUND.replace("bayes", "grid"), "bayes_tx.yaml:6", "lr", "uniform 0.1 to 0.5): a grid needs values"),
        (
            "method: grid\nparameters:\n  a: {values: [1, 2], probabilities: [0.1, 0.9]}\n",
            "bayes_tx.yaml:3", "a", "with probabilities",
        ),
        (
            "method: grid\nrun_cap: 5\nparameters:\n  a: {values: [1, 2]}\n  b: {min: 1, max: 3}\n",
            "bayes_tx.yaml:2", "run_cap", "run_cap 5 ends the sweep before its grid of 6",
        ),
        ("method: grid\nparameters: {a: [}\n", "bayes_tx.yaml", "file", "can't be read as YAML: line 2: "),
    ],
)  # fmt: skip
def test_each_problem_with_file_and_key(tmp_path: Path, text: str, where: str, key: str, words: str) -> None:
    found = _found(tmp_path, text)
    assert _places(found) == [(where, key)]
    assert words in found[0].text


def test_what_is_no_problem(tmp_path: Path) -> None:
    grid = "method: grid\nrun_cap: 6\nparameters:\n  a: {values: [1, 2]}\n  b: {min: 1, max: 3}\n  c: {values: [7]}\n"
    assert _found(tmp_path, grid) == [], "whole numbers and single values are a grid; the cap lets all of it through"


def test_a_missing_target_only_where_nothing_names_one(tmp_path: Path) -> None:
    bare = "method: random\nparameters: {a: {values: [1, 2]}}\n"
    assert _places(_found(tmp_path, bare, has_target=False)) == [("bayes_tx.yaml:2", "target")]
    assert _found(tmp_path, bare, has_target=True) == []
    assert _found(tmp_path, bare, has_target=None) == [], "a config without runs may get it on the command line"
    nested = "method: random\nparameters: {trainer: {parameters: {max_epochs: {value: 5}}}}\n"
    assert _found(tmp_path, nested, has_target=False) == []


def test_job_names_against_the_config(tmp_path: Path) -> None:
    (one,) = _found(tmp_path, SOUND, jobs=("bayes-tx", "train", "train", "other"))
    assert one.text == "job name train (and 1 more) doesn't match the config: bayes-tx would"


class TestOfflineIsSeen:
    def _issues(self, lab: Lab, **own: str) -> list[str]:
        lab.file("experiments/bayes_tx.yaml", SOUND)
        lab.job("9", name="bayes-tx", submit_args=f"{own.pop('options', '')} sweep.sh bayes_tx.yaml".strip(), **own)
        lab.file("logs/9.out", wandb_lines("aaa1", "sw1"))
        return [issue for issue in lab.status().sweeps[0].issues if "WANDB_MODE" in issue]

    def test_in_the_runs_own_folder_whatever_the_script_says(self, lab: Lab) -> None:
        lab.file("sweep.sh", "export WANDB_MODE=online\n")
        lab.file("wandb/offline-run-20261120_100002-aaa1/files/output.log", "")
        assert "bayes needs WANDB_MODE=online: 1 of 1 live runs is offline" in self._issues(lab)[0]

    def test_not_where_the_live_run_is_online_and_another_that_ended_was_not(self, lab: Lab) -> None:
        lab.file("sweep.sh", "export WANDB_MODE=offline\n")
        lab.file("wandb/run-20261120_100002-aaa1/files/output.log", "")
        lab.file("wandb/offline-run-20261121_100002-bbb2/files/output.log", "")
        lab.file("wandb/sweep-sw1/config-bbb2.yaml", "lr: {value: 1}\n")
        assert self._issues(lab) == []

    @pytest.mark.parametrize(
        ("script", "options", "where"),
        [
            ("export WANDB_MODE=offline\nwandb agent x\n", "", "sweep.sh:1"),
            ('WANDB_MODE="dryrun" wandb agent x\n', "", "sweep.sh:1"),
            ("#SBATCH --export=ALL,WANDB_MODE=offline\n", "", "sweep.sh:1"),
            ("x\nwandb offline\n", "", "sweep.sh:2"),
            ("x\n", "--export=ALL,WANDB_MODE=offline", "the submit line"),
            ("export WANDB_MODE=${WANDB_MODE:-offline}\n", "", "sweep.sh:1"),
            ("export WANDB_MODE=online\nexport WANDB_MODE=offline\n", "--export=WANDB_MODE=online", "sweep.sh:2"),
            ("# WANDB_MODE=offline\necho WANDB_MODE=offline\n", "", None),
            ("export WANDB_MODE=offline\nexport WANDB_MODE=online\n", "", None),
            ("export WANDB_MODE=${WANDB_MODE:-offline}\n", "--export=ALL,WANDB_MODE=online", None),
            ("export MY_WANDB_MODE=offline\n", "", None),
        ],
    )
    def test_in_what_the_job_will_do(self, lab: Lab, script: str, options: str, where: str | None) -> None:
        lab.file("sweep.sh", script)
        issues = self._issues(lab, options=options)
        assert len(issues) == (2 if where else 0)
        assert not where or f"online: {where} says " in issues[0]

    def test_in_wandbs_own_settings(self, lab: Lab) -> None:
        lab.file("wandb/settings", "[default]\nmode = offline\n")  # as `wandb offline` of 0.31 writes it
        assert "wandb/settings:2 says offline" in self._issues(lab)[0]

    def test_a_script_outside_the_workspace_is_not_read(self, lab: Lab, tmp_path: Path) -> None:
        (tmp_path / "sweep.sh").write_text("export WANDB_MODE=offline\n")
        (lab.workspace / "sweep.sh").symlink_to(tmp_path / "sweep.sh")
        assert self._issues(lab) == []

    def test_a_script_that_changes_is_read_anew(self, lab: Lab) -> None:
        path = lab.file("sweep.sh", "WANDB_MODE=offline\n")
        first = wandb_mode.in_script(str(path))
        path.write_text("WANDB_MODE=online \n\n")
        second = wandb_mode.in_script(str(path))
        assert first and second and (first.mode, second.mode) == ("offline", "online")


def test_names_of_jobs_that_ended_don_t_count_while_others_live(lab: Lab) -> None:
    lab.file("experiments/bayes_tx.yaml", SOUND)
    lab.job("8", "FAILED", name="old", submit_args="s.sh bayes_tx.yaml", submit=NOW - 90 * HOUR)
    lab.job("9", name="bayes-tx", submit_args="s.sh bayes_tx.yaml")
    for job in ("8", "9"):
        lab.file(f"logs/{job}.out", wandb_lines(f"run{job}", "sw1"))
    assert not [issue for issue in lab.status().sweeps[0].issues if issue.startswith("job name")]


@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
def test_a_job_that_resumes_one_run_needs_no_sweeps_name(lab: Lab, state: str) -> None:
    lab.file("experiments/bayes_tx.yaml", SOUND)
    lab.job("8", "FAILED", name="bayes-tx", submit_args="s.sh bayes_tx.yaml", submit=NOW - 90 * HOUR)
    lab.job("9", state, name="run.sbatch", submit_args="run.sbatch sw1 runa8", command="run.sbatch sw1 runa8")
    lab.file("logs/8.out", wandb_lines("runa8", "sw1"))
    if state == "RUNNING":
        lab.file("logs/9.out", wandb_lines("runa8", "sw1"))
    (sweep,) = lab.status().sweeps
    assert not [issue for issue in sweep.issues if issue.startswith("job name")]


def test_a_config_nobody_could_tie_is_not_checked() -> None:
    assert [one.key for one in problems(SweepConfig("x.yaml"), (), None, has_target=None)] == ["method"]
