"""What each act needs to have been seen before a person is even asked: plain data.

The same table is printed as the ticks of a request, as the reason of a denial, and in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tools.acts import Value

FRESH_S = 10.0
"""How old a reading of the world may be when it is judged, also at the start of the act itself."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that must have been seen of the act's subject."""

    kind: str
    accepts: tuple[Value, ...]
    says: str
    """What must be so, for a person."""
    help: str
    """What would help where it is not so, or not known."""
    max_age: float | None = FRESH_S
    """Seconds; None: it holds for the conversation."""
    any_name: bool = False
    """Seen of the job, the run or the sweep concerned, whichever."""


@dataclass(frozen=True, slots=True)
class Rule:
    """All of ``all_of``, and one of ``any_of`` where there are any; then a person's approval."""

    all_of: tuple[Need, ...]
    any_of: tuple[Need, ...] = ()
    most: int = 1
    """Acts that one approval may be of."""
    most_if_typed: int = 1
    """The same where a person typed the id of what they have in common, such as the sweep."""
    asks: bool = True
    """False: no approval is needed; only for what the rules want written at every status."""


_TYPED = Need(
    "typed",
    (True,),
    "a person typed its id here",
    "the person can type the id of that job, run or sweep here",
    max_age=None,
    any_name=True,
)
_SETTLED = Need(
    "settled",
    (True,),
    "no act on it is open",
    "look again in a minute: an act that was cut off is settled by reading, never by repeating it",
)
_NOT_LIVE = Need(
    "not_live",
    (True,),
    "nothing trains it now",
    "wait for that job, or cancel that job first",
)
_NOT_QUEUED = Need("not_queued", (True,), "nothing waits with it", "wait for the job that is queued for it")
_MINE = Need("mine", (True,), "it is yours", "ask its owner: another person's work is never touched")
_COMMAND = Need(
    "command",
    (True,),
    "the command is known",
    "name it in sweep-agent.yaml (resume: or launch:)",
)

RULES: Mapping[str, Rule] = {
    "cancel": Rule(
        all_of=(
            Need("queued", (True,), "it is in the queue now", "check_sweeps and squeue show what is"),
            _MINE,
            Need("one_task", (True,), "the id names one job or one array task", "name one task, such as 48213_7"),
            Need(
                "checkpoint_known",
                (True,),
                "its checkpoints were looked for",
                "list_checkpoints tells why they could not be read",
            ),
            _SETTLED,
        ),
        any_of=(
            Need(
                "not_progressing",
                (True,),
                "it makes no progress",
                "training_health and explain_job show whether it trains",
            ),
            _TYPED,
        ),
        most=5,
        most_if_typed=40,
    ),
    "resume": Rule(
        all_of=(
            _MINE,
            Need("loadable", (True,), "its checkpoint loads", "list_checkpoints shows what lies there"),
            _NOT_LIVE,
            _NOT_QUEUED,
            Need(
                "not_pending_at_wandb",
                (True,),
                "W&B hands it to no agent by itself",
                "launch_agents: an agent takes it up from the sweep's own queue",
            ),
            Need("mended", (True,), "no config error stands", "fix the config first, then resume"),
            Need(
                "config_there",
                (True,),
                "its config is there",
                "generate its hydra_config.yaml first, or name the lab's command for that",
            ),
            _COMMAND,
            _SETTLED,
        ),
        any_of=(
            Need(
                "cause_allows",
                (True,),
                "its cause allows it",
                "explain_job says what must be mended first",
            ),
            _TYPED,
        ),
        most=40,
        most_if_typed=40,
    ),
    "document": Rule(
        all_of=(
            Need(
                "wanted",
                (True,),
                "the person asked for a status or for the document",
                "it is written when they ask how the sweeps are",
                max_age=None,
            ),
            Need("in_workspace", (True,), "it lies in the workspace", "it is a link to somewhere else: make it a file"),
            Need("jobs_seen", (True,), "the queue or the accounting was read", "try again when Slurm answers"),
        ),
        asks=False,
    ),
    "launch": Rule(
        all_of=(
            _COMMAND,
            Need(
                "sweep_exists",
                (True,),
                "the sweep was seen here",
                "sweep_context lists the sweeps and configs",
            ),
            Need("runs_online", (True,), "its method may run as it would be started", "start it online"),
            _SETTLED,
        ),
        any_of=(
            Need(
                "accepts_agents",
                (True,),
                "the sweep accepts agents",
                "resume the sweep on W&B first",
            ),
            _TYPED,
        ),
        most=40,
        most_if_typed=40,
    ),
}
