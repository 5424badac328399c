"""The sources in the settings, ready to be asked, and what resolves the downloads of each.

A source that left the settings still has downloads in the queue and in the history: those fail with a
sentence that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from trayagent.model.errors import DownloadError, NotFoundError
from trayagent.model.library import Account, Listed
from trayagent.model.settings import SourceSettings
from trayagent.model.transfer import Content, Made, Request, Resolver, Target
from trayagent.sources.json_api import JsonApi, sample
from trayagent.sources.source import SecretStore, Source, TrialSecrets
from trayagent.store import library, sync_runs
from trayagent.store.database import Database

Build = Callable[[SourceSettings, SecretStore], Source]


class ConfiguredSources:
    """Iterates over the names, in the order of the settings."""

    def __init__(self, db: Database, build: Build, vault: SecretStore) -> None:
        self.resolvers: dict[str, Resolver] = SourceResolvers()
        """By the source's name; the pool holds this very dict, so it is changed, never replaced."""
        self._db = db
        self._build = build
        self._vault = vault
        self._sources: dict[str, Source] = {}
        self._accounts: dict[str, str] = {}
        self._settings: Sequence[SourceSettings] = ()

    def __repr__(self) -> str:
        return f"<ConfiguredSources of {len(self._sources)} sources>"

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._sources))  # the settings may change while somebody waits

    def configure(self, settings: Sequence[SourceSettings]) -> None:
        """Take over settings; unchanged sources keep their sessions."""
        # A source with the same settings stays the same object: its session, its cookies and what
        # it remembers of addresses live in it.
        known = {one.name: one for one in self._settings}
        self._sources = {
            one.name: self._sources[one.name]
            if known.get(one.name) == one
            else self._build(one, self._vault)
            for one in settings
        }
        # Another address or user may be another account: it is asked again.
        changed = {name for name, one in known.items() if one not in settings}
        self._accounts = {name: who for name, who in self._accounts.items() if name not in changed}
        self._settings = settings
        self.resolvers.clear()
        self.resolvers.update(
            {name: SourceResolver(source, self._db) for name, source in self._sources.items()}
        )

    def find(self, name: str) -> Source | None:
        """The source, if it is in the settings now."""
        return self._sources.get(name)

    def get(self, name: str) -> Source:
        """The source; raises NotFoundError."""
        source = self._sources.get(name)
        if source is None:
            raise NotFoundError(
                "not_found", f"There is no source {name[:40]}.", "See: trayagent source list"
            )
        return source

    async def account(self, name: str) -> str | None:
        """The name of the account that it was signed in to last; None: it never was."""
        return self._accounts.get(name) or await self._db.read(sync_runs.latest_account, name)

    async def sign_in(self, name: str, text: str) -> Account:
        """Keep the secrets in `text`, if they work. Raises NotFoundError, SourceError, DownloadError."""
        account = await self.get(name).sign_in(text)
        self._accounts[name] = account.account
        return account

    async def sign_out(self, name: str) -> None:
        """Forget a source's secrets; raises NotFoundError."""
        await self.get(name).sign_out()
        self._accounts.pop(name, None)

    async def probe(
        self, settings: SourceSettings, secret: str | None = None
    ) -> tuple[Account, Sequence[Listed]]:
        """Try a source that may not be in the settings: its account and first page. Keeps nothing.

        Raises SourceError or DownloadError.
        """
        # With a secret to try, the trial keeps it in memory; the one in the keyring may be another's.
        source = self._build(settings, TrialSecrets() if secret else self._vault)
        account = await source.sign_in(secret) if secret else await source.account()
        return account, (await source.page(None)).items

    async def example(self, settings: SourceSettings, secret: str | None) -> Any:
        """What a json source answers first, cut short. Keeps nothing; raises as `probe` does."""
        source = self._build(settings, TrialSecrets())
        if not isinstance(source, JsonApi):
            raise NotFoundError("not_found", "Only a source of type json has fields to choose.")
        return sample(await source.example(secret))


class SourceResolvers(dict[str, Resolver]):
    """A resolver for every name: also for a source that left the settings."""

    def __missing__(self, name: str) -> Resolver:
        return _RemovedSource()


class SourceResolver:
    """A source as the pool asks it: it gets first what the library knows of the item."""

    def __init__(self, source: Source, db: Database) -> None:
        self._source = source
        self._db = db

    async def resolve(
        self,
        key: str,
        target: Target,
        failure: DownloadError | None,
        note: Callable[[int, int | None], None],
    ) -> Request | Content | Made:
        """See `model.transfer.Resolver`."""
        # A link that failed is renewed by the source itself: the library knows no newer one.
        if failure is None and (item := await self._db.read(library.listed_item, key)) is not None:
            self._source.recall(item)
        return await self._source.resolve(key, target, failure, note)


class _RemovedSource:
    async def resolve(
        self,
        key: str,
        target: Target,
        failure: DownloadError | None,
        note: Callable[[int, int | None], None],
    ) -> Request | Content | Made:
        """Raise DownloadError: nobody knows any longer where the file is."""
        del key, target, failure, note
        raise DownloadError("not_found", "its source is no longer in the settings")
