"""What a model says, as a person sees it: rendered as it arrives, with every word of it, and nothing behind a word."""

from __future__ import annotations

import io
import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from agent.terminal.growing import Growing
from agent.terminal.inline import MAX_HELD, settled
from agent.terminal.markdown import Markdown
from agent.terminal.screen import Screen
from tools.text import Redactor

ANSWER = """\
## What died and why

Two of **five dead runs** can be resumed: *preempted* ones lost little. See [the sweep](https://wandb.ai/lab/p/sweeps/x)
or https://wandb.ai/lab/p/runs/e5f6a7b8, and `make run SWEEP=xk31p7 RUN=e5f6a7b8` goes on. 5 * 3 [4/5], __init__.py.

1. A first item that is long enough to be folded at sixty columns, since it goes on until it does not fit.
2. Second:
    - nested **item** with `code`

| JOB | Cause | What to do |
|-----|------:|---|
| 48213_3 | preempted | resume it with `make run`; it lost six minutes of training, no more |
| 48213_5 | **cuda oom** | halve the batch |

```yaml
batch: 4   # **no** emphasis, and a long comment that goes far beyond the columns of the terminal
```
> a quotation

A person can run: scancel -- 48213_4
    make run SWEEP=xk31p7 RUN=e5f6a7b8

Shall I resume e5f6a7b8 first?"""
_LINK = re.compile("\x1b]8;id=[0-9-]+;([^\x1b]*)\x1b\\\\(.*?)\x1b]8;;\x1b\\\\", re.S)
_STYLE = re.compile("\x1b\\[[0-9;]*m")


def _shown(*pieces: str, width: int = 60, colours: bool = False, **console: bool) -> str:
    out = io.StringIO()
    system = "standard" if colours else None
    markdown = Markdown(
        Console(file=out, width=width, force_terminal=True, color_system=system, highlight=False, **console)  # type: ignore[arg-type]
    )
    for piece in pieces:
        markdown.feed(piece)
    markdown.end()
    return out.getvalue()


def _seen(shown: str) -> str:
    """Without styles: what there is to read."""
    return _STYLE.sub("", _LINK.sub(r"\2", shown))


