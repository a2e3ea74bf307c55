"""No key, no network: a fixed policy that drives the same loop, tools and checks as a language model would.

It is not a language model and says so. It knows the rules' workflows and asks for the same tools.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import prompts
from agent.intents import Intent, intent_of, job_in
from agent.models import Turn, playbook_files
from agent.models.playbook_tools import closer_answer, closer_look

NOTICE = "No API key: the built-in playbook answers, not a language model."


class Playbook:
    """The embedded default model."""

    name = "playbook"

    def respond(
        self,
        *,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        on_text: Callable[[str], None],
    ) -> Turn:
        """One turn: the next tool call of the workflow, or the answer. Never raises."""
        asked, results = _since_last_request(messages)
        intent = intent_of(asked)
        call = _next_call(intent, asked, results)
        if call is not None:
            name, values = call
            block = {"type": "tool_use", "id": f"playbook_{len(messages)}", "name": name, "input": values}
            return Turn((block,), "tool_use", model=self.name)
        text = _answer(intent, asked, results)
        on_text(text)
        return Turn(({"type": "text", "text": text},), "end_turn", model=self.name)


def _since_last_request(messages: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, tuple[bool, str]]]:
    """The person's last words, and what each tool has answered since: name -> (failed, text)."""
    asked = ""
    results: dict[str, tuple[bool, str]] = {}
    names: dict[str, str] = {}
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            if message["role"] == "user" and block["type"] == "text":
                asked, results = block["text"], {}
            elif block["type"] == "tool_use":
                names[block["id"]] = block["name"]
            elif block["type"] == "tool_result":
                text = block["content"] if isinstance(block["content"], str) else ""
                results[names.get(block["tool_use_id"], "")] = (bool(block.get("is_error")), text)
    return asked, results


def _next_call(
    intent: Intent, asked: str, results: Mapping[str, tuple[bool, str]]
) -> tuple[str, dict[str, Any]] | None:
    if intent in {"help", "other"}:
        return None
    if intent in playbook_files.TOOL:
        return None if playbook_files.TOOL[intent] in results else playbook_files.call(intent, asked)
    if "check_sweeps" not in results:
        return "check_sweeps", {"limit": 60, "show": "dead" if intent in {"resume", "restart"} else "all"}
    rows = _object(results["check_sweeps"][1]).get("runs", [])
    if (closer := closer_look(intent, _subject(asked, rows, intent), rows)) and closer[0] not in results:
        return closer
    job = job_in(asked)
    if intent == "cancel" and job and "scancel_with_approval" not in results:
        return "scancel_with_approval", {"job_id": job, "reason": "the person asked for it by id"}
    return None


def _answer(intent: Intent, asked: str, results: Mapping[str, tuple[bool, str]]) -> str:
    if intent in playbook_files.TOOL:
        return playbook_files.answer(intent, *results[playbook_files.TOOL[intent]])
    failed, text = results.get("check_sweeps", (True, ""))
    look = _object(text) if not failed else {}
    rows: list[dict[str, Any]] = look.get("runs", [])
    question = look.get("fitting_question", "What would you like to know?")
    subject = _subject(asked, rows, intent)
    if (closer := closer_look(intent, subject, rows)) and intent != "explain":
        return closer_answer(closer[0], results[closer[0]], question)
    denial = results.get("scancel_with_approval", (True, "Which job? Name one job or array task by its id."))[1]
    if intent == "explain":
        told = _object(results.get("explain_job", (True, ""))[1]).get("rows", [])
        chosen = told if subject else [row for row in rows if row["kind"] == "dead"]
        question = _explain_question(chosen, question)
    elif intent in {"resume", "restart"}:
        # a job goes by its id, "preempted" by its cause, else everything that can be resumed
        chosen = [row for row in rows if row.get("resumable") == "yes" and row["kind"] == "dead"]
        if subject:
            chosen = [row for row in chosen if subject in (row.get("job"), row.get("run"), row.get("sweep"))]
        elif "preempt" in asked.lower():
            chosen = [row for row in chosen if row["cause"] == "preempted"]
        question = _resume_question(chosen, question)
    else:
        chosen = []
    epochs = sum(row.get("epoch") or 0 for row in chosen)
    return prompts.render(
        "playbook.md.j2",
        intent=intent,
        rows=[
            {
                "run": None,
                "job": None,
                "checkpoint": None,
                "action": None,
                "evidence": None,
                "flags": None,
                **row,
                "summary": _summary(row),
            }
            for row in chosen
        ],
        subject=subject,
        left_out=look.get("left_out"),
        question=question,
        denial=denial,
        progress=f"That would be {epochs:g} epochs of {len(chosen)} runs.",
    ).strip()


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text.partition("\n")[0])
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _subject(asked: str, rows: Sequence[Mapping[str, Any]], intent: Intent) -> str | None:
    """The job, run or sweep that the request names, among those seen; else a job id, or a sweep's config file."""
    words = {word.strip(".,;:!?'\"()") for word in asked.split()}
    for key in ("job", "run", "sweep"):
        for row in rows:
            if row.get(key) in words:
                return str(row[key])
    if intent == "context" and (files := sorted(word for word in words if word.endswith((".yaml", ".yml")))):
        return files[0]
    return job_in(asked)


def _summary(row: Mapping[str, Any]) -> str:
    """Cause and progress in a few words, unknowns said."""
    epoch, target = row.get("epoch"), row.get("target_epochs")
    where = f"epoch {epoch:g}" if epoch is not None else "epoch unknown"
    where += f" of {target:g}" if epoch is not None and target is not None else ""
    step = f", step {row['step']}" if row.get("step") is not None else ""
    state = row["cause"].replace("_", " ") if row["cause"] != "none" else (row.get("slurm_state") or "ended").lower()
    return f"{state} at {where}{step}"


def _explain_question(rows: Sequence[Mapping[str, Any]], otherwise: str) -> str:
    if not rows:
        return otherwise
    best = next((row for row in rows if row.get("resumable") == "yes"), None)
    if best:
        return f"Do you want to resume run {best.get('run')} from its checkpoint?"
    return "Shall I show the end of its log?" if len(rows) == 1 else otherwise


def _resume_question(rows: Sequence[Mapping[str, Any]], otherwise: str) -> str:
    if not rows:
        return otherwise
    return f"Shall I check on the sweeps again once you have submitted {'it' if len(rows) == 1 else 'them'}?"
