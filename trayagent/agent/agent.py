"""The agent, as the hook and the desktop are given it: its parts by name."""

from __future__ import annotations

from dataclasses import dataclass

from trayagent.agent.announcer import Announcer
from trayagent.agent.bus import Bus
from trayagent.agent.clients import Clients
from trayagent.agent.intake import Intake
from trayagent.agent.keeper import Keeper
from trayagent.agent.library import Library
from trayagent.agent.preferences import Preferences
from trayagent.agent.queries import Queries
from trayagent.agent.queue import Queue
from trayagent.agent.undo import Undo


@dataclass(frozen=True, slots=True)
class Agent:
    """Requests go down as calls on these parts; facts come up on the bus."""

    bus: Bus
    intake: Intake
    queue: Queue
    queries: Queries
    keeper: Keeper
    announcer: Announcer
    clients: Clients
    library: Library
    undo: Undo
    preferences: Preferences
    version: str
