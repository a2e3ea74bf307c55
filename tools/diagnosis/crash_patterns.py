"""What the lines of a dead job's log mean: one row a wording, with what it explains and how much.

Every pattern is linear on hostile lines. A named group is what the line tells: ``size`` asked for, config
``key``, Python ``module``, ``node``, ``file``, ``signal``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.data import Cause


@dataclass(frozen=True, slots=True)
class Sign:
    cause: Cause
    weight: int
    """How much it explains: a root outweighs its consequences, Slurm's word outweighs a symptom."""
    hints: tuple[str, ...]
    """One of these texts is in the line, or the pattern is not tried."""
    pattern: re.Pattern[str]


def _sign(cause: Cause, weight: int, hints: str, *patterns: str) -> Sign:
    return Sign(cause, weight, tuple(hints.split("|")), re.compile("|".join(patterns)))


SLURM = 95
"""From this weight up the words are Slurm's own, and no error of the training explains them."""
ROOT = 80
"""From this weight up a line names its cause; below stand exceptions, consequences and symptoms."""
EXCEPTION_WEIGHT = 62
"""An exception of unknown meaning: more than a peer's broken connection (60), less than a named cause."""

_JOB_ON = r"(?:JOB|STEP) \S{1,40} ON (?P<node>\S{1,80}) CANCELLED AT \S{1,40} "
# Slurm's lines can stand in the middle of a line, behind a bar or a label, or be torn.
_SLURM = (
    _sign("preempted", 100, "DUE TO PREEMPTION", rf"{_JOB_ON}DUE TO PREEMPTION", r"DUE TO PREEMPTION"),
    _sign("time_limit", 100, "DUE TO TIME LIMIT", r"DUE TO TIME LIMIT"),
    _sign("node_fail", 100, "DUE TO NODE FAILURE", rf"{_JOB_ON}DUE TO NODE FAIL", r"DUE TO NODE FAILURE"),
    _sign("node_fail", 96, "Node failure on", r"error: Node failure on (?P<node>[\w.-]{1,80})"),
    _sign("host_oom", 95, "oom-kill|oom_kill", r"Detected \d{1,9} oom.kill event"),
    _sign("host_oom", 95, "Out Of Memory", r"(?:error: (?P<node>[\w.-]{1,80}): )?task \S{1,40}: Out Of Memory"),
    _sign("host_oom", 95, "memory limit", r"Exceeded (?:job|step) memory limit"),
    _sign("host_oom", 90, "emory cgroup", r"[Mm]emory cgroup out of memory"),
)

_GPU_MEMORY = (
    _sign(
        "cuda_oom",
        90,
        "out of memory",
        r"(?:CUDA|HIP|MPS backend|XPU) out of memory",
        r"(?i:cuda) (?:error|failure)[^\n]{0,30}out of memory",
    ),
    _sign("cuda_oom", 90, "OutOfMemoryError", r"torch\.(?:cuda\.)?OutOfMemoryError"),
    _sign(
        "cuda_oom",
        90,
        "CUDA_ERROR_OUT_OF_MEMORY|_ALLOC_FAILED",
        r"CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED",
    ),
    _sign("cuda_oom", 90, "OOM when allocating", r"OOM when allocating .{0,300}device:GPU"),
    # XLA asks its GPU allocator in these words; its CPU client says "Out of memory allocating N bytes".
    _sign(
        "cuda_oom",
        89,
        "RESOURCE_EXHAUSTED",
        r"RESOURCE_EXHAUSTED: (?:Out of memory while trying|Failed to alloc)",
    ),
    _sign("cuda_oom", 89, "cache blocks", r"No available memory for the cache blocks"),
)

_HOST_MEMORY = (
    _sign("host_oom", 90, "RESOURCE_EXHAUSTED", r"RESOURCE_EXHAUSTED: .{0,200}CpuDevice"),
    _sign("host_oom", 88, "RESOURCE_EXHAUSTED", r"RESOURCE_EXHAUSTED: Out of memory allocating \d"),
    _sign("host_oom", 88, "OOM when allocating", r"OOM when allocating .{0,300}device:CPU"),
    _sign("host_oom", 88, "Unable to allocate", r"Unable to allocate [\d.]{1,20} \S{2,5}"),
    _sign("host_oom", 88, "MemoryError", r"_?ArrayMemoryError|(?:^|[\s.])MemoryError(?:$|:)"),
    _sign(
        "host_oom",
        88,
        "allocate memory|DefaultCPUAllocator|std::bad_alloc",
        r"Cannot allocate memory|DefaultCPUAllocator: (?:can't allocate|not enough memory)|std::bad_alloc",
    ),
    _sign("host_oom", 88, "killed by signal: Killed", r"DataLoader worker .{1,80} is killed by signal: Killed"),
    _sign("host_oom", 88, "low on memory", r"due to the node running low on memory"),
    # /dev/shm is memory: torch's workers die of a bus error, or can't write there, once it is full.
    _sign(
        "host_oom",
        91,
        "shared memory|</torch_",
        r"insufficient shared memory|workers are out of shared memory|unable to write to file </torch_",
    ),
)

