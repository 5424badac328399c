"""A batch: downloads that were asked for together."""

from __future__ import annotations

from msgspec import Struct

from trayagent.model.download import Via


class Batch(Struct, frozen=True):
    """A batch as others see it. `counts` has a number for every outcome and state that occurs."""

    id: str
    title: str
    via: Via
    list: str | None = None
    """The list file it came from."""
    counts: dict[str, int] = {}
    """`queued active paused completed failed cancelled duplicate rejected` -> how many entries."""
    created_at: str = ""
    finished_at: str | None = None
    undone_at: str | None = None
    first_error: str | None = None
    """The sentence of the first failed or rejected entry."""

    def __repr__(self) -> str:
        done = "finished" if self.finished_at else "running"
        return f"<Batch {self.id} {self.title}, {done}: {self.counts}>"


class Entry(Struct, frozen=True):
    """One line of a batch: what was asked, and what became of it."""

    line: int
    url: str
    download: str | None = None
    outcome: str | None = None
    path: str | None = None
    code: str | None = None
    message: str | None = None
