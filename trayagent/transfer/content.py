"""Content truth: what the first bytes are, and whether that was promised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from trayagent.model import manifests
from trayagent.model.downloads import Kind
from trayagent.model.errors import DownloadError
from trayagent.model.filenames import extension, from_url, media_kind

HEAD: Final = 4096
"""Bytes that are looked at; a server may send fewer at first, 512 are waited for."""


class Seen(Struct, frozen=True):
    """What bytes are: a medium with its usual extension, or text of a sort."""

    kind: Literal["video", "audio", "image", "file", "html", "json", "xml", "text"]
    ext: str = ""


_MAGIC: Final[tuple[tuple[bytes, Seen], ...]] = (
    (b"\xff\xd8\xff", Seen("image", "jpg")),
    (b"\x89PNG\r\n\x1a\n", Seen("image", "png")),
    (b"GIF87a", Seen("image", "gif")),
    (b"GIF89a", Seen("image", "gif")),
    (b"II*\x00", Seen("image", "tif")),
    (b"MM\x00*", Seen("image", "tif")),
    (b"\x00\x00\x01\x00", Seen("image", "ico")),
    (b"\xff\x0a", Seen("image", "jxl")),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", Seen("image", "jxl")),
    (b"FLV\x01", Seen("video", "flv")),
    (b"\x00\x00\x01\xba", Seen("video", "mpg")),
    (b"\x00\x00\x01\xb3", Seen("video", "mpg")),
    (b"0&\xb2u\x8ef\xcf\x11", Seen("video", "wmv")),
    (b"fLaC", Seen("audio", "flac")),
    (b"#!AMR", Seen("audio", "amr")),
    (b"\x0b\x77", Seen("audio", "ac3")),
    (b"%PDF-", Seen("file", "pdf")),
    (b"PK\x03\x04", Seen("file", "zip")),
    (b"\x1f\x8b\x08", Seen("file", "gz")),
    (b"7z\xbc\xaf\x27\x1c", Seen("file", "7z")),
    (b"Rar!\x1a\x07", Seen("file", "rar")),
)
_ALIEN: Final = tuple(
    bytes.fromhex(magic)
    for magic in "4d5a 7f454c46 feedface feedfacf cefaedfe cffaedfe cafebabe 0061736d 6465780a 43723234"
    " 4d534346 504b0506 425a68 fd377a585a00 28b52ffd d0cf11e0 53514c69746520666f726d6174203300".split()
)
"""MZ, ELF, Mach-O, Java, WebAssembly, Dex, Chrome, cabinet, empty ZIP, bzip2, xz, zstd, OLE, SQLite: no media."""
_BY_FIRST_BYTE: Final = {
    magic[:1]: tuple(pair for pair in _MAGIC if pair[0][:1] == magic[:1]) for magic, _ in _MAGIC
}
_MANIFESTS: Final = {"hls": Seen("text", "m3u8"), "dash": Seen("xml", "mpd")}
_BEGINS_TEXT: Final = frozenset(bytes([byte]) for byte in b"#< \t\r\n\xef\xff\xfe")
"""The first bytes of a manifest: its own, blanks, and the marks of UTF-8 and UTF-16."""
_RIFF: Final = {
    b"WEBP": Seen("image", "webp"),
    b"AVI ": Seen("video", "avi"),
    b"WAVE": Seen("audio", "wav"),
}
_BRANDS: Final = {
    b"avif": Seen("image", "avif"),
    b"avis": Seen("image", "avif"),
    b"heic": Seen("image", "heic"),
    **dict.fromkeys(
        (b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"),
        Seen("image", "heic"),
    ),
    b"avci": Seen("image", "heic"),
    b"crx ": Seen("image", "cr3"),
    b"M4A ": Seen("audio", "m4a"),
    b"M4B ": Seen("audio", "m4b"),
    b"qt  ": Seen("video", "mov"),
    b"M4V ": Seen("video", "m4v"),
}
_GENERAL: Final = (b"mif1", b"mif2", b"msf1")
"""Pictures of any coding: the compatible brands tell more."""
_AMBIGUOUS: Final = frozenset({"ts", "mts"})
"""TypeScript as well as video: the name alone promises nothing."""
_HTML: Final = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|h[1-6]|div|font|table|style|title|meta|form|center|a|b|p|br)[\s>/]",
    re.IGNORECASE,
)
_JSON: Final = re.compile(rb'\{\s*(?:"|\})|\[\s*(?:[\[{"\]]|-?\d|true|false|null)')
_CONTROL: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r")
_BLANK: Final = _CONTROL + b"\t\n\v\f\r \xef\xbb\xbf\xff\xfe"
"""White space, and what hides like it: control bytes and the marks of UTF-8, UTF-16 and UTF-32."""
_PRINTABLE: Final = bytes(range(32, 127)) + b"\t\n\r"
_DECLARED: Final = (
    (re.compile(r"text/html|application/xhtml\+xml"), Seen("html", "html")),
    (re.compile(r"(?:text|application)/(?:[^+/]{1,99}\+)?json"), Seen("json", "json")),
    (re.compile(r"(?:text|application)/(?:[^+/]{1,99}\+)?xml"), Seen("xml", "xml")),
    (re.compile(r"text/.+|application/(?:x-)?(?:java|ecma)script"), Seen("text", "txt")),
)
"""Types that servers declare for words."""
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MACHINE: Final = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]|\x00{4}")
"""What no text has in any coding."""
_COMMENT: Final = re.compile(rb"\s*<!--.*?(?:-->|$)", re.DOTALL)
_LOGIN: Final = re.compile(
    rb"type\s*=\s*[\"']?password|<title>[^<]{0,80}(?:log|sign)\s*-?in|\"?(?:unauthori[sz]ed|unauthenticated)"
    rb"|not\s+logged\s+in|login[_ ]required|sign\s*in\s+to",
    re.IGNORECASE,
)
_LOGIN_PLACE: Final = re.compile(
    r"/(?:log|sign)[-_]?in\b|/(?:oauth|sso|account/login)\b", re.IGNORECASE
)


def sniff(head: bytes, declared: str = "") -> Seen | None:
    """What a file is by its first bytes, None when they tell nothing.

    `declared` is the Content-Type: it counts only where a cover picture hides the sound behind it.
    """
    # 1. Sound behind tags: they may hold a cover, and would be taken for that.
    # 2. What has its mark at the very beginning.
    # 3. A manifest, which is text, but stands for a medium.
    # 4. What has its mark further in; what may be mistaken for another comes last.
    if head[:3] == b"ID3":
        return _behind_tag(head, declared)
    for magic, seen in _BY_FIRST_BYTE.get(head[:1], ()):
        if head.startswith(magic):
            return seen
    if head[:4] == b"\x1aE\xdf\xa3":
        return Seen("video", "webm" if b"webm" in head[:64] else "mkv")
    if head[:4] == b"OggS":
        return _ogg(head)
    kind = manifests.kind_of(head) if head[:1] in _BEGINS_TEXT else None
    if kind is not None:
        return _MANIFESTS[kind]
    return _sniff_boxes(head) or _packets(head) or _text(head) or _mpeg_audio(head)


def _behind_tag(head: bytes, declared: str) -> Seen:
    """The sound that ID3 tags stand before (ID3v2.4 §3.1); mostly MP3, but FLAC and AAC have them, too."""
    at = 0
    while head[at : at + 3] == b"ID3" and len(head) >= at + 10:
        size = 0
        for byte in head[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if head[at + 5] & 0x10 else 0)
    sound = head[at:].lstrip(b"\0")  # padding that does not count as the tag's
    if sound[:3] == b"ID3":  # a tag cut off before it says how long it is
        return Seen("audio", "mp3")
    if sound:
        seen = sniff(sound)
        return seen if seen is not None and seen.kind == "audio" else Seen("audio", "mp3")
    said = re.match(r"audio/(?:x-)?(flac|aac|aiff|wav)\b", declared.strip().lower())
    return Seen("audio", {"aiff": "aif"}.get(said[1], said[1]) if said else "mp3")


def _sniff_boxes(head: bytes) -> Seen | None:
    """Formats that say a length before they say what they are."""
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return Seen("image", "bmp")
    if head[4:8] == b"ftyp":
        return _sniff_brands(head)
    if head[4:8] in (b"moov", b"mdat", b"wide") and head[:1] == b"\x00":
        return Seen("video", "mov")  # QuickTime from before there were brands
    if head[:4] == b"FORM":
        return Seen("audio", "aif") if head[8:12] in (b"AIFF", b"AIFC") else None
    return _RIFF.get(head[8:12]) if head[:4] == b"RIFF" else None


def _sniff_brands(head: bytes) -> Seen:
    """What ISO media is by its brands (ISO 14496-12 §4.3); a picture may call itself just that at first."""
    seen = _BRANDS.get(head[8:12])
    if seen is not None and head[8:12] not in _GENERAL:
        return seen
    # The box says its own length; brands stand behind the first one and a version, four bytes each.
    end = min(int.from_bytes(head[:4]), len(head))
    others = (_BRANDS.get(head[at : at + 4]) for at in range(16, end, 4))
    picture = next((other for other in others if other and other.kind == "image"), None)
    return picture or seen or Seen("video", "mp4")


def _packets(head: bytes) -> Seen | None:
    """The transport streams of broadcasts and, with a time before each packet, of cameras."""
    # Packets of 188 bytes, each beginning with 0x47: three in a row are no accident.
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return Seen("video", "ts")
    if len(head) > 388 and head[4] == head[196] == head[388] == 0x47:
        return Seen("video", "m2ts")
    return None


def medium_promised(kind: Kind, url: str, *names: str | None) -> Kind | None:
    """The medium that was promised: by the kind asked for, the URL's ending or the first name's that tells."""
    if kind in ("video", "image", "audio"):
        return kind
    if kind != "file":
        for name in (from_url(url), *names):
            if name and extension(name) not in _AMBIGUOUS and (medium := media_kind(name)):
                return medium
    return None


def page(head: bytes, seen: Seen | None) -> Literal["html", "hls", "dash"] | None:
    """What a page engine may make a medium of: a web page, or a manifest of HLS (RFC 8216) or DASH."""
    if seen is None:
        return None
    if seen.kind in ("text", "xml"):
        return manifests.kind_of(head)
    return "html" if seen.kind == "html" else None


def is_page(head: bytes) -> bool:
    """Whether these first bytes of a file are a web page's."""
    return page(head, sniff(head, "")) == "html"


