"""One YAML file that a person writes: its values, and the line each stands on, so that what is wrong can be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.compact import compact
from tools.sources.yaml_files import MAX_BYTES, affordable

if TYPE_CHECKING:
    from pydantic import ValidationError
    from yaml.nodes import Node

Place = tuple[str | int, ...]
"""Keys and list positions, from the outside in."""


_TOO_LARGE = "too large or too deeply nested"


class ConfigError(Exception):
    """A setting is wrong. One line that names the file, the field and what to do."""


@compact
class Settings:
    """The values of one file, none where it isn't there."""

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[Place, int] = field(default_factory=dict)

    def error(self, place: Place, told: str) -> ConfigError:
        """What is wrong at a place, with the line of it or of what it is in."""
        line = next((self.lines[place[:size]] for size in range(len(place), 0, -1) if place[:size] in self.lines), None)
        return ConfigError(f"{self.path}{f' line {line}' if line else ''}: {told}")

    def invalid(self, error: ValidationError) -> ConfigError:
        """What pydantic refused, as a person would say it."""
        entry = error.errors()[0]
        told = _WORDS.get(entry["type"]) or entry["msg"].removeprefix("Value error, ")
        # an entry of a list is counted as people count
        where = [f"entry {part + 1}" if isinstance(part, int) else f".{part}" for part in entry["loc"]]
        return self.error(entry["loc"], f"{' '.join(where).replace(' .', '.').lstrip('.')}: {told}")


def read_settings(path: Path) -> Settings:
    """A configuration file, which may be missing. Raises ConfigError, also for a key that is left empty."""
    found = read_mapping(path)
    for key, item in found.values.items():
        if item is None or (isinstance(item, str) and not item.strip()):
            raise found.error((key,), f"{key}: is empty: give it a value, or leave the line out")
    return found


def read_mapping(path: Path, most: int = MAX_BYTES) -> Settings:
    """A mapping in YAML of at most so many bytes. Raises ConfigError for anything else, and for a key named twice."""
    text = _text(path, most)
    if text is None:
        return Settings(path)
    import yaml

    try:
        if not affordable(text.encode()):
            raise ConfigError(f"{path}: {_TOO_LARGE}")
        value, tree = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        # where the quote or bracket was opened that is never closed, else where the reader stopped
        mark = getattr(error, "context_mark", None) or getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not YAML: {getattr(error, 'problem', None) or 'broken'}") from None
    if value is None:
        return Settings(path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: must be `key: value` lines")
    lines: dict[Place, int] = {}
    for place, line in _places(tree):
        if place in lines:
            raise ConfigError(
                f"{path} line {line}: {place[-1]!r} stands on line {lines[place]} already: keep one of them"
            )
        lines[place] = line
    return Settings(path, {str(key): item for key, item in value.items()}, lines)


def _text(path: Path, most: int) -> str | None:
    try:
        if not path.is_file():
            if path.exists() or path.is_symlink():
                raise ConfigError(f"{path}: is no file that can be read (a folder, a pipe or a broken link)")
            return None
        if path.stat().st_size > most:
            raise ConfigError(f"{path}: {_TOO_LARGE}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None


def _places(node: Node | None, above: Place = ()) -> Iterator[tuple[Place, int]]:
    """Every key and list entry with its line, one named twice twice."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*above, str(key.value))
            yield place, key.start_mark.line + 1
            yield from _places(value, place)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*above, number), value.start_mark.line + 1
            yield from _places(value, (*above, number))


_WORDS = {
    "tuple_type": 'must be a list, such as ["a", "b"]',
    "string_type": "must be text",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "greater_than": "must be greater than 0",
    "greater_than_equal": "must not be less than 0",
    "missing": "is missing",
    "date_from_datetime_parsing": "must be a date, such as 2026-11-01",
    "path_type": "must be a folder's path",
    "model_type": "must be `key: value` lines",
    "model_attributes_type": "must be `key: value` lines",
    "dataclass_type": "must be `key: value` lines",
    "dict_type": "must be `key: value` lines",
    "extra_forbidden": "is no known key",
    "unexpected_keyword_argument": "is no known key",
}
"""What pydantic says, as a person would say it."""
