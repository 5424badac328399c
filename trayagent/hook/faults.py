"""Errors as answers: which status an error of the house gets."""

from __future__ import annotations

from typing import Final

from trayagent.agent.access import BadCodeError
from trayagent.hook.call import MalformedError
from trayagent.hook.knock import Refusal
from trayagent.model.errors import (
    NotFoundError,
    StoreUnavailableError,
    TrayagentError,
    WrongStateError,
)
from trayagent.store.admission import KeyReusedError

STATUS: Final[dict[type[TrayagentError], int]] = {
    MalformedError: 400,
    BadCodeError: 403,
    NotFoundError: 404,
    WrongStateError: 409,
    KeyReusedError: 409,
    StoreUnavailableError: 503,
}
"""Every other error of ours is 422: understood, but not possible as asked."""


def refusal_of(error: Exception) -> Refusal:
    """What the client is told; a fault of ours says nothing about itself."""
    if not isinstance(error, TrayagentError):
        return Refusal(
            500, "internal", "Something went wrong inside trayagent; see: trayagent logs"
        )
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 422)
    return Refusal(status, error.code, error.message, action=error.action)
