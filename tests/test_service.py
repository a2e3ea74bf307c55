"""What a look asks of the W&B service: only where it may, only what is missing, and what it says where it can't."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lab import NOW, Lab, wandb_lines
from servers.faults import Answer, Drip, Hang, says
from servers.wandb import KEY, WandbServer

from tools import outset, service
from tools.data import SourceState
from tools.look import Seen, look
from tools.place import Place
from tools.service import Served
from tools.sources.wandb_http import Service

AGENT = Path(sys.executable).with_name("agent")
FIXTURES = Path(__file__).parents[1] / "fixtures" / "wandb"


def _place(lab: Lab, server: WandbServer, **environ: str) -> Place:
    told = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": server.url, "HOME": str(Path.home())}
    return replace(lab.place(), environ=told | {"WANDB_ENTITY": "acme-lab", "WANDB_PROJECT": "mt-distill"} | environ)


def _seen(place: Place) -> Seen:
    with outset.begin(place, lambda: NOW) as begun:
        return look(place, begun, lambda: NOW)[0]


def _asked(place: Place) -> tuple[Served | None, SourceState]:
    seen = _seen(place)
    return seen.served, next(source for source in seen.sources if source.name == "wandb_api")


def _served(place: Place) -> Served:
    served, source = _asked(place)
    assert served and source.ok, source.error
    return served


# --- whether it asks


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"WANDB_API_KEY": ""}, "not asked: no API key for 127.0.0.1:"),
        ({"WANDB_MODE": "offline"}, "not asked, since WANDB_MODE is offline: states come from files on disk"),
        ({"WANDB_ENTITY": ""}, "not asked: the entity or project is not known (set WANDB_ENTITY and WANDB_PROJECT)"),
        ({"WANDB_PROJECT": "elsewhere"}, "has no project acme-lab/elsewhere, or the key may not see it"),
        ({"WANDB_API_KEY": "f" * 40}, "does not know the API key from environment (401)"),
    ],
)
def test_where_it_is_not_told_the_source_says_why_and_the_look_goes_on(
    lab: Lab, wandb_server: WandbServer, environ: Mapping[str, str], why: str
) -> None:
    lab.job("700", stdout="logs/700.out")
    lab.file("logs/700.out", "epoch 1\n")
    wandb_server.world.add_sweep("xk31p7")
    seen = _seen(_place(lab, wandb_server, **environ))
    (source,) = (source for source in seen.sources if source.name == "wandb_api")
    assert not source.ok and source.error and why in source.error
    assert seen.served is None and [link.job.id for link in seen.links if link.job] == ["700"]
    assert wandb_server.count() == (0 if source.error.startswith("not asked") else 1)


def test_entity_and_project_come_from_what_a_log_names(lab: Lab, wandb_server: WandbServer) -> None:
    lab.job("700", stdout="logs/700.out", stderr="logs/700.err")
    lab.file("logs/700.err", wandb_lines("h7k2m9qa", "xk31p7"))
    wandb_server.world.add_sweep("xk31p7", "proj", "lab")
    wandb_server.world.add_run("h7k2m9qa", "xk31p7", "proj", "lab", summary={"epoch": 3})
    served = _served(_place(lab, wandb_server, WANDB_ENTITY="", WANDB_PROJECT=""))
    assert (served.project.entity, served.project.project) == ("lab", "proj")
    assert served.runs["h7k2m9qa"].summary == {"epoch": 3}


def test_what_is_of_another_project_is_said_not_to_be_asked_for(lab: Lab, wandb_server: WandbServer) -> None:
    lab.job("700", stdout="logs/700.out", stderr="logs/700.err")
    lab.file("logs/700.err", wandb_lines("h7k2m9qa", "xk31p7"))
    wandb_server.world.add_sweep("other1")
    _, source = _asked(_place(lab, wandb_server))
    assert source.detail == "acme-lab/mt-distill: 0 runs, 1 sweep; what is of lab/proj was not asked for"


# --- what it asks


def test_only_what_belongs_here_is_shown_and_the_rest_is_counted(lab: Lab, wandb_server: WandbServer) -> None:
    world, other = wandb_server.world, {"username": "someone", "name": "Someone"}
    lab.job("700", stdout="logs/700.out", stderr="logs/700.err")
    lab.file("logs/700.err", wandb_lines("known", "xk31p7").replace("lab/proj", "acme-lab/mt-distill"))
    for sweep, state in (("xk31p7", "FINISHED"), ("active", "RUNNING"), ("over", "FINISHED")):
        world.add_sweep(sweep, state=state)
    world.add_run("known", "none", user=other, state="finished")
    world.add_run("same-sweep", "xk31p7", user=other, state="failed")
    world.add_run("mine-alive", None)
    world.add_run("mine-in-active", "active", state="crashed")
    world.add_run("mine-over", "over", state="finished")
    world.add_run("theirs", "active", user=other)
    world.add_run("nobodys", "active", user=None)
    served, source = _asked(_place(lab, wandb_server))
    assert served and sorted(served.runs) == ["known", "mine-alive", "mine-in-active", "same-sweep"]
    assert source.detail and source.detail.startswith(
        "acme-lab/mt-distill: 4 runs, 3 sweeps; 3 runs of other people or other work not shown"
    )


def test_values_are_not_asked_for_where_the_disk_has_the_whole_course(lab: Lab, wandb_server: WandbServer) -> None:
    folder = next((FIXTURES / "0.31.0" / "finished").iterdir())
    shutil.copytree(folder, lab.workspace / "wandb" / folder.name)
    for run, state in (("2f9c41d0", "finished"), ("alive", "running")):
        wandb_server.world.add_run(run, state=state, summary={"loss": 1})
    served = _served(_place(lab, wandb_server))
    assert {run.run: run.detailed for run in served.runs.values()} == {"2f9c41d0": False, "alive": True}
    wandb_server.world.runs["acme-lab", "mt-distill", "2f9c41d0"]["state"] = "running"
    assert _served(_place(lab, wandb_server)).runs["2f9c41d0"].detailed


def test_a_look_at_20_sweeps_of_100_runs_is_a_handful_of_requests(lab: Lab, wandb_server: WandbServer) -> None:
    for sweep in range(20):
        wandb_server.world.add_sweep(f"sweep{sweep}")
        for number in range(100):
            wandb_server.world.add_run(f"r{sweep}-{number}", f"sweep{sweep}", summary={"n": number})
    served, source = _asked(_place(lab, wandb_server))
    assert served and sum(run.detailed for run in served.runs.values()) == service.MAX_DETAILED
    assert source.detail == "acme-lab/mt-distill: 2,000 runs, 20 sweeps; values of 1,000 runs not asked for"
    assert wandb_server.count() == served.project.requests == 8
    # nothing is asked per sweep or per run
    assert {asked.what for asked in wandb_server.asked} == {"Listing", "Detail"}


# --- what goes wrong meanwhile


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "Service", partial(Service, timeout_s=0.3))


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("fault", [Hang(), Drip(0.01), Drip(0.01, header=True)], ids=["silent", "body", "header"])
def test_a_service_that_hangs_holds_nothing(lab: Lab, wandb_server: WandbServer, fault: Hang | Drip) -> None:
    wandb_server.world.add_run("r1")
    wandb_server.fail(fault)
    served, source = _asked(_place(lab, wandb_server))
    assert served is None and source.error and "did not answer in 0.3 s" in source.error
    wandb_server.heal()
    wandb_server.fail(fault, on="Detail")
    served, source = _asked(_place(lab, wandb_server))
    assert served and not served.runs["r1"].detailed
    assert source.ok and source.detail and "not all values: " in source.detail


def test_a_key_that_the_service_refuses_later_leaves_the_listing(lab: Lab, wandb_server: WandbServer) -> None:
    wandb_server.world.add_run("r1", summary={"loss": 1})
    wandb_server.fail(says("quota"), on="Detail")
    served, source = _asked(_place(lab, wandb_server))
    assert served and served.runs["r1"].summary == {}
    assert source.detail and source.detail.endswith("says: quota")


# --- as a person starts it


def _status(lab: Lab, *argv: str, **environ: str) -> str:
    env = {**os.environ, "SWEEP_AGENT_SLURM_BIN": str(lab.bin), **environ}
    done = subprocess.run(
        [AGENT, "status", *argv, "--workspace", lab.workspace], capture_output=True, text=True, env=env, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def _source(told: str) -> dict[str, Any]:
    (source,) = (source for source in json.loads(told)["sources"] if source["name"] == "wandb_api")
    return dict(source)


@pytest.mark.parametrize("where", ["environment", "netrc", "workspace"])
def test_the_key_is_in_no_output_even_where_the_server_sends_it_back(
    lab: Lab, wandb_server: WandbServer, where: str
) -> None:
    key = "not-of-any-known-format-0123456789-abcdefghij"
    environ = {"WANDB_ENTITY": "acme-lab", "WANDB_PROJECT": "mt-distill", "WANDB_BASE_URL": wandb_server.url}
    if where == "environment":
        environ["WANDB_API_KEY"] = key
    elif where == "workspace":
        lab.file(".env", f"WANDB_API_KEY={key}\n")
    else:
        Path.home().mkdir(parents=True, exist_ok=True)
        host = wandb_server.url.removeprefix("http://")
        (Path.home() / ".netrc").write_text(f"machine {host} login user password {key}\n")
    wandb_server.fail(says(f"who is {key}?"))
    told = _status(lab, "--json", **environ)
    assert key not in told
    assert (
        "who is [secret removed]?" in next(s for s in json.loads(told)["sources"] if s["name"] == "wandb_api")["error"]
    )
    assert wandb_server.count() == 1
    state = Path(os.environ["XDG_STATE_HOME"])
    assert not [path for path in state.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


def test_a_server_that_a_workspace_names_is_not_even_asked(lab: Lab, wandb_server: WandbServer) -> None:
    lab.file(".env", f"WANDB_BASE_URL={wandb_server.url}\nWANDB_ENTITY=acme-lab\nWANDB_PROJECT=mt-distill\n")
    error = _source(_status(lab, "--json", WANDB_API_KEY=KEY))["error"]
    assert f".env names the server {wandb_server.url}" in error and "is not sent there" in error
    assert wandb_server.count() == 0


def test_links_lead_to_the_server_of_the_settings(lab: Lab, wandb_server: WandbServer) -> None:
    wandb_server.world.add_sweep("xk31p7")
    lab.job("700", stdout="logs/700.out", stderr="logs/700.err")
    lab.file("logs/700.err", wandb_lines("h7k2m9qa", "xk31p7"))
    wandb_server.fail(Answer(500))
    environ = {"WANDB_ENTITY": "acme-lab", "WANDB_PROJECT": "mt-distill", "WANDB_BASE_URL": wandb_server.url}
    told = json.loads(_status(lab, "--json", WANDB_API_KEY=KEY, **environ))
    assert [sweep["url"] for sweep in told["sweeps"]] == [f"{wandb_server.url}/lab/proj/sweeps/xk31p7"]
