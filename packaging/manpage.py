"""trayagent(1), made from the command line itself: `python packaging/manpage.py > trayagent.1`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click
from stamp import epoch

from trayagent import __version__
from trayagent.cli.exits import MEANING
from trayagent.cli.main import SECTIONS, trayagent

FILES = {
    "config.toml": "Settings; where it is: trayagent config path.",
    "runtime.json": "Address, port and process of the running agent.",
    "token": "The token of this machine's own programs.",
}


def page(when: float) -> str:
    """The whole page in mdoc(7); `when` is the date it carries."""
    lines = [
        f".Dd {_date(when)}",
        ".Dt TRAYAGENT 1",
        f".Os trayagent {__version__}",
        ".Sh NAME",
        ".Nm trayagent",
        ".Nd get videos, lists of links and image libraries onto the disk",
        ".Sh SYNOPSIS",
        ".Nm",
        ".Op Ar command Op Ar arguments",
        ".Sh DESCRIPTION",
        "Sits in the tray and downloads what the browser sends, what lists in the drop folder name,",
        "and what is missing of image libraries; four at a time.",
        "Without a command it starts the agent.",
        "Commands that read take",
        ".Fl -json .",
        ".Sh COMMANDS",
    ]
    with trayagent.make_context("trayagent", [], resilient_parsing=True) as context:
        for title, names in SECTIONS.items():
            lines += [f".Ss {title}", ".Bl -tag -width Ds"]
            for name in names:
                command = trayagent.get_command(context, name)
                assert command is not None
                lines += _command(command, name)
            lines += [".El"]
    lines += [
        ".Sh ENVIRONMENT",
        ".Bl -tag -width Ds",
        ".It Ev TRAYAGENT_HOME",
        "One folder for everything.",
        ".It Ev TRAYAGENT_SECTION__KEY",
        "A setting, such as",
        ".Ev TRAYAGENT_DOWNLOADS__WORKERS .",
        ".It Ev NO_COLOR",
        "No colours.",
        ".El",
        ".Sh FILES",
        ".Bl -tag -width Ds",
    ]
    lines += [line for name, says in FILES.items() for line in (f".It Pa {name}", _text(says))]
    lines += [".El", ".Sh EXIT STATUS", ".Bl -tag -width Ds"]
    lines += [line for code, says in MEANING.items() for line in (f".It {code.value}", _text(says))]
    return "\n".join([*lines, ".El", ""])


def _command(command: click.Command, words: str) -> Iterator[str]:
    with command.make_context(words, [], resilient_parsing=True) as context:
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                yield from _command(child, f"{words} {name}")
            return
        pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
        yield f".It Ic {_text(' '.join([words, *pieces]))}"
        yield from _lines((command.help or "").partition("\b\n")[0])
        options = [
            p.get_help_record(context) for p in command.params if isinstance(p, click.Option)
        ]
        if any(options):
            yield ".Bl -tag -width Ds -compact"
            for names, says in filter(None, options):
                yield f".It {_text(names)}"
                yield from _lines(says)
            yield ".El"


def _lines(text: str) -> Iterator[str]:
    """A sentence a line, as the format wants it."""
    for sentence in " ".join(text.split()).replace(". ", ".\n").splitlines():
        yield _text(sentence)


def _text(text: str) -> str:
    r"""Text that is no macro, whatever it begins with."""
    safe = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("–", r"\(en")
    safe = safe.replace("’", "'").replace("“", '"').replace("”", '"')
    return rf"\&{safe}" if safe[:1] in ".'" else safe


def _date(when: float) -> str:
    day = time.gmtime(when)
    return f"{time.strftime('%B', day)} {day.tm_mday}, {day.tm_year}"


if __name__ == "__main__":
    sys.stdout.write(page(epoch()))
