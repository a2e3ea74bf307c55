"""What a look reads of run folders and logs, through what earlier looks have kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from tools.diagnosis import join, markers
from tools.diagnosis.reading import Reading
from tools.diagnosis.siblings import SIBLINGS
from tools.sources import configs, index, kept, log_files, logs, wandb_files
from tools.wandb_data import RunDir, SweepConfig, SweepParams

MAX_YAMLS = 5_000
FEW_ROWS, MAX_AGAIN = 200, 24
"""In a look at so many rows at most so many logs of runs that are over are read once more, with all their losses."""


def run_dirs(tree: index.Index, memory: kept.Kept) -> Callable[[], list[RunDir]]:
    """Every W&B run folder that answers: begun here, to be asked for later."""

    def one(path: str) -> RunDir:
        return wandb_files.read_run_dir(path, quick=True)

    result = memory.begin("run", tree.run_dirs, one, lambda _, entry: wandb_files.watched(entry))
    return lambda: [entry for entry in result()[0] if entry]


def sweep_params(tree: index.Index, memory: kept.Kept) -> Callable[[], list[SweepParams]]:
    """Every ``sweep-SWEEP/config-RUN.yaml``, as the run folders are."""

    def one(path: str) -> SweepParams | None:
        return wandb_files.read_sweep_params(path)

    def watched(path: str, _: SweepParams | None) -> tuple[str]:
        return (path,)

    result = memory.begin("sweep", tree.sweep_params, one, watched, many=kept.LIGHT)
    return lambda: [entry for entry in result()[0] if entry]


def sweep_configs(tree: index.Index, memory: kept.Kept) -> Callable[[], tuple[SweepConfig, ...]]:
    """The sweep YAMLs of the workspace, as the run folders are."""
    paths = tree.yamls[:MAX_YAMLS]
    result = memory.begin("yaml", paths, configs.read_sweep_config, lambda path, _: (path,))
    return lambda: tuple(config for config in result()[0] if config)


def parts(
    found: Mapping[str, Sequence[log_files.LogFile]], states: Mapping[str, str], memory: kept.Kept, *, detailed: bool
) -> dict[str, tuple[markers.RunPart, ...]]:
    """Job id -> the runs that its logs tell of."""

    def also(job: str) -> object:
        files = found[job]
        return states[job], detailed, tuple((file.path, file.stream, file.shared, file.overwritten) for file in files)

    jobs = list(found)
    read, _ = memory.begin(
        "log",
        jobs,
        lambda job: _parts(found[job], states[job], detailed=detailed),
        lambda job, _: [file.path for file in found[job]],
        also,
    )()
    return {job: own for job, own in zip(jobs, read, strict=True) if own}


def course_of(link: join.Link) -> str:
    """What the course of this run in this job is called."""
    return f"{link.job.id if link.job else ''}/{link.run or ''}"


def courses(
    links: Sequence[join.Link], found: Mapping[str, Sequence[log_files.LogFile]], memory: kept.Kept
) -> dict[str, Reading]:
    """The whole course of runs that are over, where too few of their sweep train now to be compared with each other."""
    training = dict.fromkeys(link.sweep for link in links if link.current and link.sweep)
    if len(links) > FEW_ROWS or len(training) * (SIBLINGS + 1) > MAX_AGAIN:
        return {}
    wanted: dict[str, join.Link] = {}
    for sweep in training:
        runs = {link.run for link in links if link.sweep == sweep and link.current}
        for link in links:
            told = link.job and link.job.id in found and link.part and link.part.reading
            if link.sweep == sweep and told and link.run and link.run not in runs and len(runs) <= SIBLINGS:
                runs.add(link.run)
                wanted[course_of(link)] = link

    def files(name: str) -> Sequence[log_files.LogFile]:
        job = wanted[name].job
        return found[job.id] if job else ()

    def again(name: str) -> tuple[Reading, ...]:
        reading = read_again(wanted[name].run, files(name))
        return (reading,) if reading else ()

    read, _ = memory.begin("course", list(wanted), again, lambda name, _: [file.path for file in files(name)])()
    return {name: reading for name, own in zip(wanted, read, strict=True) for reading in own or ()}


def read_again(run: str | None, files: Sequence[log_files.LogFile]) -> Reading | None:
    """The logs of one job anew, with the course of this run's losses, whatever its state."""
    parts = _parts(files, "RUNNING", detailed=True)
    return next((part.reading for part in parts if part.run == run or len(parts) == 1), None)


def _parts(files: Iterable[log_files.LogFile], state: str, *, detailed: bool) -> tuple[markers.RunPart, ...]:
    # a file that all tasks of an array write to tells nothing about one of them
    own = [file for file in files if not file.shared and not file.overwritten]
    texts = [text for file in own if (text := logs.read(file.path, file.stream))]
    return markers.parts(texts, state, detailed=detailed) if texts else ()
