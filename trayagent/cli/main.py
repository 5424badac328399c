"""The command `trayagent`: finds the command, loads only that, and ends every error in words.

what ends a command              what a person sees          exit code
-------------------------------  --------------------------  ------------------
it returns a number              -                           that number
TrayagentError                   its sentence and next step  exit_of(error)
click's errors                   its sentence, "See: …"      2
Ctrl-C                           "Interrupted."              130
nobody reads our output          nothing                     1
OSError                          the file and the reason     1
any other exception (our fault)  a sentence with its kind    1
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from trayagent.cli import streams
from trayagent.cli.exits import Exit, exit_of
from trayagent.cli.output import Screen
from trayagent.model.errors import SENTENCES, TrayagentError

SECTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "Start": {
        "run": "run:run",
        "get": "get.command:get",
        "demo": "demo:demo",
        "quit": "run:quit",
    },
    "Queue": {
        "add": "add:add",
        "list": "show:listing",
        "status": "show:status",
        "show": "show:show",
        "why": "show:why",
        "pause": "queue:pause",
        "resume": "queue:resume",
        "cancel": "queue:cancel",
        "retry": "queue:retry",
        "remove": "queue:remove",
        "clear": "queue:clear",
        "plan": "plan:plan",
        "undo": "queue:undo",
    },
    "Images": {
        "sync": "sync:sync",
        "source": "source:source",
        "engine": "engine:engine",
        "verify": "sync:verify",
    },
    "Desktop and browser": {
        "open": "desktop:open_",
        "dashboard": "desktop:dashboard",
        "pair": "desktop:pair",
        "extension": "extension:extension",
        "bookmarklet": "desktop:bookmarklet",
        "connect": "connect:connect",
        "mcp": "mcp:mcp",
        "autostart": "desktop:autostart",
    },
    "Care": {
        "config": "config:config",
        "sites": "sites:sites",
        "doctor": "doctor:doctor",
        "logs": "logs:logs",
        "completion": "completion:completion",
        "version": "run:version",
    },
}
"""Command -> where it lives: module and name inside `trayagent.cli`."""

HIDDEN: Final[Mapping[str, str]] = {"native-host": "native_host:native_host"}
"""What only programs start."""

HOMES: Final = {name: home for section in SECTIONS.values() for name, home in section.items()}


class Family(click.Group):
    """The group of all commands, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        # Imported here and not above: a command that is not asked for costs nothing, and `add` is instant.
        known = {**HOMES, **HIDDEN}
        if cmd_name not in known:
            return None
        module, _, name = known[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"trayagent.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], HOMES, n=1)
            hint = " To download it: trayagent add URL" if "://" in args[0] else ""
            hint = f" Did you mean '{near[0]}'?" if near else hint
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                loaded = [(name, self.get_command(ctx, name)) for name in commands]
                formatter.write_dl(
                    [(name, command.get_short_help_str(70)) for name, command in loaded if command]
                )


@click.group(
    cls=Family,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--version", is_flag=True, help="The same as trayagent version.")
@click.pass_context
def trayagent(ctx: click.Context, version: bool) -> None:
    """Gets media onto your disk: from the browser, from lists, from image libraries.

    Without a command it starts the agent.
    """
    if ctx.invoked_subcommand is None or version:
        name = "version" if version else "run"
        command = trayagent.get_command(ctx, name)
        assert command is not None
        with command.make_context(name, [], parent=ctx) as alone:
            code = command.invoke(alone)
        ctx.exit(code or 0)


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; the exit code of contract and documentation."""
    unseen = streams.open_closed_streams()
    if sys.platform == "win32":
        # Windows looks for programs in the current folder first: a `taskkill.exe` that lies among somebody's
        # downloads would run in place of the system's. The name is that of CreateProcess's documentation.
        os.environ.setdefault("NoDefaultCurrentDirectoryInExePath", "1")
    # `--json` is also an option of each command. But where the command line itself is wrong, click raises
    # before it has read it, and programs want that error as JSON, too.
    screen = Screen(sys.stdout, sys.stderr, os.environ, unseen=unseen)
    screen.json = "--json" in (sys.argv[1:] if args is None else args)
    try:
        answer: Any = trayagent.main(
            args=None if args is None else list(args),
            prog_name="trayagent",
            standalone_mode=False,
            obj=screen,
        )
        return int(answer or 0)
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except (click.Abort, KeyboardInterrupt):
        screen.warn("Interrupted.")
        return Exit.INTERRUPTED
    except click.ClickException as error:
        path = getattr(getattr(error, "ctx", None), "command_path", "trayagent")
        screen.error(TrayagentError("usage", error.format_message(), f"See: {path} --help"))
        return error.exit_code
    except TrayagentError as error:
        screen.error(error)
        return exit_of(error)
    except OSError as error:
        if streams.has_no_reader(error):
            # `trayagent list | head` is no error of anybody. Click ends like this where it sees it first.
            streams.discard_unread_output()
            return Exit.ERROR
        name = f"{error.filename}: " if error.filename else ""
        mend = "Check the path and its permissions." if error.filename else ""
        screen.error(TrayagentError("os_error", f"{name}{error.strerror or error}.", mend))
        return Exit.ERROR
    except Exception as error:  # the boundary: a person never sees a traceback
        if os.environ.get("TRAYAGENT_TRACEBACK"):
            raise
        return _report_bug(screen, error)


def _report_bug(screen: Screen, error: Exception) -> int:
    if isinstance(error.__cause__, KeyboardInterrupt):
        # Python 3.11 wraps one that comes while it makes a class, as it does in many an import.
        screen.warn("Interrupted.")
        return Exit.INTERRUPTED
    kind = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    sentence, action = SENTENCES["internal"]
    screen.error(TrayagentError("internal", f"{sentence[:-1]} ({kind}).", action))
    return Exit.ERROR
