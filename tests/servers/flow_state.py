"""The fake Flow's mutable side: tokens, scenario, library changes, counters. One lock guards all of it."""

from __future__ import annotations

import base64
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers import flow_data as data

COOKIES = {"st-alice-1": "alice", "st-bob-1": "bob"}
BACK = {"overlap": 5, "heavy_overlap": 12}


class FlowState:
    """Everything that requests and controls change."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """As if the server had just started."""
        with self.lock:
            self.now = float(data.NOW)
            self.scenario: dict[str, Any] = {}
            self.images = {account: data.images_of(account) for account in ("alice", "bob")}
            self.serial: Counter[str] = Counter()
            self.tokens: dict[str, tuple[str, float]] = {}
            self.signed_out: set[str] = set()
            self.requests: Counter[str] = Counter()
            self.inflight: Counter[str] = Counter()
            self.max_inflight: Counter[str] = Counter()
            self.faults: Counter[str] = Counter()
            self.leaks = self.not_raw = self.pages = 0
            self.blocked_until = 0.0
            self.log: list[dict[str, Any]] = []

    # --- sessions ---

    def session(self, cookie: str | None) -> dict[str, Any]:
        """What the session endpoint answers for a cookie value."""
        with self.lock:
            if cookie == "st-dead-1":
                return self._session("dead", "ya29.fake-dead-0", self.now) | {
                    "error": "ACCESS_TOKEN_REFRESH_NEEDED"
                }
            account = self.account(cookie)
            if account is None:
                return {}
            token, expires = self.tokens.get(account, ("", 0.0))
            stale = self.scenario.get("session_error")
            if expires <= self.now and not stale:
                self.serial[account] += 1
                token, expires = f"ya29.fake-{account}-{self.serial[account]}", self.now + 3600
                self.tokens[account] = (token, expires)
            answer = self._session(account, token or f"ya29.fake-{account}-0", expires)
            return answer | ({"error": "ACCESS_TOKEN_REFRESH_NEEDED"} if stale else {})

    def _session(self, account: str, token: str, expires: float) -> dict[str, Any]:
        user = {
            "name": account.title(),
            "email": f"{account}@example.test",
            "image": "https://example.test/face.png",
        }
        ends = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return {"user": user, "expires": ends, "access_token": token}

    def account(self, cookie: str | None) -> str | None:
        """Whose session cookie this is, if it still counts."""
        account = COOKIES.get(cookie or "")
        return None if account in self.signed_out else account

    def bearer(self, token: str | None) -> str | None:
        """Whose token this is, if it still counts."""
        with self.lock:
            for account, (known, expires) in self.tokens.items():
                if token == known and expires > self.now:
                    return account
        return None

    # --- the listing ---

    def page(
        self, account: str, cursor: str | None, size: int
    ) -> tuple[list[data.FlowMedium], str | None, bool]:
        """Rows, next token, and whether a token key is printed at all; raises ValueError for a bad cursor."""
        with self.lock:
            kind = self.scenario.get("pagination", "normal")
            rows = sorted(self._rows(account), key=lambda m: m.order)
            start = 0 if cursor is None or kind == "stuck" else _after(rows, cursor)
            page = rows[start : start + size]
            end = start + len(page)
            self._change(account, kind, start)
            token = _cursor(page[-1], BACK.get(kind, 0)) if page else None
            if kind == "stuck":
                return page, token, True
            if end < len(rows):
                return page, token, True
            return self._last(kind, rows, page, token)

    def _last(
        self, kind: str, rows: list[data.FlowMedium], page: list[data.FlowMedium], token: str | None
    ) -> tuple[list[data.FlowMedium], str | None, bool]:
        match kind:
            case "loop":
                return page, "kc1." + data.b64url(f"{rows[0].micros + 1}||0".encode()), True
            case "end_null":
                return page, None, True
            case "end_empty":
                return page, "", True
            case "end_emptypage" if page:
                return page, token, True
            case _:
                return page, None, False

    def _rows(self, account: str) -> list[data.FlowMedium]:
        videos = (
            [data.video(v) for v in (1, 2, 3)]
            if account == "alice" and self.scenario.get("include_videos")
            else []
        )
        return self.images[account] + videos

    def _change(self, account: str, kind: str, start: int) -> None:
        if start == 0 and kind == "insert_mid" and not self.faults["insert_mid"]:
            self.faults["insert_mid"] += 1
            self.add(account, 1)
        if start == 0 and kind == "delete_mid":
            self.delete(account, [20])

    def add(self, account: str, count: int) -> None:
        """New images, each a minute newer than the newest."""
        with self.lock:
            images = self.images[account]
            for _ in range(count):
                newest = max((m.micros for m in images), default=data.micros(data.FIRST))
                when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
                    microseconds=newest + 60_000_000
                )
                images.append(
                    data.image(account, max((m.index for m in images), default=0) + 1, when)
                )

    def delete(self, account: str, indexes: list[int]) -> None:
        """Images vanish from the server."""
        with self.lock:
            self.images[account] = [m for m in self.images[account] if m.index not in indexes]

    def find(self, account: str, name: str) -> data.FlowMedium | None:
        """The account's medium of exactly this canonical name."""
        with self.lock:
            videos = [data.video(v) for v in (1, 2, 3)] if account == "alice" else []
            return next((m for m in (*self.images[account], *videos) if m.name == name), None)

    def by_key(self, key: str) -> data.FlowMedium | None:
        """The medium behind a signed URL."""
        with self.lock:
            everything = [m for images in self.images.values() for m in images] + [
                data.video(v) for v in (1, 2, 3)
            ]
            return next((m for m in everything if m.key == key), None)

    # --- faults and counters ---

    def fault(self, what: str, rule: dict[str, Any] | None) -> dict[str, Any] | None:
        """The rule, as often as its `times` allows (-1: for ever)."""
        if rule is None:
            return None
        with self.lock:
            times = rule.get("times", 1)
            if times >= 0 and self.faults[what] >= times:
                return None
            self.faults[what] += 1
            return rule

    def limited(self, route: str) -> float | None:
        """Seconds to wait when the rate limit of the scenario is hit: once, for that long."""
        with self.lock:
            rule = self.scenario.get("rate_limit")
            if rule is None or rule["path"] != route:
                return None
            if self.requests[route] > rule["after"] and not self.faults["rate_limit"]:
                self.faults["rate_limit"] = 1
                self.blocked_until = time.monotonic() + rule["retry_after"]
            return float(rule["retry_after"]) if time.monotonic() < self.blocked_until else None

    @contextmanager
    def counted(self, route: str) -> Iterator[None]:
        """A request of this route is being served."""
        with self.lock:
            self.requests[route] += 1
            self.inflight[route] += 1
            self.max_inflight[route] = max(self.max_inflight[route], self.inflight[route])
        try:
            yield
        finally:
            with self.lock:
                self.inflight[route] -= 1

    def stats(self) -> dict[str, Any]:
        """The counters as JSON."""
        with self.lock:
            return {
                "requests": dict(self.requests),
                "max_inflight": dict(self.max_inflight),
                "leaks": self.leaks,
                "not_raw": self.not_raw,
            }


def _cursor(row: data.FlowMedium, back: int) -> str:
    return "kc1." + data.b64url(f"{row.micros}|{row.name}|{back}".encode())


def _after(rows: list[data.FlowMedium], cursor: str) -> int:
    if not cursor.startswith("kc1."):
        raise ValueError("unknown cursor")
    raw = cursor[4:]
    micros, name, back = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode().split("|")
    place = (-int(micros), name)
    first = next((n for n, row in enumerate(rows) if row.order > place), len(rows))
    return max(0, first - int(back))
