"""Where a job's log lies, as its submission says: Slurm's file name patterns and ``#SBATCH`` lines."""

from __future__ import annotations

import os
import re
import stat
from functools import lru_cache
from pathlib import Path

from tools.compact import compact
from tools.text import words_of

SCRIPT_BYTES = 64 << 10
_PATTERN = re.compile(r"%(%|([0-9]{0,2})([AajJxuNnstb]))")
_SBATCH = re.compile(r"#SBATCH\s+(.{1,1000})")
_AGENT = re.compile(
    r"(?m)^[^#\n]{0,400}\bwandb agent (?:--?\S{1,80} ){0,6}['\"]?(?:[\w.-]{1,128}/){0,2}([\w-]{4,64})['\"]?\s*$"
)
# Options of sbatch whose value is the next word; without them a value could be taken for the script.
_WITH_VALUE = frozenset("-A -a -b -C -c -D -d -e -F -G -i -J -L -M -m -N -n -o -p -q -S -t -w -x".split())


@compact
class Names:
    """What Slurm's patterns stand for in one job."""

    job: str
    raw: str
    name: str
    user: str
    nodes: str = ""


def fill(pattern: str, names: Names, workdir: str) -> str | None:
    """A log path with its patterns filled in, made absolute; None where it can't be known.

    ``%N`` is the first node's short name; per-step and per-task patterns are those of the batch step.
    """
    if not pattern or pattern in {"(null)", "N/A", "none", "/dev/null"}:
        return None
    array, _, task = names.job.partition("_")
    node = re.split(r"[,\[]", names.nodes)[0].split(".")[0]
    values = {
        "A": array,
        "a": task or "4294967294",  # what Slurm writes for a job that is no array task
        "j": names.raw,
        "J": names.raw,
        "x": names.name,
        "u": names.user,
        "N": node,
        "n": "0",
        "s": "batch",
        "t": "0",
        "b": str(int(task) % 10) if task else "",
    }

    def one(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        value = values[match[3]]
        return value.zfill(int(match[2])) if match[2] and value.isdigit() else value

    # a backslash switches every pattern off
    path = pattern.replace("\\", "") if "\\" in pattern else _PATTERN.sub(one, pattern)
    if "%N" in pattern and not node:
        return None
    if not path.startswith("/"):
        if not workdir.startswith("/"):
            return None
        path = f"{workdir}/{path}"
    return path


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


def script_sweep(line: str, workdir: str) -> str | None:
    """The sweep that the batch script of a submit line starts agents of, where it stands there in full."""
    given = read_submit_line(line)
    return read_script(os.path.join(workdir, given.script)).sweep if given.script and workdir else None


def from_submission(line: str, names: Names, workdir: str) -> tuple[str | None, str | None]:
    """The job's log paths by its submit line, then its script's header, then Slurm's default name."""
    given = read_submit_line(line)
    header = Submission()
    if given.script:
        header = read_script(os.path.join(workdir, given.script))
    out_pattern = given.out or header.out
    err_pattern = given.err or header.err
    if not out_pattern and not (given.script and header.script):
        return None, None
    default = "slurm-%A_%a.out" if "_" in names.job else "slurm-%j.out"
    out = fill(out_pattern or default, names, workdir)
    err = fill(err_pattern, names, workdir) if err_pattern else None
    return out, err if err != out else None
