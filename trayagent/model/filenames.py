"""File names: safe on every system whichever we run on, and never runnable by a double click."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from trayagent.model.disposition import decode_percent, from_disposition
from trayagent.model.downloads import Kind
from trayagent.model.errors import DownloadError
from trayagent.model.inert import DANGEROUS

_SUFFIXES: Final = len(" (9999)") + len(".part.json")
LIMIT: Final = 255 - _SUFFIXES
"""Bytes in UTF-8, and so at most as many UTF-16 units, that leave room for every suffix we add."""

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
).union(DANGEROUS)

VIDEO: Final = frozenset(
    "mp4 m4v mov webm mkv avi wmv flv f4v mpg mpeg mpe m2v ts mts m2ts 3gp 3g2 ogv ogm asf vob divx".split()
)
AUDIO: Final = frozenset(
    "mp3 m4a m4b aac ogg oga opus flac wav wma aif aiff mka weba ac3 amr".split()
)
IMAGE: Final = frozenset(
    "jpg jpeg jpe jfif png gif webp avif heic heif bmp tif tiff ico jxl".split()
)

_OTHERS: Final = frozenset(
    # pictures, films and sounds of cameras, editors and old times
    "3fr apng arw avifs bay cap cr2 cr3 crw cur dcr dcs dds dicom dng dpx drf eps erf exr fff fits gtif hdr"
    " heics heifs hif iiq j2c j2k jif jfi jls jp2 jpf jpm jps jpx k25 kdc mdc mef mos mpo mrw nef nrw orf pbm"
    " pcx pef pgm pjp pjpeg png8 pnm ppm ps psb psd ptx qoi r3d raf ras raw rgb rw2 rwl sgi sr2 srf srw svs"
    " tga thm wbmp wdp x3f xbm xcf xpm 360 3gpp 3gpp2 amv bik cmfa cmfv dat dav dv dvr dvr-ms evo f4a f4b f4p"
    " gifv h264 h265 hevc ifo insv ism isma ismv ivf lrv m1v m2p m2t m4p m4r m4s mj2 mjpeg mjpg mk3d mks mod"
    " mp1 mp2 mp4v mpg4 mpga mpv mqv mxf nsv nut oga ogx qt rm rmvb smk spx swf tod tp trp tts vdr vid vro wm"
    " wtv y4m yuv 3ga 8svx aa aac2 aax act adts aifc alac ape au awb bwf caf dff dsf dss dts eac3 flp gsm it kar"
    " la mid midi mlp mmf mpa mpc ofr pcm ra ram rf64 s3m shn snd sf2 tak tta voc vox w64 wv xm xmf"
    # subtitles and lists
    " ass ssa srt sub idx sup vtt ttml sbv lrc cue m3u m3u8 mpd pls xspf asx wax wvx nfo torrent metalink meta4"
    # documents, data and code
    " pdf txt md rst rtf doc docx docm dot dotx xls xlsx xlsm xlsb xlt ppt pptx pptm pps ppsx odt ods odp odg odf"
    " pages numbers key epub mobi azw azw3 fb2 djvu djv cbz cbr cb7 chm tex log csv tsv json jsonl ndjson geojson"
    " yaml yml toml ini cfg conf xml kml kmz gpx ics vcf eml msg mbox sql db sqlite sqlite3 mdb parquet avro orc"
    " h5 hdf5 nc mat npy npz pkl pt pth onnx safetensors gguf ggml bin c h cpp hpp cc go rs java kt swift ts tsx"
    " jsx css scss less php lock map wasm asc sig pem crt cer der p12 md5 sha1 sha256 sha512 diff patch po mo"
    # archives, disk images, drawings, fonts
    " zip zipx rar 7z tar gz tgz bz2 tbz tbz2 xz txz zst lz lz4 lzma br z cab arj lzh iso img vhd vhdx vmdk qcow2"
    " vdi ova ovf dmg toast nrg mdf wim esd squashfs dwg dxf stl obj fbx gltf glb 3ds 3mf blend step stp ai indd"
    " ttf otf woff woff2 part tmp bak old crdownload download".split()
)
"""Endings of what is neither a medium we make nor anything that runs: enough of them to tell an ending from a word."""
SAYS_NOTHING: Final = frozenset(
    "php php5 asp aspx jsp jspx cgi do ashx htm html m3u m3u8 mpd".split()
)
"""Endings of server scripts, pages and manifests, which tell nothing about a medium they deliver."""
_MEDIA: Final = VIDEO | AUDIO | IMAGE
_KNOWN: Final = _MEDIA | _OTHERS | RUNNABLE | SAYS_NOTHING
_NO_ENDING: Final = re.compile(
    r"\d.*|v\d+\w*|s\d+(?:e\d+)*|e\d+|ep\d+|[xh]26\d|rc\d+|alpha\d*|beta\d*|.*-.*|.{13,}"
)
"""Words that follow the last dot of a title or a version: `1080p`, `S01E02`, `v2`, `WEB-DL`."""
_SAYS_HOW: Final = frozenset(
    "264 265 h264 h265 hevc avc av1 hdr dv aac ac3 eac3 dts flac opus atmos truehd".split()
)
"""Words after the last dot of a film's title that name its codecs: of anything but a film they may be an ending."""
_SESSION: Final = re.compile(r";jsessionid=[^;/]*", re.IGNORECASE)
"""Of Java's servers, behind the name of a file; it is nobody else's business."""
_VOLUME: Final = re.compile(r"\.([A-Za-z0-9]{1,5})\.\d{3}$")
"""A part of something that was cut: `film.7z.001`."""
_SAME_IMAGE: Final = ({"jpg", "jpeg", "jpe", "jfif"}, {"tif", "tiff"}, {"heic", "heif"})

