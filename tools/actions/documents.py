"""The two documents that a status keeps: written without a question, in the workspace alone, and only when something
changed."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.acts import Action, Observation, Outcome, Proposal, Ran
from tools.base import ActTool, Args, Context, Denied
from tools.document_tables import Known
from tools.documents import DocumentError, active_sweeps, experiment_block, same_but_for_the_time, went_behind
from tools.look import Seen
from tools.status import Status

MAX_BYTES = 2 << 20
ACTIVE_SWEEPS_MD, CLAUDE_MD = "ACTIVE_SWEEPS.md", "CLAUDE.md"


class DocumentArgs(Args):
    """None: what goes in is what the look says."""


def propose_active_sweeps(context: Context, args: DocumentArgs) -> Sequence[Proposal]:
    """Write the state of all sweeps into the workspace's ACTIVE_SWEEPS.md: running sweeps with links, jobs, log files,
    discrepancies, preemptions. A person's own lines stay. Needs no approval; done by itself after a status."""

    def text(status: Status, seen: Seen, old: str) -> str:
        return active_sweeps(status, _known(status, seen, context), old, seen.at)

    return _proposal(context, ACTIVE_SWEEPS_MD, text)


def propose_claude_md(context: Context, args: DocumentArgs) -> Sequence[Proposal]:
    """Write experiment status and next steps into one marked block of the workspace's CLAUDE.md, where there is such a
    file. Needs no approval; done by itself after a status."""
    if not (context.place.workspace / CLAUDE_MD).exists():
        raise Denied(f"there is no {CLAUDE_MD} in this workspace, and none is made")

    def text(status: Status, seen: Seen, old: str) -> str:
        return experiment_block(status, _known(status, seen, context), old)

    return _proposal(context, CLAUDE_MD, text)


def perform(context: Context, action: Action) -> Ran:
    """Put the new text in the old one's place, unless that changed since it was read."""
    started = time.monotonic()
    path = Path(action.change[0][0])
    was = dict(action.identity)["content"]
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(action.content)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).chmod(mode)
            if _digest(_read(path)) != was:
                return Ran(1, err="somebody else wrote to it in the meantime; it was left as it is")
            Path(aside).replace(path)
        finally:
            Path(aside).unlink(missing_ok=True)
    except (OSError, Denied) as error:
        return Ran(1, err=error.strerror or str(error) if isinstance(error, OSError) else str(error))
    return Ran(0, seconds=time.monotonic() - started)


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """Whether the file holds what was to be written."""
    try:
        there = _digest(_read(Path(action.change[0][0])))
    except Denied as error:
        return Outcome("unknown", str(error))
    done = there == dict(action.identity)["new content"]
    return Outcome("done", action.shows[0]) if done else Outcome("not_done", "it holds something else")


UPDATE_ACTIVE_SWEEPS = ActTool("update_active_sweeps", DocumentArgs, "document", propose_active_sweeps, perform, settle)
UPDATE_CLAUDE_MD = ActTool("update_claude_md", DocumentArgs, "document", propose_claude_md, perform, settle)


def _proposal(context: Context, name: str, text: Callable[[Status, Seen, str], str]) -> Sequence[Proposal]:
    status, seen = context.look()
    path = context.place.workspace / name
    old = _read(path)
    try:
        new = text(status, seen, old)
    except DocumentError as error:
        raise Denied(f"{name}: {error}") from None
    # a person's own lines stay as they are, whatever they hold
    known, clean = set(old.splitlines()), context.place.redactor.clean
    new = "".join(line if line.rstrip("\n") in known else f"{clean(line.rstrip())}\n" for line in new.splitlines(True))
    if old and same_but_for_the_time(old, new):
        return ()
    at = context.clock()
    added, removed = _counted(old, new)
    yours = went_behind(old, new) if name == CLAUDE_MD else 0
    more = f"; {yours} of yours went from its block to behind it, where {'they stay' if yours > 1 else 'it stays'}"
    inside = path.resolve().is_relative_to(context.place.workspace.resolve())
    blind = all(not source.ok for source in status.sources if source.name in {"squeue", "sacct"})
    action = Action(
        verb="document",
        subject=name,
        names=(name,),
        thing="document",
        identity=(("content", _digest(old)), ("new content", _digest(new))),
        change=((str(path.resolve()), f"+{added} −{removed} lines"),),
        shows=(f"+{added} −{removed} lines{more if yours else ''}",),
        content=new,
    )
    seen_now = (
        Observation("in_workspace", name, inside, at, "files", str(path.resolve())),
        Observation("jobs_seen", name, not blind, at, "squeue", "neither can be read" if blind else "read"),
    )
    return (Proposal(action, seen_now),)


def _known(status: Status, seen: Seen, context: Context) -> Known:
    requeued = {
        link.job.id: [job.end for job in link.earlier if job.state == "PREEMPTED"] for link in seen.links if link.job
    }
    return Known(
        logs=_logs(status, seen, context),
        resumed=context.submitted,
        done=context.done,
        requeued=requeued,
        not_synced=sum(folder.offline and not folder.synced for folder in seen.run_dirs),
    )


def _logs(status: Status, seen: Seen, context: Context) -> Mapping[str, Sequence[str]]:
    """Sweep -> its jobs' log files, an array's tasks as one pattern."""
    workspace = f"{context.place.workspace.resolve()}/"
    real: dict[str, str] = {}  # folders are few, logs are many
    found: dict[str, dict[str, None]] = {}
    for row in status.runs:
        for log in seen.log_files.get(row.job or "", ()) if row.sweep else ():
            folder, _, name = log.path.rpartition("/")
            if folder not in real:
                real[folder] = os.path.realpath(folder)
            shown = f"{real[folder]}/{name}".removeprefix(workspace)
            array, _, task = (row.job or "").partition("_")
            pattern = shown.replace(f"{array}_{task}", f"{array}_*") if task else shown
            found.setdefault(row.sweep or "", {})[pattern] = None
    return {sweep: list(paths)[:8] for sweep, paths in found.items()}


def _read(path: Path) -> str:
    """Its text; empty where it isn't there. Raises Denied for what is no text of a document's size."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise Denied(f"{path.name} is a folder, a pipe or a device: it is left as it is")
        if info.st_size > MAX_BYTES:
            raise Denied(f"{path.name} is larger than {MAX_BYTES >> 20} MiB: it is left as it is")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise Denied(f"{path.name} is not UTF-8 text: it is left as it is") from None
    except OSError as error:
        raise Denied(f"{path.name} can't be read: {error.strerror}") from None


def _counted(old: str, new: str) -> tuple[int, int]:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0))[2:]
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
