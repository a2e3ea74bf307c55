"""What a sweep is about: from its YAML, its comments, its runs' notes and CLAUDE.md, each with where it stands."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, wandb_lines

from tools import readers
from tools.base import MAX_RESULT_CHARS, Context, ToolError
from tools.diagnosis import claude_md, space
from tools.diagnosis.context import SweepContext, context_of
from tools.documents import BEGIN, END
from tools.explain_job import EXPLAIN_JOB
from tools.sources import index, kept
from tools.sweep_context import SWEEP_CONTEXT
from tools.wandb_data import SweepConfig

WHOLE = """\
# ---------------------------------
# Does width matter for the encoder
# when it is trained for long?
#
# Hypothesis: wider is better
#   up to 512.
# Expected runtime: ~24-48h per run
# Usage: wandb sweep experiments/width.yaml
program: train.py
method: random
Notes: third try
metric: {name: eval/loss, goal: minimize}
parameters:
  # the paper's three
  learning_rate: {values: [1e-5, 5e-5, 1e-4]}  # not more
  name: {value: "a # b"}
  dropout: {min: 0.1, max: 0.5}
  # lr: 3
  trainer:
    parameters:
      max_epochs: {value: 5000}
"""


def _config(tmp_path: Path, text: str, name: str = "width.yaml") -> SweepConfig:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return readers.sweep_configs(index.walk(tmp_path), kept.Kept(None))()[0]


def _context(tmp_path: Path, head: str, keys: str = "") -> SweepContext:
    return context_of(_config(tmp_path, f"{head}method: grid\n{keys}parameters:\n  a: {{values: [1, 2]}}\n"))


def _said(said: Any) -> str | None:
    return f"{said.where.rpartition(':')[2]}: {said.text}" if said else None


def test_everything_a_config_says_with_its_line(tmp_path: Path) -> None:
    config = _config(tmp_path, WHOLE)
    found = context_of(config)
    assert _said(found.purpose) == "2: Does width matter for the encoder when it is trained for long?"
    assert _said(found.hypothesis) == "5: wider is better up to 512."
    assert _said(found.expected_runtime) == "7: ~24-48h per run"
    assert [_said(note) for note in found.notes] == ["11: third try", "8: Usage: wandb sweep experiments/width.yaml"]
    assert [(one.name, one.shown, one.where.rpartition(":")[2]) for one in found.varied] == [
        ("learning_rate", "1e-05, 5e-05, 0.0001", "15"),
        ("dropout", "uniform 0.1 to 0.5", "17"),
    ]
    assert [(one.name, one.shown) for one in found.fixed] == [("name", "a # b"), ("trainer.max_epochs", "5000")]
    assert (found.target.epochs, found.target.where) == (5000, f"{config.path}:19")
    assert {name: note.text for name, note in config.remarks.items()} == {"learning_rate": "the paper's three not more"}


@pytest.mark.parametrize(
    ("head", "keys", "purpose", "hypothesis"),
    [
        ("# First line.\n# Second line.\n", "", "1: First line.", "2: Second line."),
        ("# First line\n# Second line\n", "", "1: First line", "2: Second line"),
        ("# First line\n# goes on.\n", "", "1: First line goes on.", None),
        ("# Comment.\n", "description: Words\n", "3: Words", "1: Comment."),
        ("# Words\n", "description: Words.\n", "3: Words.", None),
        ("", "Purpose: Words\nHYPOTHESIS: lower is better\n", "2: Words", "3: lower is better"),
        ("# Goal: small models\n# Hypothesis - they win\n", "", "1: small models", "2: they win"),
        ("# hypothesis: they win\n", "", None, "1: they win"),
        ("", "notes: only notes\n", "2: only notes", None),
        ("# width.yaml\n# lr: 0.1\n# program: train.py\n#!/usr/bin/x\n# Real words.\n", "", "5: Real words.", None),
        ("# yaml-language-server: $schema=x\n", "", None, None),
        ("", "", None, None),
    ],
)  # fmt: skip
def test_purpose_and_hypothesis(
    tmp_path: Path, head: str, keys: str, purpose: str | None, hypothesis: str | None
) -> None:
    found = _context(tmp_path, head, keys)
    assert (_said(found.purpose), _said(found.hypothesis)) == (purpose, hypothesis)


def test_comments_between_the_first_keys_count_and_those_further_down_do_not(tmp_path: Path) -> None:
    found = _context(tmp_path, "program: x\n# Words of it.\n", "".join(f"k{n}: 1\n" for n in range(9)) + "# late\n")
    assert _said(found.purpose) == "2: Words of it."
    assert found.hypothesis is None


@pytest.mark.parametrize(
    ("spec", "kind", "shown", "count"),
    [
        ({"values": [1, 2.5, "x", True, None]}, "values", "1, 2.5, x, true, null", 5),
        ({"values": list(range(12))}, "values", "0, 1, 2, 3, 4, 5, 6, 7 and 4 more", 12),
        ({"values": [4]}, "fixed", "4", 1),
        ({"value": None}, "fixed", "null", 1),
        ({"min": 1, "max": 9}, "range", "int_uniform 1 to 9", 9),
        ({"min": 1, "max": 9.0}, "range", "uniform 1 to 9", None),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25}, "range", "q_uniform 0 to 1 in steps of 0.25", 4),
        ({"distribution": "log_uniform_values", "min": 1e-5, "max": 1}, "range", "log_uniform_values 1e-05 to 1", None),
        ({"distribution": "log_uniform", "min": -9, "max": -2}, "range", "log_uniform -9 to -2 (exponents of e)", None),
        ({"distribution": "normal", "mu": 0, "sigma": 2.0}, "range", "normal mu 0 sigma 2", None),
        (0.1, "malformed", "0.1", None),
        ({"values": 3}, "malformed", '{"values": 3}', None),
        ({}, "malformed", "{}", None),
    ],
)  # fmt: skip
def test_each_kind_of_parameter(spec: Any, kind: str, shown: str, count: int | None) -> None:
    (one,) = space.parameters(SweepConfig("x.yaml", parameters={"a": spec}))
    assert (one.kind, one.shown, one.count) == (kind, shown, count)


def test_the_target_of_the_command_counts_where_no_parameter_names_one(tmp_path: Path) -> None:
    found = _context(tmp_path, "", "command: [python, train.py, --max_epochs=70, '${args}']\n")
    assert (found.target.epochs, found.target.where) == (70, f"{tmp_path}/width.yaml:2")


CLAUDE = """\
# molprop
words
## Current experiments
- sw1: width
### Details
more
```
# no heading
```
## Other
see width.yaml, not mywidth.yaml
xsw11 is another
"""


def test_claude_md_gives_its_sections_and_the_lines_that_name_the_sweep() -> None:
    sections = [(said.where, said.text) for said in claude_md.sections(CLAUDE, "C")]
    assert sections == [
        ("C:3", "## Current experiments"),
        ("C:4", "- sw1: width"),
        ("C:5", "### Details"),
        ("C:6", "more"),
        ("C:8", "# no heading"),
    ]
    assert [said.where for said in claude_md.naming(CLAUDE, "C", ["width.yaml", "sw11"])] == ["C:11"]
    assert claude_md.naming(CLAUDE, "C", ["sw1", ""]) == [], "three letters stand in many words"


class TestTool:
    def _run(self, lab: Lab, **values: Any) -> Any:
        output = SWEEP_CONTEXT.run(Context(lab.place()), SWEEP_CONTEXT.parse(values))
        assert len(output.text) <= MAX_RESULT_CHARS
        return json.loads(output.text)

    def _sweep(self, lab: Lab, sweep: str = "sweep001", config: str = "width.yaml", job: str = "9") -> None:
        lab.job(job, submit_args=f"sweep.sh {config}", name="width")
        lab.file(f"logs/{job}.out", wandb_lines(f"run{job}", sweep))
        lab.file(f"experiments/{config}", WHOLE)

    def test_one_sweep_in_full(self, lab: Lab) -> None:
        self._sweep(lab)
        lab.file("CLAUDE.md", "## Sweeps\nsweep001 runs\n## More\nwidth.yaml again\n")
        found = self._run(lab, sweep="sweep001")
        (sweep,) = found["sweeps"]
        assert sweep["url"] == "https://wandb.ai/lab/proj/sweeps/sweep001"
        assert sweep["config"] == "experiments/width.yaml"
        assert sweep["hypothesis"] == "wider is better up to 512."
        assert sweep["key_parameters"] == {"learning_rate": "1e-05, 5e-05, 0.0001", "dropout": "uniform 0.1 to 0.5"}
        assert (sweep["target_epochs"], sweep["target_from"]) == (5000, "experiments/width.yaml:19")
        assert sweep["where"]["hypothesis"] == "experiments/width.yaml:5"
        assert sweep["where"]["dropout"] == "experiments/width.yaml:17"
        assert "problems" not in sweep
        assert sweep["claude_md_on_it"] == ["CLAUDE.md:2: sweep001 runs", "CLAUDE.md:4: width.yaml again"]
        assert found["claude_md"] == ["CLAUDE.md:1: ## Sweeps", "CLAUDE.md:2: sweep001 runs"]
        assert "was not read" in found["not_seen"]

    def test_a_config_by_its_name_or_path_with_or_without_a_sweep(self, lab: Lab) -> None:
        self._sweep(lab)
        lab.file("experiments/idle.yaml", "# Idle.\nmethod: grid\nparameters:\n  epochs: {value: 3}\n")
        for name in ("width.yaml", "experiments/width.yaml"):
            assert [entry["sweep"] for entry in self._run(lab, sweep=name)["sweeps"]] == ["sweep001"]
        (entry,) = self._run(lab, sweep="idle.yaml")["sweeps"]
        assert (entry["purpose"], entry["target_epochs"]) == ("Idle.", 3)
        assert len(self._run(lab)["sweeps"]) == 2
        with pytest.raises(ToolError, match="no sweep or sweep config other"):
            self._run(lab, sweep="other")

    def test_without_a_config_it_says_so_and_the_runs_target_stands_in_for_a_missing_one(self, lab: Lab) -> None:
        lab.job("9")
        lab.file("logs/9.out", wandb_lines("aaa1", "sw1") + "epoch 3/40\n")
        assert "no sweep YAML" in self._run(lab, sweep="sw1")["sweeps"][0]["why"]
        lab.file("train.yaml", "method: grid\nparameters:\n  a: {values: [1, 2]}\n")
        entry = self._run(lab, sweep="sw1")["sweeps"][0]
        assert (entry["target_epochs"], entry["target_from"]) == (40, "its runs")

    def test_notes_of_its_runs(self, lab: Lab) -> None:
        # notes as the real client wrote them
        real = next(Path(__file__).parents[1].glob("fixtures/wandb/0.31.0/sweep/offline-run-*"))
        for file in filter(Path.is_file, real.rglob("*")):
            lab.file(f"wandb/{real.name}/{file.relative_to(real)}", file.read_bytes())
        lab.job("48213_7", raw="48220")
        found = self._run(lab, sweep="xk31p7")
        assert found["sweeps"][0]["run_notes"] == {"h7k2m9qa": "second words"}

    def test_many_sweeps_stay_small_and_the_rest_is_counted(self, lab: Lab) -> None:
        for number in range(60):
            lab.file(f"experiments/c{number:02d}.yaml", f"# {'long words ' * 60}\n{WHOLE}")
        found = self._run(lab)
        assert 5 <= len(found["sweeps"]) <= 20
        assert found["left_out"].startswith(f"{60 - len(found['sweeps'])} more")

    def test_a_claude_md_that_leads_out_of_the_workspace_is_not_read(self, lab: Lab, tmp_path: Path) -> None:
        self._sweep(lab)
        outside = tmp_path / "elsewhere.md"
        outside.write_text("## Experiments\nsecret words\n")
        (lab.workspace / "CLAUDE.md").symlink_to(outside)
        assert self._run(lab)["claude_md"] == "no CLAUDE.md in the workspace"
        (lab.workspace / "CLAUDE.md").unlink()
        os.mkfifo(lab.workspace / "CLAUDE.md")
        assert self._run(lab)["claude_md"] == "no CLAUDE.md in the workspace"


def test_what_a_run_died_of_in_its_config_is_told_as_explain_job_tells_it(lab: Lab) -> None:
    lab.file(
        "experiments/glue.yaml",
        "method: grid\nmetric: {name: a, goal: minimize}\nparameters:\n  lr: {values: [1, 2]}\n",
    )
    lab.job("70", "FAILED", exit="1:0", command="sweep.sbatch experiments/glue.yaml me/p/sw1")
    error = "omegaconf.errors.ConfigAttributeError: Key 'multistep' is not in struct\n"
    lab.file("logs/70.err", wandb_lines("aaa1", "sw1") + error)
    context = Context(lab.place())
    (row,) = json.loads(EXPLAIN_JOB.run(context, EXPLAIN_JOB.parse({"job_id": "70"})).text)["rows"]
    (sweep,) = json.loads(SWEEP_CONTEXT.run(context, SWEEP_CONTEXT.parse({"sweep": "sw1"})).text)["sweeps"]
    assert row["cause"] == "config_error"
    (told,) = sweep["config_errors_of_runs"]
    assert told.startswith(f"70: {row['evidence'][0]['text']} (logs/70.err:") and "fix key 'multistep'" in told


def test_what_this_program_wrote_into_claude_md_is_not_told_as_a_persons_words(lab: Lab) -> None:
    lab.file("experiments/glue.yaml", WHOLE)
    lab.file("CLAUDE.md", f"# Experiments\nmine\n{BEGIN}\n## Experiment Status\n- ours\n{END}\n## Current\nalso mine\n")
    text = SWEEP_CONTEXT.run(Context(lab.place()), SWEEP_CONTEXT.parse({})).text
    assert json.loads(text)["claude_md"] == [
        "CLAUDE.md:1: # Experiments", "CLAUDE.md:2: mine", "CLAUDE.md:7: ## Current", "CLAUDE.md:8: also mine",
    ]  # fmt: skip
