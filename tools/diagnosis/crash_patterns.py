"""What the lines of a dead job's log mean: Slurm's words, the training's errors, and what follows from them.

Every pattern is linear on hostile lines. A named group is what the line tells: ``size`` asked for, config
``key``, Python ``module``, ``node``, ``file``, ``signal``.
"""

from __future__ import annotations

import re
from functools import cache

from tools.diagnosis.crash_errors import ERRORS
from tools.diagnosis.crash_inputs import INPUTS
from tools.diagnosis.sign import Sign, sign
from tools.diagnosis.words import Words
from tools.seldom import seldom

_JOB_ON = r"(?:JOB|STEP) \S{1,40} ON (?P<node>\S{1,80}) CANCELLED AT \S{1,40} "
# fmt: off
# Slurm's lines can stand in the middle of a line, behind a bar or a label, or be torn.
_SLURM = (
    sign("preempted", 100, "DUE TO PREEMPTION", rf"{_JOB_ON}DUE TO PREEMPTION", r"DUE TO PREEMPTION"),
    sign("time_limit", 100, "DUE TO TIME LIMIT", r"DUE TO TIME LIMIT"),
    sign("node_fail", 100, "DUE TO NODE FAILURE", rf"{_JOB_ON}DUE TO NODE FAIL", r"DUE TO NODE FAILURE"),
    sign("node_fail", 96, "Node failure on", r"error: Node failure on (?P<node>[\w.-]{1,80})"),
    sign("host_oom", 95, "oom-kill|oom_kill", r"Detected \d{1,9} oom.kill event"),
    sign("host_oom", 95, "Out Of Memory", r"(?:error: (?P<node>[\w.-]{1,80}): )?task \S{1,40}: Out Of Memory"),
    sign("host_oom", 95, "memory limit",
          r"Exceeded (?:job|step) memory limit|(?:Job|Step|StepId=)\s?\S{1,40} exceeded memory limit"),
    sign("host_oom", 90, "emory cgroup|Out of memory: Kill", r"[Mm]emory cgroup out of memory|Out of memory: Kill"),
)

_PEERS = (
    sign("nccl", 60, "NCCL|nccl",
          r"NCCL (?:[Ee]rror|timeout|WARN|communicator was aborted|watchdog|operation \S{1,40} failed)",
          r"\bnccl\w{3,20} failed: ",
          r"Some NCCL operations have failed or timed out",
          r"nccl(?:System|UnhandledCuda|Internal|Remote|InvalidUsage)Error"),
    sign("nccl", 60, "collective|DistBackend|DistStore|DistNetwork|Timed out|timed out|imeout|TCPStore"
          "|RendezvousC|Gloo connect"
          "|HorovodInternal|monitoredBarrier|watchdog got stuck|Heartbeat monitor|DEADLINE_EXCEEDED",
          r"collective operation timeout|Dist(?:Backend|Store|Network)Error|Timed out initializing process group",
          r"Timed out waiting \d{1,12}ms for (?:recv|send)|Socket Timeout|wait timeout after"
          r"|Rendezvous(?:Timeout|Connection)Error",
          r"client socket has timed out|failed to pass monitoredBarrier|watchdog got stuck"
          r"|Heartbeat monitor timed out|Gloo connectFullMesh failed|HorovodInternalError"
          r"|DEADLINE_EXCEEDED: .{0,60}(?i:barrier|coordination)|RuntimeError: connect\(\) timed out"
          r"|due to collective timeout"),
    sign("nccl", 60, "MPI_|monitoredBarrier|between collectives|tasks are unhealthy|heartbeat timeout",
          r"\*\*\* (?:An error occurred in MPI_|MPI_ERRORS_ARE_FATAL)|reached monitoredBarrier, but"
          r"|Detected mismatch between collectives|The following tasks are unhealthy|heartbeat timeout"),
    sign("nccl", 63, "EADDRINUSE|server socket has failed|Address already in use",
          r"EADDRINUSE|server socket has failed to listen|RuntimeError: Address already in use"),
    sign("nccl", 60, "by peer|roken pipe|Connection refused",
          r"[Cc]onnection (?:closed|reset) by peer|RuntimeError: (?:Broken pipe|Connection refused)"),
)

# The consequence of something else: never a cause where anything above explains it.
_SYMPTOMS = (
    sign("false_success", 48, "failed runs in", r"Detected \d{1,3} failed runs in the first \d{1,5} seconds"),
    sign("killed", 42, "illed|SIGKILL|exited unexpectedly|ProcessPool|exit code|exitcode|return code",
          r"\bKilled\b|\b(?P<signal>SIGKILL)\b|worker .{1,60} exited unexpectedly|BrokenProcessPool",
          r"(?:exit ?code|return code)\s{0,3}[:=]? ?-(?P<signal2>9|15)\b"),
    sign("killed", 42, "Processus arr|已杀死|已砍掉|Getötet|Matado|強制終了|Terminado (killed)",
          r"Processus arrêté|已杀死|已砍掉|Getötet|\bMatado\b|強制終了|Terminado \(killed\)"),
    # words of everyday languages: only behind the process id that bash prints before them
    sign("killed", 42, "Убито|Morto|Ucciso|Unicestwiony|Dödad|Abgebrochen|Beendet|Complété|Abandon|Terminato"
          "|Terminado|已终止|Завершено|죽었음",
          r": \d{1,9} (?:Убито|Morto|Ucciso|Unicestwiony|Dödad|Abgebrochen|Beendet|Complété|Abandon|Terminato"
          r"|Terminado|已终止|Завершено|죽었음) {2}"),
    sign("killed", 40, "ignal|SIGTERM|Terminated|Aborted|SIG|core dumped",
          r"[Ss]ignal:? (?P<signal>9|15)\b|Received SIGTERM|SIGTERMException|(?:: |\b\d{1,9} )Terminated\b"
          r"|^Terminated$"
          r"|Aborted {1,40}\(core dumped\)"
          r"|\b(?P<signal2>SIGABRT|SIGFPE|SIGILL)\b|(?:Illegal instruction|Floating point exception) {0,40}\(core"),
    sign("cancelled", 35, "CANCELLED AT", r"(?:JOB|STEP) \S{1,40} ON (?P<node>\S{1,80}) CANCELLED AT"),
    sign("cancelled", 35, "KeyboardInterrupt", r"(?:^|: )KeyboardInterrupt\b"),
    # a person at the terminal of an interactive job
    sign("cancelled", 36, "Ctrl-C", r"^(?:\^C)?srun: sending Ctrl-C to "),
)

