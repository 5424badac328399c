"""What is worth telling a person, and in which words: pure.

Every notice that a person sees is worded here. `notices` makes them of events that came together; the
functions at the end word what happens once, for whoever meets it and publishes it. Sizes, counts and
names come from `wording`, as everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trayagent.model import wording
from trayagent.model.downloads import Batch, Download, ErrorInfo, State
from trayagent.model.errors import TrayagentError, traits_of
from trayagent.model.events import Action, BatchEvent, DownloadEvent, Event, Notice, SyncEvent
from trayagent.model.library import SyncRun
from trayagent.model.status import Plan

MOST_NAMED: Final = 3
"""Names in a summary, before "and 4 more"."""
QUEUE: Final = "queue"
"""The page that lists all failures with their reasons, in the place of one download's id."""
PLAN_VERBS: Final[dict[Plan, str]] = {"sleep": "sleeps", "shutdown": "shuts down"}
"""Plan for the end of all downloads -> what this computer does then."""


def concerns(event: Event) -> bool:
    """Whether the event is told by itself: a single download's end, a batch's, a sync's."""
    match event:
        case DownloadEvent(what=what, download=download):
            return what in ("completed", "failed") and download.batch is None
        case BatchEvent(what="finished", batch=Batch(via=via)):
            return via != "sync"
        case SyncEvent(what="finished", run=SyncRun() as run):
            return run.is_news
        case _:
            return False


def blocked_by(event: Event) -> str:
    """The code for which a download waits until a person mends its folder; else nothing."""
    match event:
        case DownloadEvent(what="requeued", download=Download(error=ErrorInfo(code=code))):
            return code if traits_of(code).blocks_folder else ""
        case _:
            return ""


def notices(events: Sequence[Event]) -> list[Notice]:
    """What to say of events that came close together: single downloads are said in one breath."""
    singles = [event.download for event in events if isinstance(event, DownloadEvent)]
    done = [download for download in singles if download.state == State.COMPLETED]
    failed = [download for download in singles if download.state == State.FAILED]
    blocked = [each for each in singles if each.state == State.QUEUED]
    # What is done comes first: bad news that covers good news would be all that a person sees.
    said = [*_completed_notices(done), *_failed_notices(failed)]
    # One for all of them: a full disk stops every download, and for the same reason.
    if blocked and (error := blocked[0].error):
        said.append(Notice("Downloads wait", f"{error.message} {error.action}", (), "error"))
    for event in events:
        if isinstance(event, BatchEvent):
            said.append(_batch_notice(event.batch))
        elif isinstance(event, SyncEvent):
            said.append(_sync_notice(event.source, event.run))
    return said


def name(download: Download) -> str:
    """What a person calls a download."""
    return wording.name_of(download.filename, download.url)


def _completed_notices(downloads: Sequence[Download]) -> list[Notice]:
    if not downloads:
        return []
    # Popups that follow each other cover each other: several downloads are one, with one button.
    if len(downloads) > 1:
        folder = Action("Open folder", "folder", downloads[-1].id)
        title = f"{wording.show_count(len(downloads), 'download')} finished"
        return [Notice(title, _names(downloads), (folder,))]
    download = downloads[0]
    body = (
        f"{name(download)} ({wording.show_size(download.size)})"
        if download.size
        else name(download)
    )
    if download.warning:
        body += f"\n{download.warning}"
    actions = (Action("Open", "open", download.id), Action("Open folder", "folder", download.id))
    return [Notice("Download finished", body, actions)]


def _failed_notices(downloads: Sequence[Download]) -> list[Notice]:
    if not downloads:
        return []
    if len(downloads) > 1:
        # The first reason stands for all: a popup has room for one sentence, and "Why" tells the rest.
        first = downloads[0].error
        body = f"{_names(downloads)}\n{first.message if first else ''}".strip()
        ids = " ".join(download.id for download in downloads)
        actions = (Action("Why", "why", QUEUE), Action("Retry", "retry", ids))
        title = f"{wording.show_count(len(downloads), 'download')} failed"
        return [Notice(title, body, actions, "error")]
    download = downloads[0]
    reason = f"{download.error.message} {download.error.action}" if download.error else ""
    actions = (Action("Why", "why", download.id), Action("Retry", "retry", download.id))
    return [Notice("Download failed", f"{name(download)}\n{reason}".strip(), actions, "error")]


