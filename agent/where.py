"""From a configuration to the place to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agent.config import Config
from tools.place import Place
from tools.sources import command, wandb_settings
from tools.text import Redactor


def place_of(config: Config, environ: Mapping[str, str], state: Path) -> Place:
    """Where to look. In the demo that is the demo's own workspace and its own Slurm commands."""
    workspace, slurm_bin, seen_environ, service = config.workspace, config.slurm_bin, environ, None
    if config.demo:
        from agent import demo

        ready = demo.prepare(state)
        workspace, slurm_bin, service = ready.workspace, ready.slurm_bin, ready.wandb
        # the person's own W&B settings say nothing about the demo
        seen_environ = {name: value for name, value in environ.items() if not name.startswith("WANDB_")}
    dotenv = wandb_settings.read_env_files(workspace)
    return Place(
        workspace=workspace,
        # the demo is one cluster, whatever the person's own is called
        layout=replace(config.layout, cluster=None) if config.demo else config.layout,
        user=command.user_name(),
        redactor=Redactor.from_environment(environ, dotenv),
        slurm_bin=slurm_bin.expanduser() if slurm_bin else None,
        environ=seen_environ,
        demo=config.demo,
        wandb=service,
        state=state,
    )
