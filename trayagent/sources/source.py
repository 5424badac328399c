"""What every source can do, what it needs, and how it fails.

A SourceError stops a listing: signing in again, or other settings, would help. A DownloadError is of the
network or of one file, and may be tried again; `download_error` makes one of the other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from trayagent.model.errors import DownloadError, TrayagentError
from trayagent.model.library import Account, Listed, Page
from trayagent.model.transfer import Content, Made, Request, Target


class SourceError(TrayagentError):
    """Why a library cannot be listed; trying again at once would not help."""


class CursorError(SourceError):
    """The server no longer knows the cursor: start from page one."""

    def __init__(self) -> None:
        super().__init__(
            "bad_cursor", "The server no longer knows where the listing stopped.", "Sync again."
        )


class CutOffError(SourceError):
    """There are more pages, and no way to ask for them that we understand."""

    def __init__(self, why: str, action: str = "Check page.next in its settings.") -> None:
        super().__init__("cut_off", f"The list is not complete: {why}.", action)


def not_signed_in(source: str) -> SourceError:
    """Nobody is signed in, or no longer."""
    return SourceError(
        "signed_out",
        f"You are not signed in to {source}, or no longer.",
        f"Sign in again: trayagent source login {source}",
    )


def question_refused(source: str, status: int, action: str) -> SourceError:
    """The server does not understand how it is asked for its list: no file is missing."""
    return SourceError(
        "bad_request",
        f"{source} does not take the question for its list (HTTP {status}).",
        action,
    )


def download_error(error: SourceError) -> DownloadError:
    """A source's trouble as the failure of one download."""
    # 1. Signing in again lets the download go on.
    # 2. A moved account has its files elsewhere.
    # 3. Everything else is a server that does not want to be asked like this.
    code = {"signed_out": "needs_login", "moved": "not_found"}.get(error.code, "forbidden")
    return DownloadError(code, error.message.rstrip(".").lower() if error.code == "moved" else "")


class SecretStore(Protocol):
    """Where secrets live: the system keyring, or a 0600 file."""

    async def get(self, name: str) -> str | None:
        """The secret, or None."""

    async def set(self, name: str, value: str) -> None:
        """Keep it."""

    async def delete(self, name: str) -> None:
        """Forget it; harmless when there is none."""


class TrialSecrets:
    """Secrets handed over for a trial, and forgotten with it."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    async def get(self, name: str) -> str | None:
        """The secret, or None."""
        return self._secrets.get(name)

    async def set(self, name: str, value: str) -> None:
        """Keep it for the trial."""
        self._secrets[name] = value

    async def delete(self, name: str) -> None:
        """Forget it."""
        self._secrets.pop(name, None)


class Source(Protocol):
    """One remote library of one account; also the resolver of its items' downloads."""

    name: str
    type: str
    host: str
    """`host:port` that serves the files."""
    page_delay: tuple[float, float]
    """Seconds to rest between pages, at random between the two."""

    async def has_secrets(self) -> bool:
        """Whether something to sign in with is kept; asks nobody."""

    async def account(self) -> Account:
        """Who is signed in, asked afresh. Raises SourceError or DownloadError."""

    async def page(self, cursor: str | None) -> Page:
        """One page; None asks for the first. Raises SourceError, CursorError or DownloadError."""

    async def sign_in(self, text: str) -> Account:
        """Keep what `text` holds of secrets, if it works. Raises SourceError or DownloadError."""

    async def sign_out(self) -> None:
        """Forget the secrets."""

    def recall(self, item: Listed) -> None:
        """What the library knows of an item that is about to be resolved."""

    async def resolve(
        self,
        key: str,
        target: Target,
        failure: DownloadError | None,
        note: Callable[[int, int | None], None],
    ) -> Request | Content | Made:
        """See `model.transfer.Resolver`."""


T = TypeVar("T")


class RecentEntries(Generic[T]):
    """At most `size` entries by name."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str) -> T | None:
        """What was put under the name, if it is still remembered."""
        return self._entries.get(name)

    def put(self, name: str, value: T) -> None:
        """Remember it as the newest."""
        self._entries.pop(name, None)
        self._entries[name] = value
        # The oldest goes, however often it was asked for: links expire, so age is what counts.
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
