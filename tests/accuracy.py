"""How often the diagnosis is right on the labelled logs: ``python -m tests.accuracy [captured|written|unseen …]``.

Every case goes through the door that ``agent explain LOG FILES…`` uses: log text, what Slurm said, nothing else.
For each set it prints the figure, a confusion table, the share of evidence that shows the key fact, of progress and of
flags, and each wrong case; of a held-out set the figures alone. A measurement, not a test: it exits 0 unless a case
can't be read.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.layout import Thresholds
from tools.log_rows import from_logs
from tools.sources import log_files, logs
from tools.status import RunRow

ROOT = Path(__file__).parent.parent / "fixtures" / "logs"
SETS = {"captured": ROOT} | {name: ROOT / name for name in ("written", "unseen", "blind-seen", "unseen2")}
HELD_OUT = ("unseen2",)  # counted only: a case that is named gets tuned to
EVIDENCE_CHARS = 160
# a log that says 5 may mean the sixth epoch: counted from 0 or 1, begun or done
EPOCH_SLACK = 1.0


@dataclass(frozen=True)
class Judged:
    """One case: its label and what the product said."""

    name: str
    label: dict[str, Any]
    row: RunRow

    @property
    def right(self) -> bool:
        return self.row.cause in (self.label["cause"], *self.label["also_ok"])

    @property
    def evidence(self) -> str:
        return " / ".join(item.text for item in self.row.evidence)

    @property
    def shows_key(self) -> bool | None:
        """Whether the evidence shows the key fact; None where the label names none."""
        key = str(self.label["key_fact"] or "").casefold()
        return key in self.evidence.casefold() if key else None

    @property
    def missing_flags(self) -> list[str]:
        return [flag for flag in self.label.get("flags", ()) if not any(flag in seen for seen in self.row.flags)]

    @property
    def progress_errors(self) -> list[str]:
        """What the log tells of epoch, step and targets and the product read otherwise."""
        wrong = []
        for name, wanted in self.label.get("expect", {}).items():
            seen = getattr(self.row, name)
            slack = EPOCH_SLACK if name == "epoch" else 0
            if seen is None or abs(seen - wanted) > slack:
                wrong.append(f"{name} {seen} (label {wanted})")
        return wrong


def judge(folder: Path) -> Judged:
    """Classify one case. Raises OSError or ValueError where it can't be read."""
    label = json.loads((folder / "case.json").read_text())
    texts = []
    for file in log_files.with_streams([str(path) for path in sorted(folder.glob("job.*"))]):
        text = logs.read(file.path, file.stream)
        if text is None:
            raise OSError(f"{file.path}: can't be read")
        texts.append(text)
    row = from_logs(
        texts,
        state=label["state"],
        exit_code=label["exit_code"],
        elapsed_s=label["elapsed_s"],
        target_epochs=label["target_epochs"],
        thresholds=Thresholds(),
    )
    return Judged(folder.name, label, row)


def confusion(cases: Sequence[Judged]) -> str:
    """Label rows, verdict columns (20 causes at most), only those that occur; a dot for none."""
    counts = Counter((str(case.label["cause"]), case.row.cause) for case in cases)
    rows = sorted({label for label, _ in counts})
    columns = sorted({verdict for _, verdict in counts})
    letters = [chr(ord("A") + number) for number in range(len(columns))]
    wide = max(len(label) for label in rows)
    lines = [", ".join(f"{letter} {name}" for letter, name in zip(letters, columns, strict=True))]
    lines.append(" " * wide + "".join(f"{letter:>4}" for letter in letters))
    lines += [f"{label:<{wide}}" + "".join(f"{counts[label, c] or '.':>4}" for c in columns) for label in rows]
    return "\n".join(lines)


def report(name: str, cases: Sequence[Judged]) -> str:
    """The figures of one set and its wrong cases, a line each."""
    right = sum(case.right for case in cases)
    keys = [case.shows_key for case in cases if case.shows_key is not None]
    told = [case for case in cases if case.label.get("expect")]
    flagged = [case for case in cases if case.label.get("flags")]
    lines = [
        f"== {name}: {right}/{len(cases)} right ({100 * right / len(cases):.1f} %), "
        f"key fact in evidence {sum(keys)}/{len(keys)}, "
        f"progress {sum(not case.progress_errors for case in told)}/{len(told)}, "
        f"flags {sum(not case.missing_flags for case in flagged)}/{len(flagged)}",
    ]
    if name in HELD_OUT:
        return lines[0]
    lines.append(confusion(cases))
    for case in cases:
        said = case.evidence[:EVIDENCE_CHARS]
        if not case.right:
            lines.append(
                f"WRONG    {case.name}: label {case.label['cause']}, verdict {case.row.cause}, evidence {said!r}"
            )
        elif case.shows_key is False:
            lines.append(f"KEY      {case.name}: {case.label['key_fact']!r} is not in {said!r}")
        if case.progress_errors:
            lines.append(f"PROGRESS {case.name}: {', '.join(case.progress_errors)}")
        if case.missing_flags:
            lines.append(f"FLAGS    {case.name}: {', '.join(case.missing_flags)} not in {list(case.row.flags)}")
    return "\n".join(lines)


def main(names: Sequence[str]) -> int:
    """0, or 1 where a case can't be read, or 2 for a set that isn't there."""
    if unknown := [name for name in names if name not in SETS]:
        print(f"no such set: {', '.join(unknown)} (there are {', '.join(SETS)})", file=sys.stderr)
        return 2
    unread = 0
    for name in names or SETS:
        cases = []
        for folder in sorted(path.parent for path in SETS[name].glob("*/case.json")):
            try:
                cases.append(judge(folder))
            except (OSError, ValueError, KeyError) as error:
                unread += 1
                print(f"{folder}: {error}", file=sys.stderr)
        if cases:
            print(report(name, cases) + "\n")
    return 1 if unread else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