def refusal(head: bytes, seen: Seen | None, url: str) -> DownloadError:
    """Why these bytes, which are no medium, are refused: `needs_login` or `not_media`."""
    found = page(head, seen)
    kind = seen.kind if seen else "file"
    if kind in ("html", "json", "xml") and (_LOGIN.search(_bare(head)) or _LOGIN_PLACE.search(url)):
        return DownloadError("needs_login", found=found)
    return DownloadError("not_media", _NAMES.get(kind, "another kind of file"), found=found)


def check_promise(
    head: bytes,
    seen: Seen | None,
    headers: Mapping[str, str],
    url: str,
    medium: Kind | None = None,
) -> None:
    """Raise DownloadError `needs_login` or `not_media` when these bytes cannot be the promised medium."""
    if seen is None:
        seen = _closer(head, headers.get("Content-Type", ""))
    if seen is not None and seen.kind not in ("video", "audio", "image"):
        raise refusal(head, seen, url)
    # Where a film was promised, a picture is its poster, or what the site shows instead.
    if seen is not None and seen.kind == "image" and medium in ("video", "audio"):
        raise DownloadError("not_media", _NAMES["image"])


def is_blank(head: bytes) -> bool:
    """Whether next to nothing has come but what may stand before a page, so that more has to be seen."""
    return len(head.lstrip(_BLANK)) < 64


