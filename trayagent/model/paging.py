"""When a listing ends: the end token, a loop, a cursor that never moves, or the safety cap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

CAP: Final = 2000
"""Pages of one run."""
PATIENCE: Final = 3
"""Pages in a row without anything new that are put up with in any case."""

Step = Literal["on", "end", "loop", "stuck", "cap"]


@dataclass(slots=True)
class Trail:
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
        if following is None:
            return "end"
        is_own = following == cursor
        if self.empty > PATIENCE or (is_own and self.empty):
            return "loop"
        if (is_own and not fresh) or (not is_own and self._is_known(following, first)):
            return "loop" if self.productive >= 2 else "stuck"
        if self.pages >= CAP:
            return "cap"
        self.asked.add(following)
        return "on"

    def _is_known(self, following: str, first: str | None) -> bool:
        return following in self.asked or self._repeats(first)

    def _repeats(self, first: str | None) -> bool:
        if not self.stale:
            return False
        # A server that makes new cursors for ever is given one whole further round.
        return (first is not None and first == self.first) or self.stale > max(
            PATIENCE, self.productive
        )
