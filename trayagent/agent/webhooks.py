"""Tells another program what has finished or failed: one signed POST each, tried again for an hour.

    what the other end answers    what follows
    ----------------------------  -------------------------------------------------------------
    2xx                           it is told
    408, 429, 5xx, or nothing     again after 5 s, then twice as long each time, for an hour; after
                                  a start the hour begins anew, but a week after its end it is over
    anything else                 given up, with a line in the log: the same words would fail again

What is to be told waits in the database, oldest first (`store/outbox`): it outlives the end of the agent
and a kill at any moment. A kill between an answer and its note's removal has the same POST made twice;
both have the same number in their header. The address is the user's own word, so it may be a private one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.model import urls
from trayagent.model.errors import DownloadError, NotFoundError, StoreUnavailableError
from trayagent.model.events import BatchEvent, DownloadEvent, Event
from trayagent.model.settings import HooksSettings
from trayagent.model.transfer import Request
from trayagent.model.units import stamp
from trayagent.model.webhook import (
    TEST_MESSAGE,
    HookMessage,
    WebhookRefusal,
    WebhookState,
    body_of,
    message_of,
)
from trayagent.net.api_client import ApiClient
from trayagent.store import outbox
from trayagent.store.database import Database
from trayagent.store.outbox import Note
from trayagent.transfer.failpoints import failpoint

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 600.0
GIVEN_UP_AFTER_SECONDS: Final = 3600.0
FORGOTTEN_AFTER_SECONDS: Final = 7 * 24 * 3600.0
"""What ended so long before a start is told no more: it would be no news."""
PATIENCE_SECONDS: Final = 30.0
"""For one POST and its answer."""
MOST_WAITING: Final = 1000
"""Ends that wait to be told; of more the oldest go."""
SIGNATURE: Final = "X-Trayagent-Signature"
"""`sha256=` and the HMAC-SHA256 of the body, in hex, with the secret of the settings as its key."""
DELIVERY: Final = "X-Trayagent-Delivery"
"""The number of the end that is told: the same again where a POST is made twice."""


NO_END: Final = 0
"""The number of a test message: the first end has the number 1."""


class Webhooks:
    """A service; everything is for the front loop. `secret_of` resolves `env:` and `keyring:`."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        apis: ApiClient,
        settings: HooksSettings,
        secret_of: Callable[[str], Awaitable[str]],
    ) -> None:
        self._db = db
        self._apis = apis
        self._settings = settings
        self._secret_of = secret_of
        self.state = WebhookState(bool(settings.url))
        """How the last messages went, for people."""
        self._is_noting: bool | None = None
        """Whether the database notes ends; None: as an earlier run left it."""
        self._bell = asyncio.Event()
        self._bell.set()
        self._subscription = bus.subscribe(self._hear)

    def __repr__(self) -> str:
        return f"<Webhooks: {'on' if self._settings.url else 'off'}>"

    def configure(self, settings: HooksSettings) -> None:
        """Take over settings; what waits is told as they say now."""
        if settings.url != self._settings.url:
            self.state = WebhookState(bool(settings.url))
        self._settings = settings
        self._bell.set()

    async def prepare(self) -> None:
        """Have ends noted, or no longer; before the pool begins. Raises StoreUnavailableError."""
        is_on = bool(self._settings.url)
        if is_on != self._is_noting:
            oldest = time.time() - FORGOTTEN_AFTER_SECONDS
            await self._db.run(outbox.prepare, is_on=is_on, oldest=oldest)
            self._is_noting = is_on

    async def run(self) -> None:
        """Tell what is to be told until cancelled."""
        begun = time.time()
        with self._subscription:
            while True:
                await self._bell.wait()
                self._bell.clear()
                try:
                    await self.prepare()
                    while self._settings.url and (note := await self._db.read(outbox.first)):
                        failpoint("webhook-noted")
                        left = max(begun, note.at) + GIVEN_UP_AFTER_SECONDS - time.time()
                        # From here on a steady clock counts: one that is set ends no try, and lengthens none.
                        deadline = time.monotonic() + min(left, GIVEN_UP_AFTER_SECONDS)
                        await self._tell(note, deadline)
                        failpoint("webhook-told")
                        await self._db.run(outbox.end, note.number, MOST_WAITING)
                except StoreUnavailableError as error:
                    log.warning("The webhook waits: %s", error.message)
                    await asyncio.sleep(FIRST_WAIT_SECONDS)
                    self._bell.set()

    def _hear(self, event: Event) -> None:
        match event:
            case BatchEvent(what="finished") | DownloadEvent(what="completed" | "failed"):
                if self._settings.url:
                    self._bell.set()

    async def test(self) -> WebhookState:
        """Send a test message once, as the settings say; raises NotFoundError where there is no webhook."""
        if not self._settings.url:
            raise NotFoundError(
                "no_webhook",
                "There is no webhook.",
                "Write a [hooks] section into config.toml, and start trayagent again.",
            )
        await self._post(TEST_MESSAGE, NO_END)
        return self.state

    async def _tell(self, note: Note, deadline: float) -> None:
        """Until it is taken, or refused for good, or until `deadline` (monotonic seconds)."""
        message = None if note.ended is None else message_of(note.ended, self._settings)
        wait = FIRST_WAIT_SECONDS
        # The address may be taken out of the settings while this waits: then nobody is to be told.
        while message is not None and self._settings.url:
            refusal = await self._post(message, note.number)
            if refusal is None:
                return
            if refusal.is_final or time.monotonic() + wait > deadline:
                log.warning("The webhook was not told of %r: %s", message, refusal.reason)
                return
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    async def _post(self, message: HookMessage, number: int) -> WebhookRefusal | None:
        """Send it once, and remember for people how that went; None: it was taken."""
        refusal = await self._send(message, number)
        now = stamp(time.time())
        if refusal is None:
            self.state = WebhookState(True, told_at=now)
        else:
            told_at = self.state.told_at
            self.state = WebhookState(True, told_at, failed_at=now, reason=refusal.reason)
        return refusal

    async def _send(self, message: HookMessage, number: int) -> WebhookRefusal | None:
        settings = self._settings
        body, kind = body_of(message, settings.template)
        said = {"Content-Type": kind, DELIVERY: str(number)}
        if secret := await self._secret_of(settings.secret):
            digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            said[SIGNATURE] = f"sha256={digest}"
        request = Request(settings.url, named=frozenset({urls.authority(settings.url)}))
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                self._apis.open(request, said, method="POST", body=body) as response,
            ):
                status = response.status
        except TimeoutError:
            return WebhookRefusal(f"It did not answer within {PATIENCE_SECONDS:.0f} s.", False)
        except DownloadError as error:
            return WebhookRefusal(error.message, not error.traits.is_retryable)
        if 200 <= status < 300:
            return None
        # 408: it was too slow this time; 429: it is asked too often. The other 4xx blame our words.
        is_passing = status in (408, 429) or status >= 500
        return WebhookRefusal(f"It answered HTTP {status}.", not is_passing)
