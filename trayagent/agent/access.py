"""Who may talk to the agent: the machine's own token, dashboards, paired browsers, foreign programs.

    who                    gets a token by                       it is good
    ---------------------  ------------------------------------  -----------------------------------
    command line, tray     reading the own token's 0600 file     until it is rotated
    dashboard (a session)  a one-time code in the page's file    a day after its last request
    browser extension      a one-time code that a person gives   from its own origin, until revoked
    foreign program        a person, who types it in there       for its own protocol, until revoked

The token of an extension or a foreign program is made from the agent's key file and a salt, so the
database holds nothing that lets anybody in; `hello` can still prove that we are the ones the browser was
paired with, and a person can see a foreign program's secret again. A command line can be read by every
user of the machine, so a code travels in a file instead (`codes`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from msgspec import structs

from trayagent.agent.bus import Bus
from trayagent.agent.codes import CODE_PAGE_SECONDS, Clock, CodePages, Codes, digest
from trayagent.files import write_private
from trayagent.model import notices
from trayagent.model.access import (
    EXTENSION_ORIGIN,
    Caller,
    Client,
    Connection,
    ForeignKind,
    Paired,
)
from trayagent.model.errors import NotFoundError, TrayagentError
from trayagent.model.units import stamp
from trayagent.model.wording import printable
from trayagent.store import clients as store
from trayagent.store import facts
from trayagent.store.clients import ClientRow
from trayagent.store.database import Database

LOCAL_CLIENT: Final = "local"
"""The machine's own token, as `hello` calls it."""
PAIRING_SECONDS: Final = 120.0
"""How long a code for a browser works."""
SESSION_CODE_SECONDS: Final = 120.0
"""How long a code for a dashboard works."""
SESSION_IDLE_SECONDS: Final = 24 * 3600.0
"""Without a request, after which a dashboard has to be opened again."""
MOST_SESSIONS: Final = 32
"""So many dashboards may be open; the oldest has to be opened again."""
SEEN_NOTED_SECONDS: Final = 600.0
"""Between two times that a client's last request is written down."""
ASK_TO_OPEN_SECONDS: Final = 20.0
"""Between two times that a locked page may ask a person to open it."""
MOST_FOREIGN: Final = 32
"""So many foreign programs may have a secret of their own."""
FOREIGN_NAMES: Final[dict[ForeignKind, str]] = {
    "aria2": "aria2 clients",
    "metube": "MeTube clients",
}
"""How a foreign client is called that nobody gave a name."""
LONGEST_NAME: Final = 60
"""Characters of a client's name that are shown."""


class OwnToken:
    """The bearer token of this machine's own clients; the command line reads the same 0600 file."""

    def __init__(self, path: Path, value: str) -> None:
        self.path = path
        self.value = value

    @classmethod
    def load(cls, path: Path) -> Self:
        """The token in `path`; made when there is none, and always kept to the user alone."""
        with contextlib.suppress(FileNotFoundError):
            # Closed before it is read: a backup or an editor may have opened it to others.
            os.chmod(path, 0o600)
            value = path.read_text("ascii", "ignore").strip()
            # A shorter one was cut off by a full disk, or edited: it would be easy to guess.
            if len(value) >= 32:
                return cls(path, value)
        token = cls(path, "")
        token.rotate()
        return token

    def rotate(self) -> str:
        """A new token; the old one is worth nothing from now on."""
        value = secrets.token_urlsafe(32)
        write_private(self.path, value.encode())
        self.value = value
        return value

    def __repr__(self) -> str:
        return f"<OwnToken in {self.path}>"


class Guesses:
    """Counts wrong secrets, so that guessing becomes slow: so many in a window are answered at once."""

    def __init__(
        self, limit: int = 10, window: float = 60.0, clock: Clock = time.monotonic
    ) -> None:
        self._limit = limit
        self._window = window
        self._clock = clock
        self._times: deque[float] = deque(maxlen=limit)

    def note_wrong(self) -> None:
        """Count a request with a wrong secret."""
        self._times.append(self._clock())

    @property
    def wait_seconds(self) -> float:
        """Until a wrong one is answered at once again; 0: now."""
        if len(self._times) < self._limit:
            return 0.0
        return max(0.0, self._times[0] + self._window - self._clock())