_RESERVED: Final = re.compile(
    r"(?:CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])\s*(?:[.:]|$)",
    re.IGNORECASE,
)
_SYSTEM_FILES: Final = frozenset(
    {"desktop.ini", "thumbs.db", "autorun.inf", "ehthumbs.db", "icon\r"}
)
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\.(?:jpg|jpeg|png|gif|webp|mp4|webm|mp3|pdf|zip|bin))?"
)
"""Names that need nothing done to them, unless reserved: a shortcut for most files of most lists."""
_FORBIDDEN: Final = re.compile(r'[<>:"|?*/\\]')
_CLASS_ID: Final = re.compile(
    r"\.(?=\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\})", re.IGNORECASE
)
"""The dot before a class of Windows: Explorer hides such an ending, and opens the name as that class says."""
_DRIVE: Final = re.compile(r"[A-Za-z]:(?=\S)")
_DOUBLE: Final = re.compile(
    r"\.(?:tar\.[A-Za-z0-9]{1,4}|[A-Za-z0-9_-]{1,24}\.download)$", re.IGNORECASE
)
_PATH: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)")
"""The path of a URL (RFC 3986, appendix B)."""
_EXTENSION: Final = re.compile(r"\.([A-Za-z0-9_-]{1,24})$")


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
    What follows a name's last dot is an extension only if it is one: `Movie.2023.1080p` has none.
    """
    # Cleaned once for the choice and once with the extension, so that a cut never costs the extension.
    own = _usable(given) if given else ""
    said = _usable(from_disposition(disposition)) if disposition and not own else ""
    chosen = own or said or _usable(from_url(url))
    plain = _PLAIN.fullmatch(chosen) is not None
    name = (chosen if plain else _basename(chosen)) if chosen else f"video-{now():%Y%m%d-%H%M%S}"
    content = (content_ext or "").lstrip(".").lower()
    if own and not has_extension(name, content) and kind != "video" and content not in VIDEO:
        return safe(name)
    named = _with_extension(name, kind, content)
    # `_usable` has looked at it, unless it has another ending now.
    return named if plain and named == chosen and not _RESERVED.match(named) else safe(named)


def _usable(raw: str | None) -> str:
    """The raw name, empty when cleaning leaves nothing of it."""
    return raw if raw and _clean(raw, LIMIT) else ""


@lru_cache(maxsize=256)  # asked again at every station of the same download
def from_url(url: str) -> str | None:
    """The last segment of a URL's path, percent-decoded once, or None; not yet safe."""
    match = _PATH.match(url)
    last = _SESSION.sub("", match[1]).rstrip("/").rpartition("/")[2] if match else ""
    return (decode_percent(last) if "%" in last else last) or None


@lru_cache(maxsize=256)  # as above
def extension(name: str) -> str:
    """The last extension in lower case without its dot, `""` if there is none."""
    match = _EXTENSION.search(name)
    return match[1].lower() if match and match.start() > 0 else ""


def has_extension(name: str, content: str = "") -> bool:
    """Whether a name ends in an extension, rather than in a word that follows a dot.

    For a medium of the type `content` only an extension counts that programs know; for other files, whose
    types nobody can list, also what may be one.
    """
    ending = extension(name)
    if content in VIDEO and ending in _SAYS_HOW:
        return False
    volume = _VOLUME.search(name)
    if volume and volume[1].lower() in _KNOWN:
        return True
    if content in _MEDIA:
        # `film.example.com` is a film called after its site, never a program of old DOS.
        return ending in _KNOWN and ending != "com"
    return bool(ending) and (ending in _KNOWN or not _NO_ENDING.fullmatch(ending))


