"""What the errors of a training's surroundings mean: its configuration, its software and its data."""

from __future__ import annotations

from tools.diagnosis.sign import sign

# fmt: off
_CONFIG = (
    sign("config_error", 87, "ey '|Missing mandatory|Could not override",
          r"[Kk]ey '(?P<key>[^']{1,200})' is not in struct",
          r"Missing mandatory value: (?P<key2>\S{1,200})", r"Could not override '(?P<key3>[^']{1,200})'",
          r"Config(?:Attribute|Key)Error: Key '(?P<key4>[^']{1,200})"),
    sign("config_error", 86,
          "ConfigA|ConfigK|ConfigT|ConfigV|ConfigC|ConfigE|ConfigP|MissingConfig|rimary config|composing config"
          "|Could not find '|Could not load '|OverrideParse|MissingMandatory|GrammarParse|omegaconf.errors|terpolation",
          r"Config(?:Attribute|Key|Type|Value)Error|(?:MissingConfig|ConfigComposition|OverrideParse)Exception",
          r"(?:GrammarParse|InterpolationKey|InterpolationResolution)Error|MissingMandatoryValue",
          r"omegaconf\.errors\.\w{1,60}|[Pp]rimary config (?:module )?\S{1,80} not found",
          r"Could not (?:find|load) '(?P<key>[^']{1,200})'\.?$", r"[Pp]rimary config directory not found",
          r"Cannot find primary config '(?P<key2>[^']{1,200})'|raised while composing config|ConfigParsingError"),
    sign("config_error", 85, "merging override|could not be converted to|override_grammar|Multiple values for"
          "|nterpolation type|locating target|LexerNoViable",
          r"Error merging override (?P<key>[^=\s]{1,200})"
          r"|Value '.{0,200}' of type '\w{1,40}' could not be converted to",
          r"hydra\.cc/docs/\S{0,60}override_grammar|LexerNoViableAlt"
          r"|Multiple values for (?P<key2>\S{1,100})\. To over",
          r"Unsupported ?[Ii]nterpolation ?[Tt]ype|Error locating target '(?P<key3>[^']{1,200})'"),
    sign("config_error", 86, "ValidationError", r"(?:pydantic|jsonschema|marshmallow)\S{0,60}ValidationError"),
    sign("config_error", 84, "error: ", r"\berror: unrecognized (?:arguments:|option) (?P<key>.{1,200})",
          r"\berror: (?:ambiguous option: |argument )(?P<key2>[^\s:,]{1,200})",
          r"\berror: the following arguments are required: (?P<key3>.{1,200})",
          r"\berror: Parser key [\"'](?P<key4>[^\"']{1,200})",
          r"\berror: (?:Validation failed|Configuration check failed|one of the arguments)"),
    sign("config_error", 83, "No configurable matching|xistent config key|xistent key|received no value for",
          r"No configurable matching '(?P<key>[^']{1,200})|Non-existent (?:config )?key: (?P<key2>[\w.]{1,200})",
          r"^ERROR: The function received no value for the required argument: (?P<key3>\S{1,100})"),
    sign("config_error", 83, "is not in the| requires the ",
          r"KeyError: ['\"](?P<key>\S{1,80}) is not in the \S{1,60} registry",
          r"ValueError: --(?P<key2>\w{1,60}) requires the "),
    sign("config_error", 84, "DeepSpeed config values|has unknown keys",
          r"correct the following DeepSpeed config values|configuration file found at .{1,200} has unknown keys"),
    # a script's own words, where they speak of its configuration
    sign("config_error", 63, "config|cfg|yaml|Config",
          r"(?:Error|ERROR)\b.{0,120}\b(?i:required|missing|unknown|unrecognized|unexpected|invalid|duplicate) "
          r"(?i:config\w{0,10}|key|option|field|section|setting|parameter)s?\b.{0,120}(?i:config|cfg|yaml)"),
    # argparse: what a script itself finds wrong with its options
    sign("config_error", 83, ".py: error: ", r"^\S{1,200}\.py: error: "),
    sign("config_error", 84, "consume arg|HfArgumentParser|Unknown command line flag|Flags parsing|Flag"
          "|nrecognized options",
          r"Could not consume arg: (?P<key>\S{1,100})|not used by the HfArgumentParser: (?P<key2>.{1,200})",
          r"Unknown command line flag '(?P<key3>[^']{1,100})'|FATAL Flags parsing error|IllegalFlagValueError",
          r"flag --(?P<key4>[\w-]{1,100})=\S{0,60}: Flag|[Uu]nrecognized options: (?P<key5>[^│]{1,200})"),
    sign("config_error", 84,
          "No such option|Missing option|Missing argument|Invalid value for|No such command",
          r"^(?:Error:|│) (?:No such (?:option|command)|Missing (?:option|argument)|Invalid value for):? "
          r"'?(?P<key>[^'\s]{1,100})"),
    sign("config_error", 84, "yaml.", r"yaml\.(?:scanner|parser|constructor|composer|reader)\.\w{1,40}Error"),
    sign("config_error", 84, "You must specify '|ConfigDict' object|traitlets.config|TOMLDecode|TomlDecode"
          "|configparser.|dacite.|DeepSpeedConfigError|Check batch related",
          r"^You must specify '(?P<key>[^']{1,100})', e\.g|ConfigDict' object has no attribute '(?P<key2>[^']{1,100})"
          r"|traitlets\.config\.\S{1,60}Error|T(?:OML|oml)DecodeError|configparser\.\w{1,40}Error"
          r"|dacite\.exceptions\.|DeepSpeedConfigError"
          r"|Check batch related parameters"),
    # Lightning says so of calls in the code as well
    sign("config_error", 64, "MisconfigurationException", r"MisconfigurationException: "),
    sign("config_error", 83, "column ", r"^\s{0,4}in \"(?P<file>[^\"]{1,300})\", line \d{1,9}, column \d"),
    sign("config_error", 85, "FileNotFoundError", r"FileNotFoundError: .{0,300}\.(?:ya?ml|toml|ini|cfg)'?$",
          r"FileNotFoundError: .{0,300}['/]conf(?:ig)?s?/.{0,200}\.json'?$"),
    sign("config_error", 84, "can't open file", r"can't open file '(?P<file>[^']{1,300})'"),
)

