"""The mutation table: each need of RULES is taken out, and the world that notices it is printed; a missed one fails.

`make mutations`. The worlds and what is asserted of them are those of `tests/test_mutations.py`.
"""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from lab import Lab
from test_mutations import ALLOWED, DENIED, noticed_all_of, noticed_any_of

from agent.rules import RULES


def main() -> int:
    """Print the table; 1 where a need is missed."""
    missed = []
    needs = [(verb, rule, need) for verb, rule in RULES.items() for need in (*rule.all_of, *rule.any_of)]
    print(f"{'act':10}{'need taken out':24}{'':10}world that notices it")
    for verb, rule, need in needs:
        notices, worlds = (noticed_all_of, DENIED) if need in rule.all_of else (noticed_any_of, ALLOWED)
        why = _missed(verb, need.kind, notices)
        told = f"{'MISSED' if why else 'caught':10}{_name(worlds.get((verb, need.kind)))}"
        print(f"{verb:10}{need.kind:24}{told}{f': {why}' if why else ''}", flush=True)
        missed += [need.kind] if why else []
    print(f"{len(missed)} of {len(needs)} missed" if missed else f"all {len(needs)} caught")
    return int(bool(missed))


def _missed(verb: str, kind: str, notices: Callable[..., None]) -> str:
    """Why nothing notices that the need is gone; empty where something does."""
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("WANDB_", "SLURM_", "SWEEP_AGENT_", "NETRC"))]:
            patch.delenv(name)
        for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, f"{folder}/{name}")
        lab = Lab(Path(folder, "lab"))
        try:
            notices(verb, kind, lab, Path(folder, "state"), patch)
        except (AssertionError, KeyError) as why:
            return str(why).partition("\n")[0] or "it makes no difference"
        finally:
            if lab.wandb:
                lab.wandb.__exit__(None, None, None)
    return ""


def _name(world: Callable[..., object] | None) -> str:
    if world is None:
        return "none"
    made = inspect.getclosurevars(world).nonlocals.get("made")
    within = getattr(made, "__name__", "")
    if world.__name__ != "<lambda>":
        return within if made else world.__name__
    source = " ".join(inspect.getsource(world).split())
    return source.rpartition("lambda lab: ")[2].removesuffix(",").replace("made(", f"{within}(")


if __name__ == "__main__":
    sys.exit(main())