class BadCodeError(TrayagentError):
    """The one-time code is wrong, spent or too old (HTTP 403)."""


class TooManyClientsError(TrayagentError):
    """There are as many foreign clients as we keep."""


class Clients:
    """Tokens, codes and their clients; open with `Clients.open`, for the front loop.

    Answers about tokens come from memory: a request waits for no database.
    """

    def __init__(
        self,
        db: Database,
        bus: Bus,
        own: OwnToken,
        key: bytes,
        rows: list[ClientRow],
        pages: CodePages,
        *,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
    ) -> None:
        self._db = db
        self._bus = bus
        self._own = own
        self._key = key
        self._rows = {row.id: row for row in rows}
        self._pages = pages
        self._clock, self._now = clock, now
        # So long ago that the first page may ask at once: a steady clock may begin at 0.
        self._asked = -ASK_TO_OPEN_SECONDS
        self._pairing = Codes(PAIRING_SECONDS, clock)
        self._dashboard = Codes(SESSION_CODE_SECONDS, clock)
        self.guesses = Guesses(clock=clock)

    @classmethod
    async def open(
        cls,
        db: Database,
        bus: Bus,
        own: OwnToken,
        key_file: Path,
        *,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
    ) -> Clients:
        """The clients paired so far; `key_file` is made when there is none.

        `clock` is steady and measures codes; `now` tells the time, over which sessions last.
        """
        # What an earlier run left of code pages goes: its codes died with it.
        key = await asyncio.to_thread(_load_key, key_file)
        pages = CodePages(key_file.with_name("open"))
        await asyncio.to_thread(pages.sweep, 0.0)
        rows = await db.read(store.all_clients)
        return cls(db, bus, own, key, rows, pages, clock=clock, now=now)

    def recognise(self, token: str) -> Caller | None:
        """Whose token this is; None: nobody's."""
        # A foreign program keeps its secret in the clear: it must not open the whole interface.
        known = [
            (digest(self._own.value), Caller(LOCAL_CLIENT, "owner")),
            *(
                (row.digest, _caller(row))
                for row in self._rows.values()
                if row.kind not in FOREIGN_NAMES
            ),
        ]
        found = _match(token, known)
        return found if found is not None and not self._has_ended(found.id) else None

    def recognise_foreign(self, kind: ForeignKind, secret: str) -> Caller | None:
        """The foreign client of this protocol whose secret it is; None: nobody's."""
        rows = [row for row in self._rows.values() if row.kind == kind]
        return _match(secret, [(row.digest, _caller(row)) for row in rows])

    def is_known(self, id: str) -> bool:
        """Whether a client is still there: a long connection asks from time to time."""
        return id in self._rows

    @property
    def origins(self) -> frozenset[str]:
        """The origins of paired clients."""
        return frozenset(row.origin for row in self._rows.values() if row.origin)

    def issue_pairing_code(self) -> str:
        """A code that pairs one browser within two minutes."""
        return self._pairing.issue()

    def issue_session_code(self) -> str:
        """A code that opens one dashboard within two minutes."""
        return self._dashboard.issue()

    async def is_first_visit(self) -> bool:
        """True once in the life of this installation: nobody has been welcomed yet."""
        return await self._db.run(facts.set_once, facts.WELCOMED)

    async def page_for(self, code: str, url: str) -> Path:
        """A file for the browser that leads to `url`, so that no command line holds the code."""
        page = await asyncio.to_thread(self._pages.write, code, url)
        asyncio.get_running_loop().call_later(CODE_PAGE_SECONDS, self._pages.remove, code)
        return page

    def ask_to_open(self) -> None:
        """A locked page asks a person to open it, a few times a minute at most."""
        if self._clock() - self._asked < ASK_TO_OPEN_SECONDS:
            return
        self._asked = self._clock()
        self._bus.publish(notices.locked_page_notice())

    async def pair(self, code: str, name: str, origin: str) -> Paired:
        """Exchange a code for a token that is good from `origin` only. Raises BadCodeError."""
        if not EXTENSION_ORIGIN.fullmatch(origin) or not self._pairing.redeem(code):
            raise _wrong_code("Start the pairing again from the tray or the dashboard.")
        # The name is a page's word, and goes into a notification: printable, on one line, short.
        name = " ".join(printable(name).split())[:LONGEST_NAME] or "Browser"
        id, salt = f"c{secrets.token_hex(6)}", secrets.token_bytes(16)
        await asyncio.to_thread(self._pages.remove, code)
        token = self._token(id, salt)
        row = ClientRow(id, name, origin, salt, digest(token), self._now(), kind="extension")
        await self._db.run(store.add, row)
        self._rows[id] = row
        self._bus.publish(notices.pairing_notice(row.name))
        return Paired(id, token)

    async def connect(self, kind: ForeignKind, name: str, url: str) -> Connection:
        """The secret of the foreign client of this name, made where there is none.

        `url` is our own address. Raises TooManyClientsError.
        """
        name = " ".join(printable(name).split())[:LONGEST_NAME] or FOREIGN_NAMES[kind]
        row = next((r for r in self._rows.values() if (r.kind, r.name) == (kind, name)), None)
        # One made with a key that was lost since cannot be shown: the program has to get a new one.
        if row is not None and digest(self._token(row.id, row.salt)) != row.digest:
            await self.revoke(row.id)
            row = None
        if row is None:
            if sum(r.kind in FOREIGN_NAMES for r in self._rows.values()) >= MOST_FOREIGN:
                raise TooManyClientsError(
                    "too_many_clients",
                    f"There are {MOST_FOREIGN} foreign clients already.",
                    "Revoke those that you do not use.",
                )
            id, salt = f"f{secrets.token_hex(6)}", secrets.token_bytes(16)
            mark = digest(self._token(id, salt))
            row = ClientRow(id, name, "", salt, mark, self._now(), kind=kind)
            await self._db.run(store.add, row)
            self._rows[id] = row
        secret = self._token(row.id, row.salt)
        path = "/jsonrpc" if kind == "aria2" else f"/metube/{secret}/"
        return Connection(row.id, kind, f"{url}{path}", secret)

    async def begin_session(self, code: str) -> str:
        """Exchange a code for a token of one dashboard. Raises BadCodeError."""
        if not self._dashboard.redeem(code):
            raise _wrong_code(
                "Open the dashboard again from the tray, or with: trayagent dashboard"
            )
        await asyncio.to_thread(self._pages.remove, code)
        # Those that ended make room first, then the oldest of the others.
        over = [row.id for row in self._sessions() if self._has_ended(row.id)]
        alive = [row.id for row in self._sessions() if row.id not in over]
        for id in over + alive[: max(0, len(alive) - MOST_SESSIONS + 1)]:
            await self.revoke(id)
        token = secrets.token_urlsafe(32)
        row = ClientRow(
            f"s{secrets.token_hex(6)}", "Dashboard", "", b"", digest(token), self._now()
        )
        await self._db.run(store.add, row)
        self._rows[row.id] = row
        return token

    def prove(self, client: str, nonce: str, port: int, origin: str | None = None) -> str:
        """Prove to a client that we know its token, and listen on `port`. Raises NotFoundError.

        HMAC-SHA256 in hex of our address and the client's nonce.
        """
        row = self._rows.get(client)
        if client == LOCAL_CLIENT:
            token = self._own.value
        elif row is not None and row.kind == "extension" and origin in (None, row.origin):
            token = self._token(row.id, row.salt)
        else:
            raise _no_such_client()
        if row is not None and not hmac.compare_digest(digest(token), row.digest):
            # The key file was lost: only pairing again helps.
            raise _no_such_client()
        # With our address in it: a program on another port that passes the question on to us gets
        # an answer that is of no use there.
        proven = f"127.0.0.1:{port}\n{nonce}"
        return hmac.new(token.encode(), proven.encode(), hashlib.sha256).hexdigest()

    async def all_clients(self) -> tuple[Client, ...]:
        """Paired browsers, foreign programs and open dashboards, the oldest first."""
        return tuple(
            Client(
                id=row.id,
                name=row.name,
                origin=row.origin,
                created_at=stamp(row.created_at) or "",
                last_seen=stamp(row.last_seen),
                kind=row.kind,
            )
            for row in self._rows.values()
            if not self._has_ended(row.id)
        )

    async def revoke(self, id: str) -> None:
        """End a client: its token is worth nothing from this moment. Raises NotFoundError."""
        # Memory first: no request is answered while the database still waits for its disk.
        self._rows.pop(id, None)
        await self._db.run(store.revoke, id)

    async def rotate(self) -> None:
        """Make a new own token; the old one and all dashboards end at once."""
        await asyncio.to_thread(self._own.rotate)
        # Memory first, of all of them: a database that cannot write leaves no dashboard open.
        ended = [row.id for row in self._sessions()]
        for id in ended:
            del self._rows[id]
        for id in ended:
            await self._db.run(store.revoke, id)

    async def note_seen(self, caller: Caller) -> None:
        """Note that a client made a request; written down every ten minutes at most."""
        row = self._rows.get(caller.id)
        now = self._now()
        if row is None or (
            row.last_seen is not None and abs(now - row.last_seen) < SEEN_NOTED_SECONDS
        ):
            return
        self._rows[row.id] = structs.replace(row, last_seen=now)
        await self._db.run(store.note_contact, row.id, now)

    def _sessions(self) -> list[ClientRow]:
        return [row for row in self._rows.values() if row.kind == "session"]

    def _has_ended(self, id: str) -> bool:
        """Whether it is a dashboard that nobody has used for a day."""
        row = self._rows.get(id)
        if row is None or row.kind != "session":
            return False
        # `abs`: a clock that was set back must not keep a dashboard open for longer than a day.
        return abs(self._now() - (row.last_seen or row.created_at)) > SESSION_IDLE_SECONDS

    def _token(self, id: str, salt: bytes) -> str:
        made = hmac.new(self._key, id.encode() + salt, hashlib.sha256).digest()
        return urlsafe_b64encode(made).rstrip(b"=").decode()

    def __repr__(self) -> str:
        kinds = [row.kind for row in self._rows.values()]
        return (
            f"<Clients: {kinds.count('extension')} paired, {kinds.count('session')} dashboards,"
            f" {sum(kind in FOREIGN_NAMES for kind in kinds)} foreign>"
        )


def _caller(row: ClientRow) -> Caller:
    return Caller(row.id, row.kind, row.origin or None)


def _match(token: str, known: Sequence[tuple[bytes, Caller]]) -> Caller | None:
    """Whose digest is that of the token."""
    # All are compared, also after a match, and each in constant time: the time of an answer tells
    # nothing about a token.
    given = digest(token)
    found = [caller for mark, caller in known if hmac.compare_digest(mark, given)]
    return found[0] if found else None


def _wrong_code(action: str) -> BadCodeError:
    return BadCodeError("bad_code", "This code is wrong, used up or too old.", action)


def _no_such_client() -> NotFoundError:
    return NotFoundError("not_found", "There is no such client.", "Pair the browser again.")


def _load_key(path: Path) -> bytes:
    """The key that extensions' tokens are made from; a new one ends all pairings."""
    try:
        path.chmod(0o600)
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) != 32:
        key = secrets.token_bytes(32)
        write_private(path, key)
    return key
