"""Progress bars, where a person looks; on a pipe there are none and `rich` is never loaded."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from trayagent.cli.output import Screen, printable_line, printable_text, shorten
from trayagent.cli.wording import download_name

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars(Protocol):
    """Shows how several downloads move."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, download: Mapping[str, Any]) -> None:
        """The download as it is now."""

    def show_progress(self, id: str, received: int, size: int | None) -> None:
        """So many bytes of it are here."""

    def print(self, text: str) -> None:
        """A line of text above the bars; on a pipe it waits for `flush` or the end."""

    def flush(self) -> None:
        """Hand over the lines on a pipe."""


class NoBars:
    """For pipes and programs."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def show(self, download: Mapping[str, Any]) -> None:
        pass

    def show_progress(self, id: str, received: int, size: int | None) -> None:
        pass

    def print(self, text: str) -> None:
        # A write for each line would cost as much as a small file; see `get`. And where Python is told not
        # to buffer (PYTHONUNBUFFERED, as in many containers), each print is two.
        self._lines.append(text)

    def flush(self) -> None:
        if self._lines:
            self._screen.say("\n".join(self._lines), flush=False)
            self._lines.clear()  # not where that failed: the flush at the end has to fail, too
        self._screen.flush()


class LiveBars:
    """A bar for each download that is on its way."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._tasks: dict[str, TaskID] = {}
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, download: Mapping[str, Any]) -> None:
        """A bar comes when a download starts, and goes when it stops."""
        # A download that waits for its next try has no bar: its line would stand still for minutes.
        id, state = str(download["id"]), download["state"]
        if state != "active":
            task = self._tasks.pop(id, None)
            if task is not None:
                self._progress.remove_task(task)
            return
        if id not in self._tasks:
            self._tasks[id] = self._progress.add_task("", total=None)
        # Of one width, so that bars stand below each other.
        name = shorten(printable_line(download_name(download)), 30)
        self._progress.update(self._tasks[id], description=f"{name:30}")
        self.show_progress(id, int(download.get("received") or 0), download.get("size"))

    def show_progress(self, id: str, received: int, size: int | None) -> None:
        if id in self._tasks:
            self._progress.update(self._tasks[id], completed=received, total=size)

    def print(self, text: str) -> None:
        # Names of strangers' servers: `[red]` in one is text, and a number in it needs no colour.
        self._progress.console.print(printable_text(text), markup=False, highlight=False)

    def flush(self) -> None:
        pass


def bars(screen: Screen) -> Bars:
    """Bars for a terminal, none for anything else."""
    return LiveBars() if screen.live and not screen.json else NoBars(screen)
