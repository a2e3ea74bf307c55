"""What wandb, its agent and common trainers print, in the order they print it. Nothing a lab would have to add."""

from __future__ import annotations

AGENT = "2026-11-20 10:00:00,530 - wandb.wandb_agent - INFO - "


def init(
    run: str,
    folder: str,
    *,
    sweep: str | None = None,
    name: str = "vibrant-sweep-1",
    offline: bool = False,
    emoji: bool = True,
) -> str:
    """wandb's own lines at the start of a run, 0.13 and later; ``folder`` holds the ``wandb`` folder."""
    lines = ["Tracking run with wandb version 0.31.0"]
    kind = "offline-run" if offline else "run"
    if offline:
        lines.append("W&B syncing is set to `offline` in this directory. Run `wandb online` to enable cloud syncing.")
    lines.append(f"Run data is saved locally in {folder}/wandb/{kind}-20261120_100002-{run}")
    if not offline:
        at = "https://wandb.ai/lab/proj"
        star, broom, rocket = ("⭐️", "🧹", "🚀") if emoji else ("", "", "")
        lines += [f"Syncing run {name}", f"{star} View project at {at}"]
        lines += [f"{broom} View sweep at {at}/sweeps/{sweep}"] if sweep else []
        lines.append(f"{rocket} View run at {at}/runs/{run}")
    return "".join(f"wandb: {line}\n" for line in lines)


def finish(run: str, folder: str, *, name: str = "vibrant-sweep-1", offline: bool = False) -> str:
    """wandb's closing lines: the summary, which looks like progress, and where the run is."""
    lines = ["", "Run summary:", "epoch 301", " loss 0.125"]
    place = f"{folder}/wandb/{'offline-' if offline else ''}run-20261120_100002-{run}"
    if offline:
        lines += ["You can sync this run to the cloud by running:", f"wandb sync {place}"]
    else:
        lines.append(f"🚀 View run {name} at: https://wandb.ai/lab/proj/runs/{run}")
    lines.append(f"Find logs at: {place}/logs")
    return "".join(f"wandb: {line}\n" for line in lines)


def agent_starts(arguments: str = "") -> str:
    """Before a run: what the agent was told, without any id."""
    return (
        f"{AGENT}Agent received command: run\n{AGENT}Agent starting run with config:\n\tlr: 0.1\n"
        f"{AGENT}About to run command: /usr/bin/env python train.py {arguments}\n"
    )


def agent_runs(run: str) -> str:
    return f"{AGENT}Running runs: ['{run}']\n"


def agent_ends(run: str) -> str:
    return f"{AGENT}Cleaning up finished run: {run}\n"


def bar(epoch: int, share: int) -> str:
    """Lightning's bar, drawn again and again on one line."""
    drawn = (
        f"Epoch {epoch}: {done:3d}%|{'█' * (done // 10):<10}| {done * 10}/1000 [00:{done:02d}<00:59, 15.00it/s, "
        "v_num=3h4g, train/loss=0.512]"
        for done in range(0, share + 1, 9)
    )
    return "\r".join(drawn) + "\r"


def epochs(first: int, last: int) -> str:
    """A hand-written loop that names no total."""
    return "".join(f"Epoch {epoch} | train loss {1 / (epoch + 2):.4f} | 12.3s\n" for epoch in range(first, last + 1))


def killed(job: str, why: str) -> str:
    return f"slurmstepd: error: *** JOB {job} ON node1 CANCELLED AT 2026-11-20T10:00:00 DUE TO {why} ***\n"