def _names(downloads: Sequence[Download]) -> str:
    shown = ", ".join(name(download) for download in downloads[:MOST_NAMED])
    return (
        f"{shown} and {len(downloads) - MOST_NAMED} more" if len(downloads) > MOST_NAMED else shown
    )


def _batch_notice(batch: Batch) -> Notice:
    bad = batch.counts.get("failed", 0) + batch.counts.get("rejected", 0)
    # In the order of the alphabet, so that two notices of one list can be compared at a glance.
    counts = dict(sorted(batch.counts.items()))
    body = wording.show_counts(counts) if any(counts.values()) else "It was empty."
    if bad and batch.first_error:
        body += f"\n{batch.first_error}"
    actions = (Action("Open report" if batch.list else "Open folder", "batch", batch.id),)
    title = f"{batch.title}: {bad:,} failed" if bad else f"{batch.title}: done"
    return Notice(title, body, actions, "error" if bad else "info")


def _sync_notice(source: str, run: SyncRun) -> Notice:
    if run.error:
        return Notice(
            f"{source}: sync stopped",
            f"{run.error.message} {run.error.action}".strip(),
            (),
            "error",
        )
    body = f"{run.sentence}\n{run.reason}" if run.reason else run.sentence
    actions = (Action("Open folder", "source", source),)
    return Notice(f"{source}: images synced", body, actions, "error" if run.failed else "info")


# What happens once


def error_notice(error: TrayagentError) -> Notice:
    """What could not be done, and what helps: an error introduces itself."""
    return Notice(error.message, error.action, (), "error")


def fault_notice() -> Notice:
    """A click met a fault of ours: the log has what a person cannot use."""
    return Notice("That did not work.", "See: trayagent logs", (), "error")


def pairing_notice(browser: str) -> Notice:
    """A browser was paired; `browser` is its name."""
    return Notice("Browser paired", f"{browser} may now send downloads to this computer.")


def locked_page_notice() -> Notice:
    """A page without a session asks to be the dashboard."""
    # The question is for the case that it was somebody else: only who opened it just now should click.
    actions = (Action("Open the dashboard", "queue", "queue"),)
    return Notice("A page asks to be the dashboard", "Did you open it just now?", actions)


def all_done_notice() -> Notice:
    """Nothing is left to download."""
    return Notice("All downloads are done.", "")


def countdown_notice(plan: Plan, seconds: int) -> Notice:
    """What this computer is about to do, and the button that stops it."""
    # As an error, so that it is also shown to people who want to hear of problems only.
    title = f"This computer {PLAN_VERBS[plan]} in {seconds} s."
    return Notice(title, "All downloads are done.", (Action("Stop", "keep_on", ""),), "error")


def no_list_notice(name: str) -> Notice:
    """What lies in the drop folder under a list's name cannot be read as one."""
    sentence = f"{name} in the drop folder is no ordinary file; it was left alone."
    return Notice("Not a list", sentence, level="error")


def unread_list_notice(name: str) -> Notice:
    """A list met a fault of ours."""
    sentence = f"{name} could not be read; it stays in the folder working. See: trayagent logs"
    return Notice("List not read", sentence, level="error")


def not_moved_notice(download: Download, error: TrayagentError) -> Notice:
    """A file could not be brought to the folder that a person chose; it stays where it is."""
    return Notice(
        f"Not moved: {name(download)}", f"{error.message} It stays where it was.", (), "error"
    )


def left_behind_notice(download: Download, old: Path, new: Path) -> Notice:
    """A file was copied to the folder that a person chose, and the one it came from could not be removed.

    Why is left out: systems give the same reason for a folder that is read-only and for a file in use.
    """
    return Notice(
        f"Copied, but still here as well: {name(download)}",
        f"The copy in {new.parent} is whole, and counts from now on. The old file could not be removed:"
        f" close what has it open, or see to the rights of its folder, and delete {old}.",
        (),
        "error",
    )


def moving_waits_notice(error: TrayagentError) -> Notice:
    """Finished files cannot move to where the settings say, until somebody has mended it."""
    return Notice("Finished files do not move", f"{error.message} {error.action}", (), "error")


def hidden_icon_notice(help: str) -> Notice:
    """This desktop hides the icon; `help` says where to find it."""
    return Notice("Where to find trayagent", help)
