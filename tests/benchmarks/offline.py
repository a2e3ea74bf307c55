"""Offline run folders with ``.wandb`` logs of a megabyte, and how long the product takes for their last values.

``python -m benchmarks.offline make FOLDER RUNS``, then ``… read FOLDER``: one JSON object with ``seconds`` and
``cpu_s`` of the reading alone. The records are those of ``run_files``, cut into blocks as W&B cuts them.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
import zlib
from pathlib import Path

from benchmarks import plan, run_files

SIZE = 1 << 20
BLOCK, CHUNK = 32 << 10, struct.Struct("<IHB")
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def make(folder: Path, runs: int) -> None:
    """So many run folders, unless they are there."""
    if folder.is_dir():
        return
    of_one = next(run for group in plan.plan(40, 1, time.time()) for run in group if run.kind == "running")
    records = run_files.log_records(of_one)
    rows = records[run_files.ROWS]
    long = rows * (SIZE // sum(map(len, rows)) + 1)
    for number in range(runs):
        name = f"r{number:07d}"
        place = folder / f"offline-run-20261120_100002-{name}"
        (place / "files").mkdir(parents=True)
        own = [record.replace(of_one.id.encode(), name.encode()) for record in records[: run_files.ROWS.start]]
        (place / f"run-{name}.wandb").write_bytes(_blocks([*own, *long])[:SIZE])


def _blocks(records: list[bytes]) -> bytes:
    data = bytearray(struct.pack("<4sHB", b":W&B", 0xBEE1, 0))
    for record in records:
        rest, begun = record, False
        while True:
            room = BLOCK - len(data) % BLOCK - CHUNK.size
            if room < 0:
                data += bytes(room + CHUNK.size)
                continue
            piece, rest = rest[:room], rest[room:]
            kind = (MIDDLE if rest else LAST) if begun else (FIRST if rest else WHOLE)
            data += CHUNK.pack(zlib.crc32(piece, zlib.crc32(bytes([kind]))), len(piece), kind) + piece
            begun = True
            if not rest:
                break
    return bytes(data)


def read(folder: Path) -> None:
    from tools.sources import crew
    from tools.sources.wandb_files import read_run_dir

    paths = sorted(map(str, folder.iterdir()))
    began, used = time.perf_counter(), sum(os.times()[:4])
    found, _ = crew.each(lambda path: read_run_dir(path, quick=True), paths)
    took = {"seconds": time.perf_counter() - began, "cpu_s": sum(os.times()[:4]) - used}
    assert all(run and run.history and run.run in run.path for run in found), "not all were read"
    print(json.dumps(took))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        read(Path(sys.argv[2]))
