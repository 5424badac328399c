"""A first download that needs no network, whatever stands between this computer and others.

It goes the way of all downloads, but for its bytes: they are here.
"""

from __future__ import annotations

from typing import Final

from trayagent.model.jobs import New, Order
from trayagent.model.transfer import Content

URL: Final = "trayagent:welcome"
"""What stands in the place of an address; nobody outside can ask for it, since it is none."""
NAME: Final = "Welcome to trayagent.txt"
CONTENT: Final = Content(
    b"""\
This is your first download with trayagent.

Every file that you fetch lies in this folder. The icon in the tray shows what is
going on; a click on it opens the dashboard.
"""
)


def first_download() -> New:
    """The text as an item for the queue: it goes before all others, as often as somebody asks for it."""
    order = Order(filename=NAME, kind="file")
    return New(key=URL, url=URL, host="trayagent", order=order, urgent=True, again=True)