class TestArriving:
    @given(st.lists(st.integers(0, len(ANSWER)), max_size=60))
    @settings(max_examples=60, deadline=None)
    def test_it_looks_the_same_however_it_is_cut(self, cuts: list[int]) -> None:
        edges = [0, *sorted(cuts), len(ANSWER)]
        assert _shown(*(ANSWER[a:b] for a, b in pairwise(edges))) == _shown(ANSWER)

    def test_words_are_shown_before_their_line_ends(self) -> None:
        out = io.StringIO()
        markdown = Markdown(Console(file=out, width=60, force_terminal=True, color_system=None))
        markdown.feed("The first run died of memory, and the second of ")
        assert "The first run died of memory," in out.getvalue()
        markdown.feed("**something that is ")
        assert "something" not in out.getvalue(), "what is still open could change"
        markdown.feed("else** again and again ")
        assert "second of **something that is else**" in " ".join(out.getvalue().split())

    def test_a_mark_that_is_never_closed_holds_up_little(self) -> None:
        out = io.StringIO()
        markdown = Markdown(Console(file=out, width=60, force_terminal=True, color_system=None))
        markdown.feed("this `is not code " + "word " * (MAX_HELD // 5 + 1))
        assert "this `is not code" in out.getvalue()

    @given(st.text("a`*[]() \\", max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_what_is_settled_stays_as_it_is(self, line: str) -> None:
        assert 0 <= settled(line) <= len(line)
        assert settled(line) == 0 or line[settled(line)].isspace()

    def test_nothing_written_is_taken_back(self) -> None:
        """No cursor is moved, so that scrolling, resizing and logging a session do no harm."""
        shown = _shown(*ANSWER, colours=True)
        assert "\x1b" in shown
        assert not re.search("[\r\x1b]", _seen(shown))


class TestNothingIsHidden:
    @given(
        st.lists(
            st.sampled_from([
                "word", "48213_5",
                "*", "**", "***", "_", "__", "`", "``", "[", "](", ")", "](http://e.vil/", "!",
                "<!--",
                "-->", "<b>", "&lt;", "&#x202e;", "\\", "|", "|---|", "\n", "\n\n", "\n| a | b |\n|---|---|\n|",
                "~~", "#",
                "```", "\n```py\n", "> ", "- ", "1. ", "    ", "[x]: http://y", "https://a.b/c_d*e", "make ",
                ": make x",
                '"title"', " ", " ", "é", "юникод", "[k](javascript:x)",
            ]),
            max_size=40,
        ).map("".join)
    )  # fmt: skip
    @settings(max_examples=400, deadline=None)
    def test_every_letter_of_the_source_is_there(self, source: str) -> None:
        shown = _seen(_shown(source, colours=True))
        assert not Counter(filter(str.isalnum, source)) - Counter(filter(str.isalnum, shown))
        seen = iter(shown)  # and in its order, but for a table, whose cells are folded side by side
        assert "|---|" in source or not [char for char in source if char.isalnum() and char not in seen]

    def test_a_link_shows_where_it_goes_and_goes_where_it_shows(self) -> None:
        shown = _shown('See [https://wandb.ai/lab](https://evil.example/x "safe") or [logs](logs/1.out).', colours=True)
        assert _LINK.findall(shown) == [
            ("https://wandb.ai/lab", "\x1b[4mhttps://wandb.ai/lab\x1b[0m"),
            ("https://evil.example/x", "\x1b[4mhttps://evil.example/x\x1b[0m"),
        ]
        seen = " ".join(_seen(shown).split())
        assert seen == 'See https://wandb.ai/lab (https://evil.example/x "safe") or logs (logs/1.out).'

    @given(st.sampled_from([ANSWER, "[a](https://b.c/d?e=f&g) https://h.i/j). <https://k.l>"]), st.integers(20, 120))
    @settings(max_examples=20, deadline=None)
    def test_each_hyperlink_is_the_address_that_is_read(self, source: str, width: int) -> None:
        for target, text in _LINK.findall(_shown(source, colours=True, width=width)):
            assert _STYLE.sub("", text) == target

    @pytest.mark.parametrize(
        "text",
        [
            "![a chart](http://evil.example/x.png)", "before <!-- hidden --> after", "a <b>bold</b> word",
            "&lt;&#x202e;",
            "logs/*.out and logs/*.err", "a/**/b and c/**/d", "__init__.py and _x_", "[click](javascript:alert(1))",
            "2 * 3 * 4", r"C:\*x\*", "f(**kwargs) and g(**kwargs)", "[4/5000] steps", "~~struck~~",
        ],
    )  # fmt: skip
    def test_what_is_no_mark_is_shown_as_it_is(self, text: str) -> None:
        seen = _seen(_shown(text, colours=True)).strip("\n")
        assert seen.replace(" (http://evil.example/x.png)", "](http://evil.example/x.png)").replace("!a", "![a") == text

    def test_an_address_that_would_be_written_otherwise_is_no_link(self) -> None:
        text = "[here](https://wandb.ai/прогон)"
        assert _shown(text, colours=True) == f"{text}\n"

    def test_the_cells_that_markdown_would_drop(self) -> None:
        table = "| a | b |\n|---|---|\n| 1 | 2 | hidden |\n"
        assert _shown(table) == table

    def test_without_styles_the_marks_stay(self) -> None:
        assert _shown("## A **b** `c`") == "## A **b** `c`\n"
        assert _seen(_shown("## A **b** `c`", colours=True)) == "A b c\n"
        assert _seen(_shown("A **b** `c`", colours=True, no_color=True)) == "A b `c`\n", "bold is no colour"
        assert _LINK.search(_shown("https://a.b/", colours=True, no_color=True)), "nor is a link"


class TestScreens:
    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_tables_fit(self, width: int) -> None:
        rows = _shown(ANSWER, width=width).partition("JOB")[2].partition("```")[0].splitlines()
        assert max(map(cell_len, rows)) <= width
        assert any("48213_3" in row and "preempted" in row for row in rows)

    def test_a_table_that_does_not_fit_becomes_a_list(self) -> None:
        head = "| " + " | ".join(f"column{number}" for number in range(9)) + " |"
        shown = _shown(f"{head}\n|{'---|' * 9}\n| " + " | ".join(f"value-{number}" for number in range(9)) + " |")
        assert [line for line in shown.splitlines() if line] == [f"column{n}: value-{n}" for n in range(9)]

    @pytest.mark.parametrize(
        "command",
        [
            "    ./start.sh --config experiments/llm_glue_sweep.yaml --resume outputs/aaa1 **kept**",
            "make run SWEEP=xk31p7 RUN=e5f6a7b8 EXTRA=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "$ sbatch --array=0-3%2 experiments/sweep.sbatch experiments/llm_glue_sweep.yaml lab/proj/q7m2vd",
        ],
    )
    def test_a_command_is_one_line(self, command: str) -> None:
        assert f"\n{command}\n" in _seen(_shown(*f"Run:\n{command}\nNow?", colours=True))

    @pytest.mark.parametrize(
        ("line", "copied"),
        [
            ("It cancels nothing by itself. A person on the login node can run: scancel -- 48213_4",
             "scancel -- 48213_4"),
            ("Then run `sbatch experiments/s.sbatch experiments/llm_glue_sweep.yaml` on the login node",
             "sbatch experiments/s.sbatch experiments/llm_glue_sweep.yaml"),
            ("The long sweep is at https://wandb.ai/acme-laboratory/molecular-properties/sweeps/xk31p7 now",
             "https://wandb.ai/acme-laboratory/molecular-properties/sweeps/xk31p7"),
        ],
    )  # fmt: skip
    def test_what_is_there_to_be_copied_is_whole_within_prose(self, line: str, copied: str) -> None:
        shown = _seen(_shown(*f"{line}\n{line}", colours=True))
        assert shown.count(copied) == 2
        assert shown.count("\n") > 3, "the words around it are folded"

    def test_prose_is_folded_under_its_beginning(self) -> None:
        lines = _shown("- " + "word " * 30).splitlines()
        assert max(map(len, lines)) <= 60 and len(lines) == 3
        assert all(line.startswith("  word") and not line.endswith(" ") for line in lines[1:])

    def test_wide_letters_are_counted_as_wide(self) -> None:
        assert max(map(cell_len, _shown("界界界 " * 30).splitlines())) <= 60


class TestSecrets:
    KEYS = ("pass phrase of six words here", "sk-ant-" + "a1" * 20, "WANDB_API_KEY: " + "0a" * 20)
    REDACTOR = Redactor([KEYS[0], "first line\nsecond line of a key"])

    @given(
        st.lists(
            st.sampled_from([*KEYS, "first line\nsecond line of a key", "aws_secret_access_key = " + "x" * 40,
                             "one", " ", " ", "\n", "pass", "phrase of", "WANDB_API_KEY", "=", "\x1b[31m", "\u202e"]),
            max_size=30,
        ).map("".join),
        st.lists(st.integers(0, 900), max_size=40),
    )  # fmt: skip
    @settings(max_examples=400, deadline=None)
    def test_a_secret_cut_anywhere_is_removed_as_if_it_was_whole(self, text: str, cuts: list[int]) -> None:
        growing = Growing(self.REDACTOR)
        edges = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
        shown = "".join(growing.feed(text[a:b]) for a, b in pairwise(edges)) + growing.end()
        assert shown == self.REDACTOR.clean(text)

    def test_in_a_terminal_and_in_a_file(self) -> None:
        for terminal in (True, False):
            out = io.StringIO()
            console = Console(file=out, width=60, force_terminal=terminal, color_system=None)
            screen = Screen(console, console, self.REDACTOR)
            for char in f"It is {self.KEYS[0]}, \x1b[2Jand {self.KEYS[1]} too. \u202e Ok?":
                screen.text(char)
            screen.flush()
            said = " ".join(out.getvalue().split())
            assert said == "It is [secret removed], and [secret removed] too. \\u202e Ok?"


def test_a_file_gets_the_text_as_it_is() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=40), Console(file=io.StringIO()), Redactor())
    for char in ANSWER:
        screen.text(char)
    screen.flush()
    assert out.getvalue() == f"\n{ANSWER}\n"


def test_a_dumb_terminal_gets_no_escape_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("COLORTERM", raising=False)
    out = io.StringIO()
    console = Console(file=out, width=60, force_terminal=True)
    screen = Screen(console, console, Redactor())
    with screen.busy("explain_job", {"job": "48213_5"}):
        screen.text(ANSWER)
    screen.flush()
    assert "\x1b" not in out.getvalue() and "\r" not in out.getvalue()
    assert out.getvalue().startswith("· explain_job job=48213_5\n")
