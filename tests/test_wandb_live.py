"""The reader against a real W&B account, read only; skipped unless it is asked for:

    WANDB_API_KEY=… SWEEP_AGENT_LIVE_WANDB=entity/project .venv/bin/pytest --no-cov tests/test_wandb_live.py

Needs a project with a sweep and a run in it. All other tests know W&B from the stand-in service alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tools.sources import wandb_api
from tools.sources.wandb_http import Service, ServiceError
from tools.sources.wandb_login import Login, login_of
from tools.sources.wandb_settings import read_settings

ENVIRON = dict(os.environ)
"""As it was when the tests were collected: each test has one without keys."""
ENTITY, _, PROJECT = ENVIRON.get("SWEEP_AGENT_LIVE_WANDB", "").partition("/")
COMPARED = 5
"""So many of the newest runs are held against the client."""
READ = """\
import json, sys
import wandb
api, told = wandb.Api(), {}
for name in sys.argv[2:]:
    run = api.run(f"{sys.argv[1]}/{name}")
    told[name] = {"id": run.storage_id, "sweep": run._attrs["sweepName"], "notes": run._attrs["notes"],
                  "config": run.config, "created": run._attrs["createdAt"]}
print(json.dumps(told))
"""

pytestmark = pytest.mark.skipif(
    not (PROJECT and ENVIRON.get("WANDB_API_KEY")), reason="needs WANDB_API_KEY and SWEEP_AGENT_LIVE_WANDB"
)


@pytest.fixture
def no_network() -> None:
    """Here there is one."""


@pytest.fixture
def login(workspace: Path) -> Login:
    return login_of(workspace, ENVIRON, read_settings(workspace, ENVIRON))


@pytest.fixture
def service(login: Login) -> Iterator[Service]:
    with closing(Service(login)) as found:
        yield found


def test_the_project_is_listed_in_pages(service: Service) -> None:
    found = wandb_api.read_project(service, ENTITY, PROJECT, 0.0)
    assert found.viewer and found.sweeps and found.runs
    assert service.requests <= 1 + max(len(found.runs), len(found.sweeps)) / wandb_api.PAGE or found.left_out
    assert {sweep.state for sweep in found.sweeps.values()} <= {
        "RUNNING", "PAUSED", "PENDING", "FINISHED", "CANCELED", "FAILED", "CRASHED",
    }  # fmt: skip
    beats = [run.heartbeat or run.created for run in found.runs.values()]
    assert all(beat and 1.4e9 < beat < time.time() + 3600 for beat in beats)
    assert beats == sorted(beats, key=lambda beat: -(beat or 0.0)), "newest first: or old runs hide new ones"


def test_runs_are_what_the_client_says_they_are(service: Service) -> None:
    found = wandb_api.read_project(service, ENTITY, PROJECT, 0.0)
    names = list(found.runs)[:COMPARED]
    runs = wandb_api.read_runs(service, ENTITY, PROJECT, names)
    done = subprocess.run(
        [sys.executable, "-c", READ, f"{ENTITY}/{PROJECT}", *names], env=ENVIRON, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(runs) == set(told)
    for name, run in runs.items():
        assert (run.node, run.sweep, run.notes or None) == (
            told[name]["id"],
            told[name]["sweep"],
            told[name]["notes"] or None,
        )
        assert json.dumps(run.config, sort_keys=True) == json.dumps(told[name]["config"], sort_keys=True)
        assert run.created and run.detailed


def test_a_sweep_is_read_alone(service: Service) -> None:
    found = wandb_api.read_project(service, ENTITY, PROJECT, 0.0)
    sweep = next(iter(found.sweeps.values()))
    assert wandb_api.read_sweep(service, ENTITY, PROJECT, sweep.sweep) == sweep


def test_a_wrong_project_and_a_wrong_key_are_said(service: Service, login: Login) -> None:
    with pytest.raises(ServiceError, match="no-such-project-here") as error:
        wandb_api.read_project(service, ENTITY, "no-such-project-here", 0.0)
    assert error.value.refused
    with closing(Service(Login(login.url, "0" * 40, "environment"))) as stranger:
        with pytest.raises(ServiceError) as error:
            wandb_api.read_project(stranger, ENTITY, PROJECT, 0.0)
        assert error.value.refused and "0" * 40 not in str(error.value)
