"""What the lines of a dead job's log mean: a table of patterns, read once a line.

Every pattern is linear on hostile lines. A named group is what the line tells: ``size`` asked for, config
``key``, Python ``module``, ``node``.
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


def _sign(cause: Cause, weight: int, hints: str, pattern: str) -> Sign:
    return Sign(cause, weight, tuple(hints.split("|")), re.compile(pattern))


# Slurm's own words: they can stand in the middle of a line, behind a bar or a label.
SLURM: tuple[Sign, ...] = (
    _sign("preempted", 100, "DUE TO PREEMPTION", r"(?:JOB|STEP) \S{1,40} ON (?P<node>\S{1,80}) CANCELLED AT .{0,40}DUE TO PREEMPTION"),
    _sign("preempted", 100, "DUE TO PREEMPTION", r"DUE TO PREEMPTION"),
    _sign("time_limit", 100, "DUE TO TIME LIMIT", r"DUE TO TIME LIMIT"),
    _sign("node_fail", 100, "DUE TO NODE FAILURE", r"DUE TO NODE FAILURE"),
    _sign("host_oom", 95, "oom-kill|oom_kill|Out Of Memory|Exceeded job memory", r"Detected \d{1,9} oom.kill event|task \d{1,6}: Out Of Memory|Exceeded job memory limit"),
    _sign("host_oom", 90, "memory cgroup|Memory cgroup|OutOfMemoryError: Worker", r"[Mm]emory cgroup out of memory"),
)

# Errors of the training itself.
ERRORS: tuple[Sign, ...] = (
    _sign("cuda_oom", 90, "out of memory|OutOfMemoryError|RESOURCE_EXHAUSTED|ResourceExhaustedError|OOM when allocating",
          r"CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA error: out of memory|CUDA_ERROR_OUT_OF_MEMORY"
          r"|CUBLAS_STATUS_ALLOC_FAILED|HIP out of memory|OOM when allocating .{0,300}device:GPU|RESOURCE_EXHAUSTED: Out of memory"),
    _sign("cuda_oom", 88, "CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC", r"CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED"),
    _sign("host_oom", 88, "MemoryError|Cannot allocate memory|Unable to allocate|killed by signal: Killed|std::bad_alloc|DefaultCPUAllocator|device:CPU|CpuDevice",
          r"_?ArrayMemoryError|^MemoryError|numpy\.\S{0,60}MemoryError|Unable to allocate [\d.]{1,20} \S{2,4}|Cannot allocate memory"
          r"|DataLoader worker \(pid(?:\(s\))? [\d, ]{1,60}\) is killed by signal: Killed|std::bad_alloc|DefaultCPUAllocator: can't allocate"
          r"|OOM when allocating .{0,300}device:CPU|CpuDevice"),
    _sign("config_error", 87, "is not in struct|Missing mandatory value|Could not override|Key '",
          r"[Kk]ey '(?P<key>[^']{1,200})' is not in struct|Missing mandatory value: (?P<key2>\S{1,200})"
          r"|Could not override '(?P<key3>[^']{1,200})'|Config(?:Attribute|Key)Error: Key '(?P<key4>[^']{1,200})"),
    _sign("config_error", 86, "is not in struct|ConfigAttributeError|ConfigKeyError|MissingMandatoryValue|Missing mandatory value|InterpolationKeyError|Could not override|ConfigCompositionException|MissingConfigException|OverrideParseException|ValidationError|ConfigValueError|GrammarParseError|ConfigTypeError",
          r"ConfigAttributeError|ConfigKeyError|MissingMandatoryValue|InterpolationKeyError|ConfigCompositionException|MissingConfigException|OverrideParseException|omegaconf\.errors\.\w{1,60}"
          r"|(?:pydantic\S{0,60}|pydantic_core\S{0,60})ValidationError|jsonschema\S{0,60}ValidationError|GrammarParseError"),
    _sign("config_error", 84, "error: unrecognized|error: argument|error: the following arguments|yaml.|error: Parser key|error: Validation failed|Primary config|required arguments",
          r"error: unrecognized arguments: (?P<key>.{1,200})|error: argument (?P<key2>\S{1,200}?)[:,]|error: the following arguments are required: (?P<key3>.{1,200})"
          r"|yaml\.(?:scanner|parser|constructor|composer|representer|reader)\.\w{1,40}Error|error: Parser key [\"'](?P<key4>[^\"']{1,200})|error: Validation failed"
          r"|Primary config \S{1,40} not found"),
    _sign("missing_dependency", 86, "ModuleNotFoundError|No module named|ImportError|cannot open shared object|command not found|No such file or directory|not installed|GLIBC|DistributionNotFound|PackageNotFoundError",
          r"ModuleNotFoundError: No module named '(?P<module>[^']{1,200})'|No module named '?(?P<module2>[\w.]{1,200})'?$|^ImportError: |[: ]ImportError: "
          r"|(?P<module3>\S{1,200}): cannot open shared object file|(?P<module4>[\w./+-]{1,100}): command not found|version `GLIBC\S{1,20}' not found"
          r"|env: .{0,3}(?P<module5>[\w.+-]{1,80}).{0,3}: No such file or directory|PackageNotFoundError|DistributionNotFound"),
    _sign("disk_full", 90, "No space left on device|Disk quota exceeded|ENOSPC|EDQUOT|设备上没有空间|Kein Speicherplatz|Espace insuffisant|Auf dem Gerät|unexpected pos",
          r"No space left on device|Disk quota exceeded|\bENOSPC\b|\bEDQUOT\b|设备上没有空间|Auf dem Gerät ist kein|Aucun espace disponible"
          r"|enforce fail at inline_container.{0,80}unexpected pos"),
    _sign("nan_loss", 86, "nan|NaN|Nan|NAN|inf|loss scale",
          r"[Ll]oss is (?:nan|NaN|inf|-inf)|[Nn]on-?finite (?:loss|grad)|FloatingPointError: (?:Minimum loss scale|.{0,40}(?:NaN|nan|inf))"
          r"|Minimum loss scale reached|(?:ValueError|RuntimeError|AssertionError|Exception|FloatingPointError|ArithmeticError): .{0,200}?\b(?:NaN|nan|NaNs|nans|non-finite)\b"
          r"|(?:returned|contains?|detected|found|produced|became|is) (?:a )?(?:NaN|nan)\b.{0,60}(?:loss|grad|abort|stop)|[Ll]oss (?:became|went|turned) (?:nan|NaN)"
          r"|(?:NaN|nan) (?:loss|gradient|values?) (?:detected|encountered|found)"),
    _sign("stop_iteration", 82, "StopIteration", r"^(?:\S{1,80}: )?StopIteration\b|Caught StopIteration in replica|generator raised StopIteration"),
    _sign("cuda_device", 88, "CUDA error|uncorrectable ECC|Xid|no CUDA-capable|CUDA driver|NVML|cudaError|CUDA-capable|GPU has fallen|Unable to determine the device handle|cuda runtime error|CUDA unknown error|No CUDA GPUs|cuInit|unspecified launch failure",
          r"uncorrectable (?:NVLink|ECC)|\bXid\b.{0,60}\d|no CUDA-capable device|No CUDA GPUs are available|CUDA driver (?:version is insufficient|initialization failed)"
          r"|CUDA unknown error|GPU has fallen off the bus|Unable to determine the device handle|CUDA error: (?:unspecified launch failure|invalid device ordinal|unknown error|initialization error|busy or unavailable|all CUDA-capable|an illegal (?:memory access|instruction)|misaligned|hardware)"
          r"|cuInit: CUDA_ERROR|CUDA-capable device\(s\) is/are busy"),
    _sign("python_exception", 60, "device-side assert", r"CUDA error: device-side assert triggered"),
    _sign("nccl", 60, "NCCL|Gloo|gloo|Watchdog|TCPStore|DistStoreError|DistBackendError|Connection closed by peer|Connection reset by peer|Socket Timeout|wait timeout|collective operation|ProcessGroup|rendezvous|Timed out initializing",
          r"Watchdog caught collective operation timeout|NCCL (?:error|timeout|WARN)|DistBackendError|DistStoreError|(?:ncclSystemError|ncclUnhandledCudaError|ncclInternalError|ncclRemoteError)"
          r"|[Cc]onnection (?:closed|reset) by peer|Timed out waiting \d{1,12}ms for (?:recv|send)|Socket Timeout|wait timeout after|RendezvousTimeoutError|Timed out initializing process group"
          r"|Some NCCL operations have failed or timed out|collective operation timeout"),
    _sign("segfault", 84, "egmentation|Segfault|segfault|SIGSEGV|Bus error|SIGBUS|core dumped|Speicherzugriff|Violación|段错误|signal: 11|signal 11|セグ|Signal 11",
          r"[Ss]egmentation (?:fault|violation)|\bSIGSEGV\b|\bSIGBUS\b|Bus error|Erreur de segmentation|Speicherzugriffsfehler|Violación de segmento|段错误|[Ss]ignal:? 11\b|Segmentation fault \(core dumped\)|killed by signal: (?:Segmentation fault|Bus error)"),
    _sign("data_error", 80, "DataLoader|datasets|FileNotFoundError|No such file|pyarrow|parquet|Parquet|LocalEntryNotFoundError|OfflineModeIsEnabled|HfHub|DatasetNotFound|Stale file|UnpicklingError|UnidentifiedImage|cannot identify image|Input/output error|BadZipFile|h5py|Corrupt|corrupt|truncated|ConnectionError|hub|DatasetGenerationError|Remote I/O",
          r"FileNotFoundError: |ArrowInvalid|pyarrow\.lib\.\w{1,40}|Parquet (?:magic|file)|LocalEntryNotFoundError|OfflineModeIsEnabled|DatasetNotFoundError|DatasetGenerationError"
          r"|Stale (?:NFS )?file handle|UnpicklingError|UnidentifiedImageError|cannot identify image file|Input/output error|BadZipFile|(?:JSON|CSV|Unicode)DecodeError"
          r"|We couldn't connect to|couldn't find .{0,120} in the cached files|[Ii]mage file is truncated|HfHubHTTPError|Unable to (?:synchronously )?open (?:file|object)|Remote I/O error"),
)

# The consequence of something else: never a cause where anything above explains it.
SYMPTOMS: tuple[Sign, ...] = (
    _sign("killed", 40, "Killed|killed|SIGKILL|SIGTERM|Terminated|signal: 9|signal 9|signal: 15|signal 15|Processus arr|已杀死|Getötet|SignalException|exitcode: -9|-9)|Terminado|終了|Matado|killed by signal",
          r"\bKilled\b|\bSIGKILL\b|Processus arrêté|已杀死|Getötet|\bMatado\b|(?:got )?[Ss]ignal:? (?:9|15)\b|exit ?code\s{0,3}: -9|signal: Killed|exit code -9"),
    _sign("cancelled", 35, "CANCELLED AT|KeyboardInterrupt", r"(?:JOB|STEP) \S{1,40} ON \S{1,80} CANCELLED AT|^KeyboardInterrupt"),
)
EXCEPTION = re.compile(r"^(?:\[?rank\s?\d{1,5}\]?:\s{0,3}|\s{0,4}\|\s{0,4}|\d{1,4}: )?(?P<name>(?:[A-Za-z_]\w{0,60}\.){0,6}[A-Z]\w{1,80}(?:Error|Exception|Interrupt|Exit|Iteration|Warning|Failure|Timeout|Fault|Invalid|NotFound|Missing))(?:: (?P<text>.{0,500}))?$")
SIZE = re.compile(r"(?:[Tt]ried to allocate|trying to allocate|to allocate|Unable to allocate) (?P<size>[\d.,]{1,20}\s?(?:[KMGT]i?B|bytes))")
EARLY_STOP = re.compile(r"(?i)early.?stop|stopping early|Trainer was signaled to stop|patience .{0,40}(?:exceeded|exhausted|reached)|hyperband|Monitored metric .{0,80} did not improve")
CHAINED = re.compile(r"The above exception was the direct cause|During handling of the above exception")
