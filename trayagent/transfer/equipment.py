"""What all attempts at files share."""

from __future__ import annotations

from msgspec import Struct

from trayagent.net.request import HttpClient
from trayagent.transfer.folders import Folders, Terms
from trayagent.transfer.names import Names
from trayagent.transfer.settled import SettledFiles
from trayagent.transfer.speed_limit import Bucket


class Equipment(Struct, frozen=True):
    """What an attempt works with."""

    client: HttpClient
    names: Names
    folders: Folders
    terms: Terms
    everything: Bucket
    """The speed limit of all files together."""
    settled: SettledFiles
