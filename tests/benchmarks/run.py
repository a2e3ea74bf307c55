"""Measures how fast the product looks at workspaces of 12 to 20,000 runs: ``python tests/benchmarks/run.py``.

All in one go and from a warm page cache: everything is read once before anything is timed. ``first look`` is
``agent status --json`` with an empty state folder, ``second look`` the same again with the state it left,
``1 % changed`` after lines were added to one log in a hundred. ``baseline.sh`` says what the shell baseline is and
``minimal_reader.py`` what the floor is. Slurm is a stub that prints rows rendered beforehand. At the end each figure
stands beside its promise. Processor seconds stand beside the clock's: they hold on a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT)]

from benchmarks.report import promises, table  # noqa: E402 - the path above makes it importable from a script
from benchmarks.timing import Spent, median, spent  # noqa: E402

from tools.sources.logs import HEAD_BYTES, TAIL_BYTES  # noqa: E402

OFFLINE_RUNS = 1000
BASELINE_RUNS = 2000
"""The shell baseline takes time with the square of the runs: it is asked for no more than these, unless told."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="sweep-bench-") as scratch:
        kept = options.keep or Path(scratch, "workspaces")
        bench = Bench(options, Path(scratch))
        results = []
        for runs in options.runs:
            folder = kept.resolve() / str(runs)
            subprocess.run([sys.executable, "-m", "benchmarks.workspace", folder, str(runs)], env=bench.env, check=True)
            if options.profile:
                subprocess.run(bench.probe("profile", folder), env=bench.env, check=True)
            elif options.opened:
                bench.compare(folder)
            else:
                results.append(bench.measure(folder, runs))
                print(table(results), end="\n\n", flush=True)
    if results:
        offline = bench.offline(kept.resolve() / "offline")
        print(promises(results, offline))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


