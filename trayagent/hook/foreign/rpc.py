"""JSON-RPC 2.0 as aria2 speaks it: the envelope, the token in it, batches and `system.multicall`.

Source: aria2 manual, "RPC interface", and what aria2c 1.36 was seen to answer. One message, step by step:

1. It is decoded; what is no JSON object or array is `-32700`.
2. Each call shows its token as its first parameter. In a multicall, each inner call does.
3. The method runs, and its result or its error goes into the answer.
4. A message with wrong tokens, however many, is answered after one delay.

`methods` has the table of methods. An error of a method has the code 1, and one sentence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from trayagent.model.errors import TrayagentError

if TYPE_CHECKING:
    from trayagent.agent import Agent
    from trayagent.model.access import Caller

log = logging.getLogger(__name__)

MOST_MESSAGE_BYTES: Final = 2 * 1024 * 1024
"""As much as aria2 reads of one message."""
WRONG_TOKEN_SECONDS: Final = 0.5
"""A message with a wrong token is answered so much later."""
MOST_TOKENS: Final = 16
"""Different tokens that are looked at in one message; nobody who means well sends two."""
MOST_ROWS: Final = 10_000
"""Downloads that the answer to one message may hold: a multicall can ask for all of them again and again."""
MOST_CALLS: Final = 20_000
"""Calls in one message, those inside its multicalls counted, too: an answer may be a hundred times as long."""
CALLS_PER_TURN: Final = 50
"""Calls of one message after which others get their turn on the loop."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INVALID_PARAMS: Final = -32602
_SERVER_FAULTS: Final = frozenset({PARSE_ERROR, INVALID_PARAMS})


class RpcError(Exception):
    """What a call is told instead of a result."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def wrong_type(index: int) -> RpcError:
    """The error of a parameter of another type; the token does not count."""
    return RpcError(f"The parameter at {index} has wrong type.")


class RpcAnswer(NamedTuple):
    """The HTTP status, and what is told as JSON."""

    status: int
    content: Any


@dataclass(slots=True)
class RpcSession:
    """One message's sender, and what it may still ask for."""

    agent: Agent
    run_id: str
    """A new one for each start of the agent."""
    is_from_browser: bool = False
    """An extension or a listed page sent it: then a page may stand behind the address."""
    welcome: Callable[[Caller], None] = lambda _caller: None
    """Called with the owner of every valid token."""
    rows_left: int = MOST_ROWS
    calls_left: int = MOST_CALLS
    has_wrong_token: bool = False
    _judged: dict[str, bool] = field(default_factory=dict, repr=False)

    def is_allowed(self, token: str) -> bool:
        """Whether a token is that of an aria2 client."""
        # Judged once a message: a multicall shows its token with every inner call. Beyond so many
        # different ones no further token is looked at: one message is not a thousand guesses.
        if token not in self._judged and len(self._judged) < MOST_TOKENS:
            caller = self.agent.clients.recognise_foreign("aria2", token)
            self._judged[token] = caller is not None
            if caller is not None:
                self.welcome(caller)
        allowed = self._judged.get(token, False)
        self.has_wrong_token |= not allowed
        return allowed

    def take_rows(self, count: int) -> None:
        """Count downloads that the answer will hold. Raises RpcError for too many."""
        self.rows_left -= count
        if self.rows_left < 0:
            raise RpcError(f"One message may ask for {MOST_ROWS:,} downloads; send several.")

    def take_calls(self, count: int) -> None:
        """Count calls that are to be answered. Raises RpcError for too many."""
        self.calls_left -= count
        if self.calls_left < 0:
            raise RpcError(f"One message may hold {MOST_CALLS:,} calls; send several.")


@dataclass(frozen=True, slots=True)
class Call:
    """One call with its parameters, the token taken off. Raises RpcError for a parameter that does not fit."""

    session: RpcSession
    params: list[Any]

    @property
    def agent(self) -> Agent:
        """The agent, which does the work."""
        return self.session.agent

    def text(self, index: int) -> str:
        """A text that must be there."""
        value = self._at(index)
        if not isinstance(value, str):
            raise wrong_type(index)
        return value

    def number(self, index: int) -> int:
        """A whole number that must be there."""
        value = self._at(index)
        # In Python `true` is the number 1; in aria2 it is no number.
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(index)
        # Larger than any list, and small enough for SQLite.
        return max(-(1 << 31), min(value, 1 << 31))

    def texts(self, index: int) -> list[str]:
        """A list of texts that must be there."""
        return [one for one in self.values(index) if isinstance(one, str)]

    def values(self, index: int) -> list[Any]:
        """A list that must be there, of anything."""
        value = self._at(index)
        if not isinstance(value, list):
            raise wrong_type(index)
        return value

    def options(self, index: int) -> Mapping[str, Any]:
        """A table of options; a list in its place, as some libraries fill it with, is none."""
        value = self.params[index] if index < len(self.params) else {}
        if not isinstance(value, dict | list):
            raise wrong_type(index)
        return value if isinstance(value, dict) else {}

    def changes(self, index: int) -> Mapping[str, Any]:
        """A table of options that must be there."""
        self._at(index)
        return self.options(index)

    def keys(self, index: int) -> tuple[str, ...] | None:
        """The keys that are asked for; None for all."""
        keys = self.texts(index) if index < len(self.params) else []
        return tuple(dict.fromkeys(keys)) or None

    def _at(self, index: int) -> Any:
        if index >= len(self.params):
            raise RpcError(f"The parameter at {index} is required but missing.")
        return self.params[index]


