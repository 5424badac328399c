"""Tells another program what has finished or failed: one signed POST each, tried again for an hour.

    what the other end answers    what follows
    ----------------------------  -------------------------------------------------------------
    2xx                           it is told
    408, 429, 5xx, or nothing     again after 5 s, then twice as long each time, for an hour
    anything else                 given up, with a line in the log: the same words would fail again

Messages wait in order, in memory: one that is not told when the agent ends is lost, and the history
still has what it was about. The address is the user's own word, so it may be a private one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.model import urls
from trayagent.model.errors import DownloadError
from trayagent.model.events import Event
from trayagent.model.settings import HooksSettings
from trayagent.model.transfer import Request
from trayagent.model.webhook import HookMessage, body_of, message_of
from trayagent.net.api_client import ApiClient

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 600.0
GIVEN_UP_AFTER_SECONDS: Final = 3600.0
PATIENCE_SECONDS: Final = 30.0
"""For one POST and its answer."""
MOST_WAITING: Final = 1000
"""Messages; of more the oldest go."""
SIGNATURE: Final = "X-Trayagent-Signature"
"""`sha256=` and the HMAC-SHA256 of the body, in hex, with the secret of the settings as its key."""


class Webhooks:
    """A service; everything is for the front loop. `secret_of` resolves `env:` and `keyring:`."""

    def __init__(
        self,
        bus: Bus,
        apis: ApiClient,
        settings: HooksSettings,
        secret_of: Callable[[str], Awaitable[str]],
    ) -> None:
        self.settings = settings
        self._apis = apis
        self._secret_of = secret_of
        self._waiting: deque[tuple[HookMessage, float]] = deque(maxlen=MOST_WAITING)
        """Messages, and since when (monotonic seconds)."""
        self._bell = asyncio.Event()
        self._subscription = bus.subscribe(self._hear)

    def __repr__(self) -> str:
        return f"<Webhooks: {len(self._waiting)} wait>"

    async def run(self) -> None:
        """Tell what is to be told until cancelled."""
        with self._subscription:
            while True:
                await self._bell.wait()
                self._bell.clear()
                while self._waiting:
                    message, since = self._waiting.popleft()
                    await self._tell(message, since)

    def _hear(self, event: Event) -> None:
        if self.settings.url and (message := message_of(event, self.settings)):
            self._waiting.append((message, time.monotonic()))
            self._bell.set()

    async def _tell(self, message: HookMessage, since: float) -> None:
        wait = FIRST_WAIT_SECONDS
        while self.settings.url:
            reason = await self._post(message)
            if reason is None:
                return
            if time.monotonic() + wait - since > GIVEN_UP_AFTER_SECONDS:
                break
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        log.warning("The webhook was not told of %r", message)

    async def _post(self, message: HookMessage) -> str | None:
        """Why it is to be told again; None: it need not."""
        settings = self.settings
        body, kind = body_of(message, settings.template)
        said = {"Content-Type": kind}
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
            return "timeout"
        except DownloadError as error:
            if not error.traits.is_retryable:
                log.warning("The webhook cannot be told: %s", error.message)
                return None
            return error.code
        if 200 <= status < 300:
            return None
        if status in (408, 429) or status >= 500:
            return f"HTTP {status}"
        log.warning("The webhook refused %r with HTTP %d", message, status)
        return None
