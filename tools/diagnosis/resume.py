"""Whether a dead run can be resumed, and the exact command that would do it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from tools.compact import compact
from tools.data import Cause, Checkpoint, Resumable
from tools.diagnosis.verdict import Diagnosis

# The rules' table, by cause: (with a loadable checkpoint, without one).
_TABLE: dict[Cause, tuple[Resumable, Resumable]] = {
    "preempted": ("yes", "no"),
    "time_limit": ("yes", "no"),
    "cuda_oom": ("yes", "no"),
    "host_oom": ("yes", "no"),
    "node_fail": ("yes", "no"),
    "killed": ("yes", "no"),
    "nccl": ("yes", "no"),
    "cuda_device": ("yes", "no"),
    "cancelled": ("yes", "no"),
    "disk_full": ("maybe", "no"),
    "segfault": ("maybe", "no"),
    "data_error": ("maybe", "no"),
    "nan_loss": ("maybe", "no"),
    "config_error": ("maybe", "no"),
    "missing_dependency": ("maybe", "no"),
    "stop_iteration": ("maybe", "no"),
    "python_exception": ("maybe", "no"),
    "false_success": ("maybe", "no"),
    "unknown": ("maybe", "unknown"),
}
_FIRST: dict[Cause, str] = {
    "cuda_oom": "reduce the batch size",
    "host_oom": "ask for more memory",
    "disk_full": "free disk space",
    "nan_loss": "choose an earlier checkpoint or a lower learning rate",
    "missing_dependency": "install {module}",
    "config_error": "fix {key}",
    "data_error": "check the data path",
    "python_exception": "read the traceback",
    "stop_iteration": "check the model's initialisation",
    "segfault": "find what crashed",
    "false_success": "find out why it stopped early",
    "unknown": "find out why it stopped",
}
_GOES_ON = "lives and takes the sweep's next run"
BY_HAND = "set by hand in its config"
"""Of a change that the command doesn't carry."""


def by_hand(action: str | None) -> bool:
    """Whether a person must change something before the action's command helps."""
    return BY_HAND in (action or "")


def command_in(action: str) -> tuple[str, str]:
    """(words, command) of an action; either may be empty."""
    words, separator, command = action.partition(": ")
    if separator and words.endswith(("then resume", "relaunch an agent", "submit it again")):
        return f"{words}:", command
    worded = "(nothing in this workspace" in action or action.endswith(("submit it again", _GOES_ON))
    return (action, "") if worded else ("", action)


@compact
class Commands:
    """The commands that the workspace itself shows, filled in; None where nothing shows one."""

    resume: str | None = None
    """Goes on with this run from its checkpoint."""
    relaunch: str | None = None
    """Starts an agent that rejoins the run's sweep."""
    config: str | None = None
    """The sweep's config file."""
    again: str | None = None
    """The job's own submit line."""
    sweep: bool = True
    """The run is of a known sweep, so that an agent can rejoin it."""
    change: str | None = None
    """A smaller batch, in words, for a run that ran out of GPU memory."""
    agent: str | None = None
    """The active job whose agent had the run and has gone on without it."""


def resumable(cause: Cause, checkpoint: Checkpoint | None, checkpoints_read: bool) -> Resumable | None:
    """``None`` for a run that is live or truly finished; ``unknown`` where checkpoints could not be read."""
    if cause == "none":
        return None
    if not checkpoints_read:
        return "unknown"
    with_one, without = _TABLE[cause]
    return with_one if checkpoint is not None and checkpoint.loadable else without


def action(diagnosis: Diagnosis, answer: Resumable | None, commands: Commands) -> str | None:
    """What to do next: an exact command where the workspace shows one (after what must come first), else words."""
    if answer is None or answer == "unknown":
        return None
    if answer == "no" and not commands.sweep:
        return submit_again(diagnosis, commands.again)
    if answer in {"yes", "maybe"}:
        verb, command, setting = "resume", commands.resume, "resume"
    elif commands.agent:
        # one more agent would be one too many
        return _after_mending(diagnosis, f"wait: the agent of job {commands.agent} {_GOES_ON}", commands.config, None)
    else:
        verb, command, setting = "relaunch an agent", commands.relaunch, "launch"
    words = _after_mending(diagnosis, verb, commands.config, commands.change)
    if command is None:
        return f"{words} (nothing in this workspace shows how: set `{setting}` in sweep-agent.yaml)"
    return command if words == "resume" else f"{words}: {command}"


def submit_again(diagnosis: Diagnosis, line: str | None) -> str:
    """For a job that has nothing to resume and no sweep to rejoin."""
    words = _after_mending(diagnosis, "submit it again", None, None)
    return f"{words}: {line}" if line else words


def _after_mending(diagnosis: Diagnosis, verb: str, config: str | None, change: str | None) -> str:
    """What must come first, by cause, with the config key, module or batch that is known."""
    key, module = diagnosis.detail.get("key", ""), diagnosis.detail.get("module", "")
    named = f"key '{key}'" if key else "the config"
    where = f" in {config}" if config and diagnosis.cause == "config_error" else ""
    first = _FIRST.get(diagnosis.cause, "").format(module=module or "what is missing", key=named + where)
    first = change or first
    return f"{first}, then {verb}" if first else verb


def resume_command(
    template: str | None,
    *,
    make_run: bool,
    run_script: str | None,
    sweep: str | None,
    run: str,
    overrides: tuple[str, ...],
) -> str | None:
    """The project file's template first, then what is really there: the Makefile's target, the run script.

    A command that needs a sweep id is not offered without one.
    """
    if template is None and make_run:
        template = "make run SWEEP={sweep} RUN={run}"
    elif template is None and run_script:
        template = f"sbatch {run_script} {{sweep}} {{run}}"
    if template is None or ("{sweep}" in template and not sweep):
        return None
    words = shlex.join(overrides)  # several words, each quoted
    return fill(template, {"sweep": sweep, "run": run}).replace("{overrides}", words).strip()


def fill(template: str, values: Mapping[str, str | None]) -> str:
    """A command template with its values, each quoted for a shell."""
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", shlex.quote(value) if value else "")
    return template.strip()


def shell(*words: str) -> str:
    """Words as one shell command line."""
    return shlex.join(words)
