"""From a command of the workspace to the one program that is started, bound to the bytes it starts with."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from tools.acts import Action, Program, Ran
from tools.base import Context, Denied
from tools.place import Place
from tools.sources import command, environments
from tools.sources.log_paths import read_submit_line
from tools.sources.slurm import on_cluster

SUBMIT_TIMEOUT_S = 60.0
CANCEL_TIMEOUT_S = 30.0
MAX_SCRIPT_BYTES = 4 << 20
_SLURM = frozenset(("sbatch", "scancel", "squeue", "sacct", "scontrol", "srun"))
_SHELL = frozenset("();<>|&")
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")  # in make's own order


def find(name: str, place: Place) -> Path:
    """The absolute path of a program: Slurm's from the one folder of Slurm's programs. Raises Denied."""
    own = place.slurm_bin and (name in _SLURM or (place.slurm_bin / name).is_file())
    try:
        return command.find_program(name, folder=place.slurm_bin if own else None, workspace=place.workspace)
    except command.CommandError as error:
        raise Denied(f"{error}. Nothing was changed") from None


def from_line(line: str, folder: str, place: Place) -> Program:
    """The program that a command line of the workspace starts. Raises Denied for one that needs a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise Denied(f"the command can't be split into words ({error}): {line}") from None
    if any(set(word) <= _SHELL for word in words) or re.search(r"[$`]", line):
        raise Denied(f"the command needs a shell, and none is started; put it into a script of its own: {line}")
    if not words or "=" in words[0]:
        raise Denied(f"the command must begin with a program (`env NAME=value …` sets a variable): {line}")
    first = _started_by(words[0], folder, place)
    argv = (first, *words[1:])
    if os.path.basename(first) == "env":  # what it starts is fixed now too, not looked up on the PATH by then
        at = next((number for number, word in enumerate(words) if number and "=" not in word), None)
        if at is None or words[at].startswith("-"):
            raise Denied(f"env must be followed by NAME=value words and a program: {line}")
        argv = (*argv[:at], _started_by(words[at], folder, place), *words[at + 1 :])
    told = read_submit_line(shlex.join(argv)).clusters if os.path.basename(first) == "sbatch" else None
    if told and place.layout.cluster and told != place.layout.cluster:
        raise Denied(f"the command submits to {told}, but cluster: in sweep-agent.yaml says {place.layout.cluster}")
    return Program(argv, folder, person=True, files=_bound(argv, folder))


def _started_by(word: str, folder: str, place: Place) -> str:
    """The absolute path of the program that a word names. Raises Denied."""
    if "/" not in word:
        return str(find(word, place))
    path = os.path.realpath(os.path.join(folder, word))
    if not os.access(path, os.X_OK) or not os.path.isfile(path):
        raise Denied(f"{word} can't be started from {folder}: it is no program there")
    return path


def scancel(job: str, place: Place) -> Program:
    """``scancel -- ID`` of one job or array task, on the cluster that the project file names."""
    argv = (str(find("scancel", place)), *on_cluster(place.layout.cluster), "--", job)
    return Program(argv, str(place.workspace))


def not_on_cluster(program: Program | None, place: Place) -> tuple[str, ...]:
    """What a request says where the project file names a cluster that no argument of the program binds."""
    if program is None or place.layout.cluster is None or os.path.basename(program.argv[0]) == "sbatch":
        return ()
    name = os.path.basename(program.argv[0])
    return (f"not bound: that {name} submits to cluster {place.layout.cluster}; its jobs are looked for there",)


def digest_of(path: str) -> str:
    """SHA-256 of a file's bytes. Raises Denied where it can't be read whole."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_SCRIPT_BYTES + 1)
    except OSError as error:
        raise Denied(f"{path}: {error.strerror}, so an approval could not be bound to it") from None
    if len(data) > MAX_SCRIPT_BYTES:
        raise Denied(f"{path} is larger than {MAX_SCRIPT_BYTES >> 20} MiB: too large for a script to be bound to")
    return hashlib.sha256(data).hexdigest()


def _bound(argv: Sequence[str], folder: str) -> tuple[tuple[str, str], ...]:
    """The scripts among the arguments; for make its Makefile, and the workspace's files that its recipes name."""
    names = [word for word in argv[1:] if not word.startswith("-")]
    if os.path.basename(argv[0]) in {"make", "gmake"}:
        makefile = next((name for name in _MAKEFILES if os.path.isfile(os.path.join(folder, name))), None)
        if makefile is None:
            raise Denied(f"there is no Makefile in {folder}")
        names = [makefile, *_recipe_words(os.path.join(folder, makefile))]
    elif "/" in argv[0] and not argv[0].startswith(("/usr/", "/bin/", "/opt/")):
        names.insert(0, argv[0])
    paths = [path for name in dict.fromkeys(names) if os.path.isfile(path := os.path.join(folder, name))]
    return tuple((path, digest_of(path)) for path in paths)


def _recipe_words(makefile: str) -> list[str]:
    try:
        with Path(makefile).open("rb") as file:
            lines = file.read(MAX_SCRIPT_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [word.strip("'\"@-+;") for line in lines if line.startswith("\t") for word in line.split()]


def perform(context: Context, action: Action) -> Ran:
    """Start the action's program and wait for its end."""
    assert action.program is not None
    return run(context, action.program)


def run(context: Context, program: Program) -> Ran:
    """The same for one program of several."""
    place = context.place
    whole = environments.persons_environment(place.slurm_bin) if program.person else None
    limit = SUBMIT_TIMEOUT_S if program.person else CANCEL_TIMEOUT_S
    path = Path(program.argv[0])
    try:
        done = command.run(
            path, program.argv[1:], timeout=limit, whole_env=whole, folder=program.folder, held=context.held
        )
    except command.TimedOut as error:
        return Ran(None, err=str(error), seconds=limit)
    except command.CommandError as error:
        return Ran(127, err=str(error))
    return Ran(done.code, done.out[:20_000], done.err[:20_000], done.seconds)
