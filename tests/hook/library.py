"""A library that stands still, for the routes that speak of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trayagent.model.errors import DownloadError, NotFoundError
from trayagent.model.library import Account, LibraryItem, SourceInfo, VerifyReport


@dataclass
class FakeLibrary:
    """A library of one source with two items."""

    calls: list[Any] = field(default_factory=list)
    verify_report: VerifyReport = field(default_factory=lambda: VerifyReport("finished", 2, 2, 2))

    async def sources(self) -> list[SourceInfo]:
        return [await self.source("flow")]

    async def source(self, name: str) -> SourceInfo:
        if name != "flow":
            raise NotFoundError("not_found", "There is no such source.")
        return SourceInfo("flow", "flow", "me@example.com", True, items=2)

    async def items(self, name: str, **asked: Any) -> tuple[list[LibraryItem], str | None]:
        self.calls.append((name, asked))
        return [
            LibraryItem("a b/c", "image", None, None, None, None, "missing", None, None, None)
        ], "more"

    async def sync(self, name: str, *, list_only: bool) -> tuple[str, bool]:
        self.calls.append((name, list_only))
        return "r1", len(self.calls) > 1

    async def download(
        self, name: str, names: Any, folder: str | None
    ) -> tuple[str | None, list[str]]:
        unknown = [n for n in names if n == "nope"]
        return (None if len(unknown) == len(names) else "b1"), unknown

    async def thumbnail(self, name: str, item: str) -> bytes:
        self.calls.append((name, item))
        return b"\xff\xd8jpeg"

    async def probe(self, source: Any, secret: str | None) -> tuple[Account, list[LibraryItem]]:
        if secret is None:
            raise DownloadError("needs_login")
        return Account("me"), (await self.items("flow"))[0]

    async def verify(self, *, repair: bool) -> VerifyReport:
        self.calls.append(repair)
        return self.verify_report

    def cancel_verify(self) -> None:
        self.calls.append("cancelled")

    async def sign_in(self, name: str, text: str) -> Account:
        await self.source(name)
        return Account("me")

    async def sign_out(self, name: str) -> None:
        await self.source(name)

    def publish_change(self, name: str) -> None:
        self.calls.append(("changed", name))

    async def example(self, settings: Any, secret: str | None = None) -> Any:
        self.calls.append(("example", settings.name))
        return {"items": []}
