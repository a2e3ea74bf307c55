"""Wiring: from a configuration to the place to look at, the model to ask, and the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import prompts
from agent.approval import Approver
from agent.audit import Audit
from agent.config import Config
from agent.conversation import Conversation
from agent.exchange import Sink
from agent.guard import Guard
from agent.history import History
from agent.ledger import Ledger
from agent.models import Model
from agent.plans import Plans
from agent.rules_file import read_rules
from agent.spend import Purse
from agent.thread import Thread
from tools.base import Context
from tools.place import Place
from tools.registry import ACT_TOOLS, TOOLS
from tools.sources import wandb_settings


def model_of(config: Config, environ: Mapping[str, str]) -> Model:
    """Claude where a key or a server is configured, else the playbook; ``--model playbook`` chooses it."""
    from agent.models.playbook import Playbook

    reachable = environ.get("ANTHROPIC_API_KEY") or environ.get("ANTHROPIC_AUTH_TOKEN") or config.base_url
    if config.model == "playbook" or (not reachable and config.model is None):
        return Playbook()
    from agent.models.claude import DEFAULT_MODEL, Claude

    return Claude(config.model or DEFAULT_MODEL, base_url=config.base_url, api_key=environ.get("ANTHROPIC_API_KEY"))


def start(
    config: Config,
    place: Place,
    model: Model,
    sink: Sink,
    state: Path,
    approver: Approver,
    history: History | None = None,
) -> Conversation:
    """A new conversation; what it changes, or was denied, goes into the audit below ``state``, what is said into
    ``history``."""
    guard = guard_of(place, state, approver)
    purse = Purse(config.limits, config.prices)
    if config.rules and (said := read_rules(config.rules)[1]):
        sink.note(said)
    thread = Thread(system_prompt(config, place), TOOLS, sink, purse, history, guard.context.clock)
    return Conversation(model, guard.context, thread, sink, guard)


def guard_of(place: Place, state: Path, approver: Approver) -> Guard:
    """The guard of one conversation in one place."""
    plans = Plans(state / "plans", place.workspace, demo=place.demo)
    return Guard(Context(place), Ledger(), Audit(audit_file(state, demo=place.demo)), approver, plans, ACT_TOOLS)


def audit_file(state: Path, *, demo: bool) -> Path:
    """The demo has a record of its own, which goes with it: the real one holds only what was real."""
    return state / "demo" / "audit.jsonl" if demo else state / "audit.jsonl"


def system_prompt(config: Config, place: Place) -> str:
    """The rules and what is known of this workspace; the same bytes on every turn, so that it can be cached."""
    rules = read_rules(config.rules)[0] if config.rules else prompts.read("rules.md")
    settings = wandb_settings.read_settings(place.workspace, place.environ)
    text = prompts.render(
        "system.md.j2",
        rules=rules.strip(),
        workspace=str(place.workspace),
        entity=settings.entity,
        project=settings.project,
        demo=place.demo,
    )
    return place.redactor.clean(text)