_CONFIG = (
    _sign(
        "config_error",
        87,
        "ey '|Missing mandatory|Could not override",
        r"[Kk]ey '(?P<key>[^']{1,200})' is not in struct",
        r"Missing mandatory value: (?P<key2>\S{1,200})",
        r"Could not override '(?P<key3>[^']{1,200})'",
        r"Config(?:Attribute|Key)Error: Key '(?P<key4>[^']{1,200})",
    ),
    _sign(
        "config_error",
        86,
        "onfig|OverrideParse|MissingMandatory|GrammarParse|omegaconf.errors|terpolation",
        r"Config(?:Attribute|Key|Type|Value)Error|(?:MissingConfig|ConfigComposition|OverrideParse)Exception",
        r"(?:GrammarParse|InterpolationKey|InterpolationResolution)Error|MissingMandatoryValue",
        r"omegaconf\.errors\.\w{1,60}|[Pp]rimary config (?:module )?\S{1,80} not found",
        r"Could not find '(?P<key>[^']{1,200})'$",
    ),
    _sign(
        "config_error",
        86,
        "ValidationError",
        r"(?:pydantic|jsonschema|validation error)\S{0,60}ValidationError",
    ),
    _sign(
        "config_error",
        84,
        ": error: |required arguments",
        r": error: unrecognized arguments: (?P<key>.{1,200})",
        r": error: (?:ambiguous option: |argument )(?P<key2>[^\s:,]{1,200})",
        r": error: the following arguments are required: (?P<key3>.{1,200})",
        r": error: Parser key [\"'](?P<key4>[^\"']{1,200})",
        r": error: (?:Validation failed|one of the arguments)",
    ),
    _sign(
        "config_error",
        84,
        "No such option|Missing option|Missing argument|Invalid value for|No such command",
        r"^Error: (?:No such (?:option|command)|Missing (?:option|argument)|Invalid value for):? "
        r"'?(?P<key>[^'\s]{1,100})",
    ),
    _sign("config_error", 84, "yaml.", r"yaml\.(?:scanner|parser|constructor|composer|reader)\.\w{1,40}Error"),
    _sign("config_error", 83, "column ", r"^\s{0,4}in \"(?P<file>[^\"]{1,300})\", line \d{1,9}, column \d"),
    _sign("config_error", 85, "FileNotFoundError", r"FileNotFoundError: .{0,300}\.(?:ya?ml|toml|ini|cfg)'?$"),
    _sign("config_error", 84, "can't open file", r"can't open file '(?P<file>[^']{1,300})'"),
)

_MISSING = (
    _sign("missing_dependency", 86, "No module named", r"No module named '?(?P<module>[\w.]{1,200})"),
    _sign(
        "missing_dependency",
        85,
        "ImportError",
        r"ImportError: cannot import name '(?P<name>[^']{1,100})' from (?:partially initialized module )?"
        r"'(?P<module>[^']{1,200})'",
        r"ImportError: (?P<module2>[\w.+-]{1,100}\.so[\w.]{0,30}): ",
        r"\bImportError: ",
    ),
    _sign(
        "missing_dependency",
        85,
        "PackageNotFound|DistributionNotFound|GLIBC|not compiled with CUDA",
        r"PackageNotFoundError: (?:No package metadata was found for )?(?P<module>[\w.-]{1,100})|DistributionNotFound",
        r"version `GLIBC\S{1,20}' not found|Torch not compiled with CUDA enabled",
    ),
    # TensorFlow warns so of every library it can do without
    _sign(
        "missing_dependency",
        59,
        "shared object file",
        r"(?P<module>[\w.+/-]{1,200}): cannot open shared object",
    ),
    # a job script often goes on after `module: command not found`; what then kills it is the cause
    _sign(
        "missing_dependency",
        58,
        "not found|introuvable|未找到命令|nicht gefunden|no se encontr",
        r"(?P<module>[\w./+-]{1,100}): (?:command not found|[Cc]ommande introuvable|未找到命令|orden no encontrada"
        r"|no se encontró la orden|Kommando nicht gefunden|Befehl nicht gefunden|not found$)",
    ),
    _sign(
        "missing_dependency",
        58,
        "env: |execve()",
        r"env: .{0,3}(?P<module>[\w.+-]{1,80}).{0,3}: No such file",
        r"execve\(\): (?P<module2>\S{1,100}): No such",
    ),
    _sign(
        "missing_dependency",
        57,
        "EnvironmentLocationNotFound|Unable to locate a modulefile|Could not find conda",
        r"EnvironmentLocationNotFound|Unable to locate a modulefile for '(?P<module>[^']{1,100})'"
        r"|Could not find conda environment: (?P<module2>\S{1,100})",
    ),
)

