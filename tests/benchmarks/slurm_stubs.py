"""Stubs of squeue and sacct for the benchmarks: shell scripts that print rows rendered beforehand.

They are no simulation: they know the calls that ``tools/sources/slurm.py`` and ``baseline.sh`` make, refuse a list of
fields they were not rendered for, and print as fast as sed can put in the delimiter of this call. Rows have the form
of Slurm 22.05, where sacct doesn't tell the log files: the reader finds them through the script's own header.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.plan import SLURM_STATE, Run

from tools.sources.command import user_name
from tools.sources.slurm import ACCOUNTING_FIELDS, QUEUE_FIELDS

FIELD, RECORD, NONCE = "\x1f", "\x1e", 8
THROTTLE = 20
LIMIT_S = 12 * 86400
HELPFORMAT = Path(__file__).parents[2] / "fixtures" / "slurm" / "22.05" / "helpformat.out"
COLUMNS = [*ACCOUNTING_FIELDS, "AllocTRES", "ReqMem", "SubmitLine", "JobName"]

SQUEUE = """#!/bin/sh
# Stub of squeue for the benchmarks: rows rendered beforehand, see tests/benchmarks/slurm_stubs.py.
rows=${{0%/*}}/../slurm
if [ "$1" = -j ]; then
    case $* in *%M*) column=4 ;; *%T*) column=3 ;; *) column=0 ;; esac
    exec awk -v j="$2" -v c=$column '$1 == j || index($1, j "_") == 1 {{ print $c; f = 1 }} END {{ exit !f }}' \
        "$rows/queue.table"
fi
case $* in
*' -O '*)
    for format; do :; done
    case $format in
    {pattern}) ;;
    *) echo "squeue: error: the stub was not made for these fields" >&2; exit 1 ;;
    esac
    nonce=${{format##*{record}}}
    LC_ALL=C exec sed "s/{field}/&$nonce/g; s/{record}/&$nonce/g" "$rows/queue.rows" ;;
*' -o %i'*) exec awk '{{ print $1 }}' "$rows/queue.table" ;;
*' -o %j'*) exec awk '{{ print $2 }}' "$rows/queue.table" ;;
*) exec cat "$rows/queue.table" ;;
esac
"""
SACCT = """#!/bin/sh
# Stub of sacct for the benchmarks: rows rendered beforehand, see tests/benchmarks/slurm_stubs.py.
rows=${{0%/*}}/../slurm
case $* in
--helpformat) exec cat "$rows/helpformat" ;;
*--delimiter=*)
    for argument; do
        case $argument in
        --delimiter=*) nonce=${{argument#--delimiter={field}}} ;;
        --format={columns}) known=1 ;;
        esac
    done
    [ -n "$known" ] || {{ echo "sacct: error: the stub was not made for these fields" >&2; exit 1; }}
    LC_ALL=C exec sed "s/{field}/&$nonce/g" "$rows/accounting.rows" ;;
*) exec cat "$rows/accounting.table" ;;
esac
"""


def write(folder: Path, workspace: str, sweeps: Iterable[Sequence[Run]], now: float) -> None:
    """``bin/squeue``, ``bin/sacct`` and their rows below ``folder``."""
    rows = folder / "slurm"
    rows.mkdir()
    (folder / "bin").mkdir()
    names = [f"{name}:{width}" for name, width in QUEUE_FIELDS]
    nonce = "?" * NONCE
    pattern = f"{FIELD}{nonce},".join(names) + f"{RECORD}{nonce}"
    for name, text in (
        ("squeue", SQUEUE.format(pattern=pattern, field=FIELD, record=RECORD)),
        ("sacct", SACCT.format(columns=",".join(COLUMNS), field=FIELD)),
    ):
        path = folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
    (rows / "helpformat").write_bytes(HELPFORMAT.read_bytes())
    user = user_name()
    with (
        (rows / "queue.rows").open("w") as queue,
        (rows / "queue.table").open("w") as short,
        (rows / "accounting.rows").open("w") as accounting,
        (rows / "accounting.table").open("w") as table,
    ):
        table.write(f"{'JobID':>14} {'JobName':>20} {'State':>12} {'ExitCode':>8} {'Elapsed':>12}\n{'-' * 70}\n")
        for group in sweeps:
            waiting = [run for run in group if run.kind == "pending"]
            for run in [*(run for run in group if run.kind != "pending"), *waiting[:1]]:
                row = _row(run, waiting, workspace, user, now)
                accounting.write("".join(f"{row[name]}{FIELD}" for name in COLUMNS) + "\n")
                table.write(
                    f"{row['JobID']:>14} {row['JobName']:>20} {row['State']:>12} {row['ExitCode']:>8} "
                    f"{_clock(row['ElapsedRaw'], 2):>12}\n"
                )
                if run.kind in ("running", "pending"):
                    cells = [f"{row[name]:<{width}}" for name, width in QUEUE_FIELDS]
                    queue.write(FIELD.join(cells) + f"{RECORD}\n")
                    short.write(
                        f"{row['JobArrayID']} {row['Name']} {row['State']} {row['TimeUsed']} {row['NodeList']}\n"
                    )


def _row(run: Run, waiting: Sequence[Run], workspace: str, user: str, now: float) -> dict[str, Any]:
    """One job with the fields of both programs; the waiting rest of an array is one row."""
    rest = run.kind == "pending"
    job = f"{run.sweep.array}_[{waiting[0].task}-{waiting[-1].task}%{THROTTLE}]" if rest else run.job
    elapsed = 0 if rest else int((run.end or now) - run.start)
    arguments = f"experiments/sweep.sbatch experiments/{run.sweep.name}.yaml acme-lab/mt-distill/{run.sweep.id}"
    tasks = f"0-39%{THROTTLE}"
    return {
        "JobArrayID": job, "JobID": job, "JobIDRaw": run.raw, "State": SLURM_STATE[run.kind],
        "Reason": "Resources" if rest else "None", "UserName": user, "User": user, "Partition": "gpu",
        "SubmitTime": int(run.sweep.start), "Submit": int(run.sweep.start),
        "StartTime": "N/A" if rest else int(run.start), "Start": "Unknown" if rest else int(run.start),
        "EndTime": "N/A" if rest else int(run.start) + LIMIT_S, "End": int(run.end) if run.end else "Unknown",
        "TimeLimit": _clock(LIMIT_S, 1), "TimelimitRaw": LIMIT_S // 60, "TimeUsed": _clock(elapsed, 1),
        "ElapsedRaw": elapsed, "RestartCnt": 0, "NodeList": run.node if run.kind == "running" else "",
        "WorkDir": workspace, "STDOUT": f"{workspace}/logs/sweep_%A_%a.out",
        "STDERR": f"{workspace}/logs/sweep_%A_%a.err", "Command": f"{workspace}/{arguments}",
        "AllocTRES": "" if rest else "billing=16,cpu=16,gres/gpu=4,mem=64G,node=1", "ReqMem": "64G",
        "SubmitLine": f"sbatch --array={tasks} -J {run.sweep.name} {arguments}", "Name": run.sweep.name,
        "JobName": run.sweep.name, "ExitCode": "1:0" if SLURM_STATE[run.kind] == "FAILED" else "0:0",
    }  # fmt: skip


def _clock(seconds: int, hours: int) -> str:
    """``D-HH:MM:SS``; without days the hours have at least so many digits."""
    days, rest = divmod(seconds, 86400)
    text = time.strftime("%H:%M:%S", time.gmtime(rest))
    return f"{days}-{text}" if days else text if hours == 2 else text.removeprefix("0")


def calls(programs: Path) -> tuple[list[str], list[str]]:
    """The two listings that a look asks for, for who wants to know what the stubs themselves take."""
    names = [f"{name}:{width}" for name, width in QUEUE_FIELDS]
    nonce = "0" * NONCE
    fields = f"{FIELD}{nonce},".join(names) + f"{RECORD}{nonce}"
    columns = ",".join(COLUMNS)
    return (
        [f"{programs}/squeue", "-h", "-t", "all", "-u", "me", "-O", fields],
        [f"{programs}/sacct", "-X", f"--delimiter={FIELD}{nonce}", f"--format={columns}"],
    )
