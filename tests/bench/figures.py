"""Figures of the agent itself, each against the bound it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.server import Server


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    what: str
    value: float
    most: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the promise holds."""
        return self.value <= self.most


@dataclass(frozen=True)
class Figures:
    """A way to take some figures of a running agent."""

    name: str
    about: str
    take: Callable[[Server, Path], Iterator[Figure]]

    def measure(self, server: Server, scratch: Path) -> bool:
        """Take and show them; True: all bounds hold."""
        print(f"\n{self.name}: {self.about}")
        figures = list(self.take(server, scratch))
        for figure in figures:
            print(
                f"  {'met ' if figure.met else 'MISS'} {figure.what:52}"
                f"{figure.value:10.2f} {figure.unit}, at most {figure.most:g}"
            )
        return all(figure.met for figure in figures)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
