"""`pause`, `resume`, `cancel`, `retry`, `remove`, `clear`, `undo`: what a person asks of the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import click

from trayagent.cli.client import AgentClient, path_segment
from trayagent.cli.exits import (
    Exit,
    InterruptedByUserError,
    MisuseError,
    NotRunningError,
    exit_of_several,
)
from trayagent.cli.options import agent, all_rows, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.cli.wording import clock, download_name
from trayagent.model.errors import NotFoundError, TrayagentError
from trayagent.model.units import parse_duration
from trayagent.model.wording import show_count, show_counts

some_ids = click.argument("ids", nargs=-1, required=True, metavar="ID...")
any_ids = click.argument("ids", nargs=-1, metavar="[ID...]")


@click.command()
@any_ids
@click.option("--all", "everything", is_flag=True, help="The whole queue (also: no ID).")
@click.option("--for", "duration", metavar="TIME", help="Go on by itself after 30m, 1h, …")
@json_option
@pass_screen
def pause(screen: Screen, ids: tuple[str, ...], everything: bool, duration: str | None) -> int:
    """Pause downloads, or the whole queue; bytes are kept."""
    if ids and (everything or duration):
        raise MisuseError("--all and --for are for the whole queue, without an ID.")
    asked = {}
    if duration:
        try:
            seconds = parse_duration(duration)
        except ValueError as error:
            raise MisuseError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        # The agent's own bounds, said here in the words of the option.
        if not 60 <= seconds <= 365 * 86400:
            raise MisuseError("--for wants a time between a minute and a year.")
        asked["minutes"] = seconds / 60
    with agent() as running:
        if ids:
            return each(screen, ids, lambda id: running.post(f"downloads/{path_segment(id)}/pause"))
        running.post("pause", asked)
        return _print_queue_state(screen, running)


@click.command()
@any_ids
@click.option("--all", "everything", is_flag=True, help="The whole queue (also: no ID).")
@json_option
@pass_screen
def resume(screen: Screen, ids: tuple[str, ...], everything: bool) -> int:
    """Let paused downloads, or the whole queue, go on."""
    if ids and everything:
        raise MisuseError("--all is for the whole queue, without an ID.")
    with agent() as running:
        if ids:
            return each(
                screen, ids, lambda id: running.post(f"downloads/{path_segment(id)}/resume")
            )
        running.post("resume")
        return _print_queue_state(screen, running)


@click.command()
@some_ids
@json_option
@pass_screen
def cancel(screen: Screen, ids: tuple[str, ...]) -> int:
    """Give downloads up; what has arrived of them is removed."""
    with agent() as running:
        # Those that have settled are refused one by one, and the others are cancelled all the same.
        return each(screen, ids, lambda id: running.post(f"downloads/{path_segment(id)}/cancel"))


@click.command()
@any_ids
@click.option("--failed", is_flag=True, help="All that failed.")
@json_option
@pass_screen
def retry(screen: Screen, ids: tuple[str, ...], failed: bool) -> int:
    """Try failed or cancelled downloads again; kept bytes are used."""
    if bool(ids) == failed:
        raise MisuseError("Say which: trayagent retry ID…, or trayagent retry --failed")
    with agent() as running:
        # Those of this moment: what fails while they are tried again is not among them.
        wanted = (
            [d["id"] for d in all_rows(running, "downloads", state="failed")]
            if failed
            else list(ids)
        )
        if not wanted and not screen.json:
            screen.say("Nothing has failed.")
            return Exit.OK
        return each(screen, wanted, lambda id: running.post(f"downloads/{path_segment(id)}/retry"))


@click.command()
@some_ids
@click.option("--files", is_flag=True, help="Also put the files in the trash.")
@json_option
@pass_screen
def remove(screen: Screen, ids: tuple[str, ...], files: bool) -> int:
    """Forget downloads; their files stay, unless --files."""

    def forget(running: AgentClient, id: str) -> Any:
        path = f"downloads/{path_segment(id)}"
        before = running.get(path)  # for its name: afterwards nobody knows it any more
        running.ask("DELETE", f"{path}?files=true" if files else path)
        return {**before, "state": "removed"}

    with agent() as running:
        return each(screen, ids, lambda id: forget(running, id))


@click.command()
@click.option("--failed", is_flag=True, help="Those that failed, instead of the finished ones.")
@json_option
@pass_screen
def clear(screen: Screen, failed: bool) -> None:
    """Forget all finished downloads; files stay, and failures, unless --failed."""
    with agent() as running:
        answer = running.post("clear", {"failed": failed})
    what = "failed" if failed else "finished"
    if screen.json:
        screen.data(answer)
    else:
        cleared = show_count(answer["removed"], f"{what} download")
        screen.say(f"Cleared {cleared}. The files are where they were.")


def each(screen: Screen, ids: Iterable[str], ask: Callable[[str], Any]) -> int:
    """Ask the same of every id, print what came of each, and return the exit code."""
    done: list[Any] = []
    errors: list[tuple[str, TrayagentError]] = []
    for id in ids:
        try:
            done.append(ask(id))
        except NotRunningError:
            raise  # the others would say the same, one by one
        except TrayagentError as error:
            errors.append((id, error))
    if screen.json:
        refused = [{"id": id, "code": e.code, "message": e.message} for id, e in errors]
        screen.data({"downloads": done, "refused": refused})
    else:
        screen.table([[d["id"], d["state"], download_name(d)] for d in done], state=1)
        for id, problem in errors:
            screen.warn(f"{id}: {problem.message} {problem.action}".rstrip())
    return exit_of_several(len(done) + len(errors), [problem for _, problem in errors])


def _print_queue_state(screen: Screen, running: AgentClient) -> int:
    status = running.get("status")
    if screen.json:
        screen.data({"paused": status["paused"], "paused_until": status["paused_until"]})
    elif not status["paused"]:
        screen.say("The queue goes on.")
    elif status["paused_until"]:
        screen.say(f"The queue is paused until {clock(status['paused_until'])}.")
    else:
        screen.say("The queue is paused. To go on: trayagent resume")
    return Exit.OK


GO_ON: Final = "The agent goes on undoing it; to see how far: trayagent show {id}"


@click.command()
@click.argument("batch", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_screen
def undo(screen: Screen, batch: str | None, yes: bool) -> int:
    """Undo the last batch: the rest is cancelled, its files go to the trash. Asks first, with counts."""
    with agent() as running:
        if batch is None:
            # Of the last fifty: who took so many back one by one can name the next.
            last = [
                b for b in running.get("batches", limit=50)["batches"] if not b.get("undone_at")
            ]
            if not last:
                raise NotFoundError("not_found", "There is no batch to undo.")
            found = last[0]
        else:
            found = running.get(f"batches/{path_segment(batch)}")
        if not yes:
            counts = found["counts"]
            assert isinstance(counts, dict)
            screen.say(f"{found['title']}: {show_counts(counts)}.")
            arrived = counts.get("completed", 0)
            # What a sync brought would come again with the next one, so undoing it also means "never
            # again".
            if found["via"] == "sync":
                question = (
                    f"Move {show_count(arrived, 'image')} to the trash, and never fetch them again?"
                )
            elif arrived:
                question = f"Move {show_count(arrived, 'file')} to the trash, and cancel the rest?"
            else:
                question = "Cancel what has not arrived?"
            # A program cannot be asked, and must not be understood to have said yes.
            if screen.json or not screen.live:
                raise MisuseError(question, "To do it without a question: trayagent undo --yes")
            click.confirm(question, abort=True)
        try:
            answer = running.post_patiently(f"batches/{path_segment(found['id'])}/undo")
        except KeyboardInterrupt:
            raise InterruptedByUserError(GO_ON.format(id=found["id"])) from None
    if screen.json:
        screen.data(answer)
    else:
        screen.say(f"Undone: {found['title']}. Files that had arrived are in the trash.")
    return Exit.OK