_DISK = (
    _sign(
        "disk_full",
        90,
        "left on device|quota exceeded|ENOSPC|EDQUOT",
        r"No space left on device|Disk quota exceeded|quota exceeded|\bENOSPC\b|\bEDQUOT\b",
    ),
    _sign(
        "disk_full",
        90,
        "设备上没有空间|超出磁盘限额|Auf dem Gerät|Aucun espace|Débordement du quota|No queda espacio",
        r"设备上没有空间|超出磁盘限额|Auf dem Gerät ist kein|Aucun espace disponible|Débordement du quota|No queda espacio",
    ),
    # torch.save on a full disk, sometimes the only line that says so
    _sign("disk_full", 86, "unexpected pos", r"inline_container.{0,80}unexpected pos"),
)

_LOSS = (
    _sign(
        "nan_loss",
        86,
        "oss is |on-finite|onfinite|nfinite",
        r"[Ll]oss is (?:nan|NaN|inf|-inf)\b",
        r"[Nn]on-?finite (?:loss|grad)|[Ii]nfinite loss",
    ),
    _sign("nan_loss", 86, "loss scale", r"(?:Minimum loss scale|loss scale already at minimum)"),
    _sign(
        "nan_loss",
        84,
        "nan|NaN",
        r"(?:Value|Runtime|Assertion|FloatingPoint|Arithmetic)Error: .{0,200}?\b(?:NaNs?|nans?)\b",
        r"\bException: .{0,200}?\b(?:NaNs?|nans?)\b",
        r"[Ll]oss (?:became|went|turned|is) (?:nan|NaN)",
        r"(?:returned|contains?|detected|found|produced|became) (?:a )?(?:NaN|nan)\b.{0,60}(?:loss|grad|abort|stop)",
        r"(?:NaN|nan) (?:loss|gradients?) (?:detected|encountered|found)|TerminateOnNaN|Invalid loss, terminating",
    ),
    _sign("nan_loss", 83, "found invalid values", r"satisfy the constraint .{0,80}found invalid values"),
)

_GPU = (
    _sign(
        "cuda_device",
        88,
        "ECC|Xid|off the bus|device handle",
        r"uncorrectable (?:NVLink|ECC)|ECC error|\bXid\b.{0,60}\d|GPU has fallen off the bus",
        r"Unable to determine the device handle",
    ),
    _sign(
        "cuda_device",
        88,
        "CUDA|NVIDIA driver|cuInit",
        r"no CUDA-capable device|No CUDA GPUs are available|CUDA-capable device\(s\) is/are busy|CUDA unknown error",
        r"CUDA driver (?:version is insufficient|initialization failed)|Found no NVIDIA driver|cuInit: CUDA_ERROR",
        r"CUDA error: (?:unspecified launch|invalid device ordinal|unknown error|initialization error|all CUDA-cap"
        r"|an illegal (?:memory access|instruction)|misaligned|hardware|device unavailable)",
        r"CUDA_ERROR_(?:NO_DEVICE|ECC_UNCORRECTABLE|DEVICE_UNAVAILABLE)",
    ),
    # an index out of range in the training's own data shows as this; the device is sound
    _sign("python_exception", 64, "device-side assert", r"device-side assert triggered"),
)

_NATIVE = (
    _sign(
        "segfault",
        84,
        "egmentation|SIGSEGV|us error|SIGBUS|ignal: 11|ignal 11",
        r"[Ss]egmentation (?:fault|violation)|\bSIGSEGV\b|\bSIGBUS\b|\bBus error\b|[Ss]ignal:? 11\b",
        r"Erreur de segmentation",
    ),
    _sign(
        "segfault",
        84,
        "Speicherzugriff|Violación|段错误|セグメンテーション|Violazione|Erro de segm",
        r"Speicherzugriffsfehler|Violación de segmento|段错误|セグメンテーション違反|Errore di segmentazione",
    ),
    _sign(
        "stop_iteration",
        82,
        "StopIteration",
        r"^(?:\S{1,80}: )?StopIteration\b|Caught StopIteration in replica|generator raised StopIteration",
    ),
)

