"""Opens what a look at the workspace opens, and parses nothing: the floor that ``agent status`` is held against.

One thread, the standard library, one ``pread`` a file (two where a log is longer than its head and tail). Prints one
JSON object: ``seconds`` and ``cpu_s`` it took without the interpreter's start, ``files`` opened, ``bytes`` read.

    python -I -S minimal_reader.py WORKSPACE --head BYTES --tail BYTES [--list FILE]

``tests/benchmarks/run.py --opened`` shows how far the files agree with those that the product opens.
"""

import json
import os
import sys
import time

WANDB_BYTES = 385 << 10  # the head and the tail that tools/sources/wandb_log.py reads
CONFIG_BYTES = 512 << 10
HEADER_BYTES = 64 << 10  # a safetensors header of a few hundred tensors


def read_all(workspace: str, head: int, tail: int) -> tuple[list[str], int]:
    """The files that were opened, and how many bytes of them were read."""
    opened: list[str] = []
    size = 0

    def take(path: str, first: int, last: int = 0) -> None:
        nonlocal size
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        opened.append(path)
        if last and (whole := os.fstat(handle).st_size) > first + last:
            size += len(os.pread(handle, first, 0)) if first else 0
            size += len(os.pread(handle, last, whole - last))
        else:
            size += len(os.pread(handle, first + last, 0))
        os.close(handle)

    folders = [workspace]
    while folders:
        folder = folders.pop()
        newest, newest_step = "", -1
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if name.startswith("checkpoint-"):
                        step = int(name[11:])
                        if step > newest_step:
                            newest, newest_step = entry.path, step
                    elif name.startswith(("run-2", "offline-run-2")):
                        for own in os.scandir(entry.path):
                            if own.name.endswith(".wandb"):
                                take(own.path, WANDB_BYTES)
                        take(f"{entry.path}/files/wandb-summary.json", CONFIG_BYTES)
                    else:
                        folders.append(entry.path)
                elif name.endswith((".out", ".err")):
                    take(entry.path, head, tail)
                elif name.endswith(".yaml") or name in ("Makefile", "settings", "sweep.sbatch"):
                    take(entry.path, CONFIG_BYTES)
        if newest:
            for entry in os.scandir(newest):
                take(entry.path, HEADER_BYTES if entry.name.endswith(".safetensors") else CONFIG_BYTES)
    return opened, size


def main(arguments: list[str]) -> None:
    workspace = arguments[0]
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    began, used = time.perf_counter(), time.process_time()
    opened, size = read_all(workspace, int(options["--head"]), int(options["--tail"]))
    spent, cpu = time.perf_counter() - began, time.process_time() - used
    if "--list" in options:
        with open(options["--list"], "w", encoding="utf-8") as file:
            file.writelines(f"{path}\n" for path in opened)
    print(json.dumps({"seconds": spent, "cpu_s": cpu, "files": len(opened), "bytes": size}))


if __name__ == "__main__":
    main(sys.argv[1:])
