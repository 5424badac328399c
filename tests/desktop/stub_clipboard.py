"""A program that owns the clipboard of an X display: answers, refuses, or hangs."""

from __future__ import annotations

import json
import sys

from Xlib import X
from Xlib.display import Display
from Xlib.protocol.event import SelectionNotify


def main(text: str, how: str) -> None:
    display = Display()
    window = display.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
    window.set_selection_owner(display.intern_atom("CLIPBOARD"), X.CurrentTime)
    display.sync()
    print(json.dumps(["holds"]), flush=True)
    while True:
        event = display.next_event()
        if event.type != X.SelectionRequest or how == "hangs":
            continue
        place = event.property if how == "answers" else X.NONE
        if place:
            event.requestor.change_property(place, event.target, 8, text.encode())
        event.requestor.send_event(
            SelectionNotify(
                time=event.time,
                requestor=event.requestor,
                selection=event.selection,
                target=event.target,
                property=place,
            )
        )
        display.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
