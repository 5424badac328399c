"""Files that are here already: bytes a source sent inline, or a file the page engine made."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from trayagent.model import filenames
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Content, Fetched, Made, Target
from trayagent.transfer import content
from trayagent.transfer.destination import Destination
from trayagent.transfer.finish import Origin, choose_name, finish, fit_name
from trayagent.transfer.folders import Look, explained
from trayagent.transfer.publish import copy_new, move_new


def publish_made(
    destination: Destination,
    made: Content | Made,
    target: Target,
    look: Callable[[int], Look],
    check_stopped: Callable[[], None],
) -> Fetched:
    """Check what a resolver made and give it its name.

    `look` checks the folder for so many more bytes. Raises DownloadError, and what `check_stopped` raises.
    """
    try:
        if isinstance(made, Content):
            origin = _take_bytes(destination, made.data, target, look)
        else:
            origin = _take_file(destination, made, target, look(0))
        fetched = finish(destination, target, origin, check_stopped)
    except DownloadError:
        # What a resolver made is here whole or not at all: no later attempt could go on with it.
        destination.keep(failed=True, spoilt=True)
        raise
    finally:
        destination.leave()
    if isinstance(made, Made) and made.warning:
        return replace(fetched, warning=made.warning)
    return fetched


def _take_bytes(
    destination: Destination, data: bytes, target: Target, look: Callable[[int], Look]
) -> Origin:
    folder = look(len(data))
    head = data[: content.HEAD]
    seen = content.sniff(head)
    medium = content.medium_promised(target.kind, "", target.filename)
    if not data and medium is not None:
        raise DownloadError("truncated", "the answer was empty")
    if medium is not None:
        content.check_promise(head, seen, {}, "", medium)
    name = choose_name(target, seen, None, "", "", folder)
    _recall(destination, target, name)
    destination.reserve(name, len(data), None)
    assert destination.part is not None
    destination.part.write((data,), 0)
    return Origin(seen=seen)


def _take_file(destination: Destination, made: Made, target: Target, folder: Look) -> Origin:
    with explained(), made.path.open("rb") as file:
        head = file.read(content.HEAD)
        size = made.path.stat().st_size
    content.check_promise(head, content.sniff(head), {}, "")  # a page is never saved as a medium

    def take(part: Path) -> None:
        try:
            move_new(made.path, part)
        except OSError as error:
            # What the page engine made may lie on another disk: then it is copied.
            if error.errno != errno.EXDEV:
                raise
            copy_new(made.path, part)

    name = fit_name(filenames.safe(target.filename or made.filename), target, folder)
    _recall(destination, target, name)
    destination.size = size
    destination.adopt(name, take)
    return Origin()


def _recall(destination: Destination, target: Target, name: str) -> None:
    """Take up the name of an earlier attempt, if what came this time is of the same type."""
    if target.path is not None and target.path.suffix == Path(name).suffix:
        destination.recall()
