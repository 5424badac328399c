"""`completion`: what makes the Tab key know our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from trayagent.cli.options import pass_screen
from trayagent.cli.output import Screen

SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@pass_screen
@click.pass_context
def completion(ctx: click.Context, screen: Screen, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash        trayagent completion bash > ~/.local/share/bash-completion/completions/trayagent
    zsh         trayagent completion zsh > "${fpath[1]}/_trayagent"
    fish        trayagent completion fish > ~/.config/fish/completions/trayagent.fish
    powershell  trayagent completion powershell >> $PROFILE
    """
    # click writes the script, and the script asks this program at each Tab: it never goes stale.
    found = get_completion_class(shell)
    assert found is not None
    screen.raw(
        found(ctx.find_root().command, {}, "trayagent", "_TRAYAGENT_COMPLETE").source() + "\n"
    )
