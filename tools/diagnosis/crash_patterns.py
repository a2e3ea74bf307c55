"""What the lines of a dead job's log mean: Slurm's words, the training's errors, and what follows from them.

Every pattern is linear on hostile lines. A named group is what the line tells: ``size`` asked for, config
``key``, Python ``module``, ``node``, ``file``, ``signal``.
"""

from __future__ import annotations

import re

from tools.diagnosis.crash_errors import ERRORS
from tools.diagnosis.sign import Sign, sign

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
    sign("host_oom", 95, "memory limit", r"Exceeded (?:job|step) memory limit"),
    sign("host_oom", 90, "emory cgroup", r"[Mm]emory cgroup out of memory"),
)

_PEERS = (
    sign("nccl", 60, "NCCL|nccl",
          r"NCCL (?:error|timeout|WARN|communicator was aborted|watchdog)",
          r"Some NCCL operations have failed or timed out",
          r"nccl(?:System|UnhandledCuda|Internal|Remote|InvalidUsage)Error"),
    sign("nccl", 60, "collective|DistBackend|DistStore|DistNetwork|Timed out|imeout|TCPStore",
          r"collective operation timeout|Dist(?:Backend|Store|Network)Error|Timed out initializing process group",
          r"Timed out waiting \d{1,12}ms for (?:recv|send)|Socket Timeout|wait timeout after|RendezvousTimeoutError"),
    sign("nccl", 63, "EADDRINUSE|server socket has failed", r"EADDRINUSE|server socket has failed to listen"),
    sign("nccl", 60, "by peer|roken pipe|Connection refused",
          r"[Cc]onnection (?:closed|reset) by peer|RuntimeError: (?:Broken pipe|Connection refused)"),
)

# The consequence of something else: never a cause where anything above explains it.
_SYMPTOMS = (
    sign("false_success", 48, "failed runs in", r"Detected \d{1,3} failed runs in the first \d{1,5} seconds"),
    sign("killed", 42, "illed|SIGKILL|exited unexpectedly|ProcessPool|exit code|exitcode",
          r"\bKilled\b|\b(?P<signal>SIGKILL)\b|worker .{1,60} exited unexpectedly|BrokenProcessPool",
          r"exit ?code\s{0,3}: -9\b|exit code -9\b"),
    sign("killed", 42, "Processus arr|已杀死|Getötet|Matado|強制終了|Terminado (killed)",
          r"Processus arrêté|已杀死|Getötet|\bMatado\b|強制終了|Terminado \(killed\)"),
    sign("killed", 40, "ignal: 9|ignal 9|ignal: 15|ignal 15|Terminated|Aborted",
          r"[Ss]ignal:? (?P<signal>9|15)\b|: Terminated\b|^Terminated$|Aborted +\(core dumped\)"),
    sign("cancelled", 35, "CANCELLED AT", r"(?:JOB|STEP) \S{1,40} ON (?P<node>\S{1,80}) CANCELLED AT"),
    sign("cancelled", 35, "KeyboardInterrupt", r"(?:^|: )KeyboardInterrupt\b"),
)

# fmt: on
SIGNS: tuple[Sign, ...] = (*_SLURM, *ERRORS, *_PEERS, *_SYMPTOMS)
# Stems of the hints, and the hints that hold none: a line without any of these is not looked at closer.
# None has a digit: lines that differ only in their numbers are looked at once.
_STEMS = (
    "rror", "xcept", "DUE TO", "OOM", "oom", "illed", "ignal", "SIG", "NCCL", "nccl", "onfig", "issing",
    "CUDA", "imeout", "imed out", "No such", "not found", "Parse", "Unable", "quota", "device", "oss is", "nan", "NaN",
    "nfinite", "on-finite", "nvalid", "egmentation", "StopIteration", "Traceback",
)  # fmt: skip
GATE = tuple(
    dict.fromkeys((*_STEMS, *(h for sign in SIGNS for h in sign.hints if not any(stem in h for stem in _STEMS))))
)

SIZE = re.compile(
    r"(?:[Tt]r(?:ied|ying) to allocate|to allocate|Unable to allocate|allocating|request for) "
    r"(?P<size>[\d.,]{1,20}\s?(?:[KMGT]i?B|bytes))"
)
NODE = re.compile(r"error: (?P<node>[\w.-]{1,80}): tasks? |\bON (?P<node2>[\w.-]{1,80}) CANCELLED AT")
EARLY_STOP = re.compile(
    r"(?i)early.?stop(?!.{0,40}(?:patience\s?[=:]|callback|: null|: none|: false|=false|=none))|stopping early"
    r"|Trainer was signaled to stop|patience .{0,40}(?:exceeded|exhausted|reached)"
    r"|Monitored metric .{0,80} did not improve"
)
FINISHED = re.compile(
    r"Trainer\.fit` stopped: `max_(?:epochs|steps)=\d{1,15}` reached|after training is done"
    r"|(?i:training (?:is )?(?:complete|completed|finished|done)\b)|Agent completed|Received exit command"
)
