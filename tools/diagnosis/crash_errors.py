"""What the errors of the machine mean: memory, disk, GPU, native code, and a loss that is no number."""

from __future__ import annotations

from tools.diagnosis.sign import sign

# fmt: off
_GPU_MEMORY = (
    sign("cuda_oom", 90, "out of memory", r"(?:CUDA|HIP|MPS backend|XPU) out of memory",
          r"(?i:cuda|hip) (?:driver )?(?:error|failure).{0,30}out of memory",
          r"cudaMalloc retry failed: out of memory|Error out of memory at line \d"
          r"|(?i:cuda|hip|gpu)\]?: out of memory"),
    sign("cuda_oom", 92, "cudaErrorMemoryAllocation", r"cudaErrorMemoryAllocation"),
    sign("cuda_oom", 90, "OutOfMemoryError", r"(?:torch|cupy|c10)\S{0,40}OutOfMemoryError"),
    sign("cuda_oom", 90, "CUDA_ERROR_OUT_OF_MEMORY|_ALLOC_FAILED",
          r"CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED"),
    sign("cuda_oom", 90, "OOM when allocating", r"OOM when allocating .{0,300}device:GPU"),
    # XLA asks its GPU allocator in these words; its CPU client says "Out of memory allocating N bytes".
    sign("cuda_oom", 89, "RESOURCE_EXHAUSTED",
          r"RESOURCE_EXHAUSTED: (?:Out of memory while trying|Failed to alloc)"),
    sign("cuda_oom", 89, "memory for the cache blocks|KV cache memory|GPU RAM|memory on device|memory on GPU"
          "|memory error on GPU"
          "|GPU memory try"
          "|memory space hbm",
          r"No available memory for the cache blocks|larger than the available KV cache memory|enough GPU RAM to fit",
          r"Out of memory on device|Free memory on device .{0,80}less than desired GPU memory",
          r"Out of memory error on GPU|Out of GPU memory trying to|Ran out of memory in memory space hbm"),
    # what torch's and XLA's allocators say where the driver refused memory
    sign("cuda_oom", 87, "NVML_SUCCESS == r|bytes for new constant|hipErrorOutOfMemory",
          r"NVML_SUCCESS == r INTERNAL ASSERT FAILED|Failed to allocate \d{1,20} bytes for new constant"
          r"|hipErrorOutOfMemory"),
    # raised by accelerate where every size it tried, down to none, ran out of memory
    sign("cuda_oom", 89, "No executable batch size", r"No executable batch size found"),
    # the same words end with "not a failure" where TensorFlow only goes a slower way
    sign("cuda_oom", 88, "ran out of memory",
          r"Allocator \(GPU_\d{1,3}_bfc\) ran out of memory (?!.{0,400}not a failure)"),
)

_HOST_MEMORY = (
    sign("host_oom", 90, "RESOURCE_EXHAUSTED", r"RESOURCE_EXHAUSTED: .{0,200}CpuDevice"),
    sign("host_oom", 88, "RESOURCE_EXHAUSTED", r"RESOURCE_EXHAUSTED: Out of memory allocating \d"),
    sign("host_oom", 88, "OOM when allocating", r"OOM when allocating .{0,300}device:CPU"),
    sign("host_oom", 88, "Unable to allocate", r"Unable to allocate [\d.]{1,20} \S{2,5}"),
    sign("host_oom", 88, "MemoryError|OutOfMemoryError()",
          r"Arr(?:ay|ow)MemoryError|(?:^|[\s.])MemoryError(?:$|:)|java\.lang\.OutOfMemoryError|OutOfMemoryError\(\)"),
    sign("host_oom", 88, "allocate memory|DefaultCPUAllocator|std::bad_alloc",
          r"Cannot allocate memory|DefaultCPUAllocator: (?:can't allocate|not enough memory)|std::bad_alloc"),
    sign("host_oom", 88, "not enough memory|memory allocation of|allocate vector of|malloc of size",
          r"Torch: not enough memory|memory allocation of \d{1,20} bytes failed|annot allocate vector of size",
          r"malloc of size \d{1,20} failed"),
    # Go, a C library, a shell, Dask: whose memory they mean is not the GPU's
    sign("host_oom", 70, "out of memory|memory budget",
          r"(?i)(?:fatal|error|abort\w{0,4}): .{0,60}\bout of memory$|exceeded \d{1,3}% memory budget"),
    sign("host_oom", 88, "Hauptspeicher|allouer de la m|分配内存|asignar memoria|メモリを確保",
          r"Nicht genügend Hauptspeicher|allouer de la mémoire|(?:无法|不能)分配内存|No se pudo asignar memoria",
          r"メモリを確保できません"),
    sign("host_oom", 88, "killed by signal: Killed", r"DataLoader worker .{1,80} is killed by signal: Killed"),
    sign("host_oom", 88, "low on memory", r"due to the node running low on memory"),
    # /dev/shm is memory: torch's workers die of a bus error, or can't write there, once it is full.
    sign("host_oom", 91, "shared memory|</torch_",
          r"insufficient shared memory|workers are out of shared memory|unable to write to file </torch_"),
)

