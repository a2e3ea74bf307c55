"""No key, no network: a fixed policy that drives the same loop, tools and checks as a language model would.

It is not a language model and says so. It knows the rules' workflows and asks for the same tools.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import prompts
from agent.follow_ups import AGAIN, answerable, request_of
from agent.intents import Intent, asks_what_waits, intent_of, job_in, run_in
from agent.models import Turn, playbook_acts, playbook_files, playbook_wandb
from agent.models.playbook_tools import closer_answer, closer_look
from agent.models.playbook_words import after_explaining, after_resuming, of_subject, thrown_away, told
from agent.outside import jobs_among, piped_words
from agent.related import related

WHICH: Mapping[str, str] = {
    "cancel": "Name one job or array task by its id, or a sweep by its id: which one?",
    "launch": "Name the sweep by its id or its config file: which one?",
    **dict.fromkeys(("pause", "unpause", "finish", "end"), "Name the sweep by its id: which one?"),
    "close": "Nothing looks like a zombie: which run do you mean?",
    "create": "Name the sweep's YAML file: from which config?",
    "note": "Write it like “note on a1b2c3d4: the text”: on what?",
    "upload": "No offline run that could be uploaded is here. Shall I check on the sweeps?",
}
"""What is asked where a request does not say of what: the answer's one question."""
_NAMED = re.compile(r"\bexplain job ([\w.-]{1,128})\Z")
MOST_LOOKED_UP = 6
NOTICE = "No API key: the built-in playbook answers, not a language model."


class Playbook:
    """The embedded default model."""

    name = "playbook"
    free = True
    elsewhere = False

    def respond(
        self,
        *,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        on_text: Callable[[str], None],
    ) -> Turn:
        """One turn: the next tool call of the workflow, or the answer. Never raises."""
        asked, results = request_of(messages), _since_last_request(messages)
        intent, piped = intent_of(asked), piped_words(messages)
        if calls := _next_calls(intent, asked, results, piped):
            blocks = tuple(
                {"type": "tool_use", "id": f"playbook_{len(messages)}_{number}", "name": name, "input": values}
                for number, (name, values) in enumerate(calls)
            )
            return Turn(blocks, "tool_use", model=self.name)
        text = _answer(intent, asked, results, piped)
        on_text(text)
        return Turn(({"type": "text", "text": text},), "end_turn", model=self.name)


def _since_last_request(messages: Sequence[Mapping[str, Any]]) -> dict[str, tuple[bool, str]]:
    """What each tool has answered since the person last spoke: name -> (failed, text)."""
    results: dict[str, tuple[bool, str]] = {}
    names: dict[str, str] = {}
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            if message["role"] == "user" and block["type"] == "text":
                results = {}
            elif block["type"] == "tool_use":
                names[block["id"]] = block["name"]
            elif block["type"] == "tool_result":
                text = block["content"] if isinstance(block["content"], str) else ""
                name, failed = names.get(block["tool_use_id"], ""), bool(block.get("is_error"))
                before = results.get(name)
                # acts come several to a turn
                results[name] = (before[0] or failed, f"{before[1]}\n{text}") if before else (failed, text)
    return results


def _next_calls(
    intent: Intent, asked: str, results: Mapping[str, tuple[bool, str]], piped: set[str]
) -> Sequence[playbook_acts.Call]:
    if intent in {"help", "other", "related"}:
        return ()
    if intent in playbook_files.TOOL:
        return () if playbook_files.TOOL[intent] in results else (playbook_files.call(intent, asked),)
    if tool := playbook_acts.OF_FILES.get(intent):
        return () if tool in results else (playbook_acts.file_call(intent, asked),)
    if "check_sweeps" not in results:
        return (("check_sweeps", {"limit": 60, "show": "dead" if intent == "resume" else "all"}),)
    look = _object(results["check_sweeps"][1])
    rows = look.get("runs", [])
    subject = _subject(asked, rows, intent)
    if (closer := closer_look(intent, subject, rows)) and closer[0] not in results:
        return (closer,)
    if intent == "explain" and not subject and "explain_job" not in results:
        # slurmstepd and squeue name an array's task by a number of its own, which no row has
        return [("explain_job", {"job_id": job}) for job in _unlisted(rows, piped)[:MOST_LOOKED_UP]]
    if tool := playbook_wandb.TOOL.get(intent):
        if intent == "upload" and "sync_status" not in results:
            return (("sync_status", {}),)
        offline = _object(results["sync_status"][1]).get("ready", []) if intent == "upload" else []
        return () if tool in results else playbook_wandb.calls(intent, asked, look, offline)
    tool = playbook_acts.TOOL.get(intent)
    return playbook_acts.calls(intent, asked, subject, look) if tool and tool not in results else ()


