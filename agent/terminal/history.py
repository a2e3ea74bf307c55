"""What was typed in earlier chats, in the state folder, for nobody else to read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import History

from tools.text import Redactor

MAX_READ = 256 * 1024
"""Bytes of the file's end that are read; older lines stay in it."""
MAX_KEPT = 4_000
"""Characters of a request that is kept; what is longer was pasted."""


class KeptHistory(History):
    """One JSON string a line, the newest last. A file that can't be read or written means no history, not no chat."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        super().__init__()
        self._path, self._redactor = path, redactor

    def load_history_strings(self) -> Iterable[str]:
        """The newest first."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - MAX_READ))
                lines = file.read(MAX_READ).splitlines()
        except OSError:
            return
        for line in reversed(lines):
            try:
                typed = json.loads(line)
            except ValueError:
                continue  # the first of them may be cut
            if isinstance(typed, str):
                yield self._redactor.clean(typed)

    def store_string(self, string: str) -> None:
        """Keep one request, without secrets."""
        if len(string) > MAX_KEPT:
            return
        line = json.dumps(self._redactor.clean(string), ensure_ascii=False) + "\n"
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            file = os.open(self._path, flags, 0o600)
            try:
                os.fchmod(file, 0o600)
                os.write(file, line.encode("utf-8", "replace"))
            finally:
                os.close(file)
        except OSError:
            return
