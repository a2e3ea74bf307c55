"""A lab's own rules document, as the system prompt; also one whose text a wrong encoding has damaged."""

from __future__ import annotations

import codecs
from pathlib import Path

from agent.config_file import ConfigError

MAX_BYTES = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_LOST = "\ufffd"


def read_rules(path: Path) -> tuple[str, str]:
    """The text, and one line on what was wrong with its encoding, empty where nothing was. Raises ConfigError.

    UTF-8 that was read as Windows-1252, Latin-1 or Mac Roman and saved again, once or more often, is turned back
    (by ftfy, which leaves alone what only looks a little like it); UTF-16 is known by its mark or its zeros.
    """
    try:
        data = path.expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(f"rules: {path}: can't be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"rules: {path}: is larger than {MAX_BYTES >> 20} MiB: no rules document is")
    text, encoding = _decoded(data, path)
    if not text.strip():
        raise ConfigError(f"rules: {path}: is empty")
    said = [] if encoding == "UTF-8" else [f"it is {encoding}, not UTF-8, and was read as that"]
    if not text.isascii():
        import ftfy

        mended, steps = ftfy.fix_encoding_and_explain(text)
        if mended != text:
            turns = sum(step.action in {"decode", "apply"} for step in steps or ())
            often = f" {turns} times over" if turns > 1 else ""
            said.append(f"its text was damaged by a wrong encoding{often} and was repaired")
            text = mended
    if lost := text.count(_LOST):
        said.append(f"{lost} character{'s are' if lost > 1 else ' is'} lost for good")
    return text, f"rules: {path}: {'; '.join(said)}" if said else ""


def _decoded(data: bytes, path: Path) -> tuple[str, str]:
    """The text and the name of its encoding."""
    codec, name = next(((codec, name) for bom, codec, name in _BOMS if data.startswith(bom)), ("utf-8", "UTF-8"))
    if name == "UTF-8" and b"\0" in data:
        # without a mark: in Latin text the other half of each character is zero
        codec, name = ("utf-16-be" if data[:1] == b"\0" else "utf-16-le"), "UTF-16"
    try:
        return data.decode(codec), name
    except UnicodeDecodeError:
        if name != "UTF-8":
            raise ConfigError(f"rules: {path}: is no text: save it as UTF-8") from None
    import ftfy.bad_codecs  # noqa: F401 - brings the codec: Windows-1252 with the five bytes that have no letter

    return data.decode("sloppy-windows-1252"), "Windows-1252"