# fmt: on
SIGNS: tuple[Sign, ...] = (*_SLURM, *ERRORS, *INPUTS, *_PEERS, *_SYMPTOMS)
# Stems of the hints, and the hints that hold none: a line without any of these is not looked at closer.
# None has a digit, so that lines which differ only in their numbers are looked at once.
_STEMS = (
    "rror", "xcept", "DUE TO", "OOM", "oom", "illed", "ignal", "SIG", "NCCL", "nccl", "issing",
    "CUDA", "imeout", "imed out", "No such", "not found", "Parse", "Unable", "quota", "device", "oss is", "nan", "NaN",
    "nfinite", "on-finite", "nvalid", "egmentation", "StopIteration", "Traceback",
)  # fmt: skip
GATE = tuple(
    dict.fromkeys((*_STEMS, *(h for sign in SIGNS for h in sign.hints if not any(stem in h for stem in _STEMS))))
)
_GATE = Words(GATE)


@cache
def _near(word: str) -> tuple[int, ...]:
    """Numbers of the signs with a hint that this word of the gate stands in."""
    return tuple(n for n, sign in enumerate(SIGNS) if any(word in hint for hint in sign.hints))


def candidates(text: str) -> tuple[Sign, ...] | None:
    """The signs whose hints are in the text; None: nothing that the gate knows is in it."""
    words = _GATE.within(text)
    if not words:
        return None
    near = sorted({n for word in words for n in _near(word)})
    return tuple(SIGNS[n] for n in near if any(hint in text for hint in SIGNS[n].hints))


SIZE = seldom(
    r"(?:[Tt]r(?:ied|ying) to allocate|to allocate|Unable to allocate|allocating|request for) "
    r"(?P<size>[\d.,]{1,20}\s?(?:[KMGT]i?B|bytes))"
)
NODE = seldom(r"error: (?P<node>[\w.-]{1,80}): tasks? |\bON (?P<node2>[\w.-]{1,80}) CANCELLED AT")
_EARLY_STOP = seldom(
    # not the setting, the object that watches, or what it has counted so far
    r"(?i)early.?stop(?!\w{0,24}['\"]?\s?[:=]\s?['\"]?(?:true|null|none|false|\d|\{|<)|\w{0,12}\s?\("
    r"|.{0,40}(?:patience\s?[=:]"
    r"|callback|enabled|disabled|counter))|stopp(?:ing|ed) early|no improvement .{0,80}stop"
    r"|Trainer was signaled to stop|patience .{0,40}(?:exceeded|exhausted|reached)"
    r"|did not improve .{0,60}stop|stopping criteri(?:on|a) (?:was |were )?(?:reached|met)|\bconverged\b.{0,60}stopp"
    r"|Monitored metric .{0,80} did not improve|Agent received command: stop|\bpruned\b|\bTrialPruned\b"
)
_STOP = seldom(
    r"(?i)\b(?:stopping|terminating|halting) (?:the )?(?:training|trial)\b|\bearly exit\b"
    r"|\btraining (?:was )?(?:stopped|terminated|halted)\b|\b(?:asha|hyperband) .{0,20}stopp"
)
_TOLD_TO_STOP = seldom(r"(?i)sig(?:nal|term|usr|int)|preempt|time.?limit|wall.?time|interrupt|\bnan\b|exception")


def stops_early(line: str) -> bool:
    """Whether the training says that it ends before its target by a rule of its own."""
    return bool(_EARLY_STOP.search(line) or (_STOP.search(line) and not _TOLD_TO_STOP.search(line)))


# A script's own word that its training came to its end.
DONE = re.compile(
    r"Trainer\.fit` stopped: `max_(?:epochs|steps)=\d{1,15}` reached|after training is done"
    r"|(?i:training (?:is )?(?:complete|completed|finished|done)\b)|['\"]train_runtime['\"]:"
    r"|(?i:\bfinished training\b|\b(\d{1,9}) (?:of|/) \1 epochs\b|\bdone:? (\d{1,9})/\2\b)"
    r"|(?i:\b\d{1,9} epochs (?:are )?(?:done|complete|completed|finished)\b)"
    # torchvision's scripts and their kin, timm, Ray Tune
    r"|^(?:Total )?[Tt]raining time:? \d|\*\*\* Best metric: |seconds for the tuning loop\)"
)
# A bare "Done" may be the job script's, which goes on after an error.
FINISHED = re.compile(
    rf"{DONE.pattern}|Agent completed|Received exit command"
    r"|^\W{0,3}(?i:all )?(?:[Dd]one|DONE|[Ff]inished|[Cc]ompleted)[.!]{0,3}(?:$| [A-Z])"
)
