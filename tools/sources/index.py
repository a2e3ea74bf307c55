"""One bounded walk of the workspace: which files could be logs, checkpoints, W&B folders and configs.

Top-level symlinks owned by the user are roots of their own (``outputs -> /scratch/me`` is normal); links
further down are not followed. Nothing is opened here.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

from tools.compact import compact
from tools.sources import crew

MAX_ENTRIES = 1_000_000
MAX_SECONDS = 10.0
WITHIN_S = MAX_SECONDS + crew.STALL_S + 2
"""When a walk has ended, whatever below the roots does not answer."""
MAX_DEPTH = 8

TRASH = ".sweep-agent-trash"
"""Removed checkpoints lie in a folder of this name until a person has it emptied: they are nobody's any more."""
SKIPPED = frozenset(
    ".git .hg .svn .tox .nox .venv venv node_modules __pycache__ site-packages .mypy_cache .ruff_cache "
    ".pytest_cache .ipynb_checkpoints .cache artifacts media".split()
) | {TRASH}
# From the log file names of 81 repositories with sbatch scripts, most frequent first.
LOG_SUFFIXES = (".out", ".err", ".log", ".stdout", ".stderr", ".txt", ".error")
RUN_DIR = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(.+)", re.DOTALL)
_RUN_PREFIXES = ("run-", "offline-run-")
CHECKPOINT_DIR = re.compile(
    r"(?:checkpoint|ckpt|global_step|step|iter|epoch|ep)[-_=]?0{0,12}(\d{1,12})(?:[-_].{0,100})?|0{1,9}(\d{1,12})"
)
CHECKPOINT_SUFFIXES = (".ckpt", ".pt", ".pth", ".pth.tar", ".safetensors", ".eqx")
# Stable-Baselines3's; any other zip may be anything
_CHECKPOINT_ZIP = re.compile(r"rl_model_\d{1,12}_steps\.zip")
STATE_FILES = ("optimizer", "scheduler", "scaler", "training_args", "rng_state")
"""What is saved beside a model and is none."""
TRACKERS = frozenset(("latest", "latest_checkpointed_iteration.txt", "last"))
"""Files or links that name the checkpoint to go on from: DeepSpeed's, Megatron's and verl's, OLMo's, lerobot's."""


def written(path: str) -> float:
    """When it was last written to, in epoch seconds; 0 where it is not there."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


@compact
class Index:
    """Paths as strings, absolute; ``stopped`` says why the walk ended early, if it did."""

    workspace: str
    roots: tuple[str, ...]
    logs: tuple[str, ...] = ()
    run_dirs: tuple[str, ...] = ()
    sweep_params: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    trackers: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """Symbolic links that are no tracker; not followed."""
    hydra_configs: tuple[str, ...] = ()
    yamls: tuple[str, ...] = ()
    entries: int = 0
    unreadable: tuple[str, ...] = ()
    stopped: str | None = None


@dataclass(slots=True)
class _Found:
    logs: list[str] = field(default_factory=list)
    run_dirs: list[str] = field(default_factory=list)
    sweep_params: list[str] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    trackers: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    hydra_configs: list[str] = field(default_factory=list)
    yamls: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    entries: int = 0
    cut: bool = False


_LISTS = tuple(one.name for one in fields(_Found) if one.name not in {"entries", "cut"})


def roots_of(workspace: Path, extra: Iterable[Path] = ()) -> tuple[str, ...]:
    """The workspace, the folders its own top-level links lead to (not those above it), and the roots the project file
    names."""
    roots = [str(workspace.resolve())]
    try:
        entries = list(os.scandir(workspace))
    except OSError:
        entries = []
    for entry in entries:
        try:
            owned = entry.is_symlink() and entry.stat(follow_symlinks=False).st_uid == os.getuid()
            # a link up to a folder above would make all its neighbours a part of this workspace
            if owned and entry.is_dir() and not inside(roots[0], (os.path.realpath(entry.path),)):
                roots.append(os.path.realpath(entry.path))
        except OSError:
            continue
    roots += [str(path.resolve()) for path in extra if path.is_dir()]
    return tuple(dict.fromkeys(roots))


def inside(path: str, roots: Iterable[str]) -> bool:
    """Whether a path, links resolved, lies in one of the roots."""
    real = os.path.realpath(path)
    return any(real == root or real.startswith(root.rstrip("/") + "/") for root in roots)


def walk(workspace: Path, extra_roots: Iterable[Path] = ()) -> Index:
    """Index the workspace. Never raises: a folder that can't be read, or does not answer, is in ``unreadable``."""
    extra = list(extra_roots)
    roots = roots_of(workspace, extra)
    found = _Found()
    deadline = time.monotonic() + MAX_SECONDS
    seen: set[str] = set()

    def one(item: tuple[str, int]) -> list[tuple[str, int]]:
        folder, depth = item
        if found.entries > MAX_ENTRIES or time.monotonic() > deadline:
            found.cut = True
            return []
        # links below the roots are not followed: only a root can be met twice
        real = os.path.realpath(folder) if depth == 0 else folder
        if real in seen:
            return []
        seen.add(real)
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            found.unreadable.append(f"{folder}: {error.strerror}")
            return []
        found.entries += len(entries)
        deeper = _sorted_in(entries, folder, depth, found)
        return [(path, depth + 1) for path in deeper] if depth < MAX_DEPTH else []

    found.unreadable += [f"{root}: no such folder (roots in sweep-agent.yaml)" for root in extra if not root.is_dir()]
    # breadth first, so that a deep data folder can't hide the logs beside it
    stalled = crew.drain(one, [(root, 0) for root in start_points(workspace, roots)])
    found.unreadable += [f"{folder}: does not answer" for folder, _ in stalled]
    stopped = None
    if found.cut:
        bound = f"{MAX_ENTRIES:,} entries" if found.entries > MAX_ENTRIES else f"{MAX_SECONDS:g} s"
        stopped = f"the workspace is large: looked at {found.entries:,} entries, then stopped at {bound}"
    lists = {name: tuple(sorted(getattr(found, name))) for name in _LISTS}
    return Index(str(workspace.resolve()), roots, entries=found.entries, stopped=stopped, **lists)


