"""What a benchmark is, and how its rounds are run and shown."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.measure import Case, Run, median, run
from tests.bench.server import Server


@dataclass(frozen=True)
class Goal:
    """Our figure divided by the peer's, or our own in absolute terms when there is no peer."""

    ours: str
    peer: str
    what: str
    """`wall`, `cpu` or `rss` (of ours alone, in MiB)."""
    most: float


@dataclass(frozen=True)
class Workload:
    """A folder of files on the server and the programs that fetch them.

    `prepare` makes the files once and returns the names expected in every output folder.
    """

    name: str
    about: str
    prepare: Callable[[Server], Sequence[str]]
    cases: Callable[[Server, Sequence[str]], Sequence[Case]]
    goals: Sequence[Goal] = field(default_factory=tuple)
    rounds: int = 5


def measure(workload: Workload, server: Server, scratch: Path, rounds: int | None) -> bool:
    """Run all cases in turn, round by round, compare the bytes, show the table; True: goals met."""
    names = workload.prepare(server)
    cases = [case for case in workload.cases(server, names) if shutil.which(case.command[0])]
    runs: dict[str, list[Run]] = {case.name: [] for case in cases}
    for number in range(1 + (rounds or workload.rounds)):
        for case in cases:
            out = scratch / "out"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            figures = run(case, out, scratch / "home")
            _compare(case, server.root, out, names)
            if number:  # the first round warms caches up
                runs[case.name].append(figures)
    shutil.rmtree(scratch / "out", ignore_errors=True)
    _show(workload, runs)
    missed = [goal for goal in workload.goals if not _judge(goal, runs)]
    return not missed


def _compare(case: Case, root: Path, out: Path, names: Sequence[str]) -> None:
    for name in names:
        if not filecmp.cmp(root / name, out / Path(name).name, shallow=False):
            raise RuntimeError(f"{case.name}: {name} differs")


def _show(workload: Workload, runs: dict[str, list[Run]]) -> None:
    base = next(iter(runs))
    print(f"\n{workload.name}: {workload.about}")
    print(f"  {'':34}{'wall s':>9}{'ratio':>8}{'CPU s':>9}{'ratio':>8}{'MiB':>7}")
    for name, figures in runs.items():
        wall, cpu = (ratio(runs, name, base, what) for what in ("wall", "cpu"))
        print(
            f"  {name:34}{median([r.wall for r in figures]):9.3f}{wall:8.2f}"
            f"{median([r.cpu for r in figures]):9.3f}{cpu:8.2f}{max(r.rss for r in figures) / 2**20:7.0f}"
        )


def ratio(runs: dict[str, list[Run]], one: str, other: str, what: str) -> float:
    """The median over the rounds of one figure divided by the other of the same round."""
    pairs = zip(runs[one], runs[other], strict=True)
    return median([getattr(a, what) / getattr(b, what) for a, b in pairs])


def _judge(goal: Goal, runs: dict[str, list[Run]]) -> bool:
    if goal.ours not in runs or (goal.peer and goal.peer not in runs):
        print(f"  -    {goal.ours} against {goal.peer}: not installed")
        return True
    if goal.peer:
        value = ratio(runs, goal.ours, goal.peer, goal.what)
        text = f"{goal.what} of {goal.ours} / {goal.peer} = {value:.2f}, at most {goal.most:.2f}"
    else:
        value = max(r.rss for r in runs[goal.ours]) / 2**20
        text = f"{goal.what} of {goal.ours} = {value:.0f} MiB, at most {goal.most:.0f}"
    print(f"  {'met ' if value <= goal.most else 'MISS'} {text}")
    return value <= goal.most
