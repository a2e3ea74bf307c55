"""The rules' naming of jobs after configs."""

from __future__ import annotations

import pytest

from tools.diagnosis.naming import MAX_CHARS, fits, job_name


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("comprehensive_bayes_tx.yaml", "bayes-tx"),  # this one and the next: the rules' own examples
        ("llm_glue_sweep.yaml", "llm-glue"),
        ("experiments/Comprehensive-Bayes-TX.YML", "bayes-tx"),
        ("lr_sweep_2.yaml", "lr-2"),
        ("qwen3_0.6b_lr.yaml", "qwen3-0.6b-lr"),
        ("sweep.v2.yaml", "v2"),
        ("bert_base_lr_warmup.yaml", "bert-base-lr"),
        ("molecular_transformer_learning_rate.yaml", "molecular-transformer"),
        ("a" * 40 + ".yaml", "a" * MAX_CHARS),
        ("größe.yaml", "größe"),
        ("experiments/llm_glue/sweep.yaml", "llm-glue"),  # the folder says what the file doesn't
        ("configs/sweep_config.yaml", "sweep-config"),
        ("sweep.yaml", "sweep"),
        ("--.yaml", "sweep"),
        ("", "sweep"),
    ],
)
def test_the_name_that_belongs_to_a_config(config: str, name: str) -> None:
    assert job_name(config) == name
    assert fits(name, config)


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("bayes-tx", True),
        ("bayes_tx", True),
        ("comprehensive-bayes-tx", True),
        ("sweep-bayes", True),  # the rules' own example of a job
        ("BAYES-TX-resume", True),
        ("tx", False),  # could be many
        ("bayes-vision", False),
        ("tx-bayes", False),
        ("llm-glue", False),
        ("train", False),
        ("comprehensive", False),  # says nothing of what is swept
        ("sweep", False),
        ("", False),
    ],
)
def test_which_names_match_a_config(name: str, fitting: bool) -> None:
    assert fits(name, "experiments/comprehensive_bayes_tx.yaml") is fitting


def test_a_word_that_says_nothing_ties_no_job_to_a_config() -> None:
    assert not fits("sweep", "llm_glue_sweep.yaml")
    assert fits("sweep", "sweep.yaml"), "but it is the name of a file that says nothing more"
