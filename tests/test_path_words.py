"""What is looked up once a folder is what every path by itself would say."""

from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st

from tools.sources.path_words import PathWords

WORDS = ["abc1", "run-7", "run_7", "48213", "48213_3", "7", "ab", "ü9zz", "out", "a_b", "lr.1", "x/ab", "-"]
NAMES = st.lists(st.sampled_from([*WORDS[:-2], "-", "_", ".", "checkpoint-"]), min_size=1, max_size=3).map("".join)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/ws/" + "/".join(parts))


def _names(path: str, word: str, roots: list[str]) -> bool:
    """Of one path, with all of it looked at."""
    start = next((len(root) for root in roots if path.startswith(root)), 0)
    numeric = word.replace("_", "").isdigit()
    text = os.path.dirname(path) if numeric else path
    if len(word) < 4:
        return word in text[start:].split("/")
    where = text.find(word, start)
    while where >= 0:
        around = text[where - 1 : where], text[where + len(word) : where + len(word) + 1]
        if not any(side.isalnum() or (numeric and side == "_") for side in around):
            return True
        where = text.find(word, where + 1)
    return False


@given(st.sets(PATHS, max_size=12), st.sets(PATHS, max_size=2), st.sets(st.sampled_from(WORDS), max_size=5))
@example({"/ws/outputs/abc1/checkpoint-7", "/ws/outputs/abc1/checkpoint-8", "/ws/abc1.pt"}, set(), {"abc1"})
@example({"/ws/48213/b/x.pt", "/ws/48213/b/c.pt"}, {"/ws/48213/b/c"}, {"48213"})
def test_a_folder_speaks_for_all_in_it(paths: set[str], more: set[str], runs: set[str]) -> None:
    known, roots = sorted(paths), sorted({"/ws", *more}, key=len, reverse=True)
    words = PathWords(known, roots, sorted(runs))
    for word in WORDS:
        alone = [path for path in known if word != "-" and _names(path, word, roots)]
        assert words.naming(word) == alone, word