_DISK = (
    sign("disk_full", 90, "left on device|disk is full|enough disk space|quota exceeded|ENOSPC|EDQUOT|rrno",
          r"No space left on device|database or disk is full|Not enough disk space|Disk quota exceeded"
          r"|quota exceeded|\bENOSPC\b|\bEDQUOT\b"
          r"|\[Errno (?:28|122)\]|\berrno = 28\b"),
    # numpy on a full disk; a limit on the size of files
    sign("disk_full", 84, "requested and|File too large", r"\d requested and \d{1,12} written|\[Errno 27\]"),
    sign("disk_full", 90,
          "设备上没有空间|超出磁盘限额|裝置上已無|Auf dem Gerät|Plattenplatz|Aucun espace|Débordement du quota"
          "|No queda espacio"
          "|Spazio esaurito|espaço disponível|свободного места|空き領域がありません|남은 공간이",
          r"设备上没有空间|超出磁盘限额|裝置上已無多餘空間|Auf dem Gerät ist kein|Der zugewiesene Plattenplatz"
          r"|Aucun espace disponible|Débordement du quota|No queda espacio|Spazio esaurito sul"
          r"|Não há espaço disponível"
          r"|не осталось свободного места|デバイスに空き領域がありません|장치에 남은 공간이 없음"),
    sign("disk_full", 84, "StreamWriter", r"PytorchStreamWriter failed writing"),
    # torch.save on a full disk, sometimes the only line that says so
    sign("disk_full", 86, "unexpected pos", r"inline_container.{0,80}unexpected pos"),
)

_LOSS = (
    sign("nan_loss", 86, "oss is |on-finite|onfinite|nfinite",
          r"[Ll]oss is (?:nan|NaN|inf|-inf|not finite)\b", r"[Nn]on-?finite (?:loss|grad)|[Ii]nfinite loss",
          r"gradients? .{0,80}is non-finite"),
    sign("nan_loss", 86, "loss scale", r"(?:Minimum loss scale|loss scale already at minimum)"),
    sign("nan_loss", 84, "nan|NaN",
          r"(?:Value|Runtime|Assertion|FloatingPoint|Arithmetic)Error: .{0,200}?\b(?:NaNs?|nans?)\b",
          r"\bException: .{0,200}?\b(?:NaNs?|nans?)\b", r"[Ll]oss (?:became|went|turned|is) (?:nan|NaN)",
          r"(?:returned|contains?|detected|found|produced|became) (?:a )?(?:NaN|nan)\b.{0,60}(?:loss|grad|abort"
          r"|stop)",
          r"(?:NaN|nan) (?:loss|gradients?) (?:detected|encountered|found)|TerminateOnNaN"),
    sign("nan_loss", 84, "Invalid loss|xploded|Monitored metric|/Inf|/inf|Nan in |NaN in |nan in |iverged"
          "|NaN loss during",
          r"Invalid loss, terminating|[Ll]oss exploded|Monitored metric .{0,80} = -?(?:nan|inf) is not finite"
          r"|\b[Nn]a[Nn]/[Ii]nf\b"
          r"|\bN?[Nn]a[Nn] in (?:the )?(?:loss|grad|summary)|NaN loss during training"
          r"|[Dd]iverged\b.{0,60}\b(?:nan|NaN)\b"),
    # what scipy and LAPACK say of the matrix that a diverged model hands them
    sign("nan_loss", 83, "invalid numeric entries|non-finite values",
          r"matrix contains invalid numeric entries|input matrix contained non-finite values"),
    sign("nan_loss", 83, "found invalid values", r"satisfy the constraint .{0,80}found invalid values"),
)