_MISSING = (
    sign("missing_dependency", 86, "No module named",
          r"(?:ModuleNotFoundError|ImportError)\W.{0,300}?No module named '?(?P<module>[\w.]{1,200})",
          r"^\S{1,200}: No module named '?(?P<module2>[\w.]{1,200})"),
    # transformers names the reason in a line of its own, and many a library warns in the same words
    sign("missing_dependency", 84, "because of the following error",
          r"Failed to import \S{1,200} because of the following"),
    sign("missing_dependency", 61, "No module named", r"^No module named '?(?P<module>[\w.]{1,200})"),
    sign("missing_dependency", 85, "ImportError",
          r"ImportError: cannot import name '(?P<name>[^']{1,100})' from (?:partially initialized module )?"
          r"'(?P<module>[^']{1,200})'", r"ImportError: (?P<module2>[\w.+-]{1,100}\.so[\w.]{0,30}): ",
          r"\bImportError: "),
    sign("missing_dependency", 85, "PackageNotFound|DistributionNotFound|GLIBC|CXXABI|not compiled with CUDA",
          r"PackageNotFoundError: (?:No package metadata was found for )?(?P<module>[\w.-]{1,100})",
          r"DistributionNotFound",
          r"version `(?:GLIBC|CXXABI)\S{1,20}' not found|Torch not compiled with CUDA enabled"),
    sign("missing_dependency", 85, "shared object file", r"OSError: (?P<module>\S{1,200}): cannot open shared object"),
    sign("missing_dependency", 84, "CUDA_HOME|Ninja is req|torchvision::nms|there is no package"
          "|not found in current path",
          r"CUDA_HOME environment variable is not set|Ninja is required to load"
          r"|operator torchvision::nms does not exist|Could not run 'torchvision::nms'",
          r"there is no package called .(?P<module>[\w.]{1,80})"
          r"|Package (?P<module2>\S{1,80}) not found in current path"),
    # installed, but not of versions that fit one another
    sign("missing_dependency", 84, "undefined symbol|Numpy is not available|CUDA version|incompatible with"
          "|VersionConflict|binary incompatibility|Descriptors cannot|MKL FATAL",
          r"(?:Error|Exception): .{0,300}\bundefined symbol: |Numpy is not available|The detected CUDA version \("
          r"|(?P<module>\w{1,40}) version \S{1,30} is newer than and incompatible with|VersionConflict: "
          r"|may indicate binary incompatibility|Descriptors cannot be created directly|MKL FATAL ERROR: Cannot load"),
    # whoever raised it says how to install what it wants; one that is only logged may have been done without
    sign("missing_dependency", 64, "install",
          r"^\S{0,80}(?:Error|Exception): .{0,400}?(?:\b(?:pip3?|conda|uv|apt(?:-get)?) (?:install|add)\b"
          r"|\bnot installed\b|[Pp]lease install )"),
    sign("missing_dependency", 61, "install",
          r"\bERROR\b.{0,400}?(?:\b(?:pip3?|conda|uv|apt(?:-get)?) (?:install|add)\b|\bnot installed\b)"),
    sign("missing_dependency", 63, "extension|command '",
          r"Error (?:building|compiling objects for) extension|^error: command '(?P<module>[^']{1,80})' failed"),
    sign("missing_dependency", 58, "container",
          r"pyxis: container start failed|^FATAL: {1,6}container creation failed"),
    sign("missing_dependency", 58, "pyxis: |Unable to handle|no installed packages|Cannot activate",
          r"pyxis: \[ERROR\]|^FATAL: {1,6}Unable to handle \S|matches no installed packages|Cannot activate, prefix"),
    sign("missing_dependency", 60, "No matching distribution|No solution found",
          r"No matching distribution found for (?P<module>\S{1,80})|No solution found when resolving"),
    # TensorFlow warns so of every library it can do without
    sign("missing_dependency", 59, "shared object file",
          r"(?P<module>[\w.+/-]{1,200}): cannot open shared object"),
    # a job script often goes on after `module: command not found`; what then kills it is the cause
    sign("missing_dependency", 58, "not found|introuvable|到命令|nicht gefunden|no se encontr|no encontrada"
          "|non trovato|não encontrado|コマンドが見つ|команда не найдена|명령어를 찾을|nie znaleziono"
          "|kommandot finns",
          r"(?P<module>[\w./+-]{1,100})\s?: (?:command not found|[Cc]ommande introuvable|未找到命令|找不到命令"
          r"|orden no encontrada|no se encontró la orden|Kommando nicht gefunden|Befehl nicht gefunden|not found$"
          r"|comando non trovato|comando não encontrado|コマンドが見つかりません|команда не найдена|명령어를 찾을 수"
          r"|nie znaleziono polecenia"
          r"|kommandot finns inte)", r"\"(?P<module2>\S{1,100})\": executable file not found"),
    # the environment that the job script wanted to enter, or its Python
    sign("missing_dependency", 58, "Failed to spawn|pyxis: |/activate: |/python|/conda.sh: |binary file"
          "|could not open image",
          r"(?P<module>/\S{0,200}/(?:activate|python[\d.]{0,6}|conda\.sh)): (?:No such file|Aucun fichier"
          r"|Datei oder Verz|没有那个文件|No existe el|そのような|File o directory non)",
          r"Failed to spawn: `(?P<module3>[^`]{1,100})|pyxis: failed|cannot execute binary file"
          r"|FATAL: {1,6}could not open image (?P<module2>\S{1,200}):"),
    sign("missing_dependency", 58, "env: |execve()",
          r"env: .{0,3}(?P<module>[\w.+-]{1,80}).{0,3}: No such file",
          r"execve\(\): (?P<module2>\S{1,100}): No such"),
    sign("missing_dependency", 57,
          "EnvironmentLocationNotFound|Unable to locate a modulefile|Could not find conda|conda activate"
          "|Lmod has detected"
          "|are unknown: ",
          r"EnvironmentLocationNotFound|CommandNotFoundError: Your shell|Lmod has detected the following error"
          r"|module\(s\) are unknown: \"(?P<module3>[^\"]{1,100})"
          r"|Unable to locate a modulefile for '(?P<module>[^']{1,100})'"
          r"|Could not find conda environment: (?P<module2>\S{1,100})"),
)

