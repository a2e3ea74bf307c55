"""The demo's Slurm: one program that answers as squeue and sacct over a small simulated cluster.

Started like the real commands, as ``cluster.py squeue STATE_FILE OPTIONS…``; it prints what Slurm 22.05 would print.
An option it does not know is refused, so that a change in what is asked for shows. ``changes`` beside it answers as
scancel, sbatch and make do.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time

TYPE_CHECKING = False  # importing typing would double the start-up time
if TYPE_CHECKING:
    from typing import Any

COLUMN = re.compile(r"([A-Za-z-]+):(\d+)(.*)", re.DOTALL)
ALIVE = ("RUNNING", "PENDING")
QUEUE = (
    "JobArrayID JobID State Reason UserName Partition SubmitTime StartTime EndTime TimeLimit TimeUsed RestartCnt "
    "NodeList WorkDir STDOUT STDERR Command Name"
).split()
ACCOUNTING = (
    "JobID JobIDRaw State ExitCode Submit Start End ElapsedRaw TimelimitRaw Partition NodeList User WorkDir Reason "
    "AllocTRES ReqMem SubmitLine JobName"
).split()


MAX_RSS_KIB = 38_211_904


def load(path: str, now: float) -> Any:
    """The jobs as they are by now, or by the ``now`` that the state holds: what was submitted starts after a while."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - importing pathlib would double the start-up time
        state = json.load(file)
    now = state.setdefault("now", now)
    for job in state["jobs"]:
        if job["state"] == "PENDING" and job.get("starts") and now >= job["starts"]:
            job.update(state="RUNNING", start=job["starts"], reason="")
    return state


def moment(seconds: float) -> str:
    shape = os.environ.get("SLURM_TIME_FORMAT", "%Y-%m-%dT%H:%M:%S")
    return time.strftime(shape, time.localtime(int(seconds)))


def clock(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86400)
    text = f"{rest // 3600:d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{text.zfill(8)}" if days else text


def elapsed(job: dict[str, Any], now: float) -> int:
    if job["start"] is None:
        return 0
    return int((job["end"] or now) - job["start"])


def queue_row(job: dict[str, Any], now: float) -> dict[str, Any]:
    running = job["state"] == "RUNNING"
    return {
        "JobArrayID": job["id"],
        "JobID": job["raw"],
        "State": job["state"],
        "Reason": job["reason"] or "None",
        "UserName": job["user"],
        "Partition": job["partition"],
        "SubmitTime": moment(job["submit"]),
        "StartTime": moment(job["start"]) if running else "N/A",
        "EndTime": moment(job["start"] + job["limit"]) if running else "N/A",
        "TimeLimit": clock(job["limit"]),
        "TimeUsed": clock(elapsed(job, now)),
        "RestartCnt": job["restarts"],
        "NodeList": job["node"] if running else "",
        "WorkDir": job["workdir"],
        "STDOUT": job["stdout"],
        "STDERR": job["stderr"],
        "Command": job["command"],
        "Name": job["name"],
    }


def accounting_row(job: dict[str, Any], now: float) -> dict[str, Any]:
    return {
        "JobID": job["id"],
        "JobIDRaw": job["raw"],
        "State": job["state"] + (f" by {job['by']}" if job.get("by") else ""),
        "ExitCode": job["exit"],
        "Submit": moment(job["submit"]),
        "Start": moment(job["start"]) if job["start"] else "Unknown",
        "End": moment(job["end"]) if job["end"] else "Unknown",
        "ElapsedRaw": elapsed(job, now),
        "TimelimitRaw": int(job["limit"] // 60),
        "Partition": job["partition"],
        "NodeList": job["node"] or "None assigned",
        "User": job["user"],
        "WorkDir": job["workdir"],
        "Reason": job["reason"] or "None",
        "AllocTRES": job.get("tres", "billing=16,cpu=16,gres/gpu=4,mem=64G,node=1") if job["start"] else "",
        "ReqMem": job.get("memory", "64G"),
        "SubmitLine": "sbatch " + job["submit_args"],
        "JobName": job["name"],
    }


def squeue(args: list[str], state: Any, now: float) -> str:
    if args[:4] != ["-h", "-t", "all", "-u"] or len(args) != 7 or args[5] != "-O":
        raise SystemExit(f"squeue: error: unknown arguments: {' '.join(args)}")
    columns = []
    for text in args[6].split(","):
        column = COLUMN.fullmatch(text)
        if not column or column[1] not in QUEUE:
            raise SystemExit(f"squeue: error: Invalid job format specification: {text}")
        columns.append(column.groups())
    lines = []
    for job in state["jobs"]:
        if job["user"] != args[4] or job["state"] not in ALIVE:
            continue
        row = queue_row(job, now)
        cells = [f"{row[name]!s:<{width}}"[: int(width)] + suffix for name, width, suffix in columns]
        lines.append("".join(cells) + "\n")
    return "".join(lines)


def sacct(args: list[str], state: Any, now: float) -> str:
    if args == ["--helpformat"]:
        return " ".join(ACCOUNTING) + "\n"
    if args[:3] == ["-n", "-P", "--format=JobID,NTasks,MaxRSS"] and args[3:4] == ["-j"] and len(args) == 5:
        jobs = {job["id"]: job for job in state["jobs"] if job["start"]}
        return "".join(
            f"{job}||\n{job}.batch|1|{MAX_RSS_KIB // 8}K\n{job}.0|{jobs[job].get('tasks', 1)}|{MAX_RSS_KIB}K\n"
            for job in args[4].split(",")
            if job in jobs
        )
    options = dict(arg.partition("=")[::2] for arg in args if arg.startswith("--"))
    flags = [arg for arg in args if not arg.startswith("--")]
    if flags[:5] != ["-X", "-D", "-n", "-p", "-S"] or flags[6:8] != ["-E", "now"] or flags[8:9] != ["-u"]:
        raise SystemExit(f"sacct: error: unknown arguments: {' '.join(args)}")
    if set(options) != {"--delimiter", "--format"} or len(flags) != 12 or flags[10] != "-s":
        raise SystemExit(f"sacct: error: unknown arguments: {' '.join(args)}")
    window = re.fullmatch(r"now-(\d+)days", flags[5])
    if not window:
        raise SystemExit(f"sacct: error: Invalid time specification: {flags[5]}")
    names = options["--format"].split(",")
    for name in names:
        if name not in ACCOUNTING:
            raise SystemExit(f"sacct: error: Invalid field requested: {name}")
    since = now - int(window[1]) * 86400
    lines = []
    for job in state["jobs"]:
        # asked for by its states, a window shows what waits or was cancelled while it waited, too
        if job["user"] != flags[9] or (job["end"] or now) < since:
            continue
        row = accounting_row(job, now)
        cells = [f"{row[name]}{options['--delimiter']}" for name in names]
        lines.append("".join(cells) + "\n")
    return "".join(lines)


PROGRAMS = {"squeue": squeue, "sacct": sacct}

if __name__ == "__main__":
    found = load(sys.argv[2], time.time())
    sys.stdout.write(PROGRAMS[sys.argv[1]](sys.argv[3:], found, found["now"]))
