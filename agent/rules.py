"""What each act needs to have been seen before a person is even asked: plain data.

The same table is printed as the ticks of a request, as the reason of a denial, and in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.needs import (
    COMMAND,
    MINE,
    NOT_LIVE,
    NOT_LIVE_THERE,
    NOT_QUEUED,
    QUIET,
    SAME_PLACE,
    SETTLED,
    TYPED,
    TYPED_OR_SWEEP,
    YOURS,
    Need,
    Rule,
)
from agent.rules_wandb import WANDB_RULES

RULES: Mapping[str, Rule] = {
    "cancel": Rule(
        all_of=(
            Need("queued", (True,), "it is in the queue now", "check_sweeps and squeue show what is"),
            MINE,
            Need("one_task", (True,), "the id names one job or one array task", "name one task, such as 48213_7"),
            Need(
                "checkpoint_known",
                (True,),
                "its checkpoints were looked for",
                "list_checkpoints tells why they could not be read",
            ),
            SETTLED,
        ),
        any_of=(
            Need(
                "not_progressing",
                (True,),
                "it makes no progress",
                "training_health and explain_job show whether it trains",
            ),
            TYPED_OR_SWEEP,
        ),
        most=5,
        most_if_typed=40,
    ),
    "resume": Rule(
        all_of=(
            MINE,
            Need("loadable", (True,), "its checkpoint loads", "list_checkpoints shows what lies there"),
            NOT_LIVE,
            NOT_QUEUED,
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
                "its config is there, or made first",
                "generate its config first, or name the lab's command for that: run_config: in sweep-agent.yaml",
            ),
            COMMAND,
            SETTLED,
        ),
        any_of=(
            Need(
                "cause_allows",
                (True,),
                "its cause allows it",
                "explain_job says what must be mended first",
            ),
            TYPED,
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
            COMMAND,
            Need(
                "sweep_exists",
                (True,),
                "the sweep was seen here",
                "sweep_context lists the sweeps and configs",
            ),
            Need(
                "not_over",
                (True,),
                "W&B does not say that it gives no runs",
                "resume the sweep first: set_sweep_state",
            ),
            Need(
                "names_no_run",
                (True,),
                "its command names no run that is there",
                "resume_run is for one run; launch: in sweep-agent.yaml must start agents",
            ),
            Need("runs_online", (True,), "its method may run as it would be started", "start it online"),
            SETTLED,
        ),
        any_of=(
            Need(
                "accepts_agents",
                (True,),
                "the sweep accepts agents",
                "resume the sweep on W&B first",
            ),
            TYPED,
        ),
        most=40,
        most_if_typed=40,
    ),
    "archive": Rule(
        all_of=(
            YOURS,
            NOT_LIVE_THERE,
            Need(
                "not_needed",
                (True,),
                "no unfinished run is explained by it",
                "resume or close that run first: its log shows why it died",
            ),
            QUIET,
            SAME_PLACE,
            Need("free", (True,), "nothing lies there under that name", "move that file elsewhere first"),
            SETTLED,
        ),
        most=10,
        most_if_typed=10,
    ),
    "remove": Rule(
        all_of=(
            YOURS,
            NOT_LIVE,
            NOT_QUEUED,
            Need(
                "not_newest",
                (True,),
                "no unfinished run would go on from it",
                "only what a newer one that loads has made unneeded is removed",
            ),
            Need(
                "not_best",
                (True,),
                "no trainer or tracker calls it the best or last",
                "it stays as long as it is called so",
            ),
            Need(
                "not_shared",
                (True,),
                "nothing else leads to it",
                "remove that link, copy or mention first",
            ),
            QUIET,
            SAME_PLACE,
            SETTLED,
        ),
        any_of=(
            Need("tied", (True,), "it belongs to a run that is known", "disk_usage tells whose it is"),
            Need(
                "typed",
                (True,),
                "a person typed its path or run here",
                "the person can type its path, or its run's id, here",
                max_age=None,
                any_name=True,
            ),
        ),
        most=40,
        most_if_typed=40,
    ),
    "empty": Rule(
        all_of=(
            YOURS,
            Need("ours", (True,), "this program put each of it there", "what others put there is left to them"),
            Need(
                "in_roots",
                (True,),
                "it lies in the workspace",
                "it is a link: nothing is deleted there",
            ),
            Need(
                "still_loads",
                (True,),
                "each unfinished run has another checkpoint that loads",
                "bring its newest back from the trash: its manifest names where it was",
            ),
            SETTLED,
        ),
        most=3,
        most_if_typed=3,
    ),
    **WANDB_RULES,
}
