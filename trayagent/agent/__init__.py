"""The work that never stops: from what is asked to files on the disk.

    intake         every way in: checks items, writes them to the store, wakes the pool
    queue/         the pool of workers, one job, and the commands of a person (pause ... undo)
    drops/         lists that are put into the drop folder
    library/       remote libraries: sources, syncs, missing files, verify, thumbnails
    access         who may talk to the agent: own token, dashboards, paired browsers, foreign programs
    codes          one-time codes, and the files that lead a browser to their pages
    bus            events, from whoever does something to whoever wants to hear of it
    first_download a file for newcomers that needs no network
    mover          finished files to where `[move]` says, or to a folder that a person chose
    history        what ended long ago is forgotten, as the settings say
    webhooks       events to one POST each, for other programs
    announcer      events to a few notices for people
    speed          full, slow, or by the clock
    when_done      tell, sleep or shut down at the end
    status         counts of the queue, folded from events
    queries        what may be read, as others see it
    page_looks     what a page offers, before it is downloaded
    previews       small pictures of downloaded pictures
    listings       long lists, sorted and shown a window at a time
    live_settings  the settings while the agent runs

Requests come down as calls on the parts of `Agent`; facts go up as events on its bus. `wiring`
builds the parts and gives each what it needs; none of them looks for another. Two files serve one
neighbour: `codes` is the half of `access` that lies on the disk, and `mover` waits for another disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    # For types only: whoever loads one module of this room (`get`, the thumbnails' child) loads that.
    from trayagent.agent.access import Clients
    from trayagent.agent.announcer import Announcer
    from trayagent.agent.bus import Bus
    from trayagent.agent.history import History
    from trayagent.agent.intake import Intake
    from trayagent.agent.library.album_files import AlbumFiles
    from trayagent.agent.library.libraries import Libraries
    from trayagent.agent.listings import Listings
    from trayagent.agent.live_settings import LiveSettings
    from trayagent.agent.mover import Mover
    from trayagent.agent.page_looks import PageLooks
    from trayagent.agent.previews import Previews
    from trayagent.agent.queries import Queries
    from trayagent.agent.queue.commands import BatchUndo, QueueCommands
    from trayagent.agent.queue.elsewhere import Elsewhere
    from trayagent.agent.speed import SpeedControl
    from trayagent.agent.status import LiveStatus
    from trayagent.agent.webhooks import Webhooks
    from trayagent.agent.when_done import WhenDoneControl


class Agent(Struct, frozen=True):
    """The agent's parts by name, as the hook and the desktop are given them."""

    bus: Bus
    intake: Intake
    queue: QueueCommands
    queries: Queries
    listings: Listings
    page_looks: PageLooks
    previews: Previews
    live_status: LiveStatus
    announcer: Announcer
    clients: Clients
    library: Libraries
    album_files: AlbumFiles
    speed_control: SpeedControl
    when_done: WhenDoneControl
    undo: BatchUndo
    elsewhere: Elsewhere
    mover: Mover
    history: History
    webhooks: Webhooks
    live_settings: LiveSettings
    version: str
