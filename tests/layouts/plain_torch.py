"""Plain ``torch.save`` under names that are overwritten, one log without an id, epochs without a total."""

from __future__ import annotations

from lab import HOUR, NOW, Lab

from layouts import said
from layouts.files import saved, torch_file

OLD, NEW = "s1t2u3v4", "w5x6y7z8"


def build(lab: Lab, *, keyed: bool = False, in_one_job: bool = False) -> None:
    """Jobs 5001 and 5002 both write ``train.out``; 5002 was cut off by its time limit.

    ``keyed``: ``models/JOBID/model.pt``, else one ``checkpoints/model.pt`` for all; ``in_one_job``: a loop in one job.
    """
    lab.file("train.sh", "#!/bin/bash\n#SBATCH -o train.out\npython train.py\n")
    own = {"stdout": f"{lab.workspace}/train.out", "stderr": "(null)", "limit": 10 * HOUR}
    older = said.init(OLD, str(lab.workspace), name="solid-fire-1") + said.epochs(0, 30)
    log = said.init(NEW, str(lab.workspace), name="warm-sun-2") + said.epochs(0, 12)
    if in_one_job:
        log = older + said.finish(OLD, str(lab.workspace)) + log
    else:
        lab.job("5001", "FAILED", exit="1:0", **own, start=NOW - 30 * HOUR, end=NOW - 25 * HOUR)
    lab.job("5002", "TIMEOUT", **own, start=NOW - 12 * HOUR, end=NOW - 2 * HOUR)
    lab.file("train.out", log + said.killed("5002", "TIME LIMIT"))
    if not keyed:
        saved(lab, "checkpoints/model.pt", data=torch_file({"epoch": 12, "model": {}}))
        saved(lab, "checkpoints/best_model.pt")
    else:
        saved(lab, "models/5001/model.pt", hours_ago=26)
        saved(lab, "models/5002/model.pt", hours_ago=3)
        saved(lab, "models/5002/optimizer.pt", hours_ago=2.9)
