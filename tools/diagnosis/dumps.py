"""The target in a configuration that a script prints before it trains, where the form leaves no doubt what it is."""

from __future__ import annotations

from tools.diagnosis.targets import KEYS, Target, in_config
from tools.seldom import seldom

# argparse; mmengine, and mmcv before it; fairseq's dict; Ray Train's table of what its training loop was given
HINTS = ("Namespace(", "train_cfg = dict(", "runner = dict(", "'max_update': ", "train_loop_config/")
_NAMES = "|".join(sorted(KEYS, key=len, reverse=True))
_VALUE = seldom(rf"[('/\s]({_NAMES})'?(?:=|: |\s{{2,80}})(\d{{1,12}}(?:\.\d{{1,6}})?)(?=[,)}}\s]|$)")
WORKFLOW = "workflow: ["  # mmcv
_WORKFLOW = seldom(r"workflow: \[.{1,80}\], max: (\d{1,12}) (epochs|iters)\b")


def target_in(line: str) -> Target:
    """Epochs and steps that a line of a printed configuration names; empty for any other line."""
    if WORKFLOW in line and (match := _WORKFLOW.search(line)):
        return Target(float(match[1])) if match[2] == "epochs" else Target(None, int(match[1]))
    return in_config(dict(_VALUE.findall(line)), "log") if any(hint in line for hint in HINTS) else Target()
