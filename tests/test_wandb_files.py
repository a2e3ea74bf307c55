"""Entity, project and host with where each was found; run folders and parameter files, hostile ones too."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tools.sources.wandb_files import read_run_dir, read_sweep_params
from tools.sources.wandb_settings import read_env_files, read_settings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "wandb"
VERSIONS = sorted(path.name for path in FIXTURES.iterdir() if path.name[0].isdigit())


def _fixture(version: str, case: str) -> Path:
    return next((FIXTURES / version / case).glob("offline-run-*"))


def _write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# --- settings


def test_each_value_comes_from_the_first_place_that_has_it_and_the_place_is_named(workspace: Path) -> None:
    own = Path.home() / ".config" / "wandb" / "settings"
    _write(own, "[default]\nentity = home\nproject = home\nbase_url = https://home.example.org\n")
    got = read_settings(workspace, {})
    assert (got.entity, got.found_in["entity"]) == ("home", str(own))
    places = [
        ("wandb/settings", "[default]\nentity = {}\n"),
        (".env", "WANDB_ENTITY={}\n"),
        ("config.env", "export WANDB_ENTITY={}\n"),
    ]
    for number, (place, text) in enumerate(places):
        _write(workspace / place, text.format(f"team{number}"))
        got = read_settings(workspace, {})
        assert (got.entity, got.found_in["entity"]) == (f"team{number}", place)
    got = read_settings(workspace, {"WANDB_ENTITY": "shell"})
    assert (got.entity, got.found_in["entity"]) == ("shell", "environment")
    assert (got.project, got.found_in["project"]) == ("home", str(own))


def test_an_empty_variable_is_no_answer(workspace: Path) -> None:
    _write(workspace / ".env", "WANDB_ENTITY=team\n")
    assert read_settings(workspace, {"WANDB_ENTITY": " "}).entity == "team"


def test_nothing_anywhere_is_none(workspace: Path) -> None:
    got = read_settings(workspace, {})
    assert (got.entity, got.project, got.base_url, got.found_in) == (None, None, "https://wandb.ai", {})


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("K=plain", "plain"),
        ("export K=plain", "plain"),
        ("  K = spaced out  ", "spaced out"),
        ('K="double quoted"', "double quoted"),
        ("K='single # quoted'", "single # quoted"),
        ('K="quoted" # and said', "quoted"),
        ("K=bare # and said", "bare"),
        ("K=a#b", "a#b"),
        ('K="it\'s"', "it's"),
        ("K=", ""),
        ('K=""', ""),
        ("K=$(rm -rf x)", "$(rm -rf x)"),
        ("K=${OTHER}", "${OTHER}"),
        ("K=a=b", "a=b"),
    ],
)
def test_env_lines_are_data_with_quotes_and_comments(workspace: Path, line: str, value: str) -> None:
    _write(workspace / ".env", f"# K=commented\n{line}\r\nnot a line\n")
    assert read_env_files(workspace) == {"K": value}


def test_a_binary_or_huge_env_file_gives_what_it_can(workspace: Path) -> None:
    _write(workspace / ".env", b"A=1\n\xff\xfe\x00=x\nB=" + b"y" * 3_000_000)
    assert read_env_files(workspace) == {"A": "1"}
    (workspace / "config.env").mkdir()
    assert read_env_files(workspace) == {"A": "1"}


@pytest.mark.parametrize("text", ["[default]\nentity = team\nproject=mt\n", "entity: team\nproject: mt\n"])
def test_both_forms_of_the_settings_file(workspace: Path, text: str) -> None:
    _write(workspace / "wandb" / "settings", text)
    got = read_settings(workspace, {})
    assert (got.entity, got.project) == ("team", "mt")


def test_wandbs_own_folder_of_settings_can_be_elsewhere(workspace: Path, tmp_path: Path) -> None:
    _write(tmp_path / "conf" / "settings", "[default]\nentity = team\n")
    got = read_settings(workspace, {"WANDB_CONFIG_DIR": str(tmp_path / "conf")})
    assert (got.entity, got.found_in["entity"]) == ("team", str(tmp_path / "conf" / "settings"))


@pytest.mark.parametrize(
    ("base_url", "link"),
    [
        ("https://wandb.lab.example.org/", "https://wandb.lab.example.org"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://api.wandb.ai", "https://wandb.ai"),
        ("https://api.wandb.ai/", "https://wandb.ai"),
        ("https://api.forge.coreweave.com", "https://wandb.ai"),
        ("https://api.lab.example.org", "https://app.lab.example.org"),
        ("https://api.wandb.ai.example.org", "https://app.wandb.ai.example.org"),
    ],
)
def test_links_go_to_where_the_pages_are(workspace: Path, base_url: str, link: str) -> None:
    _write(workspace / ".env", f"WANDB_BASE_URL={base_url}\n")
    assert read_settings(workspace, {}).base_url == link


def test_a_server_named_in_wandbs_settings_is_the_link_host(workspace: Path) -> None:
    _write(workspace / "wandb" / "settings", "[default]\nbase_url = https://wandb.lab.example.org\n")
    assert read_settings(workspace, {}).base_url == "https://wandb.lab.example.org"


# --- run folders


@pytest.mark.parametrize("version", VERSIONS)
def test_a_sweep_run_of_an_array_task(version: str) -> None:
    run = read_run_dir(_fixture(version, "sweep"))
    assert (run.run, run.sweep, run.entity, run.project) == ("h7k2m9qa", "xk31p7", "acme-lab", "mt-distill")
    assert (run.name, run.notes, run.host, run.exit_code) == ("brave-sun-7", "second words", "node01", 0)
    # 0.16 keeps no Slurm values offline; never the raw id of an array's task
    assert run.job == (None if version == "0.16.6" else "48213_7")
    assert run.config["max_epochs"] == 100 and "_wandb" not in run.config
    assert run.summary["best/acc"] == 0.75 and "_wandb" not in run.summary
    assert (run.offline, run.synced, run.problem) == (True, False, None)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_id_with_dashes_and_dots_is_whole(version: str) -> None:
    assert read_run_dir(_fixture(version, "failed")).run == "seed-3_lr-0.1"


@pytest.mark.parametrize("run", ["a-b-c", "run-1", "48213", "lr=0.1", "run-20261120_101010-x", "é[x]*", "a b"])
def test_a_run_id_of_unusual_characters_comes_from_the_folder_when_the_log_is_lost(tmp_path: Path, run: str) -> None:
    folder = tmp_path / f"offline-run-20261120_101010-{run}"
    _write(folder / f"run-{run}.wandb", b":W&B\xe1\xbe\x00")
    got = read_run_dir(folder)
    assert (got.run, got.log, got.problem) == (
        run,
        str(folder / f"run-{run}.wandb"),
        "nothing reached the disk",
    )
    assert got.started is not None


def test_the_frozen_state_and_heartbeat_of_old_metadata_are_never_used(tmp_path: Path) -> None:
    """wandb 0.16 leaves ``running`` and the time of the start there for ever."""
    folder = tmp_path / "offline-run-20261120_101010-2f9c41d0"
    shutil.copytree(_fixture("0.16.6", "finished"), folder)
    metadata = folder / "files" / "wandb-metadata.json"
    told = json.loads(metadata.read_text())
    assert told["state"] == "running"
    times = metadata.stat()
    before = read_run_dir(folder)
    assert before.exit_code == 0
    told |= {"state": "crashed", "heartbeatAt": "2031-01-01T00:00:00"}
    metadata.write_text(json.dumps(told))
    os.utime(metadata, (times.st_atime, times.st_mtime))
    assert repr(read_run_dir(folder)) == repr(before)


@pytest.mark.parametrize(
    ("slurm", "job"),
    [
        ({"array_job_id": "48213", "array_task_id": "7", "job_id": "48220"}, "48213_7"),
        ({"array_job_id": 48213, "array_task_id": 0, "job_id": 48213}, "48213_0"),
        ({"job_id": "48220"}, "48220"),
        ({"array_job_id": "48213", "job_id": "48220"}, None),
        ({"array_task_id": "7", "job_id": "48220"}, None),
        ({"job_id": "48220; rm"}, None),
        ({"job_id": "٤٨"}, None),
        ({"job_id": ["1"]}, None),
        ({}, None),
        ("48220", None),
        (None, None),
    ],
)
def test_the_slurm_values_of_the_metadata_name_the_job(tmp_path: Path, slurm: Any, job: str | None) -> None:
    folder = tmp_path / "run-20261120_101010-aaa1"
    _write(folder / "files" / "wandb-metadata.json", json.dumps({"slurm": slurm}))
    assert read_run_dir(folder).job == job


def test_files_beside_a_lost_log_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "run-20261120_101010-aaa1"
    _write(folder / "run-aaa1.wandb", b"")
    config = "wandb_version: 1\n_wandb:\n  value: {}\nlr:\n  desc: null\n  value: 0.1\n"
    _write(folder / "files" / "config.yaml", config)
    _write(folder / "files" / "wandb-summary.json", '{"loss": NaN, "_wandb": {"runtime": 2}}')
    _write(folder / "files" / "output.log", "epoch 1\n")
    _write(folder / "run-aaa1.wandb.synced", "")
    run = read_run_dir(folder)
    assert run.config == {"lr": 0.1}
    assert list(run.summary) == ["loss"]
    assert (run.synced, run.offline, run.problem) == (True, False, "empty")
    assert run.output_log == str(folder / "files" / "output.log")


def test_an_empty_folder_has_no_time_of_writing(tmp_path: Path) -> None:
    folder = tmp_path / "run-20261120_101010-aaa1"
    folder.mkdir()
    run = read_run_dir(folder)
    assert (run.run, run.log, run.written, run.problem) == ("aaa1", None, None, "no .wandb log in it")


def test_folders_in_the_place_of_files_are_survived(tmp_path: Path) -> None:
    folder = tmp_path / "run-20261120_101010-aaa1"
    for name in ("run-aaa1.wandb", "files/config.yaml", "files/wandb-summary.json", "files/output.log"):
        (folder / name).mkdir(parents=True)
    run = read_run_dir(folder)
    assert (run.config, run.summary, run.output_log, run.problem) == ({}, {}, None, "not a file")


# --- the agent's parameter files


def test_parameters_lose_their_wrapping(tmp_path: Path) -> None:
    text = "wandb_version: 1\nlr:\n  value: 0.1\nname:\n  value: {value: 3}\nplain: 4\n"
    path = _write(tmp_path / "sweep-xk31p7" / "config-seed-3_lr-0.1.yaml", text)
    got = read_sweep_params(path)
    assert got is not None
    assert (got.sweep, got.run) == ("xk31p7", "seed-3_lr-0.1")
    assert got.params == {"lr": 0.1, "name": {"value": 3}, "plain": 4}


BOMB = "\n".join(["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)])
MERGES = "\n".join(
    ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
)
HOSTILE = {
    "aliases": BOMB,
    "merged aliases": MERGES,
    "itself": "a: &a [*a]",
    "depth in brackets": "a: " + "[" * 5_000 + "]" * 5_000,
    "depth left open": "[" * 100_000,
    "depth in braces": "{a: " * 100_000,
    "depth in dashes": "- " * 50_000,
    "ten megabytes": "a: 1\n" * 2_000_000,
    "code": "a: !!python/object/apply:os.system [exit]",
    "bytes": "\x00\x01",
    "a list": "[1, 2]",
    "two keys in one line": "a: b: c",
    "nothing": "",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_is_none(tmp_path: Path, text: str) -> None:
    assert read_sweep_params(_write(tmp_path / "sweep-s" / "config-r.yaml", text)) is None
    folder = tmp_path / "run-20261120_101010-aaa1"
    _write(folder / "files" / "config.yaml", text)
    assert read_run_dir(folder).config == {}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[1]", "{", "\ufeff{}", "1" * 5000])
def test_hostile_json_is_empty(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "run-20261120_101010-aaa1"
    _write(folder / "files" / "wandb-summary.json", text)
    _write(folder / "files" / "wandb-metadata.json", text)
    run = read_run_dir(folder)
    assert (run.summary, run.job) == ({}, None)


def test_a_config_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "sweep-s"
    folder.mkdir()
    os.mkfifo(folder / "config-r.yaml")
    assert read_sweep_params(folder / "config-r.yaml") is None
