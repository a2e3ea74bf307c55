"""A job that ended with exit code 0: COMPLETED proves nothing, what was trained does."""

from __future__ import annotations

from collections.abc import Sequence

from tools.compact import compact
from tools.data import Evidence, Progress
from tools.diagnosis.crash_lines import Hit
from tools.diagnosis.crash_patterns import DONE
from tools.diagnosis.reading import Reading
from tools.diagnosis.sign import EXCEPTION_WEIGHT, SLURM
from tools.diagnosis.verdict import Diagnosis, diverged, explained


@compact
class End:
    """A job (or one run of an agent job) that ended without a failure being said, and how far it got."""

    state: str | None
    elapsed_s: int | None
    reading: Reading | None
    progress: Progress
    epochs: float | None
    steps: int | None
    short_run_s: int
    ended: Evidence | None = None
    """The agent's word that the run is over, in a job that went on; else accounting says it."""
    training: bool = True
    """Something says that it was meant to train; a job that copies data may be short."""

    @property
    def said(self) -> Evidence:
        """Who says that it ended, without a failure."""
        if self.ended:
            return self.ended
        elapsed = f"{self.elapsed_s} s" if self.elapsed_s is not None else "an unknown time"
        return Evidence("sacct", "State", f"{self.state or 'exit code 0'} after {elapsed}")

    @property
    def reached(self) -> bool:
        """At its target; many scripts count epochs from 0, so one less is there too."""
        if self.epochs is not None and self.progress.epoch is not None:
            least = self.epochs - 1 - 1e-9 if self.epochs > 1 else self.epochs * 0.99
            return self.progress.epoch >= least
        if self.steps is not None and self.progress.step is not None:
            return self.progress.step >= self.steps - max(1, self.steps // 100)
        return False

    @property
    def done(self) -> bool:
        """The script's own word that its training came to its end."""
        return self.reading is not None and any(DONE.search(item.text) for item in self.reading.shown)

    @property
    def orderly(self) -> bool:
        """Done by its own word, and not short of a target that is known."""
        return self.done and (self.reached or (self.epochs is None and self.steps is None))

    @property
    def full(self) -> bool:
        """At its target with nothing rounded in its favour, unless the script itself says that it is done."""
        if self.done:
            return self.reached
        if self.epochs is not None and self.progress.epoch is not None:
            return self.progress.epoch >= self.epochs
        return self.reached


def judge(end: End, hits: Sequence[Hit], flags: list[str]) -> Diagnosis:
    """COMPLETED proves nothing: what was trained does."""
    progress = end.progress
    said = end.said
    shown = end.reading.shown if end.reading else ()
    if diverged(progress.losses):
        return Diagnosis("nan_loss", (*shown, said), flags=tuple(flags))
    best = next((hit for hit in hits if not hit.survived and hit.weight > 45), None)
    known = (end.epochs, progress.epoch) if end.epochs is not None else (end.steps, progress.step)
    if best is None and known[0] is not None and not end.reached:
        best = next((hit for hit in hits if hit.weight > 45), None)
    noise = best is not None and best.weight < EXCEPTION_WEIGHT
    excused = best is not None and (end.reached if noise else best.weight < SLURM and end.full)
    if (best is None and end.reached) or excused:
        return Diagnosis("none", (*shown, said), flags=tuple(flags))
    if best is not None:
        words = f"Slurm says {end.state or 'exit code 0'}, but the log shows {best.cause.replace('_', ' ')}"
        quiet = best.cause == "false_success" or end.ended is not None
        return explained(best, hits, None, () if quiet else (words,), flags)
    if "early_stopped" in flags:
        return Diagnosis("none", (*(end.reading.stopped if end.reading else ()), said), flags=tuple(flags))
    # the Hugging Face Trainer prints this only when its loop came to an orderly end, by a callback if not at the target
    if orderly := [item for item in shown if "train_runtime" in item.text]:
        return Diagnosis("none", (*orderly, said), flags=(*flags, "early_stopped"))
    trained = progress.epoch is not None or progress.step is not None
    measured = (end.epochs is not None and progress.epoch is not None) or (
        end.steps is not None and progress.step is not None
    )
    short = end.elapsed_s is not None and end.elapsed_s < end.short_run_s
    marked = (*flags, *(["short_run"] if short else []))
    if measured or (not trained and (end.epochs or end.steps)):
        at = f"epoch {progress.epoch:g}" if progress.epoch is not None else f"step {progress.step}" if trained else ""
        of = f"{end.epochs:g} epochs" if end.epochs else f"{end.steps} steps"
        reached = Evidence("log", progress.where or "", f"reached {at or 'nothing'} of {of}")
        return Diagnosis("false_success", (*shown, reached, said), flags=marked)
    if not trained and not end.training:
        return Diagnosis("none", (*shown, said), flags=(*flags, "no_training_seen: nothing says that it should train"))
    if not trained and short and end.reading:
        nothing = Evidence("log", end.reading.path, "no line of the log shows any training")
        return Diagnosis("false_success", (*shown, nothing, said), flags=marked)
    if trained or end.done:
        return Diagnosis("none", (*shown, said), flags=marked)
    return Diagnosis("unknown", (*shown, said), flags=tuple(flags))
