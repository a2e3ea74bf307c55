"""Files that training leaves behind, real in their formats: torch's zip, W&B's folders, the agent's map."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import HOUR, NOW, Lab

from agent.demo.wandb_run import run_log


def torch_file(content: Mapping[str, Any] | None = None) -> bytes:
    """What ``torch.save`` writes since 1.6: an uncompressed zip of a pickle and one file a storage."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(dict(content or {"weight": 0}), protocol=2))
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", bytes(4096))
        archive.writestr("archive/version", "3\n")
    return data.getvalue()


def saved(lab: Lab, name: str, *, hours_ago: float = 1.0, torn: bool = False, data: bytes | None = None) -> Path:
    """A checkpoint of torch's, or other bytes, with its time; a torn one lacks its end."""
    data = torch_file() if data is None else data
    path = lab.file(name, data[: len(data) // 2] if torn else data)
    at(path, hours_ago)
    return path


def at(path: Path, hours_ago: float) -> None:
    os.utime(path, (NOW - hours_ago * HOUR,) * 2)


def run_folder(
    lab: Lab,
    run: str,
    place: str = "",
    *,
    name: str = "vibrant-sweep-1",
    config: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    sweep: str | None = None,
    exit_code: int | None = None,
    hours_ago: float = 10.0,
    offline: bool = False,
) -> Path:
    """A W&B run folder with its transaction log, in ``place/wandb``."""
    told = {"run": run, "entity": "lab", "project": "proj", "name": name, **({"sweep": sweep} if sweep else {})}
    folder = f"{place}/wandb/{'offline-' if offline else ''}run-20261120_100002-{run}".lstrip("/")
    rows = [history] if history else []
    data = run_log(told, NOW - hours_ago * HOUR, config or {}, rows, exit_code)
    return lab.file(f"{folder}/run-{run}.wandb", data)


def agent_map(lab: Lab, sweep: str, run: str, **parameters: object) -> None:
    """What the agent writes before every run, online and offline."""
    body = "".join(f"{key}:\n  value: {value}\n" for key, value in parameters.items())
    lab.file(f"wandb/sweep-{sweep}/config-{run}.yaml", f"wandb_version: 1\n{body}")
