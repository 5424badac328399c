"""The snapshot follows the events: what finished, what failed, what syncs, what was said."""

from __future__ import annotations

from msgspec.structs import replace

from tests.desktop import samples
from trayagent.desktop.tray.snapshot import KEPT, Snapshot, SourceView, Undo, after
from trayagent.model.downloads import Batch, ErrorInfo, State
from trayagent.model.events import (
    BatchEvent,
    DownloadEvent,
    DownloadProgress,
    Notice,
    QueueEvent,
    SyncEvent,
)
from trayagent.model.library import SyncRun

NETWORK = ErrorInfo("network", "The connection failed.", "Retry.")


def moved(what: str, id: str, state: State, previous: str = "", **more: object) -> DownloadEvent:
    return DownloadEvent(what, samples.download(id, state, **more), previous)


def test_a_completed_download_is_recent_newest_first() -> None:
    snapshot = Snapshot()
    for n in range(KEPT + 2):
        snapshot = after(snapshot, moved("completed", f"d{n}", State.COMPLETED, "active"))
    assert [d.id for d in snapshot.recent] == [f"d{n}" for n in range(KEPT + 1, 1, -1)]


def test_a_retry_takes_a_download_off_the_failed_ones() -> None:
    snapshot = after(Snapshot(), moved("failed", "d1", State.FAILED, "active"))
    assert [d.id for d in snapshot.failed] == ["d1"]
    assert after(snapshot, moved("queued", "d1", State.QUEUED, "failed")).failed == ()


def test_a_removed_download_leaves_no_row() -> None:
    snapshot = after(Snapshot(), moved("completed", "d1", State.COMPLETED, "active"))
    assert after(snapshot, moved("removed", "d1", State.COMPLETED, "completed")).recent == ()


def test_nothing_but_network_errors_means_offline_until_bytes_flow() -> None:
    snapshot = after(Snapshot(), moved("started", "d1", State.ACTIVE, "queued"))
    lost = after(snapshot, moved("requeued", "d1", State.QUEUED, "active", error=NETWORK))
    assert lost.offline == "No network"
    back = after(
        after(lost, moved("started", "d1", State.ACTIVE, "queued")), DownloadProgress("d1", 1, 2, 3)
    )
    assert back.offline == ""


def test_one_broken_host_among_working_ones_is_not_offline() -> None:
    snapshot = Snapshot()
    for id in ("d1", "d2"):
        snapshot = after(snapshot, moved("started", id, State.ACTIVE, "queued"))
    snapshot = after(snapshot, moved("requeued", "d1", State.QUEUED, "active", error=NETWORK))
    assert snapshot.offline == ""


def test_a_sync_shows_while_it_runs_and_why_it_failed() -> None:
    snapshot = Snapshot(sources=(SourceView("flow"), SourceView("shots")))
    during = after(snapshot, SyncEvent("progress", "flow", SyncRun("r1", "running", seen=40)))
    assert during.sources == (SourceView("flow", syncing=True, seen=40), SourceView("shots"))
    ended = after(during, SyncEvent("finished", "flow", SyncRun("r1", "failed", error=NETWORK)))
    assert ended.sources[0].error == "The connection failed."
    assert not ended.sources[0].syncing


def test_a_finished_batch_can_be_undone() -> None:
    batch = Batch(
        id="b3", title="list.txt", via="drop", list=None, counts={"completed": 4}, created_at=""
    )
    snapshot = after(Snapshot(), BatchEvent("finished", batch))
    assert snapshot.undo == Undo("b3", "list.txt", 4)


def test_what_was_said_is_remembered() -> None:
    snapshot = Snapshot()
    for n in range(KEPT + 1):
        snapshot = after(snapshot, Notice(f"n{n}", ""))
    assert [notice.title for notice in snapshot.notices] == ["n5", "n4", "n3", "n2", "n1"]


def test_pausing_is_folded_into_the_board() -> None:
    paused = after(Snapshot(), QueueEvent("paused", "2026-11-21T14:30:00Z"))
    assert paused.board.status.paused_until == "2026-11-21T14:30:00Z"
    assert not after(paused, QueueEvent("resumed")).board.status.paused


def test_events_of_others_change_nothing() -> None:
    snapshot = replace(samples.BUSY, sources=())
    assert after(snapshot, SyncEvent("started", "unknown", SyncRun("r", "running"))) == snapshot
