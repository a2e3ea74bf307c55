"""A private Slurm on one host, for tests: its own munge, database, accounting, controller and nodes.

By hand: ``python tests/slurm/cluster.py up PREFIX [--root ROOT]`` and ``… down PREFIX``. ROOT is what
``release.unpack`` made; without it the installed Slurm runs. Nothing of the host's own Slurm is touched.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import database
from daemons import Daemons, end_left_over, plain_environment
from settings import CLUSTER, Settings

# A unix socket's path has at most 107 bytes, and munge puts ".lock" behind it.
LONGEST_PREFIX = 80


class ClusterError(Exception):
    """The cluster could not be brought up, or one of its programs failed."""


class Cluster:
    """One cluster below ``prefix``: a context manager that is up inside and gone outside.

    ``env``: what a client needs in its environment (SLURM_CONF, PATH). ``bin``: the folder of this
    version's clients. ``prefix`` must be short, and every folder above it open to others: munge refuses
    anything else. Raises ClusterError.
    """

    def __init__(self, prefix: Path, root: Path | None = None, nodes: int = 4, cpus: int = 4) -> None:
        self.prefix = prefix.absolute()
        self._remembered = self.prefix / "etc" / "root"
        if root is None and self._remembered.is_file():
            root = Path(self._remembered.read_text("utf-8"))
        self.root = root
        self.nodes = tuple(f"node{number}" for number in range(1, nodes + 1))
        self._cpus = cpus
        self._configuration = self.prefix / "etc" / "slurm.conf"
        self._daemons = Daemons(self.prefix)
        path = os.environ.get("PATH", os.defpath)
        self._search = f"{path}:/usr/sbin:/sbin"
        if root is not None:
            path = f"{root}/usr/bin:{path}"
            self._search = f"{root}/usr/bin:{root}/usr/sbin:{self._search}"
        self.bin = self._program("squeue").parent
        self.env = {"SLURM_CONF": str(self._configuration), "PATH": path}

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        if self._configuration.exists():
            raise ClusterError(f"{self.prefix} holds a cluster already")
        if len(str(self.prefix)) > LONGEST_PREFIX:
            raise ClusterError(f"the prefix is longer than {LONGEST_PREFIX} characters: {self.prefix}")
        try:
            self._bring_up()
        except BaseException:
            self.stop()
            raise

    def _bring_up(self) -> None:
        self._lay_out()
        self._start_munge()
        self._start_database()
        self._start("slurmdbd", "slurmdbd", "-D")
        self.wait("slurmdbd", lambda: self._answers("sacctmgr", "-n", "list", "cluster"))
        self.run("sacctmgr", "-iQ", "add", "cluster", CLUSTER)
        self.start_controller()
        step_daemon = ("-d", str(self._program("slurmstepd"))) if self.root else ()
        for node in self.nodes:
            self._start(node, "slurmd", "-D", "-N", node, *step_daemon)
        self.wait("idle nodes", self._all_idle)

    def stop(self) -> None:
        """Ends the jobs, then every daemon by its recorded process, then what outlived its daemon."""
        if self._daemons.pid("slurmctld"):
            self.run("scancel", "--user", getpass.getuser(), check=False)
            deadline = time.monotonic() + 5
            while self.run("squeue", "-h", "-t", "R,CG,S", check=False) and time.monotonic() < deadline:
                time.sleep(0.05)
        for name in (*self.nodes, "slurmctld", "slurmdbd"):
            self._daemons.end(name)
        end_left_over(self.prefix, self._configuration)
        for name in ("mariadbd", "munged"):
            self._daemons.end(name)

    def start_controller(self) -> None:
        self._start("slurmctld", "slurmctld", "-D")
        self.wait("slurmctld", lambda: "is UP" in self.run("scontrol", "ping", check=False))

    def stop_controller(self) -> None:
        self._daemons.end("slurmctld")

    def pid(self, name: str) -> int:
        """Of a daemon that runs."""
        found = self._daemons.pid(name)
        if found is None:
            raise ClusterError(f"{name} does not run")
        return found

    def run(self, *argv: str, check: bool = True, cwd: Path | None = None, timeout: float = 30) -> str:
        """A client's standard output, its last newline cut. With ``check`` a failure raises ClusterError."""
        done = subprocess.run(
            [self._program(argv[0]), *argv[1:]],
            env=plain_environment() | self.env,
            cwd=cwd or self.prefix,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise ClusterError(f"{argv[0]} exited {done.returncode}: {done.stderr.strip()}")
        return done.stdout.removesuffix("\n")

    def wait(self, what: str, check: Callable[[], bool], seconds: float = 30) -> None:
        """Returns once ``check`` is true; raises ClusterError with the ends of the logs at the deadline."""
        deadline = time.monotonic() + seconds
        while not check():
            if time.monotonic() > deadline:
                raise ClusterError(f"no {what} within {seconds:g} s\n{self._daemons.log_ends()}")
            time.sleep(0.05)

    def _program(self, name: str) -> Path:
        found = shutil.which(name, path=self._search)
        if not found:
            raise ClusterError(f"{name} is not installed")
        return Path(found)

    def _start(self, name: str, program: str, *arguments: str) -> None:
        environment = plain_environment() | self.env | {"MYSQL_UNIX_PORT": f"{self.prefix}/mysql/socket"}
        self._daemons.start(name, [self._program(program), *arguments], environment)

    def _lay_out(self) -> None:
        """The folders and the configuration; readable for others, but for the database and the state."""
        self.prefix.mkdir(parents=True, exist_ok=True)
        self.prefix.chmod(0o755)
        for name in ("etc", "log", "munge", "mysql", "run", "spool", "state"):
            folder = self.prefix / name
            folder.mkdir()
            folder.chmod(0o700 if name in {"mysql", "state"} else 0o755)
        for node in self.nodes:
            (self.prefix / "spool" / node).mkdir()
        plugins = None
        if self.root:
            plugins = json.loads((self.root / "release.json").read_bytes())["plugins"]
            self._remembered.write_text(str(self.root), "utf-8")
        done = subprocess.run([self._program("slurmctld"), "-V"], capture_output=True, text=True, check=True)
        major, minor, *_ = done.stdout.split()[-1].split(".")
        Settings(self.prefix, len(self.nodes), self._cpus, (int(major), int(minor)), plugins).write()

    def _start_munge(self) -> None:
        folder = self.prefix / "munge"
        key = folder / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        files = [f"--{name}-file={folder / name}" for name in ("key", "pid", "seed")]
        self._start("munged", "munged", "--foreground", f"--socket={folder / 'socket'}", *files)
        self.wait("munged", lambda: _accepts(folder / "socket"))

    def _start_database(self) -> None:
        folder = self.prefix / "mysql"
        try:
            options = database.create(self._program("mariadbd"), folder)
        except database.DatabaseError as error:
            raise ClusterError(str(error)) from None
        self._start("mariadbd", "mariadbd", *options)
        self.wait("mariadbd", lambda: _accepts(folder / "socket"))

    def _answers(self, *argv: str) -> bool:
        try:
            self.run(*argv, timeout=10)
        except (ClusterError, subprocess.TimeoutExpired):
            return False
        return True

    def _all_idle(self) -> bool:
        shown = self.run("sinfo", "-h", "-N", "-p", "low", "-t", "idle", "-o", "%n", check=False)
        return len(shown.split()) == len(self.nodes)


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="a private Slurm on this host")
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument("prefix", type=Path)
    parser.add_argument("--root", type=Path, help="an unpacked release instead of the installed Slurm")
    given = parser.parse_args()
    try:
        cluster = Cluster(given.prefix, given.root and given.root.absolute())
        if given.action == "up":
            cluster.start()
        else:
            cluster.stop()
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    if given.action == "up":
        for name, value in cluster.env.items():
            print(f"export {name}={shlex.quote(value)}")
    else:
        shutil.rmtree(cluster.prefix, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
