"""How many connections are worth it: decided from what arrives, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST: Final = 16
ENOUGH_LEFT: Final = 4 * 1024 * 1024
"""Bytes; for less than that no connection is added."""
WORTH: Final = 2.0
"""Seconds; what ends sooner is left alone."""
WINDOW: Final = 0.5
"""Seconds over which a rate is measured, and which new connections get to warm up first."""
GAIN: Final = 1.3
"""What doubling the connections must bring at least; half of it would be nothing."""
SHORTEST_HUSH: Final = 0.015
FLOWING: Final = 125_000_000
"""Bytes a second, a gigabit: a connection that brings so much is left alone, silences included."""

PROVEN: Final = 128 * 1024
"""Bytes that a new connection must get while the old ones get none."""


@dataclass(frozen=True, slots=True)
class FlowSample:
    """One look at a running file: seconds and bytes."""

    now: float
    received: int
    left: int
    last: float
    """When bytes last arrived on the lanes but the newest; on the only one, if it is alone."""
    newest: int
    """Bytes that the newest lane has got."""


class Width:
    """Starts at one. Two signs make it grow:

    a hush: what came came at once, and then nothing. Perhaps the server doles out by connection: one
    more is tried, and if that gets bytes while the first still gets none, all are worth it.

    a gain: over half a second, twice the connections bring clearly more. When they do not, the last
    step is taken back and that is the end of it.
    """

    def __init__(self, began: float, waited: float, received: int = 0) -> None:
        self.lanes = 1
        self.hushed = False
        self._hush = max(SHORTEST_HUSH, 2 * waited)
        self._mark = (began, received)
        self._rate = 0.0
        self._warm = False
        self._settled = False

    def look(self, seen: FlowSample, most: int) -> int:
        """How many lanes there should be now, `most` at most."""
        if not self._settled and seen.left >= ENOUGH_LEFT:
            # 1. A probe is on its way: it proves that one more helps, or it does not.
            # 2. The only connection has fallen silent: a probe is sent.
            # 3. A while has gone by: the rate is compared with the one before.
            if self.hushed:
                # The new one got bytes while the others still wait: the server doles out by connection.
                # If they go on by themselves, or nobody gets anything for a while, it was only a pause.
                if seen.newest >= PROVEN and seen.last < self._mark[0]:
                    self._grow(seen, MOST, most)
                elif seen.last > self._mark[0] or seen.now - self._mark[0] > WINDOW:
                    self.hushed = False
            elif seen.newest and self.lanes == 1 and self._is_hush(seen):
                self.hushed = True
                self._grow(seen, 2, most)
            elif seen.now - self._mark[0] >= WINDOW:
                since, received = self._mark
                rate = (seen.received - received) / (seen.now - since)
                # 1. New connections begin slowly: their first window counts for nothing.
                # 2. Too little was gained: the last step is taken back, and that is the end of it.
                # 3. There is still something to gain: twice as many.
                # 4. It is quick enough, or nearly over: measured again later.
                if not self._warm:
                    self._warm, self._mark = True, (seen.now, seen.received)
                elif self.lanes > 1 and rate < self._rate * GAIN:
                    self.lanes, self._settled = self.lanes // 2, True
                elif rate < FLOWING and seen.left > rate * WORTH:
                    self._rate = rate
                    self._grow(seen, self.lanes * 2, most)
                else:
                    self._mark = (seen.now, seen.received)
        return self.lanes

    def _is_hush(self, seen: FlowSample) -> bool:
        """Nothing arrives for much longer than something did: no jitter looks like that."""
        since, received = self._mark
        # A gigabit and more: nothing is to be gained, and the silence may be our own disk's.
        if seen.received - received > FLOWING * (seen.now - since):
            return False
        return seen.now - seen.last > max(self._hush, 4 * (seen.last - since))

    def _grow(self, seen: FlowSample, lanes: int, most: int) -> None:
        self.lanes = max(self.lanes, min(lanes, most, MOST))
        self._settled = self.lanes >= min(most, MOST)
        self._warm, self._mark = False, (seen.now, seen.received)
