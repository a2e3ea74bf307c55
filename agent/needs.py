"""What a rule is made of, and the needs that several acts have in common."""

from __future__ import annotations

from tools.acts import Value
from tools.compact import compact

FRESH_S = 10.0
"""How old a reading of the world may be when it is judged, also at the start of the act itself."""


@compact
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
    """Seen of any of the act's own ids, such as a job's and its run's."""
    of_sweep: bool = False
    """Seen of the sweep that it is a part of, too."""
    unless_typed: bool = False
    """Where what was seen is ids that stand in doubt, it is met when a person has typed each of them here."""


@compact
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


TYPED = Need(
    "typed",
    (True,),
    "a person typed its id here",
    "the person can type its own id here",
    max_age=None,
    any_name=True,
)
"""Of a sweep the sweep's, of a run its own or its job's: whoever typed a sweep's id has not named each run of it."""
TYPED_OR_SWEEP = Need(
    "typed",
    (True,),
    "a person typed its id here, or its sweep's",
    "the person can type the id of that job, run or sweep here",
    max_age=None,
    any_name=True,
    of_sweep=True,
)
SETTLED = Need(
    "settled",
    (True,),
    "no act on it is open",
    "look again in a minute: an act that was cut off is settled by reading, never by repeating it",
)
NOT_LIVE = Need(
    "not_live",
    (True,),
    "nothing trains it now",
    "wait until that job has ended or its log names its run, or cancel that job first; if its run is not known and the "
    "person knows that it trains something else, they can type its id here",
    unless_typed=True,
)
NOT_QUEUED = Need("not_queued", (True,), "nothing waits with it", "wait for the job that is queued for it")
MINE = Need("mine", (True,), "it is yours", "ask its owner: another person's work is never touched")
COMMAND = Need(
    "command",
    (True,),
    "the command is known",
    "name it in sweep-agent.yaml (resume: or launch:)",
)
YOURS = Need("mine", (True,), "all of it is yours", "ask its owner: another person's files are never touched")
QUIET = Need("quiet", (True,), "nobody writes to it", "wait: what was written to lately may still be written to")
SAME_PLACE = Need(
    "same_place",
    (True,),
    "it stays in the workspace, on its own file system",
    "nothing is moved along a link or to another file system; roots: in sweep-agent.yaml names one",
)
NOT_LIVE_THERE = Need("not_live", (True,), "no job of the queue writes there", "wait for that job to end")
