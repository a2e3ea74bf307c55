"""The Slurm of another Debian release, unpacked to run beside the host's own: nothing is installed.

A private apt (its own lists, no package taken as installed) resolves and fetches Slurm with every library
down to libc; patchelf then gives Slurm's programs that release's own dynamic linker and library path, so
they need no chroot, no mount and no root. Munge and MariaDB stay the host's: their protocols agree.
Needs apt-get, dpkg-deb and patchelf, a Debian archive in this machine's apt sources, and about 90 MB.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import posixpath
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

SLURM = {"bullseye": "20.11", "bookworm": "22.05", "trixie": "24.11"}
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurmdbd")
TOOLS = ("apt-get", "dpkg-deb", "patchelf")
APT_CONFIGURATION = """\
Dir::State "{work}/state";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Log "{work}";
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "/nonexistent";
Dir::Etc::preferencesparts "/nonexistent";
APT::Install-Recommends "false";
APT::Sandbox::User "{user}";
Acquire::Languages "none";
Acquire::Retries "2";
Debug::NoLocking "true";
"""


class ReleaseError(Exception):
    """The release could not be fetched or unpacked here; one line that says why."""


def unpack(release: str, root: Path) -> Path:
    """Slurm of Debian ``release`` below ``root``; returns ``root``. Raises ReleaseError.

    A finished root is left as it is, a half-made one never shows, and two callers wait for each other.
    The root can't be moved: its path stands in the programs.
    """
    if release not in SLURM:
        raise ReleaseError(f"unknown release {release}: choose from {', '.join(SLURM)}")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise ReleaseError(f"not installed: {', '.join(missing)}")
    root = root.absolute()
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name(f"{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _finished(root, release):
            return root
        if root.exists():
            raise ReleaseError(f"{root} exists and is not {release}")
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}-") as place:
            new = Path(place, "root")
            for package in _fetch(release, Path(place, "apt")):
                _extract(package, new)
            plugins = _link(new, root)
            about = {"release": release, "root": str(root), "plugins": str(plugins)}
            (new / "release.json").write_text(json.dumps(about), "utf-8")
            new.rename(root)
    _call([root / "usr" / "sbin" / "slurmctld", "-V"])
    return root


def _finished(root: Path, release: str) -> bool:
    try:
        about = json.loads((root / "release.json").read_bytes())
    except (OSError, ValueError):
        return False
    return bool(about["release"] == release and about["root"] == str(root))


def _fetch(release: str, work: Path) -> list[Path]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    archive = _archive()
    (work / "sources.list").write_text(f"deb {archive} {release} main\n", "utf-8")
    configuration = work / "apt.conf"
    configuration.write_text(APT_CONFIGURATION.format(work=work, user=getpass.getuser()), "utf-8")
    environment = os.environ | {"APT_CONFIG": str(configuration), "LC_ALL": "C"}
    _call(["apt-get", "-q", "update"], environment)
    _call(["apt-get", "-q", "-y", "--download-only", "install", *PACKAGES], environment)
    return sorted((work / "cache" / "archives").glob("*.deb"))


def _archive() -> str:
    """The Debian archive of this machine's own apt sources."""
    shown = _call(["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"])
    for line in shown.splitlines():
        uri, _, component = line.partition(" ")
        if component == "main" and uri.rstrip("/").endswith("/debian"):
            return uri
    raise ReleaseError("this machine's apt sources name no Debian archive")


def _extract(package: Path, root: Path) -> None:
    """Programs and plugins of Slurm's own packages; of any other package its shared libraries alone."""
    own = package.name.startswith("slurm")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpacker:
        assert unpacker.stdout is not None
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
            for member in archive:
                name = _merged(member.name)
                if name is not None and (_is_slurm(name) if own else _is_library(name)):
                    _place(archive, member, root, name)
        unpacker.stdout.read()  # the padding behind the archive: unread, it would fail dpkg-deb
    if unpacker.returncode:
        raise ReleaseError(f"dpkg-deb could not read {package.name}")


def _merged(name: str) -> PurePosixPath | None:
    """A package's path with /bin, /sbin and /lib below /usr; None for what lies elsewhere."""
    path = PurePosixPath(posixpath.normpath(name.lstrip("./")))
    if path.parts[:1] in {("bin",), ("sbin",), ("lib",)}:
        path = PurePosixPath("usr") / path
    return path if path.parts[:1] == ("usr",) and ".." not in path.parts else None


def _is_slurm(name: PurePosixPath) -> bool:
    # the PMIx plugins look for the host's PMIx at a fixed place and only fill the logs with errors
    if name.parts[1:2] not in {("bin",), ("sbin",), ("lib",)} or "systemd" in name.parts:
        return False
    return not name.name.startswith("mpi_pmix")


def _is_library(name: PurePosixPath) -> bool:
    return name.match("usr/lib/*-linux-gnu*/*.so*")


def _place(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path, name: PurePosixPath) -> None:
    target = root / name
    if member.issym():
        link = member.linkname
        merged = _merged(link) if link.startswith("/") else None
        if merged is not None:
            link = os.path.relpath(root / merged, target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(link)
    elif member.isfile() and (content := archive.extractfile(member)) is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _link(new: Path, root: Path) -> Path:
    """Binds the programs in ``new`` to the libraries as they will lie in ``root``: the plugin folder."""
    plugins = next((new / "usr" / "lib").glob("*-linux-gnu*/slurm-wlm"), None)
    if plugins is None:
        raise ReleaseError("the packages hold no plugin folder")
    final = root / plugins.relative_to(new)
    for folder in (new / "usr" / "bin", new / "usr" / "sbin"):
        for program in sorted(folder.iterdir()):
            if program.is_symlink() or not _is_elf(program):
                continue
            linker = final.parent / Path(_call(["patchelf", "--print-interpreter", program]).strip()).name
            # RPATH, not RUNPATH: it holds for the libraries' own libraries too
            paths = f"{final}:{final.parent}"
            _call(["patchelf", "--set-interpreter", linker, "--force-rpath", "--set-rpath", paths, program])
            # update-alternatives would make this name at installation
            plain = program.with_name(program.name.removesuffix("-wlm"))
            if not plain.exists():
                plain.symlink_to(program.name)
    # a RUNPATH of its own would switch the program's RPATH off and let the host's libraries in
    libraries = [path for path in plugins.rglob("*.so*") if not path.is_symlink() and _is_elf(path)]
    _call(["patchelf", "--remove-rpath", *libraries])
    return final


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _call(argv: list[str | Path], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=600)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ReleaseError(f"{Path(argv[0]).name} failed: {said[-1] if said else done.returncode}")
    return done.stdout
