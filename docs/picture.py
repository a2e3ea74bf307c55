"""Make docs/demo.svg: the demo's real output, exported by the terminal library. Run by `make picture`."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from rich.console import Console

from agent.approval import Nobody
from agent.config import load
from agent.models.playbook import NOTICE, Playbook
from agent.session import start
from agent.terminal.screen import Screen
from agent.where import place_of

COLUMNS = 114


def main() -> None:
    out = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, markup=False, highlight=False)
    with tempfile.TemporaryDirectory() as state:
        config = load(os.environ, demo=True)
        place = place_of(config, os.environ, Path(state))
        out.print('$ agent ask "check on sweeps" --demo', style="bold")
        out.print(NOTICE, style="dim")
        screen = Screen(out, Console(file=io.StringIO()), place.redactor)
        start(config, place, Playbook(), screen, Path(state), Nobody()).ask("check on sweeps")
        screen.flush()
    target = Path(__file__).with_name("demo.svg")
    target.write_text(out.export_svg(title="sweep-agent"), encoding="utf-8")


if __name__ == "__main__":
    main()
