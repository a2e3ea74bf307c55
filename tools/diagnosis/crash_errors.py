"""What the errors of a training mean: one row a wording, grouped by what was short, wrong or missing."""

from __future__ import annotations

from tools.diagnosis.sign import sign

# fmt: off
_GPU_MEMORY = (
    sign("cuda_oom", 90, "out of memory", r"(?:CUDA|HIP|MPS backend|XPU) out of memory",
          r"(?i:cuda) (?:driver )?(?:error|failure).{0,30}out of memory"),
    sign("cuda_oom", 90, "OutOfMemoryError", r"torch\.(?:cuda\.)?OutOfMemoryError"),
    sign("cuda_oom", 90, "CUDA_ERROR_OUT_OF_MEMORY|_ALLOC_FAILED",
          r"CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED"),
    sign("cuda_oom", 90, "OOM when allocating", r"OOM when allocating .{0,300}device:GPU"),
    # XLA asks its GPU allocator in these words; its CPU client says "Out of memory allocating N bytes".
    sign("cuda_oom", 89, "RESOURCE_EXHAUSTED",
          r"RESOURCE_EXHAUSTED: (?:Out of memory while trying|Failed to alloc)"),
    sign("cuda_oom", 89, "cache blocks", r"No available memory for the cache blocks"),
)

_HOST_MEMORY = (
    sign("host_oom", 90, "RESOURCE_EXHAUSTED", r"RESOURCE_EXHAUSTED: .{0,200}CpuDevice"),
    sign("host_oom", 88, "RESOURCE_EXHAUSTED", r"RESOURCE_EXHAUSTED: Out of memory allocating \d"),
    sign("host_oom", 88, "OOM when allocating", r"OOM when allocating .{0,300}device:CPU"),
    sign("host_oom", 88, "Unable to allocate", r"Unable to allocate [\d.]{1,20} \S{2,5}"),
    sign("host_oom", 88, "MemoryError", r"_?ArrayMemoryError|(?:^|[\s.])MemoryError(?:$|:)"),
    sign("host_oom", 88, "allocate memory|DefaultCPUAllocator|std::bad_alloc",
          r"Cannot allocate memory|DefaultCPUAllocator: (?:can't allocate|not enough memory)|std::bad_alloc"),
    sign("host_oom", 88, "killed by signal: Killed", r"DataLoader worker .{1,80} is killed by signal: Killed"),
    sign("host_oom", 88, "low on memory", r"due to the node running low on memory"),
    # /dev/shm is memory: torch's workers die of a bus error, or can't write there, once it is full.
    sign("host_oom", 91, "shared memory|</torch_",
          r"insufficient shared memory|workers are out of shared memory|unable to write to file </torch_"),
)

_CONFIG = (
    sign("config_error", 87, "ey '|Missing mandatory|Could not override",
          r"[Kk]ey '(?P<key>[^']{1,200})' is not in struct",
          r"Missing mandatory value: (?P<key2>\S{1,200})", r"Could not override '(?P<key3>[^']{1,200})'",
          r"Config(?:Attribute|Key)Error: Key '(?P<key4>[^']{1,200})"),
    sign("config_error", 86,
          "onfig|OverrideParse|MissingMandatory|GrammarParse|omegaconf.errors|terpolation",
          r"Config(?:Attribute|Key|Type|Value)Error|(?:MissingConfig|ConfigComposition|OverrideParse)Exception",
          r"(?:GrammarParse|InterpolationKey|InterpolationResolution)Error|MissingMandatoryValue",
          r"omegaconf\.errors\.\w{1,60}|[Pp]rimary config (?:module )?\S{1,80} not found",
          r"Could not find '(?P<key>[^']{1,200})'$"),
    sign("config_error", 86, "ValidationError", r"(?:pydantic|jsonschema)\S{0,60}ValidationError"),
    sign("config_error", 84, "error: ", r"\berror: unrecognized arguments: (?P<key>.{1,200})",
          r"\berror: (?:ambiguous option: |argument )(?P<key2>[^\s:,]{1,200})",
          r"\berror: the following arguments are required: (?P<key3>.{1,200})",
          r"\berror: Parser key [\"'](?P<key4>[^\"']{1,200})",
          r"\berror: (?:Validation failed|one of the arguments)"),
    sign("config_error", 84,
          "No such option|Missing option|Missing argument|Invalid value for|No such command",
          r"^Error: (?:No such (?:option|command)|Missing (?:option|argument)|Invalid value for):? "
          r"'?(?P<key>[^'\s]{1,100})"),
    sign("config_error", 84, "yaml.", r"yaml\.(?:scanner|parser|constructor|composer|reader)\.\w{1,40}Error"),
    sign("config_error", 83, "column ", r"^\s{0,4}in \"(?P<file>[^\"]{1,300})\", line \d{1,9}, column \d"),
    sign("config_error", 85, "FileNotFoundError", r"FileNotFoundError: .{0,300}\.(?:ya?ml|toml|ini|cfg)'?$"),
    sign("config_error", 84, "can't open file", r"can't open file '(?P<file>[^']{1,300})'"),
)

