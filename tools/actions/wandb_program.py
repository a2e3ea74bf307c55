"""W&B's own command-line client: the one that was installed with this program, in the version that was tested."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.actions.programs import SUBMIT_TIMEOUT_S
from tools.actions.service import bound
from tools.acts import Action, Program, Ran
from tools.base import Context, Denied
from tools.place import Place
from tools.sources import command, wandb_settings
from tools.sources.wandb_login import NotAsked, login_of


def wandb(place: Place, args: Sequence[str], files: tuple[tuple[str, str], ...] = ()) -> Program:
    """``wandb ARGS`` (paths absolute), bound to ``files``; in the demo its own. Raises Denied where it is missing."""
    folder = place.slurm_bin if place.demo and place.slurm_bin else Path(sys.executable).parent
    path = folder / "wandb"
    if not os.access(path, os.X_OK):
        raise Denied(f"{path} is missing: install sweep-agent again, W&B's client comes with it")
    return Program((str(path), *args), folder="", files=files)


def perform(context: Context, action: Action, timeout_s: float = SUBMIT_TIMEOUT_S) -> Ran:
    """Start the client with the server and the key that this program itself asks with, and wait for its end. A
    workspace's files choose no other server for that key, and no proxy: ``wandb/settings`` of the working folder may
    name one, so that folder is an empty one."""
    program = action.program
    assert program is not None
    place = context.place
    extra = {"WANDB_SILENT": "false"}
    if not place.demo:
        settings = wandb_settings.read_settings(place.workspace, place.environ)
        try:
            login = login_of(place.workspace, place.environ, settings)
        except NotAsked as why:
            return Ran(1, err=str(why))
        if login.url != bound(action, "server"):
            return Ran(1, err=f"it is bound to {bound(action, 'server')}, and {login.url} would be asked now")
        extra = {"WANDB_BASE_URL": login.url, "WANDB_API_KEY": login.key}
    path = Path(program.argv[0])
    try:
        with tempfile.TemporaryDirectory(prefix="sweep-agent-") as empty:
            done = command.run(path, program.argv[1:], timeout=timeout_s, env=extra, folder=empty, held=context.held)
    except command.TimedOut as error:
        return Ran(None, err=str(error), seconds=timeout_s)
    except command.CommandError as error:
        return Ran(127, err=str(error))
    return Ran(done.code, done.out[:20_000], done.err[:20_000], done.seconds)
