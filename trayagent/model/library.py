"""A library: what a source lists, what we have of it, and how its last run went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from trayagent.model.downloads import ErrorInfo

ItemState = Literal["missing", "present", "gone", "failed", "ignored"]
RunState = Literal["running", "complete", "incomplete", "failed"]


class Listed(Struct, frozen=True):
    """One item as its source lists it."""

    ident: str
    """What makes it unique within source and account."""
    name: str
    kind: Literal["image", "video", "unknown"] = "unknown"
    created: float | None = None
    """Unix seconds."""
    aspect_ratio: str | None = None
    media_key: str | None = None
    workflow_id: str | None = None
    size: int | None = None
    sha256: str | None = None
    link: str | None = None
    """A lasting address without a secret in it; signed links are not kept."""


class Page(Struct, frozen=True):
    """One page of a listing."""

    items: tuple[Listed, ...]
    next: str | None
    """The cursor of the page after; None: this was the last."""
    broken: int = 0
    """Entries that had no usable name."""
    undated: int = 0
    """Items whose date is written in a way that we do not understand."""
    cut_off: ErrorInfo | None = None
    """Why there is more, but nobody knows how to ask for it; `next` is None then."""


class Account(Struct, frozen=True):
    """Who is signed in, as far as the source tells."""

    account: str
    until: str | None = None
    """When the session ends (RFC 3339)."""

    @property
    def sentence(self) -> str:
        """What to tell the person who signed in."""
        return f"Signed in as {self.account}" + (f", until {self.until}" if self.until else "")


class LastRun(Struct, frozen=True):
    """A run as `GET sources` shows it."""

    id: str
    state: RunState
    pages: int = 0
    seen: int = 0
    """Distinct items listed."""
    new: int = 0
    gone: int = 0
    suspicious: bool = False
    error: ErrorInfo | None = None
    started_at: str | None = None


class SyncRun(Struct, frozen=True):
    """A run as events tell it: the listing and its files."""

    id: str
    state: RunState
    pages: int = 0
    seen: int = 0
    new: int = 0
    gone: int = 0
    suspicious: bool = False
    error: ErrorInfo | None = None
    batch: str | None = None
    wanted: int = 0
    """Files that were missing here."""
    fetched: int = 0
    failed: int = 0
    reason: str | None = None
    """Why the first of the failed files failed."""
    by_itself: bool = False
    """Started by the schedule, not by a person."""
    undated: int = 0
    """Items whose date is not understood: they lie in the folder of the day they were fetched."""
    started_at: str | None = None

    @property
    def is_news(self) -> bool:
        """Whether to tell people: always, but when the schedule found nothing to do."""
        return bool(not self.by_itself or self.new or self.wanted or self.gone or self.error)

    @property
    def sentence(self) -> str:
        """The run in one line, for people."""
        if self.error is not None and self.state == "failed":
            return self.error.message
        # What is left to do or to doubt comes last, where a clipped notification still shows the counts.
        parts = [f"{self.seen} images", f"{self.new} new"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.gone} no longer on the server"] if self.gone else []
        parts += ["not all pages were read"] if self.state == "incomplete" else []
        parts += [f"{self.undated} with a date we do not understand"] if self.undated else []
        return ", ".join(parts)

    def public(self) -> LastRun:
        """Without what only events tell."""
        return LastRun(
            self.id,
            self.state,
            self.pages,
            self.seen,
            self.new,
            self.gone,
            self.suspicious,
            self.error,
            self.started_at,
        )


class LibraryItem(Struct, frozen=True):
    """One picture or video as others see it."""

    name: str
    kind: str
    created_at: str | None
    aspect_ratio: str | None
    media_key: str | None
    workflow_id: str | None
    state: ItemState
    local_path: str | None
    size: int | None
    error: ErrorInfo | None
    arrived_at: str | None = None
    """When its file was saved here (RFC 3339)."""


class SourceInfo(Struct, frozen=True):
    """A source as others see it."""

    name: str
    type: str
    account: str | None
    signed_in: bool
    items: int = 0
    present: int = 0
    missing: int = 0
    """Not here yet, or failed."""
    gone: int = 0
    """No longer on the server; their files stay."""
    last_run: LastRun | None = None


class Finding(Struct, frozen=True):
    """One saved file that is not as it was."""

    what: Literal["changed", "moved", "missing"]
    path: str
    found: str | None = None
    """Where a moved file is now."""
    repaired: bool = False


MOST_FINDINGS: Final = 1000
"""A report lists at most so many findings; its counts are complete."""


class VerifyReport(Struct, frozen=True):
    """How saved files were found."""

    state: Literal["none", "running", "finished", "cancelled"] = "none"
    total: int = 0
    checked: int = 0
    ok: int = 0
    changed: int = 0
    moved: int = 0
    missing: int = 0
    repaired: int = 0
    """Fetched again, or noted at their new place."""
    elsewhere: int = 0
    """Downloads whose file is on no disk of ours (an engine, a bucket): they are not read, and not in `total`."""
    findings: tuple[Finding, ...] = ()
    started_at: str | None = None
    finished_at: str | None = None

    def with_finding(self, finding: Finding) -> VerifyReport:
        """The report with one more finding."""
        # The list has an end, the counts have none: a report on a lost disk must stay small.
        count: Mapping[str, int] = {finding.what: getattr(self, finding.what) + 1}
        listed = (*self.findings, finding) if len(self.findings) < MOST_FINDINGS else self.findings
        repaired = self.repaired + finding.repaired
        return msgspec.structs.replace(self, **count, findings=listed, repaired=repaired)


MOST_PAGES: Final = 2000
"""Pages of one run."""
STALE_PAGES: Final = 3
"""Pages in a row without anything new that are put up with in any case."""

Step = Literal["on", "end", "loop", "stuck", "cap"]


class Trail(Struct):
    """What one pass over the pages has met so far."""

    first: str | None = None
    """The first item of page one."""
    pages: int = 0
    productive: int = 0
    """Pages that showed something for the first time."""
    stale: int = 0
    """Pages since the last productive one."""
    empty: int = 0
    """Pages since the last one with an item in it."""
    asked: set[str] = field(default_factory=set)
    """Cursors used, or about to be."""

    def step(
        self, cursor: str | None, following: str | None, first: str | None, fresh: int
    ) -> Step:
        """What follows a page: read with `cursor`, starting with the item `first`, `fresh` items new to this pass.

        | the next cursor                | and                                    | then    |
        |--------------------------------|----------------------------------------|---------|
        | there is none                  |                                        | `end`   |
        | is the page's own              | the page brought something new         | `on`    |
        | is the page's own              | it was empty                           | `loop`  |
        | is the page's own, or was used | two different pages were seen          | `loop`  |
        | is the page's own, or was used | nothing but page one was ever seen     | `stuck` |
        | is new                         | pages bring nothing new for too long   | as used |
        | is new                         | several pages in a row were empty      | `loop`  |
        | is new, or is the page's own   | so many pages were read                | `cap`   |

        An endless loop over pages already seen has shown everything; a cursor that never moves
        (or is ignored, so that page one comes again and again) has not. Some servers keep one
        cursor for all pages, and many repeat the last one for ever.
        """
        self.pages += 1
        self.first = self.first or first
        self.productive += fresh > 0
        self.stale = 0 if fresh else self.stale + 1
        self.empty = 0 if first is not None else self.empty + 1
        # In the order of the table above.
        if following is None:
            return "end"
        # Some servers keep one cursor for all pages: only what a page brings tells whether it goes on.
        is_own = following == cursor
        if self.empty > STALE_PAGES or (is_own and self.empty):
            return "loop"
        # A server that makes new cursors for ever is given one whole further round.
        is_round = first is not None and first == self.first
        repeats = self.stale and (is_round or self.stale > max(STALE_PAGES, self.productive))
        is_known = following in self.asked or repeats
        if (is_own and not fresh) or (not is_own and is_known):
            # Two different pages: the server came round. One page only: it never moved.
            return "loop" if self.productive >= 2 else "stuck"
        if self.pages >= MOST_PAGES:
            return "cap"
        self.asked.add(following)
        return "on"