_MISSING = (
    sign("missing_dependency", 86, "No module named", r"No module named '?(?P<module>[\w.]{1,200})"),
    sign("missing_dependency", 85, "ImportError",
          r"ImportError: cannot import name '(?P<name>[^']{1,100})' from (?:partially initialized module )?"
          r"'(?P<module>[^']{1,200})'", r"ImportError: (?P<module2>[\w.+-]{1,100}\.so[\w.]{0,30}): ",
          r"\bImportError: "),
    sign("missing_dependency", 85, "PackageNotFound|DistributionNotFound|GLIBC|not compiled with CUDA",
          r"PackageNotFoundError: (?:No package metadata was found for )?(?P<module>[\w.-]{1,100})",
          r"DistributionNotFound",
          r"version `GLIBC\S{1,20}' not found|Torch not compiled with CUDA enabled"),
    # TensorFlow warns so of every library it can do without
    sign("missing_dependency", 59, "shared object file",
          r"(?P<module>[\w.+/-]{1,200}): cannot open shared object"),
    # a job script often goes on after `module: command not found`; what then kills it is the cause
    sign("missing_dependency", 58, "not found|introuvable|未找到命令|nicht gefunden|no se encontr",
          r"(?P<module>[\w./+-]{1,100}): (?:command not found|[Cc]ommande introuvable|未找到命令|orden no encontrada"
          r"|no se encontró la orden|Kommando nicht gefunden|Befehl nicht gefunden|not found$)"),
    sign("missing_dependency", 58, "env: |execve()",
          r"env: .{0,3}(?P<module>[\w.+-]{1,80}).{0,3}: No such file",
          r"execve\(\): (?P<module2>\S{1,100}): No such"),
    sign("missing_dependency", 57,
          "EnvironmentLocationNotFound|Unable to locate a modulefile|Could not find conda",
          r"EnvironmentLocationNotFound|Unable to locate a modulefile for '(?P<module>[^']{1,100})'"
          r"|Could not find conda environment: (?P<module2>\S{1,100})"),
)

_DISK = (
    sign("disk_full", 90, "left on device|quota exceeded|ENOSPC|EDQUOT",
          r"No space left on device|Disk quota exceeded|quota exceeded|\bENOSPC\b|\bEDQUOT\b"),
    sign("disk_full", 90,
          "设备上没有空间|超出磁盘限额|Auf dem Gerät|Aucun espace|Débordement du quota|No queda espacio",
          r"设备上没有空间|超出磁盘限额|Auf dem Gerät ist kein|Aucun espace disponible|Débordement du quota",
          r"No queda espacio"),
    # torch.save on a full disk, sometimes the only line that says so
    sign("disk_full", 86, "unexpected pos", r"inline_container.{0,80}unexpected pos"),
)

_LOSS = (
    sign("nan_loss", 86, "oss is |on-finite|onfinite|nfinite", r"[Ll]oss is (?:nan|NaN|inf|-inf)\b",
          r"[Nn]on-?finite (?:loss|grad)|[Ii]nfinite loss"),
    sign("nan_loss", 86, "loss scale", r"(?:Minimum loss scale|loss scale already at minimum)"),
    sign("nan_loss", 84, "nan|NaN",
          r"(?:Value|Runtime|Assertion|FloatingPoint|Arithmetic)Error: .{0,200}?\b(?:NaNs?|nans?)\b",
          r"\bException: .{0,200}?\b(?:NaNs?|nans?)\b", r"[Ll]oss (?:became|went|turned|is) (?:nan|NaN)",
          r"(?:returned|contains?|detected|found|produced|became) (?:a )?(?:NaN|nan)\b.{0,60}(?:loss|grad|abort|stop)",
          r"(?:NaN|nan) (?:loss|gradients?) (?:detected|encountered|found)|TerminateOnNaN|Invalid loss, terminating"),
    sign("nan_loss", 83, "found invalid values", r"satisfy the constraint .{0,80}found invalid values"),
)