def _closer(head: bytes, declared: str) -> Seen | None:
    """What bytes that tell nothing by themselves are all the same; None: maybe a rare medium."""
    if head.startswith(_ALIEN):
        return Seen("file")
    # A head may be all of a short file, which would take long to look through.
    bare, head = _bare(head.lstrip(_BLANK)[:HEAD]), head[:HEAD]
    seen = _markup(bare)
    # A rare medium may begin as JSON does; what follows is hardly all ASCII then.
    is_mostly_ascii = len(bare.translate(None, _PRINTABLE)) * 4 <= len(bare)
    if seen is not None and (seen.kind != "json" or is_mostly_ascii):
        return seen
    if not head.strip():
        return Seen("text", "txt")
    if _MACHINE.search(head):
        return None  # many servers declare words where they do not know
    said = declared.partition(";")[0].strip().lower()
    return next((seen for words, seen in _DECLARED if words.fullmatch(said)), None)


def _bare(head: bytes) -> bytes:
    """Without control bytes: UTF-16 and UTF-32 less their zeros are ASCII where it matters."""
    return head.translate(None, _CONTROL)


_NAMES: Final = {
    "html": "a web page",
    "json": "a JSON answer",
    "xml": "an XML answer",
    "text": "plain text",
    "image": "a picture",
    "video": "a video",
    "audio": "a sound",
}


def _text(head: bytes) -> Seen | None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "replace").encode()
    body = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _BINARY.search(body):
        return None
    return _markup(body) or (Seen("text", "txt") if body and _is_utf8(body) else None)


def _markup(body: bytes) -> Seen | None:
    """HTML, XML or JSON that begins with the first byte, or after comments."""
    while (comment := _COMMENT.match(body)) is not None:
        body = body[comment.end() :].lstrip()
        if not body:
            return Seen("html", "html")
    if body.startswith(b"<?xml") or re.match(rb"<svg[\s>]", body, re.IGNORECASE):
        return (
            Seen("html", "html")
            if re.search(rb"<html[\s>]", body, re.IGNORECASE)
            else Seen("xml", "xml")
        )
    if _HTML.match(body):
        return Seen("html", "html")
    return Seen("json", "json") if _JSON.match(body) else None


def _is_utf8(body: bytes) -> bool:
    try:
        # The last character may be cut off: it has four bytes at most.
        body[: max(1, len(body) - 3)].decode()
    except UnicodeDecodeError as error:
        return error.start >= len(body) - 8
    return True


def _ogg(head: bytes) -> Seen:
    return (
        Seen("video", "ogv")
        if b"theora" in head[:128]
        else Seen("audio", "opus" if b"OpusHead" in head[:64] else "ogg")
    )


def _mpeg_audio(head: bytes) -> Seen | None:
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if (
        head[1] == 0xFE
    ):  # the mark of UTF-16 and UTF-32; as audio it would be Layer I, which nobody has
        return None
    return Seen("audio", "aac") if head[1] & 0xF6 == 0xF0 else Seen("audio", "mp3")
