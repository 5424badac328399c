"""Metalink 4 (RFC 5854), and what is left of Metalink 3: files with mirrors, sizes and checksums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from trayagent.lists import aria2
from trayagent.lists.line import ListError
from trayagent.lists.whole import Entry, reader
from trayagent.model import urls
from trayagent.model.downloads import Item
from trayagent.model.errors import DownloadError
from trayagent.model.pieces import Pieces
from trayagent.model.units import parse_count

DEEPEST: Final = 32
MOST_ELEMENTS: Final = 1_000_000
"""Some hundred thousand files; larger lists belong into a .txt."""
_PIECE: Final = 64 * 1024
"""Bytes read at a time: other threads get their turn in between."""
_NAMESPACE: Final = "urn:ietf:params:xml:ns:metalink"
_STRENGTH: Final = ("sha-512", "sha-384", "sha-256", "sha-224", "sha-1", "md5")
_OLD_NAMES: Final = {name.replace("-", ""): name for name in _STRENGTH}


def parse(data: bytes) -> Iterator[Entry]:
    """An entry for every file; raises ListError for what is no Metalink."""
    _refuse_bombs(data)
    parser: Any = ET.XMLPullParser(("start", "end"))  # no declarations, so no entities
    path: list[ET.Element] = []
    try:
        for piece in _cut(data):
            parser.feed(piece)
            for event, element in parser.read_events():
                yield from _close(path) if event == "end" else _open(path, element)
        parser.close()
    except (ET.ParseError, ValueError, LookupError) as error:
        raise ListError("This is not readable XML.") from error


def _open(path: list[ET.Element], element: ET.Element) -> Iterator[Entry]:
    """An element begins; raises ListError where the first one is of another format."""
    path.append(element)
    if len(path) == 1 and _local(element) != "metalink":
        raise ListError("This is not a Metalink file.")
    yield from ()


def _close(path: list[ET.Element]) -> Iterator[Entry]:
    """An element ends: a file is an entry, and what belongs to no file is forgotten."""
    element = path.pop()
    if _local(element) == "file":
        yield _entry(element)
    if path and not any(_local(parent) == "file" for parent in path):
        path[-1].remove(element)


read = reader(parse)


def write(items: Iterable[Item]) -> str:
    """Items as Metalink 4: addresses, name, folder, size and checksums; the format has no more."""
    files = "".join(_file(item) for item in items)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<metalink xmlns="{_NAMESPACE}">\n{files}</metalink>\n'


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


def _refuse_bombs(data: bytes) -> None:
    """What makes a small file explode in memory is found before anything of it is kept.

    A document type can do so, or reach for other files, and Metalink needs none; so can elements by
    the million, beside or inside each other.
    """
    depth = count = 0

    def start(*_: object) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > DEEPEST or count > MOST_ELEMENTS:
            raise ListError("The XML has too many elements, or too many inside each other.")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise ListError("The XML declares a document type, which a Metalink never needs.")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        for piece in _cut(data):
            parser.Parse(piece)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, ListError):
            raise
        raise ListError("This is not readable XML.") from error


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _entry(element: ET.Element) -> Entry:
    found = _urls_by_rank(element)
    addresses = [(child.text or "").strip() for child in found]
    usable = [
        address
        for child, address in zip(found, addresses, strict=True)
        if urls.looks_absolute(address) and _is_of_the_web(child)
    ]
    if not usable:
        first = addresses[0] if addresses else ""
        return Entry(first, problem="The file has no http address.", code="bad_url")
    options = [("out", (element.get("name") or "").strip())]
    checks, warnings = _checks(element)
    options += checks
    try:
        item, _ = aria2.item(usable, options, None)
    except DownloadError as error:
        return Entry(usable[0], problem=error.message, code=error.code)
    skipped = len(addresses) - len(usable)
    if skipped:
        warnings.append(
            "1 address is not http." if skipped == 1 else f"{skipped} addresses are not http."
        )
    return Entry(usable[0], item, warnings=tuple(warnings))


def _is_of_the_web(url: ET.Element) -> bool:
    """Whether an address is the file: Metalink 3 also has torrents among them, told by their `type`."""
    return (url.get("type") or "http").strip().lower() in ("http", "https")


def _urls_by_rank(element: ET.Element) -> list[ET.Element]:
    """Best first: the lowest `priority` (RFC 5854 §4.2.16.1), or the highest `preference` of Metalink 3."""

    def rank(url: ET.Element) -> int:
        priority, preference = url.get("priority", ""), url.get("preference", "")
        if priority.isdecimal():
            return int(priority[:9])
        return -int(preference[:9]) if preference.isdecimal() else 1_000_000

    return sorted((child for child in element.iter() if _local(child) == "url"), key=rank)


def _checksums(element: ET.Element) -> list[str]:
    """Checksums of the whole file, the strongest first."""
    found: dict[str, str] = {}
    parents = [element, *(child for child in element if _local(child) == "verification")]
    for child in (child for parent in parents for child in parent if _local(child) == "hash"):
        kind = (child.get("type") or "").lower()
        found[_OLD_NAMES.get(kind, kind)] = "".join((child.text or "").split()).lower()
    return [f"{kind}={found[kind]}" for kind in _STRENGTH if found.get(kind)]


def _checks(element: ET.Element) -> tuple[list[tuple[str, str]], list[str]]:
    """What the file must be, as options, and warnings on what of that cannot be checked.

    The pieces are needed only where there is no checksum of the whole.
    """
    checks: list[tuple[str, str]] = []
    warnings: list[str] = []
    told = next((child.text or "" for child in element if _local(child) == "size"), "").strip()
    size = parse_count(told)
    if size is not None:
        checks.append(("size", str(size)))
    elif told:
        warnings.append("The size is not a number of bytes.")
    whole = _checksums(element)[:1]
    checks += [("checksum", checksum) for checksum in whole]
    pieces = None if whole else _pieces(element)
    if pieces is None:
        return checks, warnings
    try:
        parsed = Pieces.parse(pieces[: _MOST_PIECES + 1])
        fitting = len(pieces) <= _MOST_PIECES and (size is None or parsed.fits(size))
    except ValueError:
        fitting = False
    if fitting:
        checks.append(("pieces", pieces))
    else:
        warnings.append("The checksums of its pieces do not fit the file, and are not checked.")
    return checks, warnings


_MOST_PIECES: Final = 200_000
"""Letters: as many as an item may have of them; enough for 1.3 GB in pieces of 256 KiB."""


def _pieces(element: ET.Element) -> str | None:
    """The pieces with the strongest checksums, as `Pieces.parse` reads them."""
    found: dict[str, str] = {}
    parents = [element, *(child for child in element if _local(child) == "verification")]
    for child in (child for parent in parents for child in parent if _local(child) == "pieces"):
        kind = (child.get("type") or "").lower()
        kind = _OLD_NAMES.get(kind, kind)
        hashes = [one for one in child if _local(one) == "hash"]
        if all((one.get("piece") or "").isdecimal() for one in hashes):  # numbered in Metalink 3
            hashes.sort(key=lambda one: int((one.get("piece") or "0")[:9]))
        digests = "".join("".join((one.text or "").split()).lower() for one in hashes)
        found[kind] = f"{kind}:{(child.get('length') or '').strip()}:{digests}"
    return next((found[kind] for kind in _STRENGTH if kind in found), None)


def _file(item: Item) -> str:
    name = "/".join(part for part in (item.folder, item.filename) if part)
    rows = [f'  <file name="{escape(name)}">\n']
    if item.checksum:
        kind, _, digest = item.checksum.partition("=")
        rows.append(f'    <hash type="{escape(kind)}">{escape(digest)}</hash>\n')
    if item.size is not None:
        rows.append(f"    <size>{item.size}</size>\n")
    if item.pieces:
        kind, length, digests = item.pieces.split(":")
        width = len(Pieces.parse(item.pieces).digests[0]) * 2
        hashes = "".join(
            f"<hash>{digests[at : at + width]}</hash>" for at in range(0, len(digests), width)
        )
        rows.append(f'    <pieces type="{kind}" length="{length}">{hashes}</pieces>\n')
    for priority, url in enumerate((item.url, *item.mirrors), 1):
        rows.append(f'    <url priority="{priority}">{escape(url)}</url>\n')
    return "".join([*rows, "  </file>\n"])
