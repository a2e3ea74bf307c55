"""The MariaDB behind a test cluster's accounting: a unix socket alone, in its owner's own folder."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

NAME = "slurm_acct_db"
SQL_FOLDERS = (Path("/usr/share/mysql"), Path("/usr/share/mariadb"))
SYSTEM_TABLES = ("mysql_system_tables.sql", "mysql_system_tables_data.sql")


class DatabaseError(Exception):
    """MariaDB could not make its system tables."""


def create(program: Path, folder: Path) -> list[str]:
    """Makes the data below ``folder``; returns the arguments that serve it on ``folder/socket``.

    There are no grants: who can enter the folder may do all. Raises DatabaseError.
    """
    for name in ("data", "tmp"):
        (folder / name).mkdir()
    options = ["--no-defaults", f"--user={getpass.getuser()}"]
    options += [f"--datadir={folder / 'data'}", f"--tmpdir={folder / 'tmp'}"]
    options += ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]
    # Slurm's database is made here: the client library that Debian's 24.11 uses loses its settings on the
    # second connect, which slurmdbd makes after finding no database, and then insists on TLS
    sql = f"create database {NAME};\ncreate database mysql;\nuse mysql;\n"
    scripts = [place for place in SQL_FOLDERS if (place / SYSTEM_TABLES[0]).is_file()]
    if not scripts:
        raise DatabaseError(f"no {SYSTEM_TABLES[0]} in {' or '.join(map(str, SQL_FOLDERS))}")
    sql += "".join((scripts[0] / name).read_text("utf-8") for name in SYSTEM_TABLES)
    done = subprocess.run([program, *options, "--bootstrap"], input=sql, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise DatabaseError(f"mariadbd --bootstrap: {done.stderr[-500:]}")
    own = f"--pid-file={folder / 'own.pid'}"
    return [*options, f"--socket={folder / 'socket'}", own, "--skip-networking", "--skip-grant-tables"]