_DATA = (
    # without the Hub a dataset's code is looked for on the disk: the FileNotFoundError is its consequence
    sign("data_error", 81,
          "couldn't connect to|OfflineMode|DatasetNotFound|DatasetGeneration|LocalEntryNotFound|HfHub",
          r"couldn't connect to|OfflineModeIsEnabled|DatasetNotFoundError|DatasetGenerationError",
          r"LocalEntryNotFoundError|HfHubHTTPError|couldn't find .{0,120} in the cached files"),
    sign("data_error", 80, "RepositoryNotFound|GatedRepo|EntryNotFound|RevisionNotFound|DataFilesNotFound|NonMatching"
          "|ExpectedMore|UnexpectedSplits|valid model identifier|appear to have a file",
          r"(?:Repository|Entry|Revision|DataFiles)NotFoundError|GatedRepoError|NonMatching(?:Splits"
          r"|Checksum)\w{0,20}Error",
          r"ExpectedMore(?:Downloaded|Splits)\w{0,10}|UnexpectedSplits|is not a valid model identifier"
          r"|does not appear to have a file named (?P<file>\S{1,100})"),
    sign("data_error", 72, "ConnectionPool|HTTPError: HTTP|urlopen error|botocore.",
          r"(?:Connection|Timeout|SSL|Proxy|Connect|Read)(?:Error|Timeout): HTTPS?ConnectionPool\(host='(?!api\.wandb)",
          r"URLError: <urlopen error|HTTPError: HTTP Error|botocore\.exceptions\.(?:NoCredentials|Client"
          r"|EndpointConnection)Error"),
    sign("data_error", 80, "find cache for|n_samples=|files in|ImageFileError|Dataset not found"
          "|not found or corrupted|num_samples should|Resource |find model '",
          r"Error: (?:Dataset|File|Metadata) not found(?: or corrupted)?|but got num_samples=0|With n_samples=0"
          r"|Found 0 files in|nibabel\S{1,40}ImageFileError",
          r"Couldn't find cache for \S{1,100} for config",
          r"^ {0,4}Resource '?(?P<file>\S{1,80}) not found\.|\[E050\] Can't find model '(?P<file2>[^']{1,100})"),
    sign("data_error", 80, "FileNotFoundError|NotADirectoryError", r"(?:FileNotFound|NotADirectory)Error(?:: |\(2)"),
    # torch and numpy on a file that was cut
    sign("data_error", 80, "unexpected EOF|Failed to interpret file|No data left in file|mmap length"
          "|Format not recogni",
          r"unexpected EOF, expected|Failed to interpret file|No data left in file|mmap length is greater than"
          r"|Error opening .{1,300}: Format not recogni"),
    sign("data_error", 80, "pyarrow|Arrow|arquet",
          r"ArrowInvalid|pyarrow\.lib\.\w{1,40}|Parquet (?:magic|file)"),
    sign("data_error", 80, "tale |put error|emote I/O",
          r"Stale (?:NFS )?file handle|Input/output error|Remote I/O error"),
    sign("data_error", 80, "ransport endpoint|Eingabe-/Ausgabe|Erreur d'entrée|输入/输出错误",
          r"Transport endpoint is not connected|transport endpoint shutdown|Eingabe-/Ausgabefehler"
          r"|Erreur d'entrée/sortie|输入/输出错误"),
    sign("data_error", 80,
          "UnpicklingError|UnidentifiedImage|identify image|BadZipFile|DecodeError|truncated|tarfile",
          r"UnpicklingError|UnidentifiedImageError|cannot identify image file|[Ii]mage file is truncated|BadZipFile",
          r"(?:JSON|Unicode)DecodeError|tarfile\.ReadError|EOFError: Compressed file ended"),
    sign("data_error", 80, "Ran out of input|StreamReader failed|deserializing|GzipFile|zlib.error|LZMAError"
          "|lmdb.|DataLoss",
          r"EOFError: Ran out of input|PytorchStreamReader failed|Error while deserializing header|BadGzipFile"
          r"|zlib\.error: |LZMAError: |lmdb\.(?:Corrupted|NotFound|Invalid)?Error: |DataLossError: "),
    sign("data_error", 80, "EmptyDataError|ParserError|such file|disk image is malformed|NotFoundError|empty()"
          "|InvalidData|Invalid data found|DECORDError|Libsndfile",
          r"pandas\.errors\.(?:EmptyData|Parser)Error|NotFoundError: .{0,300}; No such file"
          r"|zarr\.\S{0,40}NotFoundError"
          r"|database disk image is malformed|cv2\.error: .{0,200}empty\(\)|(?:Error|DECORDError|LibsndfileError): "
          r"(?:.{0,80}Invalid data found when|Error (?:reading|opening) )"),
    sign("data_error", 80, "Unable to |t read data|t synchronously read",
          r"Unable to (?:synchronously )?open (?:file|object)|Can't (?:synchronously )?read data"),
    sign("data_error", 70, "No such file|没有那个|Aucun fichier|nicht gefunden|No existe el|そのような|non esistente",
          r"^(?:cp|mv|tar|rsync|unzip|ls|cat|gzip|ln|find|head|wget|curl): .{0,300}(?:No such file or directory"
          r"|没有那个文件或目录|Aucun fichier ou dossier|Datei oder Verzeichnis nicht gefunden"
          r"|No existe el (?:archivo|fichero)|そのようなファイルやディレクトリはありません"
          r"|File o directory non esistente)"),
)
# fmt: on

INPUTS = (*_CONFIG, *_MISSING, *_DATA)
