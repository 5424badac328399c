"""File names: safe on every system whichever we run on, and never runnable by a double click."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

from trayagent.model.download import Kind
from trayagent.model.errors import DownloadError

LIMIT: Final = 255 - len(" (9999)") - len(".part.json")
"""Bytes in UTF-8, and so at most as many UTF-16 units, that leave room for every suffix we add."""

WINDOWS_PATH_UNITS: Final = 259

INERT: Final = ".download"
"""What is appended to a type that a double click could run."""

RUNNABLE: Final = frozenset(
    # programs and their parts
    "exe com scr pif app dll ocx cpl sys drv jar jnlp class pyz pyzw gadget appimage run elf xbe hlp chm "
    "xll air ade adp mde accde accdr "
    # scripts
    "bat cmd ps1 ps1xml ps2 ps2xml psc1 psc2 psm1 psd1 vb vbe vbs js jse mjs cjs ws wsc wsf wsh sct msh msh1 msh2 "
    "mshxml hta sh bash csh ksh zsh fish command tool py pyw pyc pyo rb pl pm tcl lua phar awk applescript "
    "scpt scptd osascript ahk au3 workflow osx terminal reg inf ins isp "
    # installers
    "msi msp mst msu msix msixbundle appx appxbundle appinstaller application pkg mpkg deb rpm snap flatpak "
    "flatpakref flatpakrepo apk xapk aab crx xpi vsix "
    # links, and files that act as such
    "lnk url webloc desktop website inetloc fileloc afploc ftploc scf library-ms search-ms searchconnector-ms "
    "settingcontent-ms appref-ms appcontent-ms theme themepack deskthemepack rdp msc mad maf mam maq mar mas mat "
    "mau mav maw cdxml diagcab diagpkg job shb shs vsw webpnp wcx mobileconfig prefpane "
    # what a browser runs
    "html htm xhtml xht shtml shtm mht mhtml svg svgz xml xsl xslt xbl".split()
)

VIDEO: Final = frozenset(
    "mp4 m4v mov webm mkv avi wmv flv f4v mpg mpeg mpe m2v ts mts m2ts 3gp 3g2 ogv ogm asf vob divx".split()
)
AUDIO: Final = frozenset(
    "mp3 m4a m4b aac ogg oga opus flac wav wma aif aiff mka weba ac3 amr".split()
)
IMAGE: Final = frozenset(
    "jpg jpeg jpe jfif png gif webp avif heic heif bmp tif tiff ico jxl".split()
)

_SAYS_NOTHING: Final = frozenset("php php5 asp aspx jsp jspx cgi do ashx htm html".split())
"""Endings of server scripts and pages, which tell nothing about a medium they deliver."""
_SAME_IMAGE: Final = ({"jpg", "jpeg", "jpe", "jfif"}, {"tif", "tiff"}, {"heic", "heif"})

_RESERVED: Final = re.compile(
    r"(?:CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])\s*(?:[.:]|$)",
    re.IGNORECASE,
)
_SYSTEM_FILES: Final = frozenset(
    {"desktop.ini", "thumbs.db", "autorun.inf", "ehthumbs.db", "icon\r"}
)
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(?:jpg|jpeg|png|gif|webp|mp4|webm|mp3|pdf|zip|bin)"
)
"""Names that need nothing done to them, unless reserved: a shortcut for most files of most lists."""
_FORBIDDEN: Final = re.compile(r'[<>:"|?*/\\]')
_DRIVE: Final = re.compile(r"[A-Za-z]:(?=\S)")
_DOUBLE: Final = re.compile(
    r"\.(?:tar\.[A-Za-z0-9]{1,4}|[A-Za-z0-9_-]{1,24}\.download)$", re.IGNORECASE
)
_LETTER: Final = re.compile(r"[a-z]")
_PATH: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)")
"""The path of a URL (RFC 3986, appendix B)."""
_EXTENSION: Final = re.compile(r"\.([A-Za-z0-9_-]{1,24})$")


def longest_name(folder: str, *, windows: bool) -> int:
    """The `limit` of `safe` for a name in this folder: bytes of UTF-8, every suffix we add already taken off.

    Windows ends a whole path after 259 UTF-16 units (MAX_PATH without its zero) unless its registry says
    otherwise; a name has at least as many bytes as units. 40 are left for a name in any folder.
    """
    if not windows:
        return LIMIT
    suffixes = len(" (9999)") + len(".part.json")
    left = WINDOWS_PATH_UNITS - len(folder.encode("utf-16-le")) // 2 - len("\\") - suffixes
    return max(40, min(LIMIT, left))


def safe(raw: str, limit: int = LIMIT) -> str:
    """A name for one file in one folder, whatever `raw` is; `limit` is in bytes of UTF-8.

    Never empty, hidden, reserved, a path or an option; idempotent; runnable types get `.download`.
    """
    return _clean(raw, limit) or "download"


def choose(
    given: str | None,
    disposition: str | None,
    url: str,
    kind: Kind,
    content_ext: str | None,
    now: Callable[[], datetime],
) -> str:
    """The name of a download: given > Content-Disposition header > last URL segment > `video-<timestamp>`.

    `content_ext` is the extension of the bytes seen (`mp4`), None while unknown. A name without an
    extension gets that, a given one only for a video, which else gets `.mp4`; a wrong one of a picture is corrected.
    """
    # Cleaned once for the choice and once with the extension, so that a cut never costs the extension.
    own = _usable(given)
    chosen = own or _usable(from_disposition(disposition or "")) or _usable(from_url(url))
    plain = _PLAIN.fullmatch(chosen) is not None
    name = (chosen if plain else _basename(chosen)) if chosen else f"video-{now():%Y%m%d-%H%M%S}"
    content = (content_ext or "").lstrip(".").lower()
    if own and not _LETTER.search(extension(name)) and kind != "video" and content not in VIDEO:
        return safe(name)
    return safe(_with_extension(name, kind, content))


def _usable(raw: str | None) -> str:
    """The raw name, empty when cleaning leaves nothing of it."""
    return raw if raw and _clean(raw, LIMIT) else ""


def from_disposition(header: str) -> str | None:
    """The raw file name of a Content-Disposition header (RFC 6266, RFC 8187), or None; not yet safe."""
    plain: str | None = None
    for match in _PARAMETER.finditer(header):
        name, quoted, token = match[1].lower(), match[2], match[3]
        if name == "filename*":
            extended = _extended(token if token is not None else quoted)
            if extended:
                return extended
        elif name == "filename" and plain is None:
            plain = _plain(re.sub(r'\\(["\\])', r"\1", quoted) if quoted is not None else token)
    return plain or None


@lru_cache(maxsize=256)  # asked again at every station of the same download
def from_url(url: str) -> str | None:
    """The last segment of a URL's path, percent-decoded once, or None; not yet safe."""
    match = _PATH.match(url)
    last = match[1].rstrip("/").rpartition("/")[2] if match else ""
    return (_percent_decoded(last) if "%" in last else last) or None


