"""Write the tables of the docs that come from the code: `.venv/bin/python packaging/docs.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from textwrap import dedent

import click
from docs_http import interface
from docs_lists import lists
from docs_settings import settings
from docs_walks import walks
from stamp import ROOT

import trayagent as package
from trayagent.cli.exits import MEANING
from trayagent.cli.main import SECTIONS, trayagent
from trayagent.model.errors import LOGIN_IS_GONE, SENTENCES, traits_of

HOUSE = """
`tests/test_house.py` holds this, and more: each foreign package has one home, files stay under 500 lines and
functions under 60, the model does no I/O and knows no clock, every task has a name and a group.

How one download goes:

1. A way in (`hook`, `agent/drops`, `agent/library`) hands *items* to the intake.
2. `agent/intake.py` checks them (`model/validation.py`, `model/urls.py`), finds what we have already, and writes
   rows in one transaction. Only then is the caller told "accepted".
3. `agent/queue/pool.py` lines up the next rows, fairly by host (`store/claims.py`). Each of its four slots takes the
   first and hands it to its resolver: `transfer` for a plain URL, `sites` for a video page, `sources` for an item of a
   library.
4. `transfer/attempt.py` is a coroutine that the engine drives, top to bottom. It asks through `net/request.py`, which
   follows redirects itself; `net/transport.py` moves the bytes and checks every address where it connects. They
   gather in memory or in `NAME.part`; `transfer/finish.py` verifies them, a settled record is noted, and the file
   gets its name.
5. A slot goes on with the next download at once; plain files follow each other in the engine's thread
   (`agent/queue/lineup.py`). What has ended and begun meanwhile is one transaction, a moment later
   (`store/transitions.py`). Then the events are published on the bus; tray, notifications, dashboard and SSE clients
   hear of it there, and nowhere else.

After a kill, the settled records tell first what has arrived without a row that says so: what has its name is
complete, and nobody is asked. What was active otherwise is queued again, and a `.part` file with a proof goes on where
it was.
"""
NOTE = "<!-- Made by packaging/docs.py from the code: change it there. -->"


def errors() -> str:
    """docs/errors.md."""
    rows = []
    for code, (sentence, action) in SENTENCES.items():
        traits = traits_of(code)
        again = "by itself" if traits.is_retryable or traits.blocks_folder else ""
        rows.append(f"| `{code}` | {sentence} | {action} | {again} |")
    return "\n".join(
        [
            "# Why a download fails",
            NOTE,
            "",
            "`trayagent why ID`, the dashboard, the notification and the HTTP API (`error` of a download) use the same",
            "words. *Again* says which are tried again by themselves, with growing pauses.",
            "",
            "| code | what happened | what to do | again |",
            "|---|---|---|---|",
            *rows,
            "",
            "A download that came with cookies or headers of its own says one thing more when it has failed:",
            f"*{LOGIN_IS_GONE}*",
            "",
        ]
    )


def architecture() -> str:
    """docs/architecture.md: what the package says of itself."""
    blocks = (package.__doc__ or "").rstrip().split("\n\n")
    shown = [f"```\n{dedent(one)}\n```" if one.startswith("    ") else one for one in blocks]
    return "\n\n".join(["# The house", NOTE, *shown, HOUSE.strip("\n"), "\n".join(walks())])


def commands() -> str:
    """docs/cli.md."""
    lines = [
        "# The command line",
        NOTE,
        "",
        "`trayagent` alone is `trayagent run`. Commands that read take `--json`; errors are then JSON on stderr.",
        "Progress bars appear on a terminal only; `NO_COLOR` is respected.",
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        *[f"| {code.value} | {meaning} |" for code, meaning in MEANING.items()],
    ]
    with trayagent.make_context("trayagent", [], resilient_parsing=True) as context:
        for title, names in SECTIONS.items():
            lines += ["", f"## {title}"]
            for name in names:
                command = trayagent.get_command(context, name)
                assert command is not None
                lines += described(command, f"trayagent {name}")
    return "\n".join([*lines, ""])


def described(command: click.Command, words: str) -> Iterator[str]:
    """A command: its usage, what it does, its options; a group's commands in turn."""
    with command.make_context(words, [], resilient_parsing=True) as context:
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                if not child.hidden:
                    yield from described(child, f"{words} {name}")
            return
        usage = " ".join(command.collect_usage_pieces(context))
        yield from [
            "",
            f"### `{words} {usage}`".replace(" [OPTIONS]", ""),
            "",
            _text(command.help or ""),
        ]
        records = [
            p.get_help_record(context) for p in command.params if isinstance(p, click.Option)
        ]
        options = [record for record in records if record is not None]
        if options:
            yield from ["", "| option | |", "|---|---|"]
            yield from (f"| `{_cell(names)}` | {_cell(help)} |" for names, help in options)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("[default: ", "[else ")


def _text(help: str) -> str:
    first, _, rest = help.partition("\b\n")
    return f"{first.strip()}\n\n```\n{rest}\n```" if rest else first.strip()


PAGES = {
    "architecture.md": architecture,
    "cli.md": commands,
    "configuration.md": settings,
    "errors.md": errors,
    "http.md": interface,
    "lists.md": lists,
}


def main() -> int:
    """Write all pages."""
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
