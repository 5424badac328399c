"""Snapshots for the tests of the tray: the states a person meets."""

from __future__ import annotations

from msgspec.structs import replace

from trayagent.desktop.tray.menu import Shape
from trayagent.desktop.tray.snapshot import Snapshot, SourceView, Undo
from trayagent.model.downloads import Download, ErrorInfo, State
from trayagent.model.events import Action, Notice
from trayagent.model.status import Board, Status

MB = 1_000_000


def download(id: str, state: State = State.ACTIVE, **more: object) -> Download:
    """A download with a name and an address that holds a secret."""
    base = Download(
        id=id,
        url=f"https://media.example/{id}.mp4?sig=CANARY_SIG",
        state=state,
        filename=f"{id}.mp4",
        path=f"/home/eve/Downloads/{id}.mp4",
    )
    return replace(base, **more)


def active(*downloads: Download, queued: int = 0, failed: int = 0) -> Board:
    """A board with these downloads under way."""
    speed = sum(d.speed for d in downloads)
    status = Status(active=len(downloads), queued=queued, failed=failed, speed=speed)
    return Board(status, {d.id: d for d in downloads})


FOLDERS = Snapshot(
    downloads_folder="/home/eve/Downloads",
    drop_folder="/home/eve/drop",
    library_folder="/home/eve/Pictures",
)
IDLE = FOLDERS
STARTING = replace(FOLDERS, offline="Starting…")
PAUSED = replace(
    FOLDERS,
    board=Board(Status(queued=12, paused=True, paused_until="2026-11-21T14:30:00Z")),
)
WHY = ErrorInfo("link_expired", "The link has expired.", "Send it again.")
FAILED = replace(
    FOLDERS,
    board=Board(Status(completed=3, failed=2), unseen_failures=2),
    failed=(
        download("a", State.FAILED, error=WHY),
        download("b", State.FAILED, filename=None, error=WHY),
    ),
)
BUSY = replace(
    FOLDERS,
    board=active(
        download("d1", filename="a_b_c & <d>.iso", size=700 * MB, received=294 * MB, speed=9 * MB),
        download(
            "d2",
            filename="Sunrise over the old harbour, drone footage, final cut (2160p60).mov",
            size=4_000 * MB,
            received=300 * MB,
            speed=3_400_000,
        ),
        download("d3", filename="lecture-07.mp4", received=31_400_000, speed=20_000),
        queued=3,
        failed=1,
    ),
    recent=(
        download("r1", State.COMPLETED, filename="harbour.jpg"),
        download("r2", State.COMPLETED, filename="talk – part 2.mp4"),
    ),
    failed=(download("f1", State.FAILED, filename="old-link.mp4", error=WHY),),
    sources=(SourceView("flow", missing=12), SourceView("shots", syncing=True, seen=240)),
    undo=Undo("b7", "holiday.txt", 41),
    notices=(Notice("Download finished", "harbour.jpg", (Action("Open", "open", "r1"),)),),
)

EVERY_STATE: dict[Shape, Snapshot] = {
    "idle": IDLE,
    "active": BUSY,
    "paused": PAUSED,
    "error": FAILED,
    "offline": STARTING,
}
"""A picture of each shape that the icon has."""
