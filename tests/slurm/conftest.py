"""One running cluster per Slurm version.

``SWEEP_AGENT_TEST_SLURM=22.05,20.11,24.11`` names the versions; without it the installed one is taken.
A version that isn't installed is unpacked from its Debian release into the user's cache folder.
``SWEEP_AGENT_REQUIRE_SLURM=1`` turns the skip of what can't be run here into a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, ClusterError
from release import SLURM, ReleaseError, unpack
from scene import Scene

INSTALLED = "installed"
ALWAYS = ("munged", "mariadbd")
OWN = ("slurmctld", "slurmd", "slurmdbd", "sbatch", "sacct", "sacctmgr")
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def wanted() -> list[str]:
    named = [name.strip() for name in os.environ.get("SWEEP_AGENT_TEST_SLURM", "").split(",")]
    return [name for name in named if name] or [INSTALLED]


def installed_version() -> str | None:
    program = shutil.which("slurmctld", path=PATH)
    if not program:
        return None
    shown = subprocess.run([program, "-V"], capture_output=True, text=True).stdout
    match = re.search(r"(\d+\.\d+)\.", shown)
    return match[1] if match else None


def unavailable(reason: str) -> None:
    if os.environ.get("SWEEP_AGENT_REQUIRE_SLURM") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def find_slurm(version: str) -> Path | None:
    """The root of an unpacked release, or None for the installed Slurm; skips where there is neither."""
    own = version in {INSTALLED, installed_version()}
    missing = [tool for tool in (*ALWAYS, *(OWN if own else ())) if not shutil.which(tool, path=PATH)]
    if missing:
        unavailable(f"Slurm ({version}) can't be brought up: not installed: {', '.join(missing)}")
    if own:
        return None
    releases = {slurm: debian for debian, slurm in SLURM.items()}
    if version not in releases:
        unavailable(f"no Slurm {version}: known are {', '.join(releases)}")
    # another user submits too, and can't look into root's home
    usual = Path.home() / ".cache" if os.getuid() else Path("/var/cache")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or usual)
    try:
        return unpack(releases[version], cache / "sweep-agent-tests" / f"slurm-{version}")
    except ReleaseError as error:
        unavailable(f"Slurm {version} can't be unpacked: {error}")
        raise


@pytest.fixture(scope="module", params=wanted())
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    root = find_slurm(request.param)
    # short, and in a place that others may enter: unix sockets and munge ask for that
    prefix = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    try:
        with Cluster(prefix, root) as running:
            yield running
    except ClusterError as error:
        pytest.fail(str(error))
    finally:
        shutil.rmtree(prefix, ignore_errors=True)


@pytest.fixture(scope="module")
def scene(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A sweep that has come to every kind of end; nothing changes any more but the live tasks' progress."""
    return Scene(cluster, tmp_path_factory.mktemp("workspace"))
