"""Write the table of agent/rules.py's RULES into docs/guard.md. Run by `make table`; a test holds the two together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.rules import RULES, Need, Rule

PAGE = Path(__file__).with_name("guard.md")
BEGIN, END = "<!-- written by docs/table.py -->", "<!-- end -->"


def table(rules: Mapping[str, Rule]) -> str:
    """The rules as Markdown: one row an act."""
    lines = ["| Act | All of these were seen | And one of these | At most in one approval |", "|---|---|---|---|"]
    for verb, rule in rules.items():
        most = f"{rule.most}" if rule.most == rule.most_if_typed else f"{rule.most}; {rule.most_if_typed} (typed)"
        cells = (verb, _listed(rule.all_of), _listed(rule.any_of) or "–", most if rule.asks else "needs none")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(page: str, rules: Mapping[str, Rule]) -> str:
    """The page with its table made anew. Raises ValueError where its markers are gone."""
    before, after = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:before]}\n\n{table(rules)}\n\n{page[after:]}"


def _listed(needs: Sequence[Need]) -> str:
    return "<br>".join(f"{need.says}{'' if need.max_age is not None else ' *'}" for need in needs)


def main() -> None:
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), RULES), encoding="utf-8")


if __name__ == "__main__":
    main()
