"""Nonces of the confirm page: made without keeping anything, spent once, good for ten minutes.

A `GET /send` comes from any site, so it must leave no trace. The nonce therefore carries its own
end and a signature; only spent ones are remembered, and only our own page can spend one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final

LIFETIME: Final = 600.0


class Nonces:
    """Signed with a key that lives as long as the agent runs; `clock` is steady, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._spent: dict[str, float] = {}

    def make(self) -> str:
        """A fresh nonce."""
        word = f"{int(self._clock() + LIFETIME)}.{secrets.token_urlsafe(12)}"
        return f"{word}.{self._sign(word)}"

    def spend(self, nonce: str) -> bool:
        """Whether the nonce is ours, fresh and unspent; it is spent by asking."""
        word, _, mark = nonce.rpartition(".")
        end = word.partition(".")[0]
        if not (end.isascii() and end.isdigit() and len(end) < 16 and nonce.isascii()):
            return False
        now = self._clock()
        self._spent = {spent: until for spent, until in self._spent.items() if until > now}
        if (
            not hmac.compare_digest(mark, self._sign(word))
            or float(end) < now
            or word in self._spent
        ):
            return False
        self._spent[word] = float(end)
        return True

    def give_back(self, nonce: str) -> None:
        """It did not lead to anything, through no fault of the person; it may be used again."""
        self._spent.pop(nonce.rpartition(".")[0], None)

    def _sign(self, word: str) -> str:
        return hmac.new(self._key, word.encode(), hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return f"<Nonces: {len(self._spent)} spent>"
