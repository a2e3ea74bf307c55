"""The only place that starts a program.

An argument list, never a shell; an absolute program; an allow-list of environment variables; a process
group of its own, ended as a whole at the time-out; output bounded in bytes.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import stat
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from tools.compact import compact
from tools.sources.environments import environment


class CommandError(Exception):
    """A program could not be found, started, or ended within its time. One line, for a person."""


class TimedOut(CommandError):
    """A program was started and did not end within its time: what it has done is not known."""


@compact
class Finished:
    argv: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float
    cut: bool
    """Output was longer than the bound; ``out`` holds its beginning."""


def user_name() -> str:
    """The name of the user this process runs as, from the user database (not from $USER)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _open_to_others(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return True


def find_program(name: str, *, folder: Path | None, workspace: Path, path: str | None = None) -> Path:
    """The absolute path of a program.

    With ``folder`` it must lie there. Without, it is the first on ``path`` (default $PATH) outside the
    workspace, the home folder, the temporary folder and folders that anyone may write to, so that nothing
    a job or a repository drops into those is ever started. Raises CommandError.
    """
    if folder is not None:
        found = folder / name
        if os.access(found, os.X_OK) and found.is_file():
            return found.absolute()
        raise CommandError(f"{name} is not in {folder} (slurm_bin or SWEEP_AGENT_SLURM_BIN names that folder)")
    import tempfile

    refused, skipped = [workspace.resolve(), Path.home().resolve(), Path(tempfile.gettempdir()).resolve()], ""
    for entry in (os.environ.get("PATH", "") if path is None else path).split(os.pathsep):
        candidate = Path(entry, name)
        if not entry.startswith("/") or not os.access(candidate, os.X_OK) or not candidate.is_file():
            continue
        real = Path(entry).resolve()
        if any(real.is_relative_to(place) for place in refused) or _open_to_others(real):
            skipped = f" ({candidate} was passed over: it lies in a folder that programs are not started from)"
            continue
        return candidate
    raise CommandError(f"{name} was not found on PATH{skipped}")


def twin(work: Callable[[], None], own: Collection[int]) -> int:
    """A copy of this process that does ``work`` and ends; its number. Raises OSError where there can be no more.

    ``own`` are the descriptors it needs; all others are closed in it. A pipe of a program that another thread is just
    starting has no end before the copy has ended, and the copy may wait for who waits for that program.
    """
    # an interrupt waits: amid this it would let the copy go on as the program itself
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        # Python 3.12 warns that a thread may hold a lock: who waits for a copy gives it up after a while
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            number = os.fork()
        if not number:
            _be_twin(work, own, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return number


def _be_twin(work: Callable[[], None], own: Collection[int], mask: set[int] | set[signal.Signals]) -> NoReturn:
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for other in map(int, os.listdir("/proc/self/fd")):
            if other > 2 and other not in own:
                with contextlib.suppress(OSError):  # that of the listing itself
                    os.close(other)
        work()
    finally:
        os._exit(0)


_running: set[subprocess.Popen[bytes]] = set()


def end_all() -> None:
    """Kill whatever is still running: the person has pressed Ctrl-C and shall not wait for a time-out."""
    for process in list(_running):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


class _Drain(threading.Thread):
    """Reads a pipe to its end, keeping at most ``limit`` bytes."""

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        super().__init__(daemon=True)
        self.pipe, self.limit, self.cut = pipe, limit, False
        self.chunks: list[bytes] = []
        self.start()

    def run(self) -> None:
        kept = 0
        while chunk := self.pipe.read1(65536):  # type: ignore[attr-defined]  # a BufferedReader has it
            if kept < self.limit:
                self.chunks.append(chunk[: self.limit - kept])
            kept += len(chunk)
            self.cut = kept > self.limit

    def finish(self) -> None:
        """Wait for the end of the pipe; a stray child that still holds it is not waited for."""
        self.join(2)
        if not self.is_alive():
            self.pipe.close()

    def text(self) -> str:
        return b"".join(self.chunks).decode("utf-8", "replace")


def run(
    program: Path,
    args: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    whole_env: Mapping[str, str] | None = None,
    folder: str | None = None,
    limit: int = 256 << 20,
    held: int | None = None,
) -> Finished:
    """Run one program to its end and return what it printed, whatever its exit code.

    ``timeout`` is in seconds; at its end the whole process group is killed. ``env`` is added to the allow-list;
    ``whole_env`` takes its place. ``folder`` is the working folder (default: this process's). ``held`` is a descriptor
    that the program keeps open as long as it lives; its number is written there.
    Raises CommandError if it can't be started, TimedOut if it doesn't end in time.
    """
    if not program.is_absolute():
        raise CommandError(f"{program} is not an absolute path")
    argv, began = (str(program), *args), time.monotonic()
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(program, env or {}) if whole_env is None else dict(whole_env),
            cwd=folder,
            start_new_session=True,
            close_fds=True,
            pass_fds=() if held is None else (held,),
        )
    except (OSError, ValueError) as error:
        raise CommandError(f"{program.name} could not be started: {getattr(error, 'strerror', error)}") from error
    assert process.stdout and process.stderr
    _running.add(process)
    with contextlib.suppress(OSError):
        os.write(-1 if held is None else held, f"{process.pid}\n".encode())
    out, err = _Drain(process.stdout, limit), _Drain(process.stderr, 1 << 20)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise TimedOut(f"{program.name} did not answer within {timeout:.3g} s") from None
    finally:
        _running.discard(process)
        _end_group(process)
        out.finish()
        err.finish()
    return Finished(argv, process.returncode, out.text(), err.text(), time.monotonic() - began, out.cut)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process group, and reap the leader. Also runs on Ctrl-C."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
