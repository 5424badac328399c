"""What Flow is asked with: a cookie, a token that it buys, and the site's public key.

    cookie   pasted by a person, kept in the vault; answers the listing, and is exchanged for tokens
    token    lives for hours, in memory; answers for media
    key      the same for everybody; from the settings, else found in the site's own script

One lock serves all: of many downloads that find the token refused, one asks for a new one.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from trayagent.model import urls
from trayagent.model.library import Account
from trayagent.model.units import parse_moment
from trayagent.sources.api_client import SourceClient, status_error
from trayagent.sources.pasted_cookies import NAMES
from trayagent.sources.source import SecretStore, SourceError, not_signed_in

REFUSED_SECONDS: Final = 60.0
"""How long a refused session is not asked about again."""
# Not a secret: each visitor's browser gets it. It tells Google which site is asking.
_KEY: Final = re.compile(r"AIzaSy[A-Za-z0-9_-]{33}")
_SCRIPT: Final = re.compile(r"""["']([^"'\s]*/_next/static/chunks/pages/_app-[^"'\s]+\.js)["']""")


def account_moved(source: str) -> SourceError:
    """Flow answers as it does for accounts that were moved to its successor."""
    return SourceError(
        "moved",
        "Google has moved this account to flow.google.com, which can be listed only inside the browser.",
        f"Save pictures there with the browser extension; what {source} has here stays.",
    )


class FlowSession:
    """Cookie, token and key of one account. Tokens and cookies are sent to their own hosts only."""

    def __init__(
        self,
        name: str,
        client: SourceClient,
        secrets: SecretStore,
        *,
        labs_base: str,
        api_key: str,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._client = client
        self._labs = labs_base.rstrip("/")
        self._secrets = secrets
        self._api_key = api_key
        self._environ = environ
        self._clock = clock
        self._now = now
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._ends: float | None = None
        self._refused_until = 0.0
        self._key: str | None = None

    def __repr__(self) -> str:
        return f"<FlowSession of {self._name}{', signed in' if self._token else ''}>"

    @property
    def secret_name(self) -> str:
        """Where the vault keeps the cookie's value."""
        return f"{self._name}/session"

    async def cookie_header(self) -> dict[str, str]:
        """The header that signs in to the site; raises SourceError `signed_out`."""
        value = await self._secrets.get(self.secret_name)
        if not value:
            raise not_signed_in(self._name)
        return {"Cookie": f"{NAMES[0]}={value}"}

    async def account(self, cookie: Mapping[str, str] | None = None) -> Account:
        """Ask the site who is signed in, and keep its token."""
        async with self._lock:
            return await self._ask(cookie or await self.cookie_header())

    async def token(self, refused: str | None = None) -> str:
        """A token that should work; `refused` is one that just did not. Raises SourceError."""
        async with self._lock:
            if self._clock() < self._refused_until:
                raise not_signed_in(self._name)
            is_old = self._ends is not None and self._clock() >= self._ends
            if self._token is None or self._token == refused or is_old:
                await self._ask(await self.cookie_header())
            if self._token is None or self._token == refused:
                # A queue of downloads would ask for each of its files, and be taken for an attack.
                self._refused_until = self._clock() + REFUSED_SECONDS
                raise not_signed_in(self._name)
            return self._token

    def refuse(self, token: str) -> None:
        """Note that even a fresh token does not work: nobody tries for a while."""
        if token == self._token:
            self._token = None
            self._refused_until = self._clock() + REFUSED_SECONDS

    def forget(self) -> None:
        """Forget token and refusal: there is another cookie, or a person tries again."""
        self._token = self._ends = None
        self._refused_until = 0.0

    async def _ask(self, cookie: Mapping[str, str]) -> Account:
        answer = await self._client.get(f"{self._labs}/api/auth/session", cookie)
        if answer.host not in self._client.named or answer.status == 404:
            raise account_moved(self._name)
        if answer.status >= 300:
            raise status_error(answer)
        session = await answer.json()
        token = session.get("access_token") if isinstance(session, dict) else None
        # A stale token comes with an error, and is as good as none.
        if not isinstance(token, str) or not token or session.get("error"):
            self._token, self._refused_until = None, self._clock() + REFUSED_SECONDS
            raise not_signed_in(self._name)
        self._token, self._refused_until = token, 0.0
        expires = session.get("expires")
        end = parse_moment(expires)
        # Renewed a tenth of its life, at most an hour, before its end. Where the end has passed already,
        # one of the two clocks is wrong: then the token is used until it is refused.
        life = end - self._now() if end is not None else 0.0
        self._ends = self._clock() + life - min(3600.0, life / 10) if life > 0 else None
        user = session.get("user")
        email = user.get("email") if isinstance(user, dict) else None
        # An account is part of an identity that ends at a slash, and people see it.
        name = email.strip() if isinstance(email, str) else ""
        name = re.sub(r"[\s/]+|\W(?<![@.+-])", "_", name)[:200] or "default"
        return Account(name, expires if isinstance(expires, str) and end is not None else None)

    # --- the site's own public key ---

    async def key(self, refused: str | None = None) -> str:
        """The site's key: from the settings, else found in its script. Raises SourceError."""
        async with self._lock:
            if self._key is None or self._key == refused:
                # A key of the settings that was refused is not tried again: the site may show a newer one.
                self._key = await self._configured_key() if refused is None else None
                self._key = self._key or await self._find_key()
            if self._key == refused:
                raise SourceError(
                    "bad_key",
                    "Flow does not accept the site's key.",
                    f"Correct or remove api_key of {self._name}.",
                )
            return self._key

    async def _configured_key(self) -> str | None:
        """`env:NAME`, `keyring:NAME` or the key itself; None: the settings have none."""
        kind, _, name = self._api_key.partition(":")
        if kind == "env":
            return self._environ.get(name)
        if kind == "keyring":
            return await self._secrets.get(name)
        return self._api_key or None

    async def _find_key(self) -> str:
        """The key in the site's script; the most frequent, where others stand there, too. Raises SourceError."""
        page = await self._client.get(self._labs, {})
        script = _SCRIPT.search(page.body.decode("utf-8", "replace"))
        address = urls.resolve(self._labs, script[1]) if script else None
        if address and urls.authority(address) in self._client.named:
            code = (await self._client.get(address, {})).body.decode("utf-8", "replace")
            if keys := Counter(str(key) for key in _KEY.findall(code)).most_common(1):
                return keys[0][0]
        raise SourceError(
            "no_key",
            "Flow's site no longer shows the key its interface needs.",
            f"Set api_key of {self._name} in the settings.",
        )
