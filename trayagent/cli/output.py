"""The one place that prints: tables and sentences for people, JSON for programs.

Names and messages come from strangers' servers. Whatever is printed for a person loses the characters
that could move a terminal's cursor, set its title or turn the reading direction.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

import click

from trayagent.cli import streams
from trayagent.model.errors import TrayagentError

COLOURS: Final[Mapping[str, str]] = {
    "active": "cyan",
    "completed": "green",
    "ok": "green",
    "present": "green",
    "failed": "red",
    "problem": "red",
    "rejected": "red",
    "paused": "yellow",
    "warning": "yellow",
    "missing": "yellow",
}


NARROWEST: Final = 10
"""Columns of a table's column that still say something."""


class Screen:
    """Where a command's words go; `json` is set by the option of that name.

    `unseen` says that nobody can read stderr: errors then have a window of their own.
    """

    def __init__(
        self, out: TextIO, err: TextIO, environ: Mapping[str, str], *, unseen: bool = False
    ) -> None:
        self._out = out
        self._err = err
        self.json = False
        self._open_line = False
        self._unseen = unseen
        self.live = out.isatty()
        """Whether a person looks: progress bars make sense."""
        # Asked once and before the first output: on Windows asking switches the console over.
        self._obeys = {id(stream): streams.obeys_escapes(stream) for stream in (out, err)}
        # https://no-color.org: set to anything but nothing.
        self.quiet_colour = "NO_COLOR" in environ and environ["NO_COLOR"] != ""
        for stream in (out, err):
            streams.accept_any_text(stream)
        # PowerShell reads what a program prints in a code page: plain ASCII is the same in all of them.
        self._ascii = sys.platform == "win32" or not is_utf8(out)

    def __repr__(self) -> str:
        return f"<Screen for {'a program' if self.json else 'a person'}{', live' if self.live else ''}>"

    @property
    def shows_errors(self) -> bool:
        """Whether what is said on stderr appears on the same terminal, among bars and lines."""
        return self.live and not self.json and self._err.isatty()

    @property
    def width(self) -> int:
        """Columns of the terminal; a pipe has no end."""
        if not self.live:
            return 1 << 16
        # A console of Windows begins a new line as soon as one is full.
        import shutil  # which loads every kind of archive

        return shutil.get_terminal_size().columns - (sys.platform == "win32")

    def say(self, text: str = "", word: str | None = None, *, flush: bool = True) -> None:
        """Text for a person; `word` (a state or verdict) gives it its colour."""
        self._end_line()
        print(self._colour(printable_text(text), word, self._out), file=self._out, flush=flush)

    def flush(self) -> None:
        """Hand over what was said."""
        self._out.flush()

    def warn(self, text: str) -> None:
        """A line on stderr."""
        print(printable_line(text), file=self._err, flush=True)

    def data(self, value: Any) -> None:
        """The answer for a program, whole."""
        print(json.dumps(value, indent=2, ensure_ascii=self._ascii), file=self._out, flush=True)

    def line(self, value: Any) -> None:
        """One of many answers for a program: JSON on one line."""
        print(json.dumps(value, ensure_ascii=self._ascii), file=self._out, flush=True)

    def raw(self, text: str) -> None:
        """Exactly these characters: for a file or another program to read."""
        self._out.write(text)
        self._out.flush()

    def live_line(self, text: str) -> None:
        """A line that the next one replaces; only where a person looks."""
        if self._obeys[id(self._out)] and not self.json:
            self._out.write(f"\r\x1b[K{shorten(printable_line(text), self.width - 1)}")
            self._out.flush()
            self._open_line = True

    def table(
        self, rows: Iterable[Sequence[str]], *, head: Sequence[str] = (), state: int | None = None
    ) -> None:
        """Aligned columns that fit the terminal; column `state` is coloured by its word, and never cut."""
        self._end_line()
        # A cell is one line: a name with a newline in it must not look like another row.
        cells = [[printable_line(cell) for cell in row] for row in rows]
        if head and cells:
            cells.insert(0, list(head))
        widths = (
            [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
            if cells
            else []
        )
        widths = column_widths(widths, self.width, state)
        for number, row in enumerate(cells):
            padded = [
                shorten(cell, width).ljust(width)
                for cell, width in zip(row[:-1], widths, strict=False)
            ]
            # The last column is not padded: copied lines would end in blanks.
            last = shorten(row[-1], max(widths[-1], NARROWEST))
            if state is not None and not (head and number == 0):
                padded[state] = self._colour(padded[state], row[state], self._out)
            print("  ".join([*padded, last]).rstrip(), file=self._out)
        self._out.flush()

    def facts(self, rows: Iterable[Sequence[str]]) -> None:
        """Names and values, a line each; the values whole, however long: they are there to be copied."""
        self._end_line()
        pairs = [(printable_line(name), printable_line(value)) for name, value in rows]
        room = max((len(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            print(f"{name.ljust(room)}  {value}".rstrip(), file=self._out)
        self._out.flush()

    def error(self, error: TrayagentError) -> None:
        """Why a command could not be done, and what to do next."""
        if self.json:
            value = {
                "error": {"code": error.code, "message": error.message, "action": error.action}
            }
            print(json.dumps(value, ensure_ascii=self._ascii), file=self._err, flush=True)
            return
        if self._unseen:  # started from a menu of Windows: a message in a window, or nobody sees it
            streams.show_message_box(
                "trayagent", "\n\n".join(filter(None, (error.message, error.action)))
            )
            return
        first, *more = error.message.splitlines() or [error.code]
        print(self._colour(printable_line(first), "problem", self._err), file=self._err)
        for text in [*more, *([error.action] if error.action else [])]:
            print(f"  {printable_line(text)}", file=self._err)
        self._err.flush()

    def _end_line(self) -> None:
        # A live line stays where it is until something is said below it; then it would be in the way.
        if self._open_line:
            self._out.write("\r\x1b[K")
            self._open_line = False

    def _colour(self, text: str, word: str | None, stream: TextIO) -> str:
        colour = COLOURS.get(word or "")
        shown = colour and self._obeys[id(stream)] and not self.quiet_colour
        return click.style(text, fg=colour) if shown else text


def is_utf8(stream: TextIO) -> bool:
    """Whether every letter can be written there; a stream of text alone has no encoding."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") in {
        "utf8",
        "utf8sig",
    }


def column_widths(widths: Sequence[int], room: int, kept: int | None) -> list[int]:
    """The widths of columns, two blanks between them, once the widest have given way; `kept` never does.

    Narrower than `NARROWEST` none gets by that: then a line is longer than the terminal.
    """
    narrowed = list(widths)
    while sum(narrowed) + 2 * (len(narrowed) - 1) > room:
        free = [(width, n) for n, width in enumerate(narrowed) if n != kept and width > NARROWEST]
        if not free:
            break
        # A column at a time, the widest: so that two long ones end up alike.
        narrowed[max(free)[1]] -= 1
    return narrowed


def printable_line(text: str) -> str:
    """The text without characters that could move a terminal's cursor or hide what is written."""
    # `isprintable` knows control characters, escapes, and what turns the reading direction (Cc, Cf).
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c in "\t\n" else "�" for c in text)


def printable_text(text: str) -> str:
    """Clean lines."""
    return "\n".join(printable_line(line) for line in text.split("\n"))


def shorten(text: str, room: int) -> str:
    """The text shortened to `room` characters: a name in its middle, a name with a note at its end."""
    if len(text) <= room:
        return text
    # Two blanks part a name from a note (see `show.listing`). Of a name alone its end is kept, too: the
    # ending says what it is.
    if "  " in text:
        return f"{text[: room - 1]}…"
    tail = (room - 1) // 2
    return f"{text[: room - 1 - tail]}…{text[len(text) - tail :]}"