class Bench:
    """What stays the same over all sizes: the environment of the processes, and the interpreter's start."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options, self.scratch = options, scratch
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(scratch / "home"),
            "USER": os.environ.get("USER", "me"),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": f"{ROOT}:{HERE.parent}",
            # compiled modules as an installed program has them, but not in the repository
            "PYTHONPYCACHEPREFIX": str(scratch / "pycache"),
        }
        (scratch / "home").mkdir()
        self.start = self._python("pass")
        self.imports = self._python("import tools.sweeps")

    def _python(self, code: str) -> Spent:
        spent([sys.executable, "-c", code], self.env)
        return median(lambda: spent([sys.executable, "-c", code], self.env), 9)

    def probe(self, what: str, folder: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.probe", what, str(folder / "proj"), str(folder / "bin")]

    def measure(self, folder: Path, runs: int) -> dict[str, Any]:
        times = self.options.repeat
        found: dict[str, Any] = {"runs": runs, "interpreter_s": self.start.seconds, "imports_s": self.imports.seconds}
        found["interpreter_cpu_s"] = self.start.cpu_s
        self._reader(folder)
        floors = sorted((self._reader(folder) for _ in range(max(3, times))), key=lambda floor: floor["seconds"])
        floor = floors[len(floors) // 2]
        found |= {"reader_s": floor["seconds"], "files": floor["files"], "read_mb": floor["bytes"] / 1e6}
        found["reader_cpu_s"] = sorted(floor["cpu_s"] for floor in floors)[len(floors) // 2]
        found["slurm_s"] = median(lambda: self._slurm(folder), times).seconds
        first = median(lambda: self._look(folder, self._state()), times)
        found |= {"first_s": first.seconds, "first_cpu_s": first.cpu_s, "first_over": first.over}
        if first.over:
            return found
        found["peak_mb"] = self._look(folder, self._state(), watched=True).peak_mb
        state = self._state()
        self._look(folder, state)
        second = median(lambda: self._look(folder, state), times)
        found |= {"second_s": second.seconds, "second_cpu_s": second.cpu_s}
        found["second_peak_mb"] = self._look(folder, state, watched=True).peak_mb
        changes = iter(range(times))

        def changed() -> Spent:
            with _one_in_a_hundred(folder / "proj" / "logs", next(changes)):
                took = self._look(folder, state)
            self._look(folder, state)  # so that the next one finds only its own changes
            return took

        found["changed_s"] = median(changed, times).seconds
        said = subprocess.run(self.probe("tokens", folder), env=self.env, check=True, capture_output=True).stdout
        found |= json.loads(said)
        if runs <= self.options.baseline:
            for name, every in (("baseline", ""), ("baseline_every_run", "1")):
                found |= self._baseline(folder, name, every)
        return found

    def _state(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="state-", dir=self.scratch))

    def _look(self, folder: Path, state: Path, *, watched: bool = False) -> Spent:
        places = {f"XDG_{name}_HOME": str(state) for name in ("STATE", "CACHE", "CONFIG")}
        env = {**self.env, **places, "SWEEP_AGENT_SLURM_BIN": str(folder / "bin")}
        agent = [str(Path(sys.executable).parent / "agent"), "status", "--json", "--workspace", str(folder / "proj")]
        return spent(agent, env, limit_s=self.options.limit, watched=watched)

    def _reader(self, folder: Path, *more: str) -> dict[str, Any]:
        argv = [sys.executable, "-I", "-S", str(HERE / "minimal_reader.py"), str(folder / "proj")]
        argv += ["--head", str(self.options.head), "--tail", str(self.options.tail), *more]
        return dict(json.loads(subprocess.run(argv, env=self.env, check=True, capture_output=True).stdout))

    def _slurm(self, folder: Path) -> Spent:
        """What the stubs themselves take: both listings, one after the other."""
        from benchmarks.slurm_stubs import calls

        squeue, sacct = (spent(argv, self.env) for argv in calls(folder / "bin"))
        return Spent(squeue.seconds + sacct.seconds, squeue.cpu_s + sacct.cpu_s, 0.0)

    def _baseline(self, folder: Path, name: str, every_run: str) -> dict[str, Any]:
        sections = self.scratch / f"sections-{name}"
        sections.unlink(missing_ok=True)
        path = f"{folder / 'bin'}:{self.env['PATH']}"
        env = {**self.env, "PATH": path, "SECTIONS": str(sections), "EVERY_RUN": every_run}
        limit = self.options.limit * 10
        took = spent(["bash", str(HERE / "baseline.sh")], env, cwd=str(folder / "proj"), limit_s=limit)
        marks = [line.split(" ", 1) for line in sections.read_text().splitlines()]
        parts = {what: float(after) - float(at) for (at, what), (after, _) in pairwise(marks)}
        return {f"{name}_s": took.seconds, f"{name}_over": took.over, f"{name}_parts": parts}

    def offline(self, folder: Path) -> dict[str, float]:
        """The last values of a thousand offline runs with a W&B log of a megabyte each: the median of several."""
        argv = [sys.executable, "-m", "benchmarks.offline"]
        subprocess.run([*argv, "make", str(folder), str(OFFLINE_RUNS)], env=self.env, check=True)
        said = [
            json.loads(
                subprocess.run([*argv, "read", str(folder)], env=self.env, check=True, capture_output=True).stdout
            )
            for _ in range(self.options.repeat + 1)
        ][1:]
        return {name: statistics.median(one[name] for one in said) for name in ("seconds", "cpu_s")}

    def compare(self, folder: Path) -> None:
        """Which files only the product opens, and which only the minimal reader: the floor should be of the same."""
        said = subprocess.run(self.probe("opened", folder), env=self.env, check=True, capture_output=True, text=True)
        product = set(said.stdout.splitlines())
        listing = self.scratch / "opened"
        self._reader(folder, "--list", str(listing))
        reader = set(listing.read_text().splitlines())
        for name, paths in (("only the product", product - reader), ("only the reader", reader - product)):
            print(f"{name}: {len(paths)} files", *sorted(paths)[:10], sep="\n  ")
        print(f"both: {len(product & reader)} files")


@contextmanager
def _one_in_a_hundred(logs: Path, offset: int) -> Iterator[None]:
    """A line more in every hundredth log; taken away again afterwards."""
    changed = sorted(logs.iterdir())[offset::100]
    before = [path.stat() for path in changed]
    for path in changed:
        with path.open("a") as file:
            file.write("\nanother line\n")
    try:
        yield
    finally:
        for path, was in zip(changed, before, strict=True):
            os.truncate(path, was.st_size)
            os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--runs", type=int, nargs="+", default=[12, 200, 2000, 20000])
    add("--repeat", type=int, default=3, help="the median of so many looks (default 3)")
    add("--baseline", type=int, default=BASELINE_RUNS, metavar="RUNS", help="the shell baseline up to so many runs")
    add("--keep", type=Path, metavar="DIR", help="make the workspaces here, or use those that are here")
    add("--limit", type=float, default=600, metavar="S", help="end a look after this, a baseline after ten times it")
    add("--head", type=int, default=HEAD_BYTES, help="bytes of a log's beginning that the minimal reader takes")
    add("--tail", type=int, default=TAIL_BYTES, help="bytes of its end")
    add("--profile", action="store_true", help="print where a look spends its time, and nothing else")
    add("--opened", action="store_true", help="compare the files that the product and the minimal reader open")
    add("--json", type=Path, metavar="FILE", help="write the numbers here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
