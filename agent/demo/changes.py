"""The demo's scancel, sbatch, make and wandb: they change the simulated cluster's state, under a lock, and say what the
real ones say.

Started like the real commands, as ``changes.py scancel STATE_FILE ARGUMENTS…``. Options they do not know are refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WAITS_S = 20.0
"""A submitted job starts after so many seconds."""
NODE = "gpu14"
HOURS = 60
_HEADER = re.compile(r"(?m)^#SBATCH --(output|error)=(\S+)")
_WAITING = re.compile(r"(\d+)_\[(\d+)-(\d+)(%\d+)?\]")


def reading(path: Path) -> dict[str, Any]:
    """The state of the simulated cluster, or of the demo's W&B, of which nothing was changed yet."""
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        state = {"sweeps": {}, "runs": {}}
    return state


@contextmanager
def changing(path: Path) -> Iterator[dict[str, Any]]:
    """The same, written when the block ends; one process at a time."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = reading(path)
        yield state
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(state, indent=1), encoding="utf-8")
        aside.replace(path)


def scancel(path: Path, args: list[str], now: float) -> str:
    """Silent and content whatever the id, as the real one is."""
    if args[:1] != ["--"] or len(args) != 2:
        raise SystemExit(f"scancel: error: unknown arguments: {' '.join(args)}")
    with changing(path) as state:
        for job in list(state["jobs"]):
            started = job["start"] or (job.get("starts") if now >= job.get("starts", now + 1) else None)
            if job["id"] == args[1] and job["state"] in {"RUNNING", "PENDING"}:
                job.update(state="CANCELLED", start=started, end=now, exit="0:0", by=str(os.getuid()), reason="")
                if started:
                    _say(job, now)
            elif job["state"] == "PENDING" and (match := _WAITING.fullmatch(job["id"])):
                tasks = [task for task in range(int(match[2]), int(match[3]) + 1) if f"{match[1]}_{task}" != args[1]]
                # a task that is cancelled while it waits gets no row, here as there
                state["jobs"].remove(job)
                state["jobs"] += _rest(job, match, tasks)
    return ""


def _rest(job: dict[str, Any], match: re.Match[str], tasks: list[int]) -> list[dict[str, Any]]:
    if len(tasks) == int(match[3]) - int(match[2]) + 1:
        return [job]
    return [{**job, "id": f"{match[1]}_[{task}-{task}{match[4] or ''}]"} for task in tasks]


def _say(job: dict[str, Any], now: float) -> None:
    """slurmstepd's word in the job's error log."""
    array, _, task = job["id"].partition("_")
    log = Path(job["stderr"].replace("%A", array).replace("%a", task).replace("%j", str(job["raw"])))
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))
    if log.is_file():
        with log.open("a", encoding="utf-8") as file:
            file.write(f"slurmstepd: error: *** JOB {job['raw']} ON {job['node']} CANCELLED AT {at} ***\n")


def sbatch(path: Path, args: list[str], now: float) -> str:
    options = {}
    while args and args[0].startswith("--"):
        name, _, options[name] = args.pop(0).partition("=")
    if set(options) - {"--array", "--job-name"} or not args:
        raise SystemExit(f"sbatch: error: unknown arguments: {' '.join(args) or 'no script'}")
    script = Path(args[0])
    if not script.is_file():
        raise SystemExit(f"sbatch: error: Unable to open file {args[0]}")
    header = dict(_HEADER.findall(script.read_text(encoding="utf-8")))
    tasks = re.fullmatch(r"(\d+)(?:-(\d+))?", options["--array"]) if "--array" in options else None
    here = Path.cwd()
    with changing(path) as state:
        number = max(int(job["raw"]) for job in state["jobs"]) + 1
        count = range(int(tasks[1]), int(tasks[2] or tasks[1]) + 1) if tasks else range(1)
        for place, task in enumerate(count):
            state["jobs"].append({
                "id": f"{number}_{task}" if tasks else str(number), "raw": str(number + place),
                "name": options.get("--job-name") or script.name, "user": state["jobs"][0]["user"],
                "state": "PENDING", "exit": "0:0", "submit": now, "start": None, "starts": now + WAITS_S, "end": None,
                "limit": HOURS * 3600, "node": NODE, "partition": "gpu", "reason": "Resources", "restarts": 0,
                "workdir": str(here), "stdout": f"{here}/{header.get('output', 'slurm-%j.out')}",
                "stderr": f"{here}/{header.get('error', 'slurm-%j.out')}",
                "command": " ".join([f"{here}/{args[0]}", *args[1:]]),
                "submit_args": " ".join([*(f"{name}={value}" for name, value in options.items()), *args]),
            })  # fmt: skip
    return f"Submitted batch job {number}\n"


def make(path: Path, args: list[str], now: float) -> str:
    """The only target of the demo's Makefile."""
    values = dict(word.partition("=")[::2] for word in args if "=" in word)
    if [word for word in args if "=" not in word] != ["run"] or set(values) != {"SWEEP", "RUN"}:
        raise SystemExit(f"make: error: *** No rule to make target '{' '.join(args)}'.  Stop.")
    words = ["experiments/run.sbatch", values["SWEEP"], values["RUN"]]
    return f"sbatch {' '.join(words)}\n{sbatch(path, words, now)}"


def wandb(path: Path, args: list[str], now: float) -> str:
    """``wandb sweep --entity E --project P --name NAME CONFIG`` and ``wandb sync --yes -e E -p P FOLDER``: what they
    make is in the demo's W&B."""
    if args[:3] == ["sync", "--yes", "-e"] and args[4:5] == ["-p"] and len(args) == 7:
        return _sync(path.with_name("wandb.json"), args[3], args[5], Path(args[6]))
    if len(args) % 2:
        raise SystemExit(f"Error: no such command: wandb {' '.join(args)}")
    options = dict(zip(args[1:-1:2], args[2:-1:2], strict=True))
    if args[:1] != ["sweep"] or set(options) != {"--entity", "--project", "--name"} or not Path(args[-1]).is_file():
        raise SystemExit(f"Error: no such command or file: wandb {' '.join(args)}")
    with changing(path.with_name("wandb.json")) as state:
        name = f"demo{len(state['sweeps']):04d}"
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        state["sweeps"][name] = {"displayName": options["--name"], "method": "bayes", "createdAt": created}
    return f"wandb: Creating sweep from: {args[-1]}\nwandb: Creating sweep with ID: {name}\n"


def _sync(kept: Path, entity: str, project: str, folder: Path) -> str:
    """Upload an offline run: as many rows as its summary counts."""
    run = folder.name.rpartition("-")[2]
    try:
        rows = json.loads((folder / "files" / "wandb-summary.json").read_text(encoding="utf-8"))["_step"]
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"wandb: ERROR {folder}: {error}") from None
    with changing(kept) as state:
        state["runs"][run] = {"state": "finished", "historyLineCount": rows}
    (folder / f"run-{run}.wandb.synced").touch()
    return f"Syncing: https://wandb.ai/{entity}/{project}/runs/{run} ... done.\n"


PROGRAMS = {"scancel": scancel, "sbatch": sbatch, "make": make, "wandb": wandb}

if __name__ == "__main__":
    cluster = Path(sys.argv[2])
    at = json.loads(cluster.read_text(encoding="utf-8")).get("now", time.time())
    sys.stdout.write(PROGRAMS[sys.argv[1]](cluster, sys.argv[3:], at))
