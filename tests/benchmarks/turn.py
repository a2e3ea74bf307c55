"""Measures what a turn costs beside its model and beside reading: ``python tests/benchmarks/turn.py``.

One conversation over a made workspace, with a model that answers at once, a screen in colours and a history on disk.
The looks are reading the world, for comparison: the first, and one in a process that has looked before. A turn uses the
last, as any does within ten seconds of it, so what is measured is the loop: typed ids, the history (written and
synced), the tool's result, the checks of the answer; a status also prints its tables and holds its documents against
the look.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from benchmarks import workspace  # noqa: E402 - the path above makes it importable from a script
from rich.console import Console  # noqa: E402

from agent.approval import Nobody  # noqa: E402
from agent.config import load  # noqa: E402
from agent.conversation import Conversation  # noqa: E402
from agent.history import History  # noqa: E402
from agent.models import Turn  # noqa: E402
from agent.session import start  # noqa: E402
from agent.terminal.screen import Screen  # noqa: E402
from tools.layout import Layout  # noqa: E402
from tools.place import Place  # noqa: E402
from tools.sources.command import user_name  # noqa: E402
from tools.text import Redactor  # noqa: E402

BUDGET_MS = 50.0
Took = tuple[float, float]
"""Milliseconds on the wall, and of the processor: the same on a machine that does nothing else."""


class AtOnce:
    """A model that takes no time: the turns it is given, then words."""

    name, free, elsewhere = "at once", True, False

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def respond(
        self,
        *,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        on_text: Callable[[str], None],
    ) -> Turn:
        turn = self.turns.pop(0)
        on_text(turn.text)
        return turn


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[200])
    parser.add_argument("--turns", type=int, default=40, help="turns of each kind (default 40)")
    options = parser.parse_args()
    print(f"{'runs':>6}  {'turn':<28}{'median':>10}{'slowest':>10}{'processor':>12}   budget {BUDGET_MS:g} ms")
    for runs in options.runs:
        with tempfile.TemporaryDirectory(prefix="sweep-bench-") as scratch:
            for name, times in measure(Path(scratch), runs, options.turns).items():
                took, used = zip(*times, strict=True)
                columns = f"{statistics.median(took):>7.1f} ms{max(took):>7.1f} ms{statistics.median(used):>9.1f} ms"
                print(f"{runs:>6}  {name:<28}{columns}")


def measure(folder: Path, runs: int, turns: int) -> dict[str, list[Took]]:
    """Kind of turn -> what each took."""
    made = workspace.make(folder / "made", runs)
    model, now = AtOnce(), time.time()
    place = Place(made.workspace, Layout(), user_name(), Redactor(), slurm_bin=made.bin, state=folder / "state")
    out = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="256")
    screen = Screen(out, Console(file=io.StringIO()), place.redactor)
    history = History.begin(folder / "transcripts", place.workspace, place.redactor, now, demo=False)
    config = load({}, workspace=made.workspace)
    talk = start(config, place, model, screen, folder / "state", Nobody(), history)
    found = {"first look": [_took(talk.context.look)]}
    found["later look"] = [_took(lambda: talk.context.look(0)) for _ in range(7)]
    seen_at = talk.context.look()[1].at
    talk.context.clock = lambda: seen_at  # the look stays young
    jobs = [row.job for row in talk.context.look()[0].runs if row.job][:3]
    words = Turn(
        ({"type": "text", "text": f"{', '.join(map(str, jobs))} go on. What would you like next?"},), "end_turn"
    )
    look = {"type": "tool_use", "name": "check_sweeps", "input": {}}
    kinds: dict[str, tuple[str, Callable[[int], list[Turn]]]] = {
        "words": ("hello there, and 48213_5", lambda _: [words]),
        "a call, then words": ("hello there", lambda n: [Turn(({**look, "id": f"call{n}"},), "tool_use"), words]),
        "a status with its tables": ("check on sweeps", lambda _: [words]),
    }
    for name, (asked, script) in kinds.items():
        found[name] = [_turn(talk, model, asked, script(number)) for number in range(turns)]
    return found


def _turn(talk: Conversation, model: AtOnce, asked: str, script: list[Turn]) -> Took:
    model.turns = script
    return _took(lambda: (talk.ask(asked, typed=True), talk.sink.flush()))


def _took(work: Callable[[], object]) -> Took:
    began, used = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - began) * 1000, (time.thread_time() - used) * 1000


if __name__ == "__main__":
    main()
