"""Where a job's log lies, as its submission says: the submit line and the ``#SBATCH`` lines of its script."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tools.compact import compact
from tools.data import Job
from tools.sources.log_names import Names, fill
from tools.text import words_of

SCRIPT_BYTES = 64 << 10
_SBATCH = re.compile(r"#SBATCH\s+(.{1,1000})")
_AGENT = re.compile(
    r"(?m)^[^#\n]{0,400}\bwandb agent (?:--?\S{1,80} ){0,6}['\"]?(?:[\w.-]{1,128}/){0,2}([\w-]{4,64})['\"]?\s*$"
)
# Options of sbatch whose value is the next word; without them a value could be taken for the script.
_WITH_VALUE = frozenset("-A -a -b -C -c -D -d -e -F -G -i -J -L -M -m -N -n -o -p -q -S -t -w -x".split())


@compact
class Submission:
    """What a submit line or a batch script's header tells."""

    script: str | None = None
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """What stands before the script, the array's range left out."""
    out: str | None = None
    err: str | None = None
    sweep: str | None = None
    """The sweep of the only agent that the script starts."""
    clusters: str | None = None
    """Where the line itself submits to."""


@lru_cache(maxsize=4096)
def read_submit_line(line: str) -> Submission:
    """``sbatch -o x run.sh a b`` or ``/path/run.sh a b``: the script, its arguments and the log patterns."""
    words = words_of(line)
    if words and words[0].rpartition("/")[2] == "sbatch":
        words = words[1:]
    out = err = clusters = None
    options: list[str] = []
    index = 0
    while index < len(words) and words[index].startswith("-"):
        first, word = index, words[index]
        flag, equals, value = word.partition("=")
        if not word.startswith("--") and len(word) > 2:
            flag, equals, value = word[:2], "=", word[2:]
        to_cluster = flag == "-M" or (len(flag) > 3 and "--clusters".startswith(flag))  # getopt takes "--clus" too
        of_array = flag == "-a" or (len(flag) > 3 and "--array".startswith(flag))
        takes_next = not equals and (flag in _WITH_VALUE or flag in {"--output", "--error"} or to_cluster or of_array)
        if takes_next and index + 1 < len(words):
            index, value = index + 1, words[index + 1]
        if flag in {"-o", "--output"}:
            out = value or None
        elif flag in {"-e", "--error"}:
            err = value or None
        elif to_cluster:
            clusters = value or None
        elif flag == "--wrap" or (not (equals or takes_next) and flag in _LONG_WITH_VALUE):
            index += not equals
        index += 1
        if not of_array:
            options += words[first:index]
    script = words[index] if index < len(words) else None
    return Submission(script, tuple(words[index + 1 :]), tuple(options), out, err, clusters=clusters)


_LONG_WITH_VALUE = frozenset(
    "--account --array --begin --chdir --comment --constraint --cpus-per-task --dependency --exclude --export "
    "--gpus --gpus-per-node --gres --job-name --mem --mem-per-cpu --nodelist --nodes --ntasks "
    "--ntasks-per-node --open-mode --partition --qos --signal --time".split()
)


def read_script(path: str) -> Submission:
    """The ``#SBATCH`` log lines of a batch script (its first 64 KiB); empty where it can't be read."""
    try:
        info = os.stat(path)
    except OSError:
        return Submission()
    # all tasks of an array, and most jobs of a sweep, come from one script
    return _header(path, info.st_mtime_ns, info.st_size) if stat.S_ISREG(info.st_mode) else Submission()


@lru_cache(maxsize=256)
def _header(path: str, written: int, size: int) -> Submission:
    """``written`` and ``size`` are what tells one content of the path from the next."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(SCRIPT_BYTES).decode("utf-8", "replace")
    except OSError:
        return Submission()
    words: list[str] = []
    for line in text.splitlines():
        if match := _SBATCH.match(line):
            words.append(match[1].split(" #")[0])
        elif line.strip() and not line.startswith("#"):
            break  # Slurm stops reading directives at the first command
    header = read_submit_line(" ".join(words))
    agents = {match[1] for match in _AGENT.finditer(text)}
    sweep = agents.pop() if len(agents) == 1 else None
    return Submission(script=path, out=header.out, err=header.err, sweep=sweep)


class _Told(NamedTuple):
    """What a job's line and the header of its script tell together."""

    out: str | None
    err: str | None
    sweep: str | None


class Submissions:
    """The submissions of one listing, or of one look, each read once for all the jobs that came of it."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], _Told] = {}

    def logs(self, line: str, names: Names, workdir: str) -> tuple[str | None, str | None]:
        """The job's log paths by its submit line, then its script's header, then Slurm's default name."""
        told = self._of(line, workdir)
        if told.out is None:
            return None, None
        default = "slurm-%A_%a.out" if "_" in names.job else "slurm-%j.out"
        out = fill(told.out or default, names, workdir)
        err = fill(told.err, names, workdir) if told.err else None
        return out, err if err != out else None

    def sweep(self, line: str, workdir: str) -> str | None:
        """The sweep that the batch script of a submit line starts agents of, where it stands there in full."""
        return self._of(line, workdir).sweep if workdir else None

    def _of(self, line: str, workdir: str) -> _Told:
        told = self._told.get((line, workdir))
        if told is None:
            given = read_submit_line(line)
            header = read_script(os.path.join(workdir, given.script)) if given.script else Submission()
            # no pattern: the default name, if it is known that the script names none
            out = given.out or header.out or ("" if header.script else None)
            told = self._told[line, workdir] = _Told(out, given.err or header.err, header.sweep)
        return told


def script_sweeps(jobs: Iterable[Job]) -> dict[str, str]:
    """Job id -> the sweep that its batch script starts an agent of."""
    submissions = Submissions()
    found = {job.id: submissions.sweep(job.command, job.workdir) for job in jobs}
    return {job: sweep for job, sweep in found.items() if sweep}