def fit(name: str, name_bytes: int, path_units: int | None = None) -> str:
    """A safe name, cut so that it and every suffix we add to it fit into a folder.

    `name_bytes` is what the file system takes of a name, in UTF-8 (`PC_NAME_MAX`); `path_units` what is left
    of a whole path behind the folder and its separator, in UTF-16 (of 259 on Windows), None for enough.
    Raises DownloadError `permission_denied` where no name has room.
    """
    most = min(LIMIT, _room(name_bytes))
    fitting = safe(name, most)
    # Byte by byte: how many UTF-16 units a byte less saves depends on the letter that goes.
    while path_units is not None and len(fitting.encode("utf-16-le")) // 2 > _room(path_units):
        most = len(fitting.encode()) - 1
        fitting = safe(fitting, most)
    return fitting


def _room(most: int) -> int:
    if most - _SUFFIXES < _SHORTEST:
        raise DownloadError(
            "permission_denied", "the folder's path leaves no room for a file's name"
        )
    return most - _SUFFIXES


_SHORTEST: Final = 16
"""Bytes, or UTF-16 units, with which a name still says something."""


def media_kind(name: str) -> Kind | None:
    """`video`, `audio` or `image` if the name ends in the extension of one."""
    ending = extension(name)
    if ending in VIDEO:
        return "video"
    if ending in AUDIO:
        return "audio"
    return "image" if ending in IMAGE else None


def with_number(name: str, n: int) -> str:
    """`NAME (n).ext`: the n-th alternative when a name is taken."""
    stem, ending = _split(name)
    return f"{stem} ({n}){ending}"


LONGEST_FOLDER: Final = 2048
"""Characters of a folder's path with, at most, a file's name behind it."""


@lru_cache(maxsize=256)
def safe_folder(relative: str | None) -> PurePosixPath:
    """A folder inside the downloads folder, every part of it safe; `.` for None and empty.

    Raises DownloadError `permission_denied` for a path that is absolute, has a drive, climbs with `..` or
    is too long.
    """
    text = (relative or "").strip()
    # A million parts would take seconds, and be kept for each line of a list.
    if len(text) > LONGEST_FOLDER:
        raise DownloadError("permission_denied", "the folder's path is too long")
    parts = re.split(r"[/\\]", text)
    climbs = ".." in (part.strip() for part in parts)
    drive = re.match(r"[A-Za-z]:", text)  # `C:` alone is one, too: where Windows stands on it
    if climbs or drive or text.startswith(("/", "\\", "~")) or "\0" in text:
        raise DownloadError(
            "permission_denied", "a folder is relative to the downloads folder, and inside it"
        )
    return PurePosixPath(*(safe(part, 128) for part in parts if part.strip(" .")))


def _with_extension(name: str, kind: Kind, content: str) -> str:
    name = name.rstrip(" .") or name
    ending = extension(name)
    if ending in SAYS_NOTHING and (content in _MEDIA or kind in ("video", "image", "audio")):
        name, ending = name[: -len(ending) - 1], ""
    content = content or ("mp4" if kind == "video" else "")
    if content and not has_extension(name, content):
        return f"{name}.{content}"
    # Image servers send what they think best under any name: a newer format, or a film for a GIF.
    wrong_image = ending in IMAGE and content != ending and (content in IMAGE or content in VIDEO)
    if wrong_image and not any({ending, content} <= same for same in _SAME_IMAGE):
        return f"{name[: -len(ending) - 1]}.{content}"
    return name


def _clean(raw: str, limit: int) -> str:
    """As `safe`, but empty when nothing of a name is left."""
    if _PLAIN.fullmatch(raw) and len(raw) <= limit and not _RESERVED.match(raw):
        return raw
    name = _trim(_basename(raw))
    # Looked for before `:` and `.` are replaced: `CON:` and `NUL.txt` are devices, too.
    reserved = _RESERVED.match(name)
    name = _trim(_FORBIDDEN.sub("_", _CLASS_ID.sub("_", name)))
    if not name.strip("_"):
        return ""
    if reserved or name.lower() in _SYSTEM_FILES:
        name = "_" + name
    longer = ""
    while name != longer:  # A cut may bring another ending to light.
        # What a double click would run, or what we would take for our own part file, gets another ending.
        ending = name.lower().endswith((".part", ".part.json"))
        longer = name + INERT if extension(name) in RUNNABLE or ending else name
        name = shorten(longer, limit)
    if not name.strip("_"):  # all that was cut off was one long emoji
        return ""
    uncovered = _RESERVED.match(name) or name.lower() in _SYSTEM_FILES  # by a cut
    return "_" + name if uncovered else name


