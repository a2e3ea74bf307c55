"""Configuration: what counts before what, and one clear line for what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config import Config, Limits, load, user_file
from agent.config_file import ConfigError
from agent.transcript_keeping import Keeping
from tools.checked import checked
from tools.layout import Layout


def _load(workspace: Path, environ: dict[str, str] | None = None, **flags: object) -> Config:
    home = {"XDG_CONFIG_HOME": str(workspace.parent / "config")}
    return load({**home, **(environ or {})}, workspace=workspace, **flags)


def _own(workspace: Path, text: str) -> None:
    path = user_file({"XDG_CONFIG_HOME": str(workspace.parent / "config")})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_defaults(workspace: Path) -> None:
    config = _load(workspace)
    assert config.layout.outputs == ("outputs/{run}",)
    assert config.layout.thresholds.short_run_s == 7200


def test_project_file_counts_before_the_users_own_and_flags_before_all(workspace: Path) -> None:
    _own(workspace, "resume: own {run}\ntarget: {epochs: 10}\nmodel: from-file\n")
    (workspace / "sweep-agent.yaml").write_text("resume: project {run}\n")
    config = _load(workspace, model="from-flag")
    assert (config.layout.resume, config.layout.target.epochs, config.model) == (
        "project {run}",
        10,
        "from-flag",
    )


def test_the_environment_names_slurms_folder(workspace: Path) -> None:
    _own(workspace, f"slurm_bin: {workspace}\n")
    bin_folder = workspace.parent / "bin"
    bin_folder.mkdir()
    assert _load(workspace).slurm_bin == workspace
    assert _load(workspace, {"SWEEP_AGENT_SLURM_BIN": str(bin_folder)}).slurm_bin == bin_folder
    with pytest.raises(ConfigError, match=r"SWEEP_AGENT_SLURM_BIN.*no/such does not exist"):
        _load(workspace, {"SWEEP_AGENT_SLURM_BIN": "/no/such"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("logz: [x]\n", "sweep-agent.yaml line 1: unknown key 'logz'; known: logs, outputs"),
        ("logs: [\n", "sweep-agent.yaml line"),
        ("[" * 100_000, "sweep-agent.yaml: too large or too deeply nested"),
        ("- a\n", "sweep-agent.yaml: must be `key: value` lines"),
        ("thresholds: {short_run_s: soon}\n", "sweep-agent.yaml line 1: thresholds.short_run_s: "),
        ("target: {epochs: -3}\n", "sweep-agent.yaml line 1: target.epochs: "),
        (
            "resume: go {job}\n",
            "sweep-agent.yaml line 1: resume: unknown placeholder {job}; known: sweep, run, overrides",
        ),
        ("slurm_bin: /tmp/evil\n", "sweep-agent.yaml line 1: slurm_bin can only be set in"),
        ("base_url: http://evil\n", "sweep-agent.yaml line 1: base_url can only be set in"),
        ("roots: [/nope/at/all]\n", "sweep-agent.yaml line 1: roots: /nope/at/all: there is no such folder"),
        ("roots: [here]\n", "sweep-agent.yaml line 1: roots: here: must be an absolute path"),
        ("logs: ['{job']\n", "sweep-agent.yaml line 1: logs entry 1: a brace of '{job' is not closed"),
        ("logs: ['a', '}job{']\n", "sweep-agent.yaml line 1: logs entry 2: a brace"),
        ("logs: x\n", "sweep-agent.yaml line 1: logs: must be a list, such as"),
        ("outputs: [3]\n", "sweep-agent.yaml line 1: outputs entry 1: must be text"),
        ("target: 5\n", "sweep-agent.yaml line 1: target: must be `key: value` lines"),
        ("target: {epochs: soon}\n", "sweep-agent.yaml line 1: target.epochs: must be a number"),
        ("thresholds: {short_run_s: 1.5}\n", "sweep-agent.yaml line 1: thresholds.short_run_s: must be a whole number"),
        ('cluster: a\nresume: "sbatch go.sh {run}\nlaunch: b\n', "sweep-agent.yaml line 2: not YAML: "),
        ("cluster: a\nresume: sbatch 'go.sh {run}\n", 'line 2: resume: a quote or backslash of "sbatch \'go.sh {run}"'),
        ("\nresume:\n", "sweep-agent.yaml line 2: resume: is empty: give it a value, or leave the line out"),
        ("target:\nsync: ' '\n", "sweep-agent.yaml line 1: target: is empty"),
        ("resume: a\nlaunch: b\nresume: c\n", "sweep-agent.yaml line 3: 'resume' stands on line 1 already: keep one"),
        ("target:\n  epochs: 1\n  epochs: 2\n", "sweep-agent.yaml line 3: 'epochs' stands on line 2 already"),
        ("roots:\n  - /tmp\n  - /nope/at/all\n", "sweep-agent.yaml line 3: roots: /nope/at/all: there is no"),
        ("thresholds: {typo: 3}\n", "sweep-agent.yaml line 1: thresholds.typo: "),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_field(workspace: Path, text: str, said: str) -> None:
    (workspace / "sweep-agent.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        _load(workspace)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["folder", "pipe", "broken link"])
def test_something_else_in_the_project_files_place(workspace: Path, kind: str) -> None:
    path = workspace / "sweep-agent.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"sweep-agent\.yaml: is no file that can be read"):
        _load(workspace)


def test_a_workspace_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        load({}, workspace=tmp_path / "gone")


def test_a_broken_project_file_does_not_spoil_the_demo(workspace: Path) -> None:
    (workspace / "sweep-agent.yaml").write_text("[")
    assert _load(workspace, demo=True).demo


def test_what_no_file_says_is_not_read_and_the_same(workspace: Path) -> None:
    """Without a file nothing is checked, as everything has its type; checked it would be the same."""
    _own(workspace, "model: from-file\n")
    flags = {"model": "from-flag", "rules": workspace, "demo": True}
    environ = {"SWEEP_AGENT_SLURM_BIN": str(workspace), "ANTHROPIC_BASE_URL": "http://localhost"}
    read = _load(workspace, environ, **flags)
    user_file({"XDG_CONFIG_HOME": str(workspace.parent / "config")}).unlink()
    assert _load(workspace, environ, **flags) == read
    assert (checked(Layout, {}), checked(Limits, {}), checked(Keeping, {})) == (Layout(), Limits(), Keeping())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits: {dollars: .nan}\n", "limits.dollars: must be greater than 0"),
        ("limits: {calls: 1, call: 2}\n", "limits.call: is no known key"),
        ("transcripts: [3]\n", "transcripts: must be `key: value` lines"),
        ("prices: {m: {input: -1, output: 1, cache_read: 0, cache_write: 0}}\n", "m.input: must not be less than 0"),
        ("prices: {m: {input: 1, output: 1, cache_read: 0, cache_write: 0}}\n", "prices.m.as_of: is missing"),
    ],
)
def test_what_is_wrong_in_the_users_own_file(workspace: Path, text: str, said: str) -> None:
    _own(workspace, text)
    with pytest.raises(ConfigError) as caught:
        _load(workspace)
    assert said in str(caught.value) and "config.yaml line 1: " in str(caught.value)
