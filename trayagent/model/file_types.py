"""Types of files, as people sort them: by the ending of the name."""

from __future__ import annotations

from typing import Final, Literal, get_args

FileType = Literal["video", "image", "audio", "document", "archive", "other"]

ENDINGS: Final[dict[str, frozenset[str]]] = {
    "video": frozenset("3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts vob webm wmv".split()),
    "image": frozenset(
        "avif bmp gif heic heif ico jfif jpeg jpg jxl png psd raw svg tif tiff webp".split()
    ),
    "audio": frozenset(
        "aac aif aiff alac flac m4a m4b mid mka mp3 oga ogg opus wav weba wma".split()
    ),
    "document": frozenset(
        "azw3 csv djvu doc docx epub htm html json md mobi odp ods odt pdf ppt pptx ps rtf srt tex txt vtt"
        " xls xlsx xml".split()
    ),
    "archive": frozenset(
        "7z apk bz2 cab deb dmg gz img iso jar lz4 rar rpm tar tgz txz xz zip zst".split()
    ),
}
"""Type -> endings in lower case, without the dot. `other` has none of its own."""
TYPES: Final[tuple[str, ...]] = get_args(FileType)

_TYPE_OF: Final = {ending: kind for kind, endings in ENDINGS.items() for ending in endings}


def type_of(ending: str) -> str:
    """The type that an ending (lower case, without the dot) stands for; `other` for any unknown one."""
    return _TYPE_OF.get(ending, "other")
