"""The secrets of a JSON source: which the settings name, where they are kept, and what they are put into."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from trayagent.sources import json_mapping
from trayagent.sources.cookies import by_domain, cookies_in
from trayagent.sources.source import Secrets, SourceError

_COOKIE: Final = re.compile(r"(?<![^\s;={}])([^\s;={}]+)=\{secret:([A-Za-z0-9_-]+)\}")
"""A cookie in a template, and the secret that is its value."""


class Auth:
    """Headers and query parameters with `{secret:name}` in them, as `[sources.auth]` has them."""

    def __init__(
        self, source: str, settings: Mapping[str, Any], secrets: Secrets, host: str = ""
    ) -> None:
        self._source = source
        self._host = host
        self._headers = {
            name: str(template) for name, template in settings.get("headers", {}).items()
        }
        self._query = {name: str(template) for name, template in settings.get("query", {}).items()}
        self._secrets = secrets
        cookies = [text for name, text in self._headers.items() if name.lower() == "cookie"]
        self._cookies = dict(_COOKIE.findall("; ".join(cookies)))
        templates = [*self._headers.values(), *self._query.values()]
        fields = [field for template in templates for field in json_mapping.fields(template)]
        self._wanted = list(
            dict.fromkeys(field.partition(":")[2] for field in fields if ":" in field)
        )

    def __repr__(self) -> str:
        return f"<Auth of {self._source} with {len(self._wanted)} secrets>"

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