def extension(name: str) -> str:
    """The last extension in lower case without its dot, `""` if there is none."""
    match = _EXTENSION.search(name)
    return match[1].lower() if match and match.start() > 0 else ""


def media_kind(name: str) -> Kind | None:
    """`video`, `audio` or `image` if the name ends in the extension of one."""
    ending = extension(name)
    if ending in VIDEO:
        return "video"
    if ending in AUDIO:
        return "audio"
    return "image" if ending in IMAGE else None


def numbered(name: str, n: int) -> str:
    """`NAME (n).ext`: the n-th alternative when a name is taken."""
    stem, ending = _split(name)
    return f"{stem} ({n}){ending}"


@lru_cache(maxsize=256)
def safe_folder(relative: str | None) -> PurePosixPath:
    """A folder inside the downloads folder, every part of it safe; `.` for None and empty.

    Raises DownloadError `permission_denied` for a path that is absolute, has a drive or climbs with `..`.
    """
    text = (relative or "").strip()
    parts = re.split(r"[/\\]", text)
    climbs = ".." in (part.strip() for part in parts)
    drive = re.match(r"[A-Za-z]:", text)  # `C:` alone is one, too: where Windows stands on it
    if climbs or drive or text.startswith(("/", "\\", "~")) or "\0" in text:
        raise DownloadError(
            "permission_denied", "a folder is relative to the downloads folder, and inside it"
        )
    return PurePosixPath(*(safe(part, 128) for part in parts if part.strip(" .")))


_PARAMETER: Final = re.compile(r'(?:^|;)\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))')
"""Any parameter: what stands between the quotes of one is no other."""


def _extended(value: str) -> str | None:
    """RFC 8187 `charset'language'percent-encoded`."""
    charset, quote, rest = value.strip().partition("'")
    _, second, encoded = rest.partition("'")
    if not quote or not second or charset.lower() not in ("utf-8", "iso-8859-1", "us-ascii"):
        return None
    try:
        return unquote(encoded, charset, "strict")
    except (UnicodeDecodeError, UnicodeEncodeError):
        return None


