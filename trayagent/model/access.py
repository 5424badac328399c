"""Who asks: the machine's owner, his dashboard, a paired browser extension, or a foreign program."""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

EXTENSION_ORIGIN: Final = re.compile(r"(?:chrome|moz)-extension://[A-Za-z0-9-]{1,64}")
"""The origins of browser extensions: those that can be paired."""

ClientKind = Literal["session", "extension", "aria2", "metube"]
"""`session`: a dashboard; `extension`: a paired browser; the others: programs made for something else,
each with a secret that is good for that protocol alone."""
ForeignKind = Literal["aria2", "metube"]


class Caller(Struct, frozen=True):
    """Whose token came with a request."""

    id: str
    kind: Literal["owner"] | ClientKind
    """`owner`: this machine's own token; the others: see `ClientKind`."""
    origin: str | None = None
    """The only web origin the token may come from; None: it comes without one, or from our own page."""


class Client(Struct, frozen=True):
    """A client as others see it."""

    id: str
    name: str
    origin: str
    created_at: str
    last_seen: str | None = None
    kind: ClientKind = "extension"

    def __repr__(self) -> str:
        return f"<Client {self.id} {self.name}>"


# The reprs leave tokens and codes out: values like these end up in logs.


class Paired(Struct, frozen=True):
    """What pairing answers: the token is told this once."""

    client: str
    token: str

    def __repr__(self) -> str:
        return f"<Paired {self.client}>"


class Connection(Struct, frozen=True):
    """What a foreign client is to be told; see docs/clients.md."""

    client: str
    kind: ForeignKind
    url: str
    """For MeTube's clients the secret is a part of it."""
    secret: str

    def __repr__(self) -> str:
        return f"<Connection {self.client}>"


class Code(Struct, frozen=True):
    """A one-time code, the page that redeems it, and until when (RFC 3339)."""

    code: str
    url: str
    expires_at: str
    file: str | None = None
    """A file that leads a browser there, if one was wished: a command line may hold its name."""

    def __repr__(self) -> str:
        return f"<Code until {self.expires_at}>"