def start_points(workspace: Path, roots: tuple[str, ...]) -> list[str]:
    """The workspace, then its links by the name they have there, then roots outside it."""
    starts = [str(workspace.resolve())]
    named: dict[str, str] = {}
    try:
        for entry in os.scandir(workspace):
            if entry.is_symlink():
                named[os.path.realpath(entry.path)] = str(Path(starts[0], entry.name))
    except OSError:
        pass
    return starts + [named.get(root, root) for root in roots[1:]]


def _is_checkpoint(name: str) -> bool:
    if name.endswith(CHECKPOINT_SUFFIXES):
        return not name.startswith(STATE_FILES)
    return name.endswith(".zip") and bool(_CHECKPOINT_ZIP.fullmatch(name))


def _sorted_in(entries: Iterable[os.DirEntry[str]], folder: str, depth: int, found: _Found) -> list[str]:
    """Puts the entries of a folder where they belong; the folders to look into. There may be a million entries: what
    is asked of each is asked in the order that settles most of them soonest."""
    deeper = []
    logs, trackers, links = found.logs.append, found.trackers.append, found.links.append
    parent = folder.rpartition("/")[2]
    for entry in entries:
        name = entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                if name.startswith(_RUN_PREFIXES) and RUN_DIR.fullmatch(name):
                    found.run_dirs.append(entry.path)
                elif CHECKPOINT_DIR.fullmatch(name):
                    found.checkpoints.append(entry.path)
                elif name not in SKIPPED:
                    deeper.append(entry.path)
            elif name in TRACKERS:
                trackers(entry.path)
            elif entry.is_file(follow_symlinks=False):
                if name.endswith(LOG_SUFFIXES):
                    logs(entry.path)
                elif name.endswith((".yaml", ".yml")):
                    _sort_yaml(entry, parent, depth, found)
                elif _is_checkpoint(name):
                    found.checkpoints.append(entry.path)
            elif entry.is_symlink():
                links(entry.path)
        except OSError:  # gone since, where the file system does not tell what an entry is
            continue
    return deeper


def _sort_yaml(entry: os.DirEntry[str], parent: str, depth: int, found: _Found) -> None:
    name = entry.name
    if name.startswith("config-") and parent.startswith("sweep-"):
        found.sweep_params.append(entry.path)
    elif name == "hydra_config.yaml" or (name == "config.yaml" and parent == ".hydra"):
        found.hydra_configs.append(entry.path)
    elif depth <= 3:
        found.yamls.append(entry.path)