_ENOUGH: Final = 2048
"""Characters from the beginning and from the end of what is to be a name: more of it would be cut anyway."""
_JOINERS: Final = "\u200c\u200d"
"""ZWNJ and ZWJ."""
_JOINED: Final = re.compile(
    "[\u0600-\u0dff\u1000-\u109f\u1780-\u18af\u1a20-\u1aaf\u1b00-\u1c4f\ua8e0-\ua8ff\ua980-\ua9df"
    "\uaa60-\uaa7f\uaae0-\uaaff\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefe\U00010d00-\U00010d3f"
    "\U00011000-\U000116ff\U0001e900-\U0001e95f]"
)
"""The scripts whose letters change with their neighbours: Arabic and its kin, those of India and around it."""


def _basename(raw: str) -> str:
    """The last part of a path of any system, of printable characters, composed (NFC)."""
    # Normalising takes time by the square of a run of marks; a name of a megabyte would hold us up.
    if len(raw) > 2 * _ENOUGH:
        raw = raw[:_ENOUGH] + raw[-_ENOUGH:]
    spaced = "".join(" " if c.isspace() else c for c in raw)
    printable = "".join(c for c in spaced if c.isprintable() or c in _JOINERS)
    name = unicodedata.normalize("NFC", printable)
    if _JOINERS[0] in name or _JOINERS[1] in name:
        name = unicodedata.normalize("NFC", _without_idle_joiners(name))
    name = re.sub(r"\s+", " ", name)
    parts = [part for part in re.split(r"[/\\]", name) if part.strip(" .")]
    return (
        _DRIVE.sub("", parts[-1], count=1)
        if parts and _DRIVE.match(parts[-1])
        else (parts or [""])[-1]
    )


def _without_idle_joiners(name: str) -> str:
    """Without the joiners that change nothing that can be seen: elsewhere they only hide."""
    kept = ""
    for place, c in enumerate(name):
        following = name[place + 1 : place + 2]
        if c not in _JOINERS or (kept and following and _is_of_use(kept[-1], c, following)):
            kept += c
    return kept


def _is_of_use(before: str, joiner: str, after: str) -> bool:
    """Whether a joiner is needed between two characters: as in RFC 5892 A.1 and A.2, and in emoji (UTS 51)."""
    if _JOINED.match(before) and _JOINED.match(after):
        return unicodedata.category(before)[0] in "LM" and unicodedata.category(after)[0] == "L"
    pictures = unicodedata.category(after) == "So" and (
        unicodedata.category(before) == "So" or before == "\ufe0f" or _is_skin(before)
    )
    return joiner == _JOINERS[1] and pictures


def _is_skin(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


def _trim(name: str) -> str:
    return name.lstrip(" .-").rstrip(" .")


def _split(name: str) -> tuple[str, str]:
    """Stem and ending, where `.tar.gz` and `.exe.download` are one ending."""
    match = _DOUBLE.search(name) or (_EXTENSION.search(name) if has_extension(name) else None)
    if not match or match.start() == 0:
        return name, ""
    return name[: match.start()], match[0]


def shorten(name: str, limit: int) -> str:
    """The name in at most `limit` bytes, its ending kept and no character torn from its marks."""
    if len(name.encode()) <= limit:
        return name
    stem, ending = _split(name)
    # An "ending" as long as that is a sentence behind a dot: cut like the rest.
    if len(ending) > min(40, limit // 2):
        stem, ending = name, ""
    room = limit - len(ending)
    cut = stem.encode()[:room].decode(errors="ignore")
    while cut and (cut[-1] in _JOINERS or _continues(cut, stem[len(cut) : len(cut) + 1])):
        cut = cut[:-1]
    torn = stem.encode()[:room].decode(errors="ignore").rstrip(_JOINERS)
    return (cut.rstrip(" .") or torn) + ending


def _continues(before: str, after: str) -> bool:
    """Whether `after` belongs to the same visible character as the end of `before`."""
    if not after:
        return False
    # A flag is two letters of their own alphabet: an odd number of them before means half a flag.
    flag = "\U0001f1e6" <= after <= "\U0001f1ff"
    odd = flag and len(before) - len(before.rstrip("".join(map(chr, range(0x1F1E6, 0x1F200))))) & 1
    marks = unicodedata.category(after)[0] == "M" or _is_skin(after) or after == _JOINERS[1]
    return marks or bool(odd)
