"""`undo`: take a batch back."""

from __future__ import annotations

from typing import Final

import click

from trayagent.cli.client import segment
from trayagent.cli.exits import Exit, InterruptedByUserError, MisuseError
from trayagent.cli.options import agent, json_option, pass_screen
from trayagent.cli.screen import Screen
from trayagent.cli.words import counted, counts_of
from trayagent.model.errors import NotFoundError

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
            last = [
                b for b in running.get("batches", limit=50)["batches"] if not b.get("undone_at")
            ]
            if not last:
                raise NotFoundError("not_found", "There is no batch to undo.")
            found = last[0]
        else:
            found = running.get(f"batches/{segment(batch)}")
        if not yes:
            _ask(screen, found)
        try:
            answer = running.post_patiently(f"batches/{segment(found['id'])}/undo")
        except KeyboardInterrupt:
            raise InterruptedByUserError(GO_ON.format(id=found["id"])) from None
    if screen.json:
        screen.data(answer)
    else:
        screen.say(f"Undone: {found['title']}. Files that had arrived are in the trash.")
    return Exit.OK


def _ask(screen: Screen, batch: dict[str, object]) -> None:
    counts = batch["counts"]
    assert isinstance(counts, dict)
    screen.say(f"{batch['title']}: {counts_of(counts)}.")
    arrived = counts.get("completed", 0)
    if batch["via"] == "sync":
        question = f"Move {counted(arrived, 'image')} to the trash, and never fetch them again?"
    elif arrived:
        question = f"Move {counted(arrived, 'file')} to the trash, and cancel the rest?"
    else:
        question = "Cancel what has not arrived?"
    if screen.json or not screen.live:
        raise MisuseError(question, "To do it without a question: trayagent undo --yes")
    click.confirm(question, abort=True)
