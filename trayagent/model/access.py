"""Who knocks: the machine's owner, his dashboard, or a paired browser extension."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Caller(Struct, frozen=True):
    """Whose token came with a request."""

    id: str
    kind: Literal["owner", "session", "extension"]
    """`owner`: this machine's own token; `session`: the dashboard; `extension`: a paired client."""
    origin: str | None = None
    """The only web origin the token may come from; None: it comes without one, or from our own page."""


class Client(Struct, frozen=True):
    """A paired client or an open dashboard as others see it."""

    id: str
    name: str
    origin: str
    created_at: str
    last_seen: str | None = None
    kind: Literal["owner", "session", "extension"] = "extension"

    def __repr__(self) -> str:
        return f"<Client {self.id} {self.name}>"


# The reprs leave tokens and codes out: values like these end up in logs.


class Paired(Struct, frozen=True):
    """What pairing answers: the token is told this once."""

    client: str
    token: str

    def __repr__(self) -> str:
        return f"<Paired {self.client}>"


class Code(Struct, frozen=True):
    """A one-time code, the page that redeems it, and until when (RFC 3339)."""

    code: str
    url: str
    expires_at: str
    file: str | None = None
    """A file that leads a browser there, if one was wished: a command line may hold its name."""

    def __repr__(self) -> str:
        return f"<Code until {self.expires_at}>"
