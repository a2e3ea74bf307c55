"""The rules' own layout: ``logs/sweep_A_T.out`` and ``.err``, ``outputs/RUN/checkpoint-N``, wandb offline."""

from __future__ import annotations

from lab import HOUR, NOW, Lab

from layouts import said
from layouts.files import agent_map

SWEEP = "sw8ab1cd"
BROKEN = "omegaconf.errors.ConfigAttributeError: Key 'hidden_size' is not in struct\n"
RUNS = ("r0aaaaaa", "r1bbbbbb", "r2cccccc", "r3dddddd")


def build(lab: Lab) -> None:
    """Array 48213: task 0 trains, 1 was preempted, 2 has a broken config, 3 reached its target, 4 and 5 wait."""
    lab.file("wandb/settings", "[default]\nentity = lab\nproject = proj\n")
    lab.file(
        "experiments/llm_glue_sweep.yaml", "# Which learning rate\nmethod: grid\nparameters:\n  lr:\n    value: 1\n"
    )
    ends = {"1": "PREEMPTED", "2": "FAILED", "3": "COMPLETED"}
    for task, run in enumerate(RUNS):
        state = ends.get(str(task), "RUNNING")
        own = {"start": NOW - 100 * HOUR, "limit": 200 * HOUR, "name": "llm-glue"}
        end = {"exit": "1:0", "start": NOW - 1.1 * HOUR} if state == "FAILED" else {}
        lab.job(f"48213_{task}", state, raw=str(48214 + task), **_logs(lab), **{**own, **end})
        err = said.agent_starts() + said.init(run, "/scratch/me/proj", offline=True) + said.agent_runs(run)
        agent_map(lab, SWEEP, run, lr=0.1)
        reached = {0: 2341, 1: 1200, 3: 5000}.get(task)
        if reached:
            lab.file(f"outputs/{run}/hydra_config.yaml", "trainer:\n  max_epochs: 5000\nmodel:\n  epochs: 3\n")
            out = "".join(f"epoch={n} step={n * 23} loss=0.5\n" for n in range(reached - 3, reached + 1))
            lab.file(f"logs/sweep_48213_{task}.out", out)
        else:
            lab.file(f"logs/sweep_48213_{task}.out", "")
        if task == 1:
            err += said.killed("48215", "PREEMPTION")
        if task == 2:
            err += "Traceback (most recent call last):\n" + BROKEN + said.agent_ends(run)
        if task == 3:
            err += said.finish(run, "/scratch/me/proj", offline=True) + said.agent_ends(run)
        lab.file(f"logs/sweep_48213_{task}.err", err)
    lab.job("48213_[4-5%4]", "PENDING", raw="48213", reason="JobArrayTaskLimit", name="llm-glue", **_logs(lab))
    for step in (9_200, 27_600, 4_600):
        lab.checkpoint(RUNS[1], step)
    lab.checkpoint(RUNS[1], 28_000, torn=True)
    lab.checkpoint(RUNS[0], 53_000)


def _logs(lab: Lab) -> dict[str, str]:
    return {"stdout": f"{lab.workspace}/logs/sweep_%A_%a.out", "stderr": f"{lab.workspace}/logs/sweep_%A_%a.err"}
