"""The embedded demo: a small simulated cluster with ordinary files, read by the same code as a real one.

Its state lasts a day from one command to the next, moves on with the clock, and is thrown away by ``reset``.
"""

from __future__ import annotations

import fcntl
import json
import shlex
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.demo.wandb_service import DemoWandb

LASTS_S = 86_400.0


@dataclass(frozen=True, slots=True)
class DemoPlace:
    workspace: Path
    slurm_bin: Path
    made_at: float

    def wandb(self) -> DemoWandb:
        """Opens the demo's W&B service."""
        from agent.demo.wandb_service import DemoWandb

        return DemoWandb(self.slurm_bin.with_name("cluster.json"), self.made_at)

    @property
    def expires_at(self) -> float:
        """From then on the next ``prepare`` makes it anew."""
        return self.made_at + LASTS_S


def prepare(
    state: Path, now: float | None = None, *, scenario: Mapping[str, Any] | None = None, still: bool = False
) -> DemoPlace:
    """Make the demo below ``state``, or take up the one that is there, and let its clock go on to ``now``.

    ``now`` is epoch seconds (default: the present). ``scenario`` takes the place of the demo's own; with ``still`` the
    simulated programs' clock stands at ``now`` until the next ``prepare``. Raises OSError where the folder can't be
    written.
    """
    now = time.time() if now is None else now
    with _locked(state):
        place = state / "demo"
        clock = _clock(place)
        if clock is None or not 0 <= now - clock["made_at"] < LASTS_S:
            clock = _make(state, place, now, scenario)
        _advance(place, clock, now, scenario)
        if still:
            cluster = json.loads((place / "cluster.json").read_text(encoding="utf-8"))
            _save(place / "cluster.json", {**cluster, "now": now})
    return DemoPlace(place / "molprop", place / "bin", clock["made_at"])


def reset(state: Path) -> None:
    """Forget the demo. Nothing is left of it."""
    with _locked(state):
        shutil.rmtree(state / "demo", ignore_errors=True)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clock(place: Path) -> dict[str, Any] | None:
    """When the demo was made and how far it has come; None where it is missing, damaged or another program's."""
    try:
        clock = json.loads((place / "clock.json").read_text(encoding="utf-8"))
        cluster = json.loads((place / "cluster.json").read_text(encoding="utf-8"))
        whole = cluster["jobs"] and (place / "molprop" / "logs").is_dir() and (place / "bin").is_dir()
        times = {"made_at": float(clock["made_at"]), "advanced_to": float(clock["advanced_to"])}
        return {**times, "made_by": clock["made_by"]} if whole and clock["made_by"] == _maker() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _maker() -> int:
    """Differs for another Python, another installation and another version of this package.

    The commands in ``bin`` name all three: kept from an installation that is gone, they would not start.
    """
    here = Path(__file__).parent
    seen = zlib.crc32(f"{sys.executable}\0{here}".encode())
    for path in sorted([*here.glob("*.py"), *here.glob("*.yaml")]):
        seen = zlib.crc32(path.read_bytes(), seen)
    return seen


def _make(state: Path, place: Path, now: float, scenario: Mapping[str, Any] | None) -> dict[str, Any]:
    """Build it aside, then move it into place: a half-made demo is never seen."""
    from agent.demo import jobs, layout
    from agent.demo.world import read_world

    world = read_world(now, scenario)
    for left_over in state.glob("demo-*"):  # of one that was killed half-way
        shutil.rmtree(left_over, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix="demo-", dir=state))
    try:
        workspace = aside / "molprop"
        workspace.mkdir()
        layout.make(world, workspace, now, final=place / "molprop")
        _save(aside / "cluster.json", {"jobs": jobs.slurm_jobs(world, place / "molprop")})
        files = {"squeue": "cluster.py", "sacct": "cluster.py"}
        for name in ("squeue", "sacct", "scancel", "sbatch", "make", "wandb"):
            program = Path(__file__).with_name(files.get(name, "changes.py"))
            command = [sys.executable, "-I", "-S", str(program), name, str(place / "cluster.json")]
            script = aside / "bin" / name
            script.parent.mkdir(exist_ok=True)
            script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
            script.chmod(0o700)
        clock = {"made_at": now, "advanced_to": now, "made_by": _maker()}
        _save(aside / "clock.json", clock)
        shutil.rmtree(place, ignore_errors=True)
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return clock


def _advance(place: Path, clock: dict[str, Any], now: float, scenario: Mapping[str, Any] | None) -> None:
    from agent.demo import later, layout
    from agent.demo.world import EVERY_S, read_world

    made_at, workspace = clock["made_at"], place / "molprop"
    rows = json.loads((place / "cluster.json").read_text(encoding="utf-8"))["jobs"]
    begins = later.to_begin(rows, now)
    if now - clock["advanced_to"] < EVERY_S / 4 and not begins:
        return
    world = later.with_changes(read_world(made_at, scenario), rows, workspace, now)
    for job in world.jobs:
        if job.id in begins:
            layout.begin(job, world, workspace)
    layout.advance(world, workspace, made_at, clock["advanced_to"], now)
    _save(place / "clock.json", {**clock, "advanced_to": now})


def _save(path: Path, value: object) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(value, indent=1), encoding="utf-8")
    aside.replace(path)