Method = Callable[[Call], Awaitable[Any]]


async def answer(
    body: bytes | str, session: RpcSession, methods: Mapping[str, Method]
) -> RpcAnswer:
    """Answer one message: a call, or a batch of them."""
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = None
    if isinstance(message, list):
        told = await _answer_batch(message, session, methods)
    elif isinstance(message, dict):
        content = await _answer_call(message, session, methods)
        # aria2's own statuses. A batch has 200 in any case, since each of its answers has its own end.
        status = 200
        if "error" in content:
            status = 500 if content["error"]["code"] in _SERVER_FAULTS else 400
        told = RpcAnswer(status, content)
    else:
        content = {
            "id": None,
            "jsonrpc": "2.0",
            "error": _fault(RpcError("Parse error.", PARSE_ERROR)),
        }
        told = RpcAnswer(500, content)
    if session.has_wrong_token:
        # Once a message: a thousand wrong tokens must not cost us a thousand times the attention.
        session.agent.clients.guesses.note_wrong()
        log.info("Refused a foreign program: wrong token")
        await asyncio.sleep(WRONG_TOKEN_SECONDS)
    return told


async def _answer_batch(
    calls: list[Any], session: RpcSession, methods: Mapping[str, Method]
) -> RpcAnswer:
    try:
        # Before the first is answered, for no token is needed to be told of an error.
        session.take_calls(len(calls))
    except RpcError as error:
        return RpcAnswer(400, {"id": None, "jsonrpc": "2.0", "error": _fault(error)})
    answers: list[Any] = []
    for number, one in enumerate(calls, 1):
        # As in a multicall: everything else on the loop goes on meanwhile.
        if number % CALLS_PER_TURN == 0:
            await asyncio.sleep(0)
        answers.append(await _answer_call(one, session, methods))
    return RpcAnswer(200, answers)


async def _answer_call(message: Any, session: RpcSession, methods: Mapping[str, Method]) -> Any:
    known = message if isinstance(message, dict) else {}
    told: dict[str, Any] = {"id": known.get("id"), "jsonrpc": "2.0"}
    method, params = known.get("method"), known.get("params", [])
    try:
        if "id" not in known or not isinstance(method, str):
            raise RpcError("Invalid Request.", INVALID_REQUEST)
        if not isinstance(params, list):
            raise RpcError("Invalid params.", INVALID_PARAMS)
        if method == "system.multicall":
            told["result"] = await _answer_multicall(Call(session, params), methods)
        else:
            told["result"] = await _run(method, params, session, methods)
    except RpcError as error:
        told["error"] = _fault(error)
    return told


async def _answer_multicall(call: Call, methods: Mapping[str, Method]) -> list[Any]:
    """Each result in a list of its own, each error as it is: that is how they are told apart."""
    results: list[Any] = []
    calls = call.values(0)
    call.session.take_calls(len(calls))
    for number, inner in enumerate(calls, 1):
        # Thousands of calls fit into one message: everything else on the loop goes on meanwhile.
        if number % CALLS_PER_TURN == 0:
            await asyncio.sleep(0)
        name, params = None, None
        if isinstance(inner, dict):
            name, params = inner.get("methodName"), inner.get("params", [])
        try:
            # One within another would multiply itself: a message of a few bytes, a million calls.
            if name == "system.multicall":
                raise RpcError("Recursive system.multicall forbidden.")
            if isinstance(inner, dict) and name is None:
                raise RpcError("Missing methodName.")
            if not isinstance(name, str) or not isinstance(params, list):
                raise RpcError("system.multicall expected struct.")
            results.append([await _run(name, params, call.session, methods)])
        except RpcError as error:
            results.append(_fault(error))
    return results


async def _run(
    name: str, params: list[Any], session: RpcSession, methods: Mapping[str, Method]
) -> Any:
    """Run one method for who shows a token. Raises RpcError."""
    tokens = 0
    # Some libraries send it twice.
    for shown in params:
        if not isinstance(shown, str) or not shown.startswith("token:"):
            break
        tokens += 1
    # The token comes before the method: who has none does not learn which methods there are.
    # The two lists of names are told to everybody who may connect at all.
    if not name.startswith("system.") and not (
        tokens and session.is_allowed(params[0].removeprefix("token:"))
    ):
        session.has_wrong_token = True
        raise RpcError("Unauthorized")
    method = methods.get(name)
    if method is None:
        raise RpcError(f"No such method: {name[:80]}")
    try:
        return await method(Call(session, params[tokens:]))
    except TrayagentError as error:
        raise RpcError(" ".join(filter(None, (error.message, error.action)))) from error


def _fault(error: RpcError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message}
