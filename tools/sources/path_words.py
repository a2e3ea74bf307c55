"""Words of paths: which checkpoints lie in a folder, or have a name, that holds the id of a run or a job."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

_WORD = re.compile(r"[^\W_]+")

_Group = tuple[str, int, Sequence[str]]
"""A folder with the slash behind it, where its part below the workspace or root begins, and the checkpoints in it."""


class PathWords:
    """Paths by their words: what the name of a folder says goes for all in it and is looked up once."""

    def __init__(self, paths: Sequence[str], roots: Sequence[str], runs: Iterable[str]) -> None:
        """``paths`` are sorted, ``roots`` the longest first; of the names of files only words of ``runs`` matter."""
        self._paths, self._roots = paths, roots
        self._groups = tuple(self._in_folders())
        self._first_words = {first[0] for run in runs if (first := _WORD.search(run))}
        self._by_word: dict[str, list[_Group]] = defaultdict(list)
        self._index_words()

    def naming(self, word: str) -> list[str]:
        """Paths of which a part holds the word whole. A number must be a folder's name, or stand alone in it:
        ``checkpoint-100`` is step 100 and no job, and ``48213_3`` is not job 48213.
        """
        first = _WORD.search(word)
        if first is None:
            return []
        numeric = word.replace("_", "").isdigit()
        indexed = numeric or first[0] in self._first_words
        found: list[str] = []
        for folder, start, paths in self._by_word.get(first[0], ()) if indexed else self._groups:
            if folder and _holds(folder, start, word, numeric):
                found += paths
            elif not numeric:
                where = start if "/" in word or not folder else len(folder)
                found += [path for path in paths if _holds(path, where, word, numeric)]
        return found

    def under(self, folder: str) -> list[str]:
        """Paths below a folder of this name."""
        first = _WORD.search(folder)
        groups = self._by_word.get(first[0], ()) if first else ()
        return [path for _, start, paths in groups for path in paths if f"/{folder}/" in path[start:]]

    def _in_folders(self) -> Iterator[_Group]:
        """Neighbours in one folder; without the folder and alone where a root's path ends within the name."""
        for folder, group in groupby(self._paths, lambda path: path[: path.rfind("/") + 1]):
            paths = tuple(group)
            if not any(root.startswith(folder) for root in self._roots):
                yield folder, start_below(folder, self._roots), paths
                continue
            for path in paths:
                start = start_below(path, self._roots)
                yield folder if start <= len(folder) else "", start, (path,)

    def _index_words(self) -> None:
        """By each word of a folder, and by the words of a name that a run's id begins with."""
        of_name: dict[str, set[str]] = {}
        for group in self._groups:
            folder, start, paths = group
            words = set(_WORD.findall(folder, start))
            for word in words:
                self._by_word[word].append(group)
            for path in paths:
                name = path[len(folder) or start :]
                told = of_name.get(name)
                if told is None:
                    told = of_name[name] = self._first_words.intersection(_WORD.findall(name))
                for word in told:
                    if word not in words:
                        self._by_word[word].append((folder, start, (path,)))


def _holds(text: str, start: int, word: str, numeric: bool) -> bool:
    """Whether the word stands whole in a part of a path, from ``start`` on."""
    if len(word) < 4:
        return word in text[start:].split("/")
    where = text.find(word, start)
    while where >= 0:
        before, after = text[where - 1 : where], text[where + len(word) : where + len(word) + 1]
        if not (before.isalnum() or after.isalnum() or (numeric and "_" in (before, after))):
            return True
        where = text.find(word, where + 1)
    return False


def start_below(path: str, roots: Iterable[str]) -> int:
    """Where the part below the workspace or root begins; 0 for a path outside."""
    return next((len(root) for root in roots if path.startswith(root)), 0)
