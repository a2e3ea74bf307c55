"""What each act on the W&B service needs to have been seen; a part of ``agent.rules.RULES``."""

from __future__ import annotations

from collections.abc import Mapping

from agent.needs import MINE, NOT_LIVE, NOT_QUEUED, SETTLED, TYPED, Need, Rule

_NO_OTHER = Need(
    "no_other_owner",
    (True,),
    "it ends no run of another person",
    "ask them, or pause or stop the sweep: their runs go on then",
)
_CHECKPOINTS = Need(
    "checkpoint_known",
    (True,),
    "its checkpoints were looked for",
    "list_checkpoints tells why they could not be read",
)
_CONFIG = Need("config_checked", (True,), "its config was checked and nothing is wrong", "sweep_context lists what is")
_NO_SWEEP = Need(
    "no_other_sweep",
    (True,),
    "no sweep of this config accepts agents",
    "launch_agents adds agents to that sweep; or cancel or stop it first",
)
_FEW = Need("few_enough", (True,), "it has at most 40 jobs", "cancel some of its jobs first")

WANDB_RULES: Mapping[str, Rule] = {
    "set": Rule(
        all_of=(
            Need("state_allows", (True,), "its state on W&B allows it", "check_sweeps shows the state"),
            MINE,
            _NO_OTHER,
            SETTLED,
        ),
        any_of=(Need("ends_nothing", (True,), "it ends no run that trains", "pause or stop it instead"), TYPED),
    ),
    "note": Rule(all_of=(MINE, SETTLED)),
    "stop": Rule(
        all_of=(
            Need("alive", (True,), "W&B heard of it in the last 5 min", "close_zombie_run is for runs that are silent"),
            MINE,
            _CHECKPOINTS,
            SETTLED,
        ),
        any_of=(
            Need("not_progressing", (True,), "it makes no progress", "training_health shows whether it trains"),
            TYPED,
        ),
    ),
    "close": Rule(
        all_of=(
            Need("running_there", (True,), "W&B calls it running", "nothing is to be closed"),
            Need(
                "silent",
                (True,),
                "no heartbeat for 30 min by W&B's own clock",
                "wait: W&B itself calls a silent run crashed",
            ),
            MINE,
            NOT_LIVE,
            NOT_QUEUED,
            SETTLED,
        ),
        most=40,
        most_if_typed=40,
    ),
    "create": Rule(all_of=(_CONFIG, _NO_SWEEP, SETTLED)),
    "sync": Rule(
        all_of=(
            Need(
                "not_written", (True,), "nobody writes to it", "wait until its job has ended: later rows would be lost"
            ),
            MINE,
            Need("counted", (True,), "its rows were counted", "sync_status tells why not"),
            Need(
                "once",
                (True,),
                "no row would be there twice, or that was asked for",
                "only where the person insists is it uploaded again: every row would be there twice",
            ),
            SETTLED,
        ),
        any_of=(
            Need(
                "nothing_there",
                (True,),
                "W&B holds no row of it",
                "it was uploaded before: every row would be there twice",
            ),
            TYPED,
        ),
        most=40,
        most_if_typed=40,
    ),
    "end": Rule(all_of=(MINE, _FEW, _CHECKPOINTS, _NO_OTHER, TYPED, SETTLED)),
    "restart": Rule(
        all_of=(_CONFIG, _NO_SWEEP, MINE, _FEW, _NO_OTHER, _CHECKPOINTS, SETTLED),
        any_of=(
            Need(
                "nothing_to_resume",
                (True,),
                "none of its runs could be resumed",
                "resume_run keeps what they have trained",
            ),
            Need(
                "loss_is_typed",
                (True,),
                "the person types what is left behind",
                "the request asks for it in words",
            ),
        ),
    ),
}
