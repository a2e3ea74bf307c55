"""What an exception without a known wording means, by who raised it: its class's library, or the innermost frame's.

A library that reads files fails for what it reads, one that parses settings for what was set.
"""

from __future__ import annotations

import re

from tools.data import Cause
from tools.seldom import seldom

_SETTINGS = (
    r"omegaconf|hydra|jsonargparse|pydantic\w{0,12}|marshmallow|jsonschema|schema|voluptuous|cerberus|dacite|click|typer|tyro"
    r"|simple_parsing|yaml|ruamel|tomli?|tomllib|configparser|gin|ml_collections|yacs|traitlets|confection|dynaconf"
)
_READERS = (
    r"PIL|h5py|tarfile|zipfile|gzip|lzma|lmdb|zarr|netCDF4|rasterio|fiona|soundfile|audioread|nibabel|pydicom|tifffile"
    r"|pyarrow|polars|duckdb|fsspec|s3fs|gcsfs|botocore|aiohttp|google\.(?:api_core|cloud)|azure|urllib3?|httpx|httpcore"
    r"|webdataset|decord|torchcodec|huggingface_hub|safetensors|requests\.exceptions|pandas\.errors|datasets\.exceptions"
)
_INSTALLED = r".{0,600}(?:site|dist)-packages/"
_OF_PYTHON = r".{0,600}/lib(?:64)?/python[\d.]{1,6}/"
_BY_ORIGIN: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (
        "config_error",
        seldom(
            rf"(?:{_SETTINGS})\.\S|{_INSTALLED}(?:{_SETTINGS})(?:/|\.py\")|{_OF_PYTHON}(?:argparse|configparser|tomllib)\b"
            rf"|{_INSTALLED}transformers/(?:hf_argparser|training_args)\.py\""
        ),
    ),
    (
        "data_error",
        seldom(
            rf"(?:{_READERS})\.\S"
            rf"|{_INSTALLED}(?:PIL|h5py|rasterio|nibabel|pydicom|tifffile|zarr|netCDF4|webdataset|decord|torchcodec|fsspec"
            r"|s3fs|gcsfs|botocore|pyarrow|pandas/io|torchvision/io|torchaudio/_?backend|huggingface_hub)/"
            rf"|{_INSTALLED}(?:soundfile|torchvision/datasets/folder|numpy/lib/_?(?:npyio|format)\w{{0,8}}"
            r"|datasets/(?:load|builder|data_files|arrow_reader|utils/file_utils))\.py\""
            rf"|{_OF_PYTHON}(?:tarfile|zipfile|gzip|lzma|json/decoder)\b"
        ),
    ),
)


def by_origin(origin: str) -> tuple[Cause, int]:
    """Its cause, and how much more it explains than an exception of unknown meaning.

    ``origin`` is the dotted name of the class and, where known, the traceback's innermost line of a file.
    """
    for cause, pattern in _BY_ORIGIN:
        if "wandb" not in origin and pattern.match(origin):
            return cause, 1
    return "python_exception", 0