def _answer(intent: Intent, asked: str, results: Mapping[str, tuple[bool, str]], piped: set[str]) -> str:
    if intent == "related" and (other := related(asked)):
        return f"That is {other[1]}, which {other[0]} does, not I. {AGAIN}"
    if intent in playbook_files.TOOL:
        return playbook_files.answer(intent, *results[playbook_files.TOOL[intent]])
    if tool := playbook_acts.OF_FILES.get(intent):
        return playbook_acts.answer(intent, results[tool])
    failed, text = results.get("check_sweeps", (True, ""))
    look = _object(text) if not failed else {}
    rows: list[dict[str, Any]] = look.get("runs", [])
    missing: list[str] = []
    question = answerable(look.get("fitting_question", AGAIN))
    subject = _subject(asked, rows, intent)
    if (closer := closer_look(intent, subject, rows)) and intent != "explain":
        return closer_answer(closer[0], results[closer[0]], question if intent == "status" else None)
    tool = playbook_acts.TOOL.get(intent) or playbook_wandb.TOOL.get(intent)
    if tool and tool in results:
        return playbook_acts.answer(intent, results[tool])
    if intent == "explain":
        looked_up = [_object(line) for line in results.get("explain_job", (True, ""))[1].splitlines()]
        found = [row for one in looked_up for row in one.get("rows", [])]
        chosen = found if subject else [row for row in rows if row["kind"] == "dead"]
        if not subject and (jobs := jobs_among(piped)):
            chosen = [row for row in rows if {row.get("job"), row.get("run")} & (jobs | piped)]
            chosen += [row for row in found if row.get("job") not in {one.get("job") for one in chosen}]
            missing = sorted(set(_unlisted(rows, piped)) - {one.get("asked") for one in looked_up})
        question = after_explaining(chosen, question, every=not subject and not jobs_among(piped))
    elif intent in {"resume", "restart"}:
        chosen = [row for row in playbook_acts.to_resume(asked, subject, rows) if row.get("resumable") == "yes"]
        dead = sum(row["kind"] == "dead" for row in of_subject(rows, subject) or rows)
        question = after_resuming(chosen, dead, subject)
    else:
        # the tables group what waits by reason; asked for it alone, this says what each reason means
        chosen = [row for row in rows if row["kind"] == "waiting"] if asks_what_waits(asked) else []
        question = WHICH.get(intent, question)
    return prompts.render(
        "playbook.md.j2",
        intent=intent,
        rows=[told(row) for row in chosen],
        waiting=look.get("counts", {}).get("waiting", 0) if asks_what_waits(asked) else None,
        subject=subject,
        missing=missing,
        left_out=look.get("left_out"),
        question=question,
        progress=thrown_away(rows, subject, whole="left_out" not in look),
    ).strip()


def _unlisted(rows: Sequence[Mapping[str, Any]], piped: set[str]) -> list[str]:
    """The job ids among what was piped in that are no row's."""
    return sorted(jobs_among(piped) - {row.get("job") for row in rows})


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
    meant = _NAMED.search(asked) if intent == "explain" else None
    return job_in(asked) or run_in(asked) or (meant[1] if meant else None)
