"""Which tests one process runs when ``make test`` spreads them: each alone, but what must stay together.

pytest-xdist's own groups are told by a test's id, which pytest 9.2 doesn't let it change.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

WHOLE = (
    "tests/test_cassettes.py",  # one process writes them where they are recorded anew
    "tests/test_wandb_client.py",  # W&B's client runs for a while, once for all of them
)


def group_of(test: str) -> str:
    """The name of the group that a test belongs to, by its id; the id itself where it may run anywhere.

    Of each version of Slurm one process runs all tests, and so one cluster after the other.
    """
    path, _, name = test.partition("::")
    if path.startswith("tests/slurm/"):
        return f"tests/slurm/{name.partition('[')[2].partition('-')[0].removesuffix(']')}"
    return path if path in WHOLE else test


class Spread(LoadScopeScheduling):
    """Groups first, the largest before the others; then every test to whichever process is free."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
