"""A network of its own for one server, as another machine has it: a cable between the two, and its plug.

Only root may make one, on Linux; elsewhere `LACKING` says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Final, Self

from tests import programs


def _lacking() -> str | None:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces are made by root, on Linux"
    if missing := programs.lacking(("ip", "curl")):
        return missing
    name = f"trayagent-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"this machine lets root make no network namespace: {made.stderr.strip()}"
    _ip("netns", "del", name)
    return None


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Namespace:
    """A context manager: `near` and `far` are the addresses of the two ends of the cable."""

    def __init__(self) -> None:
        number = os.getpid() % 16_000
        self.name = f"trayagent-{number}"
        self._plug = f"tra{number}a"
        self._far_plug = f"tra{number}b"
        net = f"10.203.{number // 64}.{number % 64 * 4}"
        self.near, self.far = (
            f"{net.rpartition('.')[0]}.{int(net.rpartition('.')[2]) + i}" for i in (1, 2)
        )

    def __enter__(self) -> Self:
        _ip("netns", "add", self.name)
        _ip("link", "add", self._plug, "type", "veth", "peer", "name", self._far_plug)
        _ip("link", "set", self._far_plug, "netns", self.name)
        _ip("addr", "add", f"{self.near}/30", "dev", self._plug)
        _ip("-n", self.name, "addr", "add", f"{self.far}/30", "dev", self._far_plug)
        _ip("-n", self.name, "link", "set", self._far_plug, "up")
        self.plug_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The other end of the cable goes with its namespace only once nothing runs there any more.
        _ip("link", "del", self._plug)
        _ip("netns", "del", self.name)

    def plug_in(self) -> None:
        """The cable carries."""
        _ip("link", "set", self._plug, "up")

    def pull(self) -> None:
        """The cable is out: nobody is told, packets just go nowhere."""
        _ip("link", "set", self._plug, "down")


LACKING: Final = _lacking()
