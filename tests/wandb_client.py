"""The unmodified W&B client and its command line, started against the stand-in service in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from servers.wandb import KEY

FIXTURES = Path(__file__).parents[1] / "fixtures" / "wandb"
OFFLINE = next((FIXTURES / "0.31.0" / "sweep").iterdir())
"""A run that was made offline; its copy lies in the client's folder."""
SWEEP = """\
program: train.py
method: grid
name: first words
description: why it is run
parameters:
  lr: {values: [0.1, 0.2]}
"""
TRAIN = """\
import wandb
run = wandb.init(notes="words of the run")
for epoch in range(5):
    run.log({"loss": float("nan") if epoch == 2 else 1 / (epoch + 1), "epoch": epoch, "val": {"acc": epoch / 10}})
run.config.update({"late": [1, "\\u00e9"]})
run.summary["best/acc"] = 0.75
run.finish()
"""
# Several commands in one process, each as the shell would start it: the client takes a second to be imported.
COMMANDS = """\
import json, sys
from wandb.cli.cli import cli
for words in json.loads(sys.argv[1]):
    cli.main(words, standalone_mode=False)
"""
READ = """\
import json, sys
import wandb
api, place = wandb.Api(), sys.argv[1]
runs = {}
for run in api.runs(place, lazy=False):
    told = {name: run._attrs[name] for name in (
        "state", "displayName", "sweepName", "notes", "historyLineCount", "createdAt", "heartbeatAt", "user")}
    runs[run.id] = told | {"storage_id": run.storage_id, "config": run.config, "summary": run.summary._json_dict}
sweeps = {}
for name in sys.argv[2:]:
    sweep = api.sweep(f"{place}/{name}")
    sweeps[name] = {key: sweep._attrs[key] for key in (
        "id", "state", "displayName", "description", "method", "runCount", "createdAt")}
    sweeps[name]["runs"] = [run.id for run in sweep.runs]
print(json.dumps({"runs": runs, "sweeps": sweeps}))
"""


class Client:
    """Everything it writes stays in ``folder``; the service is the one at ``url``."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "WANDB_API_KEY": KEY,
            "WANDB_BASE_URL": url,
            "WANDB_ENTITY": "acme-lab",
            "WANDB_PROJECT": "mt-distill",
            "WANDB_ERROR_REPORTING": "false",  # telemetry of its own
        }
        (folder / "train.py").write_text(TRAIN)
        (folder / "sweep.yaml").write_text(SWEEP)
        shutil.copytree(OFFLINE, folder / OFFLINE.name)

    def commands(self, *lines: list[str]) -> None:
        """Several ``wandb …`` one after the other."""
        self._python(COMMANDS, json.dumps(lines))

    def agent(self, sweep: str, **environ: str) -> None:
        """``wandb agent``, until the service lets it go."""
        self._run(["wandb", "agent", f"acme-lab/mt-distill/{sweep}"], **environ)

    def read(self, *sweeps: str) -> dict[str, Any]:
        """All runs of the project and the sweeps named, as the client's own API tells of them."""
        told: dict[str, Any] = json.loads(self._python(READ, "acme-lab/mt-distill", *sweeps).splitlines()[-1])
        return told

    def _python(self, code: str, *arguments: str) -> str:
        return self._run([sys.executable, "-c", code, *arguments])

    def _run(self, argv: list[str], **environ: str) -> str:
        done = subprocess.run(
            argv, cwd=self.folder, env=self.env | environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
