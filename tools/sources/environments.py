"""The environment variables that a program which is started sees."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

# SLURM_CLUSTERS and the SQUEUE_*, SACCT_* and SCANCEL_* variables act as hidden options: never passed on.
PASSED_ON = (
    "HOME", "USER", "LOGNAME", "TZ", "SLURM_CONF", "SLURM_CONF_SERVER", "KRB5CCNAME", "XDG_STATE_HOME",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
)  # fmt: skip
# A submission needs the person's environment (conda, modules); but none of these: they act as options of sbatch, put
# foreign code into programs, or are keys that no job needs.
NEVER_PASSED = re.compile(
    r"(?:SBATCH_|SLURM_(?!CONF)|SRUN_|SQUEUE_|SACCT_|SCANCEL_|SALLOC_|LD_PRELOAD|LD_AUDIT|ANTHROPIC_).*"
)
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def environment(program: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """What a started program sees: the allow-list, a system PATH after its own folder, and ``extra``."""
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**env, "PATH": f"{program.parent}:{SYSTEM_PATH}", "LC_ALL": "C.UTF-8", **extra}


def persons_environment(first: Path | None) -> dict[str, str]:
    """The person's own environment for a submission, less what would change its meaning; ``first`` leads its PATH.
    Relative folders on the PATH are left out: they would name other programs in another working folder."""
    env = {name: value for name, value in os.environ.items() if not NEVER_PASSED.fullmatch(name)}
    path = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry.startswith("/")]
    return {**env, "PATH": os.pathsep.join([*([str(first)] if first else []), *path])}
