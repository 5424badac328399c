"""What commands have in common: the screen, the home, the agent, and `--json`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from trayagent.cli.client import Agent
from trayagent.cli.screen import Screen
from trayagent.settings.home import Home

Command = TypeVar("Command", bound=Callable[..., Any])

pass_screen = click.make_pass_decorator(Screen)


def json_option(command: Command) -> Command:
    """`--json`: answers for programs on stdout, errors as JSON on stderr."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.find_object(Screen).json = True  # type: ignore[union-attr]

    option = click.option(
        "--json", is_flag=True, expose_value=False, callback=remember, help="Print JSON."
    )
    return option(command)


def home() -> Home:
    """Where this user's agent keeps its things."""
    return Home.find(os.environ)


@contextlib.contextmanager
def agent() -> Iterator[Agent]:
    """The running agent. Raises NotRunningError."""
    found = Agent.of(home())
    try:
        yield found
    finally:
        found.close()
