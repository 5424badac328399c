"""Addresses of a JSON API: built from templates, and asked with the source's secrets on its own origin only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote_plus, urlencode, urlsplit, urlunsplit

from trayagent.model import urls
from trayagent.model.transfer import Request
from trayagent.sources import json_mapping
from trayagent.sources.api_client import PAGE_LIMIT, ApiAnswer, SourceClient
from trayagent.sources.json_auth import Auth
from trayagent.sources.source import CutOffError, SourceError


class JsonWeb:
    """GET on the API, and requests for its files."""

    def __init__(self, source: str, base: str, web: SourceClient, auth: Auth) -> None:
        self._source = source
        self._home = urlsplit(urls.check(base))
        self._origin = urls.origin(base)
        self._web = web
        self._auth = auth

    async def get(self, address: str, limit: int = PAGE_LIMIT) -> ApiAnswer:
        """Ask our own origin, with our secrets."""
        headers, query = await self._auth.parts()
        return await self._web.get(with_query(self.own(address), query), headers, limit=limit)

    async def request(self, address: str) -> Request:
        """What transfer is to fetch; secrets go along to our own origin only."""
        headers, query = (
            await self._auth.parts() if urls.origin(address) == self._origin else ({}, {})
        )
        return Request(with_query(address, query), headers=headers, named=self._web.named)

    def own(self, address: str) -> str:
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
        home = parts._replace(scheme=self._home.scheme, netloc=self._home.netloc)
        return urlunsplit(home._replace(query="&".join(pairs)))


def put(*whole: str) -> Callable[[str], str]:
    """How a value goes into an address: percent-encoded, but these whole addresses as they are."""
    return lambda value: value if value and value in whole else quote(value, safe="")


def with_query(address: str, query: Mapping[str, str]) -> str:
    """The address with parameters added."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}" if query else address
