"""Files that are here already: bytes a source sent inline, or a file the site engine made."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from trayagent.model import filenames
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Content, Fetched, Made, Target
from trayagent.transfer import content
from trayagent.transfer.disk import explained
from trayagent.transfer.finish import Came, finish
from trayagent.transfer.lane import Lane
from trayagent.transfer.names import name_for
from trayagent.transfer.place import Place
from trayagent.transfer.publish import copy_new, move_new
from trayagent.transfer.terms import Equipment


async def publish_made(
    equipment: Equipment, made: Content | Made, target: Target, progress: Any
) -> Fetched:
    """Check what a resolver made and give it its name. Raises DownloadError."""
    place = Place(equipment, target, progress)
    try:
        if isinstance(made, Content):
            came = await _take_bytes(place, made.data, target, equipment)
        else:
            came = await _take_file(place, made, target)
        fetched = await finish(place, target, came)
        if isinstance(made, Made) and made.warning:
            fetched = replace(fetched, warning=made.warning)
        progress.received(fetched.size, fetched.size)
    except DownloadError:
        await place.keep(failed=True, spoilt=True)
        raise
    else:
        return fetched
    finally:
        place.leave()


async def _take_bytes(place: Place, data: bytes, target: Target, equipment: Equipment) -> Came:
    equipment.terms.check(len(data))
    await equipment.folders.check(target.folder, len(data), equipment.terms.keep_free)
    head = data[: content.HEAD]
    seen = content.sniff(head)
    medium = content.promised(target.kind, "", target.filename)
    if medium is not None:
        content.check_promise(head, seen, {}, "", medium)
    name = name_for(target, seen, None, "", "")
    await _recall(place, target, name)
    await place.reserve(name, len(data), None)
    assert place.part is not None
    place.lane(Lane(place.part, 0, len(data), equipment.terms.max_size, ())).write(data)
    return Came(seen=seen)


async def _take_file(place: Place, made: Made, target: Target) -> Came:
    with explained(), made.path.open("rb") as file:
        head = file.read(content.HEAD)
        place.size = made.path.stat().st_size
    content.check_promise(head, content.sniff(head), {}, "")  # a page is never saved as a medium

    def take(part: Path) -> None:
        try:
            move_new(made.path, part)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy_new(made.path, part)

    name = filenames.safe(target.filename or made.filename)
    await _recall(place, target, name)
    await place.adopt(name, take)
    return Came()


async def _recall(place: Place, target: Target, name: str) -> None:
    """Take up the name of an earlier attempt, if what came this time is of the same type."""
    size = place.size
    if target.path is not None and target.path.suffix == Path(name).suffix:
        await place.recall()
        place.size = size
