"""Where files of a type, or of a site, go when nobody named a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from trayagent.model.file_types import type_of
from trayagent.model.settings import FolderSettings


def full_path(text: str) -> Path:
    """A folder as a person wrote it, with its `~`; that of a user who is none stays, and the path relative."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # Python's word for a user who is none
        return Path(text)


class FolderRules(Struct, frozen=True):
    """Absolute folders by type of file and by site. A site's word counts for more than a type's."""

    by_type: dict[str, Path] = {}
    by_site: Mapping[str, Path] = {}
    """Host names in lower case; each stands for its subdomains, too."""

    @classmethod
    def of(cls, settings: FolderSettings, downloads: Path) -> FolderRules:
        """The rules of the settings; relative folders are inside the downloads folder."""
        # `downloads / folder` is the folder itself where that is absolute.
        types = {
            name: getattr(settings, name)
            for name in ("video", "image", "audio", "document", "archive")
        }
        return cls(
            {name: downloads / full_path(text) for name, text in types.items() if text},
            {
                host.lower(): downloads / full_path(text)
                for host, text in settings.sites.items()
                if text
            },
        )

    def for_site(self, host: str) -> Path | None:
        """The folder of the longest name that the host is, or is below; None: no rule is about it."""
        # From the whole name to its last part: the longest rule is met first.
        name = host.lower().rstrip(".")
        while name:
            if name in self.by_site:
                return self.by_site[name]
            _, _, name = name.partition(".")
        return None


def folder_for_name(name: str, by_type: Mapping[str, Path], otherwise: Path) -> Path:
    """The folder of a file with this name, by its ending."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return by_type.get(type_of(ending), otherwise) if by_type else otherwise
