"""The part of a request that says what would be started: the argument lists themselves, word for word."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tools.acts import Action, Program


def runs(action: Action, indent: str, workspace: str) -> list[str]:
    """The programs of one act, in the order in which they are started."""
    lines = []
    for label, program in _programs(action):
        # what the person reads is the argument list itself, the whole of it
        lines += [f"{indent}{label}  {shlex.join(program.argv)}", *_in_folder(indent, program, workspace)]
    return lines


def runs_alike(actions: Sequence[Action], workspace: str) -> list[str]:
    """The same for several acts at once, where they differ in nothing but the ids that each line shows: the first one's
    programs, and which of their words are others' ids in the others. Else none."""
    if len(actions) < 2:
        return []
    shapes = [_shapes(action) for action in actions]
    if not shapes[0] or any(shape != shapes[0] for shape in shapes):
        return []
    lines = []
    for label, program in _programs(actions[0]):
        lines += [f" 1 {label}  {shlex.join(program.argv)}", *_in_folder("   ", program, workspace)]
    named = [_ids(action) for action in actions]
    own = [f"{name} for {value}" for name, value in named[0].items() if any(ids[name] != value for ids in named)]
    return [*lines, f" each other runs the same, with its own {' and its own '.join(own) or 'approval'}"]


def not_bound(actions: Sequence[Action]) -> list[str]:
    """What an approval can't be bound to, and what it is."""
    programs = [program for action in actions for _, program in _programs(action)]
    files = {path.rpartition("/")[2] for program in programs for path, _ in program.files}
    if not any(program.person for program in programs):
        return []
    bound = f"bound to the bytes of {', '.join(sorted(files))}; " if files else ""
    return [f" {bound}not bound: what those read or start themselves"]


def _programs(action: Action) -> list[tuple[str, Program]]:
    named = (("first", action.first), ("runs", action.program))
    return [(label, program) for label, program in named if program]


def _in_folder(indent: str, program: Program, workspace: str) -> list[str]:
    """Where it runs, which a person takes to be the workspace."""
    return [] if program.folder in ("", workspace) else [f"{indent}in    {program.folder}"]


def _ids(action: Action) -> dict[str, str]:
    return {name: value for name, value in action.identity if name in {"run", "sweep"} and value}


def _shapes(action: Action) -> tuple[tuple[str, str, str], ...]:
    """(label, command, folder) of each program with its ids taken out; nothing where they could not be put in again."""
    ids = {f"{{{name}}}": value for name, value in _ids(action).items()}
    shapes = []
    for label, program in _programs(action):
        whole = shlex.join(program.argv)
        shape = whole
        for name, value in ids.items():
            shape = shape.replace(value, name)
        filled = shape
        for name, value in ids.items():
            filled = filled.replace(name, value)
        if "{" in whole or filled != whole:
            return ()
        shapes.append((label, shape, program.folder))
    return tuple(shapes)
