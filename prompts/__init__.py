"""The words the model reads: rules and templates. Nothing of ours is imported here."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def read(name: str) -> str:
    """The text of one shipped prompt file. Raises FileNotFoundError for a name that isn't shipped."""
    return (files(__name__) / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    names = [entry.name for entry in files(__name__).iterdir() if entry.name.endswith(".j2")]
    return Environment(
        loader=DictLoader({name: read(name) for name in names}),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - the output is plain text for a model or a terminal, never HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def render(template: str, **values: Any) -> str:
    """One template filled in. A name the template uses and nobody gave raises jinja2.UndefinedError."""
    return _environment().get_template(template).render(**values)
