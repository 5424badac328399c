"""Events: past-tense facts, frozen, with ids and values instead of live objects."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trayagent.model.downloads import Download


class Event(Struct, frozen=True):
    """The root; `name` is the SSE event name, `data()` its JSON value."""

    @property
    def name(self) -> str:
        raise NotImplementedError

    def data(self) -> Any:
        """What the event stream sends: a JSON-ready value."""
        return self


class DownloadEvent(Event, frozen=True):
    """`download.queued .named .started .completed .failed .requeued .paused .resumed .cancelled .removed`.

    `.named` tells the name and path that an active download will have.
    """

    what: str
    download: Download
    previous: str = ""
    """The state before, so that counts can be folded without asking the store."""

    @property
    def name(self) -> str:
        return f"download.{self.what}"

    def data(self) -> Any:
        return self.download


class DownloadProgress(Event, frozen=True):
    """`download.progress`, at most four a second for one download."""

    id: str
    received: int
    size: int | None
    speed: int

    @property
    def name(self) -> str:
        return "download.progress"


class BatchEvent(Event, frozen=True):
    """`batch.queued` (a large list entered) and `batch.finished`."""

    what: str
    batch: Any
    """A `Batch` value of the store, JSON-ready."""

    @property
    def name(self) -> str:
        return f"batch.{self.what}"

    def data(self) -> Any:
        return self.batch


# A million queued lines would be a million events; a list that large is announced as one `BatchEvent`,
# and the status follows by tallies.


class Tally(Event, frozen=True):
    """So many downloads came at once, or went (negative): for the status only, never streamed."""

    queued: int = 0
    completed: int = 0

    @property
    def name(self) -> str:
        return "tally"


class SyncEvent(Event, frozen=True):
    """`sync.started .progress .finished`; `run` is the run's public value with its source's name."""

    what: str
    source: str
    run: Any

    @property
    def name(self) -> str:
        return f"sync.{self.what}"

    def data(self) -> Any:
        return {"source": self.source, "run": self.run}


class SourceChanged(Event, frozen=True):
    """`source.changed`: it was signed in or out, its settings are others, or it is gone."""

    source: str

    @property
    def name(self) -> str:
        return "source.changed"

    def data(self) -> Any:
        return {"source": self.source}


class VerifyEvent(Event, frozen=True):
    """`verify.progress` and `verify.finished`."""

    what: str
    report: Any

    @property
    def name(self) -> str:
        return f"verify.{self.what}"

    def data(self) -> Any:
        return self.report


class QueueEvent(Event, frozen=True):
    """`queue.paused` (until: RFC 3339 or None) and `queue.resumed`."""

    what: str
    until: str | None = None

    @property
    def name(self) -> str:
        return f"queue.{self.what}"

    def data(self) -> Any:
        return {"until": self.until}


class FailuresSeen(Event, frozen=True):
    """`failures.seen`: a person has looked at what failed, or has said that it does not matter."""

    @property
    def name(self) -> str:
        return "failures.seen"

    def data(self) -> Any:
        return {}


class SpeedChanged(Event, frozen=True):
    """`speed.changed`: another mode was chosen, or the clock has changed the limit."""

    speed: Any
    """The public value of `model.status.Speed`."""

    @property
    def name(self) -> str:
        return "speed.changed"

    def data(self) -> Any:
        return self.speed


class WhenDoneChanged(Event, frozen=True):
    """`done.changed`: another plan for the end, or its countdown has begun or stopped."""

    when_done: Any
    """The public value of `model.status.WhenDone`."""

    @property
    def name(self) -> str:
        return "done.changed"

    def data(self) -> Any:
        return self.when_done


class QueueReordered(Event, frozen=True):
    """`queue.reordered`: waiting downloads have other places."""

    @property
    def name(self) -> str:
        return "queue.reordered"

    def data(self) -> Any:
        return {}


class Action(Struct, frozen=True):
    """A button: what it says, what it does (`open`, `folder`, `retry`, `why`), and to which id.

    `retry` may have several, with spaces between them.
    """

    label: str
    do: str
    id: str


class Notice(Event, frozen=True):
    """`notice`: what a notification said."""

    title: str
    body: str
    actions: tuple[Action, ...] = ()
    level: str = "info"
    """`info` or `error`."""

    @property
    def name(self) -> str:
        return "notice"

    def data(self) -> Any:
        return {"title": self.title, "body": self.body, "actions": self.actions}
