"""Cases of real clients and hostile files that the readers of W&B's files once got wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.sources.wandb_files import read_run_dir
from tools.sources.wandb_settings import read_settings


def _write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _lost(tmp_path: Path) -> Path:
    """A run folder whose log never reached the disk."""
    folder = tmp_path / "run-20261120_101010-abc"
    _write(folder / "run-abc.wandb", b":W&B\xe1\xbe\x00")
    return folder


def test_small_numbers_in_a_config_file_are_numbers(tmp_path: Path) -> None:
    """The client writes 1e-05 from 0.18 on, and quotes text that looks like it."""
    folder = _lost(tmp_path)
    _write(
        folder / "files" / "config.yaml",
        'lr:\n    value: 1e-05\nbig:\n    value: 1e+10\ns:\n    value: "1e-05"\n',
    )
    assert read_run_dir(folder).config == {"lr": 1e-05, "big": 1e10, "s": "1e-05"}


def test_host_start_and_job_of_a_lost_log_come_from_the_metadata(tmp_path: Path) -> None:
    folder = _lost(tmp_path)
    metadata = {"host": "node2", "startedAt": "2026-11-23T22:51:09.410764Z", "slurm": {"job_id": "7"}}
    _write(folder / "files" / "wandb-metadata.json", json.dumps(metadata))
    run = read_run_dir(folder)
    assert (run.host, run.job, run.started) == ("node2", "7", 1795474269.410764)
    _write(folder / "files" / "wandb-metadata.json", json.dumps({"host": ["x"], "startedAt": "yesterday"}))
    assert read_run_dir(folder).host is None


@pytest.mark.parametrize("line", ["entity    =    lab", 'entity: "lab"', "  entity=lab"])
def test_aligned_and_quoted_settings_are_read(workspace: Path, line: str) -> None:
    _write(workspace / "wandb" / "settings", f"[default]\n{line}\n")
    assert read_settings(workspace, {}).entity == "lab"


def test_sections_that_wandb_does_not_read_do_not_count(workspace: Path) -> None:
    _write(workspace / "wandb" / "settings", "[default]\nproject = p\n[other]\nentity = wrong\nproject = wrong\n")
    got = read_settings(workspace, {})
    assert (got.entity, got.project) == (None, "p")


@pytest.mark.parametrize("line", ["WANDB_ENTITY   =   lab", "\ufeffWANDB_ENTITY=lab", "export WANDB_ENTITY = 'lab'"])
def test_env_lines_in_unusual_forms_are_read(workspace: Path, line: str) -> None:
    _write(workspace / ".env", line + "\n")
    assert read_settings(workspace, {}).entity == "lab"


@pytest.mark.parametrize("value", ["${TEAM}", "$TEAM", "$(whoami)"])
def test_a_reference_nobody_expanded_is_no_entity(workspace: Path, value: str) -> None:
    _write(workspace / ".env", f"WANDB_ENTITY={value}\n")
    _write(workspace / "wandb" / "settings", "[default]\nentity = lab\n")
    assert read_settings(workspace, {}).entity == "lab"


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "https://wandb.ai@evil.example.org", "wandb.ai", "https://a b", "https://x/?q"],
)
def test_what_is_no_plain_address_is_no_link_host(workspace: Path, url: str) -> None:
    _write(workspace / ".env", f"WANDB_BASE_URL={url}\n")
    got = read_settings(workspace, {})
    assert (got.base_url, got.found_in) == ("https://wandb.ai", {})


def test_an_address_of_the_pages_counts_before_that_of_the_service(workspace: Path) -> None:
    _write(workspace / ".env", "WANDB_BASE_URL=https://api.x.org\nWANDB_APP_URL=https://w.example.org/\n")
    got = read_settings(workspace, {})
    assert (got.base_url, got.found_in["base_url"]) == ("https://w.example.org", ".env")
