"""An event has the documented name, and its data is JSON."""

from typing import Any

import msgspec
import pytest

from trayagent.model.downloads import Batch, Download, State
from trayagent.model.events import (
    Action,
    BatchEvent,
    DownloadEvent,
    DownloadProgress,
    Event,
    Notice,
    QueueEvent,
    SourceChanged,
    SyncEvent,
    VerifyEvent,
)

DOWNLOAD = Download("d1", "http://h/a", State.ACTIVE)


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (DownloadProgress("d1", 3, None, 2), "download.progress", {"id": "d1", "received": 3}),
        (BatchEvent("finished", Batch("b1", "x.txt", "drop")), "batch.finished", {"id": "b1"}),
        (SyncEvent("started", "flow", None), "sync.started", {"source": "flow"}),
        (SourceChanged("flow"), "source.changed", {"source": "flow"}),
        (VerifyEvent("progress", {"checked": 3}), "verify.progress", {"checked": 3}),
        (
            QueueEvent("paused", "2026-01-01T00:00:00Z"),
            "queue.paused",
            {"until": "2026-01-01T00:00:00Z"},
        ),
        (QueueEvent("resumed"), "queue.resumed", {"until": None}),
        (Notice("T", "B", (Action("Open", "open", "d1"),)), "notice", {"title": "T", "body": "B"}),
    ],
)
def test_names_and_data(event: Event, name: str, data: dict[str, Any]) -> None:
    assert event.name == name
    assert msgspec.to_builtins(event.data()).items() >= data.items()


@pytest.mark.parametrize(
    "what", "queued started completed failed requeued paused resumed cancelled removed".split()
)
def test_events_of_a_download_tell_the_download(what: str) -> None:
    event = DownloadEvent(what, DOWNLOAD)
    assert event.name == f"download.{what}"
    assert event.data() == DOWNLOAD


def test_the_root_has_no_name() -> None:
    with pytest.raises(NotImplementedError):
        _ = Event().name
