"""Exit codes: what a script may rely on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import IntEnum
from typing import Final

from trayagent.model.errors import ConfigError, NotFoundError, TrayagentError


class Exit(IntEnum):
    """How a command ended."""

    # Scripts rely on these numbers: none ever gets another meaning. 2 is click's own for a wrong
    # command line, and 130 is what shells report of Ctrl-C (128 + SIGINT).
    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_RUNNING = 3
    NO_SUCH_ID = 4
    REFUSED = 5
    SOME_FAILED = 6
    INTERRUPTED = 130


MEANING: Final[dict[Exit, str]] = {
    Exit.OK: "Everything asked for was done.",
    Exit.ERROR: "It failed; of several things, all failed.",
    Exit.USAGE: "The command line or the settings cannot be understood.",
    Exit.NOT_RUNNING: "The agent is not running.",
    Exit.NO_SUCH_ID: "There is no download, batch, source or client of that name.",
    Exit.REFUSED: "The agent refused: not allowed, or not possible in that state.",
    Exit.SOME_FAILED: "Some of several things failed.",
    Exit.INTERRUPTED: "Interrupted with Ctrl-C.",
}


class MisuseError(TrayagentError):
    """What was typed cannot be done as typed; found after parsing."""

    def __init__(self, message: str, action: str = "") -> None:
        super().__init__("usage", message, action)


class NotRunningError(TrayagentError):
    """No agent answers."""

    def __init__(self, message: str = "The agent is not running.") -> None:
        super().__init__("not_running", message, "Start it with: trayagent run")


class InterruptedByUserError(TrayagentError):
    """Ctrl-C, where there is more to say than that."""

    def __init__(self, action: str) -> None:
        super().__init__("interrupted", "Interrupted.", action)


class RefusedError(TrayagentError):
    """The agent said no (HTTP 401, 403, 409, 421, 429)."""


def exit_of(error: TrayagentError) -> Exit:
    """The exit code of an error that ends a command."""
    match error:
        case NotRunningError():
            return Exit.NOT_RUNNING
        case NotFoundError():
            return Exit.NO_SUCH_ID
        case RefusedError():
            return Exit.REFUSED
        case InterruptedByUserError():
            return Exit.INTERRUPTED
        case ConfigError() | MisuseError():
            return Exit.USAGE
        case _:
            return Exit.ERROR


def exit_of_several(count: int, errors: Sequence[TrayagentError]) -> Exit:
    """The exit code when `count` things were asked and these errors came back."""
    if not errors:
        return Exit.OK
    if len(errors) < count:
        return Exit.SOME_FAILED
    # All failed: a script learns why if it was for one reason, else only that they did.
    codes = {exit_of(error) for error in errors}
    return codes.pop() if len(codes) == 1 else Exit.ERROR


def exit_of_states(states: Collection[str]) -> Exit:
    """The exit code when downloads ended in these states."""
    # Not complete is not done: a script that asked for files has fewer than it wanted, whatever the reason.
    failed = sum(state != "completed" for state in states)
    if failed == 0:
        return Exit.OK
    return Exit.SOME_FAILED if failed < len(states) else Exit.ERROR