_DATA = (
    # without the Hub a dataset's code is looked for on the disk: the FileNotFoundError is its consequence
    _sign(
        "data_error",
        81,
        "couldn't connect to|OfflineMode|DatasetNotFound|DatasetGeneration|LocalEntryNotFound|HfHub",
        r"couldn't connect to|OfflineModeIsEnabled|DatasetNotFoundError|DatasetGenerationError",
        r"LocalEntryNotFoundError|HfHubHTTPError|couldn't find .{0,120} in the cached files",
    ),
    _sign("data_error", 80, "FileNotFoundError|NotADirectoryError", r"(?:FileNotFound|NotADirectory)Error: "),
    _sign(
        "data_error",
        80,
        "pyarrow|Arrow|arquet",
        r"ArrowInvalid|pyarrow\.lib\.\w{1,40}|Parquet (?:magic|file)",
    ),
    _sign(
        "data_error",
        80,
        "tale |put error|emote I/O",
        r"Stale (?:NFS )?file handle|Input/output error|Remote I/O error",
    ),
    _sign(
        "data_error",
        80,
        "UnpicklingError|UnidentifiedImage|identify image|BadZipFile|DecodeError|truncated|tarfile",
        r"UnpicklingError|UnidentifiedImageError|cannot identify image file|[Ii]mage file is truncated|BadZipFile",
        r"(?:JSON|Unicode)DecodeError|tarfile\.ReadError|EOFError: Compressed file ended",
    ),
    _sign("data_error", 80, "Unable to ", r"Unable to (?:synchronously )?open (?:file|object)"),
    _sign(
        "data_error",
        70,
        ": ",
        r"^(?:cp|mv|tar|rsync|unzip|ls|cat|gzip|ln|find|head|wget|curl): .{0,300}(?:No such file or directory"
        r"|没有那个文件或目录|Aucun fichier ou dossier|Datei oder Verzeichnis nicht gefunden|No existe el (?:archivo|fichero)"
        r"|そのようなファイルやディレクトリはありません|File o directory non esistente)",
    ),
)

_PEERS = (
    _sign(
        "nccl",
        60,
        "NCCL|nccl",
        r"NCCL (?:error|timeout|WARN|communicator was aborted|watchdog)|Some NCCL operations have failed or timed out",
        r"nccl(?:System|UnhandledCuda|Internal|Remote|InvalidUsage)Error",
    ),
    _sign(
        "nccl",
        60,
        "collective|DistBackend|DistStore|DistNetwork|Timed out|imeout|TCPStore",
        r"collective operation timeout|Dist(?:Backend|Store|Network)Error|Timed out initializing process group",
        r"Timed out waiting \d{1,12}ms for (?:recv|send)|Socket Timeout|wait timeout after|RendezvousTimeoutError",
    ),
    _sign(
        "nccl",
        60,
        "by peer|roken pipe|Connection refused",
        r"[Cc]onnection (?:closed|reset) by peer|RuntimeError: (?:Broken pipe|Connection refused)",
    ),
)

# The consequence of something else: never a cause where anything above explains it.
_SYMPTOMS = (
    _sign("false_success", 48, "failed runs in", r"Detected \d{1,3} failed runs in the first \d{1,5} seconds"),
    _sign(
        "killed",
        42,
        "illed|SIGKILL|exited unexpectedly|ProcessPool|-9",
        r"\bKilled\b|\b(?P<signal>SIGKILL)\b|worker .{1,60} exited unexpectedly|BrokenProcessPool",
        r"exit ?code\s{0,3}: -9\b|exit code -9\b",
    ),
    _sign(
        "killed",
        42,
        "Processus arr|已杀死|Getötet|Matado|強制終了|Terminado (killed)",
        r"Processus arrêté|已杀死|Getötet|\bMatado\b|強制終了|Terminado \(killed\)",
    ),
    _sign(
        "killed",
        40,
        "ignal: 9|ignal 9|ignal: 15|ignal 15|Terminated|Aborted",
        r"[Ss]ignal:? (?P<signal>9|15)\b|: Terminated\b|^Terminated$|Aborted +\(core dumped\)",
    ),
    _sign("cancelled", 35, "CANCELLED AT", r"(?:JOB|STEP) \S{1,40} ON (?P<node>\S{1,80}) CANCELLED AT"),
    _sign("cancelled", 35, "KeyboardInterrupt", r"(?:^|: )KeyboardInterrupt\b"),
)

SIGNS: tuple[Sign, ...] = (
    *_SLURM, *_GPU_MEMORY, *_HOST_MEMORY, *_CONFIG, *_MISSING, *_DISK, *_LOSS, *_GPU, *_NATIVE, *_DATA, *_PEERS,
    *_SYMPTOMS,
)  # fmt: skip
# Stems of the hints, and the hints that hold none: a line without any of these is not looked at closer.
_STEMS = (
    "rror", "xcept", "DUE TO", "OOM", "oom", "emory", "illed", "ignal", "SIG", "NCCL", "nccl", "onfig", "issing",
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
