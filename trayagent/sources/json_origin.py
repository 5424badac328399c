"""The one server that a JSON source signs in to: its secrets, and where they may be sent.

JsonAuth puts secrets into the headers and parameters that `[sources.auth]` describes. JsonOrigin asks
the origin of `base` with them, and every other server without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_plus, urlencode, urlsplit, urlunsplit

from trayagent.model import urls
from trayagent.model.transfer import Request
from trayagent.sources import json_mapping
from trayagent.sources.api_client import PAGE_LIMIT, ApiAnswer, SourceClient
from trayagent.sources.pasted_cookies import by_domain, cookies_in
from trayagent.sources.source import CutOffError, SecretStore, SourceError

_COOKIE: Final = re.compile(r"(?<![^\s;={}])([^\s;={}]+)=\{secret:([A-Za-z0-9_-]+)\}")
"""A cookie in a template, and the secret that is its value."""


def cookie_secrets(headers: Mapping[str, Any]) -> dict[str, str]:
    """The cookies that header templates name, and the secret that is the value of each."""
    cookies = [str(text) for name, text in headers.items() if name.lower() == "cookie"]
    return dict(_COOKIE.findall("; ".join(cookies)))


class JsonAuth:
    """Headers and query parameters with `{secret:name}` in them, as `[sources.auth]` has them."""

    def __init__(
        self, source: str, settings: Mapping[str, Any], secrets: SecretStore, host: str = ""
    ) -> None:
        self._source = source
        self._host = host
        self._headers = {
            name: str(template) for name, template in settings.get("headers", {}).items()
        }
        self._query = {name: str(template) for name, template in settings.get("query", {}).items()}
        self._secrets = secrets
        self._cookies = cookie_secrets(self._headers)
        templates = [*self._headers.values(), *self._query.values()]
        fields = [field for template in templates for field in json_mapping.fields(template)]
        self._wanted = list(
            dict.fromkeys(field.partition(":")[2] for field in fields if ":" in field)
        )

    def __repr__(self) -> str:
        return f"<JsonAuth of {self._source} with {len(self._wanted)} secrets>"

    @property
    def query_names(self) -> frozenset[str]:
        """Parameters of ours, which do not belong into what is stored."""
        return frozenset(self._query)

    async def is_complete(self) -> bool:
        """Whether all secrets that the settings name are kept."""
        return all((await self.current(self._wanted)).values())

    async def parts(self) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and query with the secrets in them."""
        kept = await self.current(self._wanted)
        values = {f"secret:{name}": value or "" for name, value in kept.items()}
        headers = {
            name: json_mapping.fill(template, values) for name, template in self._headers.items()
        }
        return headers, {
            name: json_mapping.fill(template, values) for name, template in self._query.items()
        }

    async def current(self, names: list[str] | dict[str, str]) -> dict[str, str | None]:
        """The secrets as they are now."""
        return {name: await self._secrets.get(f"{self._source}/{name}") for name in names}

    async def keep(self, secrets: Mapping[str, str | None]) -> None:
        """Set these secrets; None forgets one."""
        for name, value in secrets.items():
            if value is None:
                await self._secrets.delete(f"{self._source}/{name}")
            else:
                await self._secrets.set(f"{self._source}/{name}", value)

    async def forget(self) -> None:
        """Forget all of them."""
        await self.keep(dict.fromkeys(self._wanted))

    def parse(self, text: str) -> dict[str, str]:
        """The secrets in what a person typed: the one, or `name=value` lines. Raises SourceError.

        Cookies are also found in whatever `cookies_in` reads, if they are of the API's own host.
        """
        # 1. Cookies, in whatever form a browser gives them. If there are some, but none for this host,
        #    they are of another site: they are not taken for something else.
        # 2. The only secret, alone.
        # 3. Several secrets, a line for each.
        if self._cookies and (found := cookies_in(text)):
            for cookies in by_domain(found, self._host):
                taken = {
                    self._cookies[name]: cookies[name] for name in self._cookies.keys() & cookies
                }
                if taken:
                    return taken
            if any(cookie.domain for cookie in found):
                raise SourceError(
                    "no_cookie",
                    f"There is no cookie for {self._host} in this text.",
                    f"It needs {', '.join(self._cookies)}.",
                )
        if len(self._wanted) == 1 and text.strip():
            return {self._wanted[0]: "".join(text.strip().splitlines())}
        pairs = dict(line.strip().split("=", 1) for line in text.splitlines() if "=" in line)
        if not pairs or not pairs.keys() <= set(self._wanted):
            lines = f"Give one line name=value for each of: {', '.join(self._wanted)}."
            action = lines if self._wanted else "It needs no secret; sync it."
            raise SourceError("no_secret", f"This is not what {self._source} needs.", action)
        return pairs


class JsonOrigin:
    """GET on the API, and requests for its files."""

    def __init__(self, source: str, base: str, client: SourceClient, auth: JsonAuth) -> None:
        self._source = source
        self._home = urlsplit(urls.check(base))
        self._origin = urls.origin(base)
        self._client = client
        self._auth = auth

    async def get(self, address: str, limit: int = PAGE_LIMIT) -> ApiAnswer:
        """Ask our own origin, with our secrets."""
        headers, query = await self._auth.parts()
        return await self._client.get(
            with_query(self.require_own(address), query), headers, limit=limit
        )

    async def request(self, address: str) -> Request:
        """What transfer is to fetch; secrets go along to our own origin only."""
        headers, query = (
            await self._auth.parts() if urls.origin(address) == self._origin else ({}, {})
        )
        return Request(with_query(address, query), headers=headers, named=self._client.named)

    def require_own(self, address: str) -> str:
        """The address, if it is on our origin; raises SourceError."""
        if urls.origin(address) != self._origin:
            raise SourceError(
                "foreign", f"{self._source} leads to another server.", "Check base in its settings."
            )
        return address

    def page_address(self, told: str, page: str) -> str:
        """The address of another page, as `page` gives it, to be kept and asked. Raises CutOffError.

        Servers behind a proxy often think that their own scheme or port is another: it is asked
        where we know it to be. Our own secrets are left out, since addresses are kept.
        """
        address = json_mapping.link(told, page)
        if address is None:
            raise CutOffError("the address of its next page cannot be read")
        if urls.origin(address)[1] != self._origin[1]:
            raise CutOffError("its next page is on another server", "Check base in its settings.")
        parts = urlsplit(address)
        pairs = [
            pair
            for pair in parts.query.split("&")
            if unquote_plus(pair.partition("=")[0]) not in self._auth.query_names
        ]
        # Its path and query lead to the page; scheme, host and port are those that we know.
        home = parts._replace(scheme=self._home.scheme, netloc=self._home.netloc)
        return urlunsplit(home._replace(query="&".join(pairs)))


def quote_except(*whole: str) -> Callable[[str], str]:
    """How a value goes into an address: percent-encoded, but these whole addresses as they are."""
    return lambda value: value if value and value in whole else quote(value, safe="")


def with_query(address: str, query: Mapping[str, str]) -> str:
    """The address with parameters added."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}" if query else address
