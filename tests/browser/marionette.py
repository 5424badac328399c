"""Firefox ESR, headless, driven by its own Marionette protocol: length-prefixed JSON over TCP."""

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from tests import programs
from tests.browser.running import until

PATIENCE: Final = 20.0
ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
"""How WebDriver names an element in JSON (W3C WebDriver §6.2)."""
SHOWS: Final = (
    """return location.pathname === arguments[0] && document.readyState === "complete";"""
)
PREFERENCES: Final[dict[str, Any]] = {
    "app.update.disabledForTesting": True,
    "browser.download.alwaysOpenPanel": False,
    "browser.download.folderList": 2,  # the folder that `browser.download.dir` names
    "browser.newtabpage.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    # Marionette switches the popup blocker off, and then every test of popups lies.
    "dom.disable_open_during_load": True,
    "devtools.jsonview.enabled": False,
    "extensions.update.enabled": False,
    "marionette.port": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.localDomains": "videos.example,evil.example",
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}


class MarionetteError(Exception):
    """Firefox could not do what it was told."""


class Firefox:
    """A running Firefox; made by `Firefox.start`."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._reader = stream.makefile("rb")
        self._number = 0
        self._receive()  # it introduces itself
        self("WebDriver:NewSession", acceptInsecureCerts=True)

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, profile: Path, site_port: int, environ: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[Self]:
        """Start it in a fresh profile, for which the site counts as public; `environ` goes to what it starts."""
        downloads = {"browser.download.dir": str(profile / "Downloads")}
        public = {"network.lna.address_space.public.override": f"127.0.0.1:{site_port}"}
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in (PREFERENCES | public | downloads).items()
        ]
        profile.mkdir(parents=True)
        (profile / "user.js").write_text("\n".join(lines))
        program = programs.find("firefox-esr")
        assert program is not None
        flags = ["--headless", "--no-remote", "--marionette", "--remote-allow-system-access"]
        process = subprocess.Popen(
            [program, *flags, "--profile", str(profile)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"HOME": str(profile), "PATH": "/usr/bin:/bin", **environ, "MOZ_HEADLESS": "1"},
        )
        try:
            with socket.create_connection(("127.0.0.1", port_of(profile, process)), 5) as stream:
                stream.settimeout(PATIENCE)
                firefox = cls(stream)
                yield firefox
                firefox._reader.close()
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __call__(self, command: str, **parameters: object) -> Any:
        """Send a command and return its value."""
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._stream.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self._receive()
        assert number == self._number
        if error is not None:
            raise MarionetteError(f"{command}: {error['error']}: {error['message']}")
        return (
            result.get("value") if isinstance(result, dict) and set(result) == {"value"} else result
        )

    def _receive(self) -> Any:
        length = b""
        while (digit := self._reader.read(1)) != b":":
            assert digit, "Firefox has ended"
            length += digit
        return json.loads(self._reader.read(int(length)))

    def go(self, url: str) -> None:
        """Open an address in the current tab."""
        self("WebDriver:Navigate", url=url)

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page; it returns with `return`."""
        return self("WebDriver:ExecuteScript", script=script, args=list(arguments))

    def run_async(self, script: str, *arguments: object) -> Any:
        """Run a script in the page whose `return` may give a promise."""
        body = f"""const done = arguments[arguments.length - 1];
            Promise.resolve((function () {{ {script} }})(...arguments))
                .then(done, error => done("failed: " + error));"""
        return self("WebDriver:ExecuteAsyncScript", script=body, args=list(arguments))

    def chrome(self, script: str, *arguments: object) -> Any:
        """Run an async function's body in the browser itself; it returns with `return`."""
        self("Marionette:SetContext", value="chrome")
        body = f"""const done = arguments[arguments.length - 1];
            (async (...given) => {{ {script} }})(...arguments).then(done, error => done("failed: " + error));"""
        try:
            found = self("WebDriver:ExecuteAsyncScript", script=body, args=list(arguments))
        finally:
            self("Marionette:SetContext", value="content")
        assert not str(found).startswith("failed: "), found
        return found

    def element(self, selector: str) -> dict[str, str]:
        """Find an element of the page."""
        found: dict[str, str] = self("WebDriver:FindElement", using="css selector", value=selector)
        return found

    def click(self, selector: str) -> None:
        """Click as a person does."""
        self("WebDriver:ElementClick", id=self.element(selector)[ELEMENT])

    def text(self, selector: str) -> str:
        """Return what an element shows."""
        return str(self("WebDriver:GetElementText", id=self.element(selector)[ELEMENT]))

    def windows(self) -> list[str]:
        """Return the handles of all tabs and popups."""
        found: list[str] = self("WebDriver:GetWindowHandles")
        return found

    def switch(self, handle: str, *, focus: bool = True) -> None:
        """Turn to another tab or popup; without focus, only commands go there."""
        self("WebDriver:SwitchToWindow", handle=handle, focus=focus)

    def settle(self) -> None:
        """Close all tabs and popups but the first, and turn to it."""
        first, *others = self.windows()
        for handle in others:
            self.switch(handle)
            self("WebDriver:CloseWindow")
        self.switch(first)

    def turn_to_page(self, path: str, *, besides: set[str]) -> None:
        """Turn to a new tab or popup once it shows a page of ours; loading may replace it meanwhile."""

        def there() -> bool:
            with contextlib.suppress(MarionetteError):
                for handle in set(self.windows()) - besides:
                    self.switch(handle)
                    return bool(self.run(SHOWS, path))
            return False

        until(there)

    def new_tab(self) -> str:
        """Open a tab, turn to it and return its handle."""
        handle = str(self("WebDriver:NewWindow", type="tab", focus=True)["handle"])
        self.switch(handle)
        return handle

    def right_click(self, selector: str) -> None:
        """Open the context menu of an element."""
        self("WebDriver:PerformActions", actions=[mouse(self.element(selector), button=2)])

    def press(self, *keys: str) -> None:
        """Press keys together, as the browser's own window gets them."""
        down = [{"type": "keyDown", "value": key} for key in keys]
        up = [{"type": "keyUp", "value": key} for key in reversed(keys)]
        actions = [{"type": "key", "id": "keys", "actions": down + up}]
        self("Marionette:SetContext", value="chrome")
        self("WebDriver:PerformActions", actions=actions)
        self("Marionette:SetContext", value="content")


def mouse(element: dict[str, str], button: int) -> dict[str, Any]:
    """Return the actions that move to an element and click."""
    move = {"type": "pointerMove", "origin": element, "x": 0, "y": 0}
    clicks = [{"type": kind, "button": button} for kind in ("pointerDown", "pointerUp")]
    return {"type": "pointer", "id": "mouse", "actions": [move, *clicks]}


def port_of(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """Wait until it says where it listens."""

    def port() -> int:
        assert process.poll() is None, "Firefox did not start"
        with contextlib.suppress(OSError, ValueError):
            return int((profile / "MarionetteActivePort").read_text())
        return 0

    return until(port)
