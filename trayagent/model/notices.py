"""What is worth telling a person, and in which words: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trayagent.model import wording
from trayagent.model.downloads import Batch, Download, ErrorInfo, State
from trayagent.model.errors import traits_of
from trayagent.model.events import Action, BatchEvent, DownloadEvent, Event, Notice, SyncEvent
from trayagent.model.library import SyncRun

MOST_NAMED: Final = 3
"""Names in a summary, before "and 4 more"."""
QUEUE: Final = "queue"
"""The page that lists all failures with their reasons, in the place of one download's id."""


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
        return [Notice(f"{len(downloads)} downloads finished", _names(downloads), (folder,))]
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
        return [Notice(f"{len(downloads)} downloads failed", body, actions, "error")]
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
    words = [f"{count} {outcome}" for outcome, count in sorted(batch.counts.items()) if count]
    body = ", ".join(words) or "It was empty."
    if bad and batch.first_error:
        body += f"\n{batch.first_error}"
    actions = (Action("Open report" if batch.list else "Open folder", "batch", batch.id),)
    title = f"{batch.title}: {bad} failed" if bad else f"{batch.title}: done"
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
