"""Secrets handed over for a trial."""

from __future__ import annotations


class Handed:
    """Secrets of a trial, forgotten with it."""

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
