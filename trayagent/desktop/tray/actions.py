"""What the tray can ask for: calls that the app posts into its loop."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

Level = Literal["all", "errors", "none"]


class Actions(Protocol):
    """The agent, as the tray sees it. Called on the tray's thread: every method returns at once."""

    def open_dashboard(self) -> None: ...

    def open_settings(self) -> None: ...

    def pair_browser(self) -> None:
        """Show how to send videos from the browser."""

    def set_up_images(self) -> None:
        """Show how to add a library, or how to sign in to one."""

    def pause_queue(self, minutes: int | None) -> None:
        """Pause everything for some minutes, or until resumed."""

    def resume_queue(self) -> None: ...

    def pause(self, id: str) -> None: ...

    def cancel(self, id: str) -> None: ...

    def retry(self, id: str) -> None: ...

    def why(self, id: str) -> None:
        """Show why the download failed."""

    def retry_failed(self) -> None: ...

    def sync(self, source: str | None) -> None:
        """Sync one source, or all of them."""

    def open_file(self, path: str) -> None: ...

    def open_folder(self, path: str) -> None:
        """Open a folder, or the folder of a file with the file selected."""

    def add_from_clipboard(self, text: str) -> None:
        """Queue the addresses found in the text; it may hold none."""

    def set_notifications(self, level: Level) -> None: ...

    def snooze(self, minutes: int) -> None:
        """No popups for some minutes; 0 ends it."""

    def undo(self, batch: str) -> None: ...

    def follow(self, do: str, id: str) -> None:
        """Do what a notice's button says: see `model.events.Action`."""

    def quit(self) -> None: ...


class Do(Struct, frozen=True):
    """A call to make: the name of a method of `Actions` and its arguments; values, so that rows compare."""

    name: str
    args: tuple[str | int | None, ...] = ()

    def perform(self, actions: Actions) -> None:
        """Make the call."""
        getattr(actions, self.name)(*self.args)