_GPU = (
    sign("cuda_device", 88, "ECC|Xid|off the bus|device handle",
          r"uncorrectable (?:NVLink|ECC)|ECC error|\bXid\b.{0,60}\d|GPU has fallen off the bus",
          r"Unable to determine the device handle"),
    sign("cuda_device", 88, "cudaGetDeviceCount", r"Unexpected error from cudaGetDeviceCount"),
    sign("cuda_device", 88, "CUDA|NVIDIA driver|cuInit",
          r"no CUDA-capable device|No CUDA GPUs are available|CUDA-capable device\(s\) is/are busy|CUDA unknown error",
          r"CUDA driver (?:version is insufficient|initialization failed)|Found no NVIDIA driver|cuInit: CUDA_ERROR",
          r"CUDA error: (?:unspecified launch|invalid device ordinal|unknown error|initialization error|all CUDA-cap"
          r"|an illegal (?:memory access|instruction)|misaligned|hardware|device unavailable)",
          r"CUDA_ERROR_(?:NO_DEVICE|ECC_UNCORRECTABLE|DEVICE_UNAVAILABLE)"),
    # an index out of range in the training's own data shows as this; the device is sound
    sign("python_exception", 64, "device-side assert", r"device-side assert triggered"),
)

_NATIVE = (
    sign("segfault", 84, "egmentation|SIGSEGV|us error|SIGBUS|ignal: 11|ignal 11",
          r"[Ss]egmentation (?:fault|violation)|\bSIGSEGV\b|\bSIGBUS\b|\bBus error\b|[Ss]ignal:? 11\b",
          r"Erreur de segmentation"),
    sign("segfault", 84, "Speicherzugriff|Violación|段错误|セグメンテーション|Violazione|Erro de segm",
          r"Speicherzugriffsfehler|Violación de segmento|段错误|セグメンテーション違反|Errore di segmentazione"),
    sign("stop_iteration", 82, "StopIteration",
          r"^(?:\S{1,80}: )?StopIteration\b|Caught StopIteration in replica|generator raised StopIteration"),
)

_DATA = (
    # without the Hub a dataset's code is looked for on the disk: the FileNotFoundError is its consequence
    sign("data_error", 81,
          "couldn't connect to|OfflineMode|DatasetNotFound|DatasetGeneration|LocalEntryNotFound|HfHub",
          r"couldn't connect to|OfflineModeIsEnabled|DatasetNotFoundError|DatasetGenerationError",
          r"LocalEntryNotFoundError|HfHubHTTPError|couldn't find .{0,120} in the cached files"),
    sign("data_error", 80, "FileNotFoundError|NotADirectoryError", r"(?:FileNotFound|NotADirectory)Error: "),
    sign("data_error", 80, "pyarrow|Arrow|arquet",
          r"ArrowInvalid|pyarrow\.lib\.\w{1,40}|Parquet (?:magic|file)"),
    sign("data_error", 80, "tale |put error|emote I/O",
          r"Stale (?:NFS )?file handle|Input/output error|Remote I/O error"),
    sign("data_error", 80,
          "UnpicklingError|UnidentifiedImage|identify image|BadZipFile|DecodeError|truncated|tarfile",
          r"UnpicklingError|UnidentifiedImageError|cannot identify image file|[Ii]mage file is truncated|BadZipFile",
          r"(?:JSON|Unicode)DecodeError|tarfile\.ReadError|EOFError: Compressed file ended"),
    sign("data_error", 80, "Unable to ", r"Unable to (?:synchronously )?open (?:file|object)"),
    sign("data_error", 70, "No such file|没有那个|Aucun fichier|nicht gefunden|No existe el|そのような|non esistente",
          r"^(?:cp|mv|tar|rsync|unzip|ls|cat|gzip|ln|find|head|wget|curl): .{0,300}(?:No such file or directory"
          r"|没有那个文件或目录|Aucun fichier ou dossier|Datei oder Verzeichnis nicht gefunden"
          r"|No existe el (?:archivo|fichero)|そのようなファイルやディレクトリはありません"
          r"|File o directory non esistente)"),
)
# fmt: on

ERRORS = (
    *_GPU_MEMORY,
    *_HOST_MEMORY,
    *_CONFIG,
    *_MISSING,
    *_DISK,
    *_LOSS,
    *_GPU,
    *_NATIVE,
    *_DATA,
)
