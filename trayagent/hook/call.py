"""A call: a request that passed the gate, as the handlers see it; and a reply, as they give it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from trayagent.hook.events import Ring
from trayagent.hook.nonce import Nonces
from trayagent.hook.routes import Route
from trayagent.model import foreign_json
from trayagent.model.client import Caller
from trayagent.model.download import Via
from trayagent.model.errors import TrayagentError
from trayagent.store.admission import IdempotencyKey

if TYPE_CHECKING:
    from trayagent.agent import Agent

T = TypeVar("T")


class MalformedError(TrayagentError):
    """The body is not JSON at all (HTTP 400)."""


class SchemaError(TrayagentError):
    """JSON, but not what the route takes (HTTP 422); the message names the path."""


@dataclass(frozen=True, slots=True)
class House:
    """What all handlers share."""

    agent: Agent
    port: int
    ring: Ring
    nonces: Nonces
    quit: Callable[[], None]
    routes: tuple[Route, ...]

    @property
    def url(self) -> str:
        """Our own address."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    house: House
    route: Route
    caller: Caller | None
    origin: str | None
    params: dict[str, str]
    request: web.BaseRequest = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """What every answer to it carries."""

    @property
    def agent(self) -> Agent:
        """Who does the work."""
        return self.house.agent

    def still_welcome(self) -> bool:
        """Whether the token that came with it is still good: an answer may take days."""
        token = bearer_token(self.request.headers.getall("Authorization", []))
        return token is not None and self.agent.clients.recognise(token) == self.caller

    def json(self, type: type[T]) -> T:
        """The body as a value. Raises MalformedError or SchemaError."""
        return decode(self.body, type)

    def query(self, type: type[T]) -> T:
        """The query as a value; raises SchemaError for keys or values that it does not have."""
        _, _, query = self.request.path_qs.partition("?")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=16)
        except ValueError as error:
            raise SchemaError("bad_query", "The query has too many parts.") from error
        values = dict(pairs)
        if len(values) < len(pairs):
            raise SchemaError("bad_query", "The query says the same thing twice.")
        try:
            return msgspec.convert(values, type, strict=False)
        except msgspec.ValidationError as error:
            raise SchemaError("bad_query", _sentence(error)) from error

    @property
    def via(self) -> Via:
        """Which way in this is."""
        if self.caller is None or self.caller.kind == "session":
            return "page"
        if self.caller.kind == "extension":
            return "extension"
        program = self.request.headers.get("User-Agent", "")
        return "cli" if program.startswith("trayagent-cli/") else "hook"

    @property
    def is_extension(self) -> bool:
        """Whether a paired extension asks: it sees and steers only what it sent."""
        return self.caller is not None and self.caller.kind == "extension"

    @property
    def idempotency(self) -> IdempotencyKey | None:
        """The Idempotency-Key, which counts for its sender only. Raises SchemaError."""
        keys = self.request.headers.getall("Idempotency-Key", [])
        if not keys and self.is_extension:
            keys = [secrets.token_hex(16)]  # what it sends is its own by the key that came along
        if not keys:
            return None
        if len(keys) > 1 or not (
            0 < len(keys[0]) <= 255 and keys[0].isascii() and keys[0].isprintable()
        ):
            raise SchemaError(
                "bad_key", "Idempotency-Key must be one plain text of at most 255 characters."
            )
        sender = self.caller.id if self.caller else ""
        return IdempotencyKey(f"{sender}:{keys[0]}", hashlib.sha256(self.body).hexdigest())


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer: JSON of `content`, or bytes of another `type`."""

    status: int
    content: Any = None
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def bearer_token(authorizations: list[str]) -> str | None:
    """The token of the one Authorization header."""
    if len(authorizations) != 1:
        return None
    scheme, _, token = authorizations[0].partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def decode(body: bytes | msgspec.Raw, type: type[T]) -> T:
    """JSON as a value; an object that says a key twice is none. Raises MalformedError or SchemaError."""
    repeated = foreign_json.repeated_key(body)
    if repeated is not None:
        raise SchemaError("bad_request", f"The key {_plain(repeated[:40])} is given twice.")
    return decode_loosely(body, type)


def decode_loosely(body: bytes | msgspec.Raw, type: type[T]) -> T:
    """As `decode`, but the last of a repeated key counts: for what is looked at in parts afterwards."""
    try:
        try:
            value: T = foreign_json.read(body, type)
            return value
        except msgspec.ValidationError as error:
            foreign_json.read(body)  # it stopped at the first misfit: is the rest JSON at all?
            raise SchemaError("bad_request", _sentence(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError("bad_json", "The body is not valid JSON.") from error


def _sentence(error: msgspec.ValidationError) -> str:
    return f"{_plain(str(error))[:300]}."


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