def _plain(value: str) -> str:
    """A `filename` as servers really send it: raw bytes in UTF-8 or Latin-1, or percent-encoded."""
    value = value.strip()
    for charset in ("latin-1", "utf-8"):
        try:
            value = value.encode(charset, "surrogateescape").decode("utf-8")
            break
        except UnicodeError:
            continue
    else:
        value = re.sub("[\ud800-\udfff]", lambda byte: chr(ord(byte[0]) & 0xFF), value)
    return _percent_decoded(value) if "%" in value else value


def _percent_decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return unquote(text, "latin-1")


def _with_extension(name: str, kind: Kind, content: str) -> str:
    name = name.rstrip(" .") or name
    ending = extension(name)
    if ending in _SAYS_NOTHING and (
        content in VIDEO | AUDIO | IMAGE or kind in ("video", "image", "audio")
    ):
        name, ending = name[: -len(ending) - 1], ""
    if not _LETTER.search(ending):
        content = content or ("mp4" if kind == "video" else "")
        return f"{name}.{content}" if content else name
    # Image servers send what they think best under any name: a newer format, or a film for a GIF.
    wrong_image = ending in IMAGE and content != ending and (content in IMAGE or content in VIDEO)
    if wrong_image and not any({ending, content} <= same for same in _SAME_IMAGE):
        return f"{name[: -len(ending) - 1]}.{content}"
    return name


def _clean(raw: str, limit: int) -> str:
    """As `safe`, but empty when nothing of a name is left."""
    if _PLAIN.fullmatch(raw) and len(raw) <= limit and not _RESERVED.match(raw):
        return raw
    name = _trimmed(_basename(raw))
    reserved = _RESERVED.match(name)
    name = _trimmed(_FORBIDDEN.sub("_", name))
    if not name.strip("_"):
        return ""
    if reserved or name.lower() in _SYSTEM_FILES:
        name = "_" + name
    longer = ""
    while name != longer:  # A cut may bring another ending to light.
        longer = _inert(name)
        name = _cut(longer, limit)
    return "_" + name if _RESERVED.match(name) else name


def _inert(name: str) -> str:
    runs = extension(name) in RUNNABLE
    return name + INERT if runs or name.lower().endswith((".part", ".part.json")) else name


def _basename(raw: str) -> str:
    """The last part of a path of any system, of printable characters, composed (NFC)."""
    spaced = "".join(" " if c.isspace() else c for c in raw)
    printable = "".join(c for c in spaced if c.isprintable())
    name = unicodedata.normalize("NFC", printable)
    name = re.sub(r"\s+", " ", name)
    parts = [part for part in re.split(r"[/\\]", name) if part.strip(" .")]
    return (
        _DRIVE.sub("", parts[-1], count=1)
        if parts and _DRIVE.match(parts[-1])
        else (parts or [""])[-1]
    )


def _trimmed(name: str) -> str:
    return name.lstrip(" .-").rstrip(" .")


def _split(name: str) -> tuple[str, str]:
    """Stem and ending, where `.tar.gz` and `.exe.download` are one ending."""
    match = _DOUBLE.search(name) or _EXTENSION.search(name)
    if not match or match.start() == 0:
        return name, ""
    return name[: match.start()], match[0]


def _cut(name: str, limit: int) -> str:
    """The name in at most `limit` bytes, its ending kept and no character torn from its marks."""
    if len(name.encode()) <= limit:
        return name
    stem, ending = _split(name)
    if len(ending) > min(40, limit // 2):
        stem, ending = name, ""
    room = limit - len(ending)
    cut = stem.encode()[:room].decode(errors="ignore")
    while cut and _continues(cut, stem[len(cut) : len(cut) + 1]):
        cut = cut[:-1]
    return (cut.rstrip(" .") or stem.encode()[:room].decode(errors="ignore")) + ending


def _continues(before: str, after: str) -> bool:
    """Whether `after` belongs to the same visible character as the end of `before`."""
    if not after:
        return False
    flag = "\U0001f1e6" <= after <= "\U0001f1ff"
    odd = flag and len(before) - len(before.rstrip("".join(map(chr, range(0x1F1E6, 0x1F200))))) & 1
    modifier = "\U0001f3fb" <= after <= "\U0001f3ff"
    return unicodedata.category(after)[0] == "M" or modifier or bool(odd)