_GPU = (
    sign("cuda_device", 88, "ECC|Xid|off the bus|device handle|GPU is lost|GPU requires reset|NVMLError",
          r"uncorrectable (?:NVLink|ECC)|ECC error|\bXid\b.{0,60}\d|GPU has fallen off the bus|GPU is lost",
          r"Unable to determine the device handle|GPU requires reset|NVMLError_(?:DriverNotLoaded|GpuIsLost"
          r"|Unknown)"),
    sign("cuda_device", 88, "cudaGetDeviceCount", r"Unexpected error from cudaGetDeviceCount"),
    sign("cuda_device", 88, "CUDA|HIP GPUs|Cuda error|NVIDIA driver|cuInit",
          r"no CUDA-capable device|No (?:CUDA|HIP) GPUs are available|CUDA-capable device\(s\) is/are busy"
          r"|CUDA unknown error",
          r"CUDA driver (?:version is insufficient|initialization failed)|Found no NVIDIA driver|cuInit: CUDA_ERROR",
          r"CUDA error: (?:unspecified launch|invalid device ordinal|unknown error|initialization error|all CUDA-cap"
          r"|an illegal (?:memory access|instruction)|misaligned|hardware|device unavailable)",
          r"CUDA_ERROR_(?:NO_DEVICE|ECC_UNCORRECTABLE|DEVICE_UNAVAILABLE)",
          r"[Cc][Uu][Dd][Aa] error: (?:the launch timed out|system not yet|unspecified driver|invalid device"
          r"|no kernel image|device kernel image)"
          r"|NVIDIA driver on your system is too",
          r"on a CUDA device but torch\.cuda\.is_available|(?:Error|Exception): .{0,80}CUDA is not available",
          r"CUDAAccelerator can not run on your system"),
    sign("cuda_device", 88, "HIP error|ROCm-capable",
          r"no ROCm-capable device|HIP error: (?:invalid device ordinal|unknown|unspecified launch|.{0,20}illegal)"),
    # the libraries' word for a kernel that failed
    sign("cuda_device", 84, "EXECUTION_FAILED|NOT_INITIALIZED|_INTERNAL_ERROR|_MAPPING_ERROR",
          r"CU(?:BLAS|DNN|FFT|SPARSE|SOLVER)_STATUS_(?:EXECUTION_FAILED|NOT_INITIALIZED|INTERNAL_ERROR|MAPPING_ERROR)"),
    sign("cuda_device", 88, "CUDA_ERROR_|Cuda failure",
          r"(?<!cuInit: )CUDA_ERROR_(?:UNKNOWN|ILLEGAL_ADDRESS|LAUNCH_FAILED|NOT_INITIALIZED|SYSTEM_NOT_READY"
          r"|HARDWARE_STACK_ERROR|MISALIGNED_ADDRESS)",
          r"Cuda failure (?:\d{1,3} )?'(?:unknown error|uncorrectable|an illegal|unspecified|the launch|hardware)"),
    sign("cuda_device", 88, "HSA_STATUS_ERROR|access fault by GPU|Invalid device id",
          r"HSA_STATUS_ERROR_(?!OUT_OF_RES)|Memory access fault by GPU|AssertionError: Invalid device id"),
    sign("cuda_device", 86, "GPU devices|gpu backend|machine only has|/gpu|nvml error",
          r"No visible GPU devices|No supported gpu backend found|But your machine only has|doesn't support bf16/gpu",
          r"nvml error: driver not loaded"),
    # scripts look at the card and go on without it: a later error explains more
    sign("cuda_device", 59, "NVML|NVIDIA-SMI",
          r"NVIDIA-SMI has failed|Failed to initialize NVML: (?:Driver|Unknown|GPU access)"),
    # an index out of range in the training's own data shows as this; the device is sound
    sign("python_exception", 64, "device-side assert", r"device-side assert triggered"),
)

_NATIVE = (
    sign("segfault", 84, "egmentation|Segfault enc|SIGSEGV|us error|SIGBUS|ignal|exitcode|exit code|return code",
          r"[Ss]egmentation (?:fault|violation)|Segfault encountered|\bSIGSEGV\b|\bSIGBUS\b|\bBus error\b"
          r"|[Ss]ignal:? 11\b",
          r"Erreur de segmentation|(?:exit ?code|return code)\s{0,3}[:=]? ?-11\b"),
    sign("segfault", 84, "Speicherzugriff|Violación|段错误|セグメンテーション|Violazione|Erro de segm",
          r"Speicherzugriffsfehler|Violación de segmento|段错误|セグメンテーション違反|Errore di segmentazione"),
    sign("segfault", 84, "區段錯誤|Falha de segm|Ошибка сегмент|Naruszenie ochrony|세그멘테이션|egmenteringsfel"
          "|egmentatiefout",
          r"記憶體區段錯誤|Falha de segmentação|Ошибка сегментирования|Naruszenie ochrony pamięci"
          r"|세그멘테이션 (?:오류|결함)"
          r"|[Ss]egmenteringsfel|[Ss]egmentatiefout"),
    # the C library finds its heap broken; many healthy programs say so only while they end
    sign("segfault", 50, "free()|double free|prev_size|munmap_chunk|malloc()",
          r"double free or corruption|corrupted size vs\. prev_size|(?:free|munmap_chunk)\(\): invalid"
          r"|malloc\(\): \w"),
    sign("stop_iteration", 82, "StopIteration",
          r"^(?:\S{1,80}: )?StopIteration\b|Caught StopIteration in replica|generator raised StopIteration"),
)

# fmt: on

ERRORS = (*_GPU_MEMORY, *_HOST_MEMORY, *_DISK, *_LOSS, *_GPU, *_NATIVE)
