"""The extension's popup: playwright does not see it, so it is spoken to through Chromium's own debugging port."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE = 10.0


class Target:
    """One target of the browser, through a connection of its own."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command of the DevTools protocol, and return its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json(timeout=PATIENCE)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result


class Popup(Target):
    """An open popup."""

    async def ask(self, expression: str) -> Any:
        """Evaluate in the popup, as if a person had clicked."""
        answer = await self.send(
            "Runtime.evaluate",
            expression=expression,
            userGesture=True,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def click(self, selector: str) -> None:
        """Click an element that may be clicked."""
        await self.ask(
            f"""(async () => {{ let found;
            while (!(found = document.querySelector({selector!r})) || found.disabled)
                await new Promise(go => setTimeout(go, 50));
            found.click(); }})()"""
        )

    async def until(self, expression: str) -> None:
        """Wait until something holds in the popup."""
        loop = f"while (!({expression})) await new Promise(go => setTimeout(go, 50));"
        await self.ask(f"(async () => {{ {loop} }})()")

    async def text(self) -> str:
        """Return what it says."""
        return str(await self.ask("document.body.innerText"))

    async def picture(self, path: Path) -> None:
        """Keep a picture of it."""
        answer = await self.send("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(answer["data"]))


@asynccontextmanager
async def popup_on(profile: Path, extension: str, page: str) -> AsyncIterator[Popup]:
    """Click the toolbar button on the tab that shows `page`, and give the popup."""
    lines = await asyncio.to_thread((profile / "DevToolsActivePort").read_text)
    port, path = lines.split()
    base = f"ws://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{base}{path}") as socket:
            browser = Target(socket)
            tab = await find(browser, "tab", page)
            await browser.send("Extensions.triggerAction", id=extension, targetId=tab)
            popup = await find(browser, "page", "/popup.html")
        async with session.ws_connect(f"{base}/devtools/page/{popup}") as socket:
            yield Popup(socket)


async def find(browser: Target, kind: str, address: str) -> str:
    """Wait for a target with something in its address, and return its id."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await browser.send("Target.getTargets", filter=[{}])
            for target in answer["targetInfos"]:
                if target["type"] == kind and address in target["url"]:
                    return str(target["targetId"])
            await asyncio.sleep(0.05)
