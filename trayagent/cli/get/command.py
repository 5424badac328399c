"""The command `get`: what was typed, what a person sees, and Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from trayagent.cli import streams
from trayagent.cli.exits import InterruptedByUserError, MisuseError, exit_of_states
from trayagent.cli.options import home, item_options, item_words, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.cli.progress import Bars, bars
from trayagent.cli.wording import EMPTY_LIST, note_of
from trayagent.model.wording import show_count, show_duration, show_size

if TYPE_CHECKING:
    from trayagent.model.downloads import Download, Item
    from trayagent.model.settings import Config


MOST_LISTED: Final = 20
"""Failures that are listed at the end."""
GO_ON: Final = "The same command goes on from what has arrived, where the server allows it."


class _Segments(click.ParamType[str]):
    name = "1-16|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "auto" or (str(value).isdigit() and 1 <= int(value) <= 16):
            return str(value)
        return self.fail(f"{value!r} is neither a number from 1 to 16 nor auto.", param, ctx)


@click.command()
@click.argument("urls", nargs=-1, metavar="URL...")
@click.option("-i", "--input", "lists", multiple=True, metavar="LIST", help="A list; - is stdin.")
@click.option("-o", "--output", "folder", metavar="DIR", default=".", help="Where to (else: here).")
@item_options
@click.option("--workers", type=click.IntRange(1, 32), metavar="N", help="Downloads at a time.")
@click.option("--segments", type=_Segments(), help="Connections for one large file.")
@json_option
@pass_screen
def get(
    screen: Screen,
    /,
    urls: tuple[str, ...],
    lists: tuple[str, ...],
    folder: str,
    workers: int | None,
    segments: str | None,
    **words: Any,
) -> int:
    """Download and exit, without the agent; the same command goes on after an interruption."""
    if not urls and not lists:
        raise MisuseError("Nothing to get.", "See: trayagent get --help")
    common = item_words(words, len(urls) + 2 * len(lists))
    report = _Report(screen)
    # All of it before the first byte: a list that cannot be read stops the command, not half of it.
    items = list(_items(urls, lists, common, report))
    from msgspec.structs import replace

    from trayagent import settings

    # As flags they count for more than the settings file and the environment, and are checked like those.
    flags = {"downloads.workers": str(workers)} if workers else {}
    flags |= {"downloads.segments": segments} if segments else {}
    config = settings.load(home(), os.environ, flags)
    place = str(Path(folder).absolute())
    try:
        place.encode()
    except UnicodeEncodeError as error:
        # What we keep about unfinished files is JSON, which has no place for such a path.
        raise MisuseError(
            "The folder's path holds bytes that are no UTF-8.", "Choose another one with -o."
        ) from error
    config = replace(config, downloads=replace(config.downloads, folder=place))
    began = time.monotonic()
    try:
        with bars(screen) as shown:
            report.bars = shown
            ended = _run(config, items, workers, report)
    except KeyboardInterrupt:
        raise InterruptedByUserError(GO_ON) from None
    except BaseExceptionGroup as errors:
        if errors.subgroup(lambda one: isinstance(one, OSError) and streams.has_no_reader(one)):
            # Who read our output has gone: no more of it is wanted.
            raise BrokenPipeError(errno.EPIPE, "nobody reads") from errors
        raise
    return _conclude(screen, ended, report.refusals, time.monotonic() - began)


def _items(
    urls: tuple[str, ...], lists: tuple[str, ...], common: Mapping[str, Any], report: _Report
) -> Iterator[Item]:
    from trayagent.cli.lists import read_list
    from trayagent.model.downloads import Item

    yield from (Item(url, **common) for url in urls)
    for name in lists:
        for line in read_list(name):
            if line.item is not None:
                yield line.item
            elif line.error is not None:
                report.report_rejection(f"{name}, line {line.number}", *line.error)


def _run(config: Config, items: list[Item], workers: int | None, report: _Report) -> list[Download]:
    from trayagent import oneshot
    from trayagent.cli.get.downloader import Downloader, DownloaderSettings

    settings = DownloaderSettings(
        folder=Path(config.downloads.folder),
        workers=config.downloads.workers,
        # Who asks for so many at a time, mostly of one host, means it.
        per_host=max(config.downloads.per_host, workers or 0),
        retries=config.downloads.retries,
    )

    interruption = _Interruption()

    async def run() -> list[Download]:
        interruption.follow()
        downloader = Downloader(settings, report)
        await downloader.add(items)
        async with oneshot.open_oneshot(config, home(), os.environ, downloader) as engine:
            await downloader.run(engine)
        return downloader.results()

    with interruption:
        return asyncio.run(run())


class _Interruption:
    """Ctrl-C, and the signals that mean the same (the session ends, the terminal is closed).

    The first one cancels the run, which keeps what is here; further ones change nothing, since they would
    leave that half done. Raises KeyboardInterrupt once all is put away.

        before `follow`     noted; the run is cancelled as soon as it can be
        while it runs       the run is cancelled, once
        after the last file ignored: everything is here
    """

    def __init__(self) -> None:
        self._act: Callable[[], None] | None = None
        self._is_asked = False

    def follow(self) -> None:
        """From now on it cancels the task that calls this."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def act() -> None:
            with suppress(RuntimeError):  # the loop has ended: all is done
                loop.call_soon_threadsafe(task.cancel)

        self._act = act
        if self._is_asked:
            task.cancel()

    def _interrupt(self, *_: object) -> None:
        if not self._is_asked and self._act is not None:
            self._act()
        self._is_asked = True

    def __enter__(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # by nohup
                signal.signal(number, self._interrupt)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._is_asked and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise KeyboardInterrupt from None


class _Report:
    """Shows what becomes of each download as it happens: the downloader's ProgressListener."""

    bars: Bars | None = None

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.period = 0.1 if screen.live and not screen.json else None
        """Seconds between two looks at what runs; None: nobody looks."""
        self._flushing: asyncio.TimerHandle | None = None
        self._write_error: OSError | None = None
        self.refusals: list[dict[str, str]] = []

    def show(self, download: Download) -> None:
        """Where it stands; a line when it has ended."""
        if self._screen.live and self.bars is not None:
            self.bars.show(_plain(download))
        if self._screen.json or download.state == "active":
            return
        if download.state == "completed":
            doubt = f"  ({download.warning})" if download.warning else ""
            # On the screen a tenth of a second later at most: a write for each would cost as much as a
            # small file. What a write in between met is raised here, in the turn of the next file.
            if self._write_error is not None:
                raise self._write_error
            assert self.bars is not None
            self.bars.print(f"{download.path}{doubt}")
            if self._flushing is None:
                self._flushing = asyncio.get_running_loop().call_later(0.1, self._flush)
        else:
            action = download.error.action if download.error and download.state == "failed" else ""
            message = f"{note_of(_plain(download))} {action}".rstrip()
            self._print_reason(f"{_shown(download.url)}: {message}")

    def _flush(self) -> None:
        self._flushing = None
        assert self.bars is not None
        try:
            self.bars.flush()
        except OSError as error:
            # A timer has nobody to raise to: the next line raises it, in the task that prints.
            self._write_error = error

    def show_progress(self, id: str, received: int, size: int | None) -> None:
        """So many bytes of it are here."""
        if self.bars is not None:
            self.bars.show_progress(id, received, size)

    def report_rejection(self, url: str, code: str, message: str) -> None:
        """What will not be fetched, and why."""
        shown = _shown(url)
        self.refusals.append({"url": shown, "code": code, "message": message})
        if not self._screen.json:
            self._print_reason(f"{shown}: {message}")

    def _print_reason(self, line: str) -> None:
        """A reason, above the bars where there are some."""
        if self._screen.shows_errors and self.bars is not None:
            self.bars.print(line)
        else:
            self._screen.warn(line)


def _plain(download: Download) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(download)
    return found


def _shown(url: str) -> str:
    from trayagent.model.urls import redact

    return redact(url) if "://" in url else url[:200]


def _conclude(
    screen: Screen, ended: list[Download], refused: list[dict[str, str]], took: float
) -> int:
    saved = [download for download in ended if download.state == "completed"]
    total = len(ended) + len(refused)
    if screen.json:
        screen.data({"downloads": [_plain(download) for download in ended], "rejected": refused})
    elif not total:
        screen.say(EMPTY_LIST)
    # Of one file everything was said when it ended.
    elif total > 1:
        size = sum(download.size or 0 for download in saved)
        share = (
            show_count(total, "file")
            if len(saved) == total
            else f"{len(saved):,} of {total:,} files"
        )
        screen.say(f"{share} saved: {show_size(size)} in {show_duration(took)}.")
        if screen.live:
            # What is missing is said once more, together: between the bars it has scrolled away.
            failed = [(_shown(d.url), note_of(_plain(d))) for d in ended if d.state == "failed"]
            failed += [(each["url"], each["message"]) for each in refused]
            if failed:
                screen.say(f"{show_count(len(failed), 'file')} not saved:")
                for url, reason in failed[:MOST_LISTED]:
                    screen.say(f"  {url}: {reason}")
            if len(failed) > MOST_LISTED:
                screen.say(f"  … and {len(failed) - MOST_LISTED:,} more.")
    return exit_of_states([str(d.state) for d in ended] + ["rejected"] * len(refused))
