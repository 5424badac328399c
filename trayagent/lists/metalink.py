"""Metalink 4 (RFC 5854), and what is left of Metalink 3: files with mirrors, sizes and checksums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from trayagent.lists import aria2
from trayagent.lists.entry import ListError, ParsedEntry, whole_reader
from trayagent.model import urls
from trayagent.model.errors import DownloadError
from trayagent.model.pieces import Pieces
from trayagent.model.units import parse_count

# A Metalink has five levels; without a bound a small file would fill the parser's stack.
MOST_DEPTH: Final = 32
MOST_ELEMENTS: Final = 1_000_000
"""Some hundred thousand files; a larger list belongs into a .txt."""
MOST_ATTRIBUTES: Final = 20
"""Of one element; a Metalink needs four."""
MOST_TAG_BYTES: Final = 256 * 1024
"""A parser keeps a tag until its end, and then makes all its attributes at once."""
MOST_PER_FILE: Final = 20_000
"""Elements that are kept of one file: mirrors nobody needs, and more pieces than may be checked."""
MOST_PIECES_LETTERS: Final = 200_000
"""As many as an item may have; enough for 1.3 GB in pieces of 256 KiB."""
_CHUNK_BYTES: Final = 64 * 1024
"""Parsed at a time: other threads get their turn in between."""
_STRENGTH: Final = ("sha-512", "sha-384", "sha-256", "sha-224", "sha-1", "md5")
_OLD_NAMES: Final = {name.replace("-", ""): name for name in _STRENGTH}
"""Metalink 3 writes `sha1` for `sha-1`."""


def parse(data: bytes) -> Iterator[ParsedEntry]:
    """An entry for every file; raises ListError for what is no Metalink."""
    if not data.strip():  # an empty list, like one of any other kind
        return
    # Parsed twice: first with counters alone, since ElementTree keeps what it has read.
    _refuse_bombs(data)
    parser: Any = ET.XMLPullParser(("start", "end"))  # no declarations, so no entities
    path: list[ET.Element] = []
    kept = 0
    try:
        for chunk in _chunks(data):
            parser.feed(chunk)
            for event, element in parser.read_events():
                if event == "start":
                    path.append(element)
                    kept = 0 if _local_name(element) == "file" else kept + 1
                    if len(path) == 1 and _local_name(element) != "metalink":
                        raise ListError("This is not a Metalink file.")
                    continue
                path.pop()
                if _local_name(element) == "file":
                    yield _entry(element)
                # The tree would hold the whole list: what belongs to no open file is taken out, and so is what
                # is too much of one. It is the last of its parent, for it has just ended.
                is_inside = any(_local_name(parent) == "file" for parent in path)
                if path and (not is_inside or kept > MOST_PER_FILE):
                    del path[-1][-1]
        parser.close()
    except (ET.ParseError, ValueError, LookupError) as error:
        if isinstance(error, ListError):
            raise
        raise ListError("This is not readable XML.") from error


read = whole_reader(parse)


def _chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _CHUNK_BYTES):
        yield data[start : start + _CHUNK_BYTES]


def _refuse_bombs(data: bytes) -> None:
    """Raise ListError for what makes a small file explode in memory, before anything of it is kept.

    A document type can do so, or reach for other files, and Metalink needs none. So can elements by
    the million, beside or inside each other, and attributes by the million in one.
    """
    depth = count = 0
    too_long = "The XML has a tag that is longer than any of a Metalink."

    def start(_: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > MOST_DEPTH or count > MOST_ELEMENTS:
            raise ListError("The XML has too many elements, or too many inside each other.")
        if len(attributes) > MOST_ATTRIBUTES:
            raise ListError(too_long)

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
        parsed = 0
        for chunk in _chunks(data):
            parser.Parse(chunk)
            parsed += len(chunk)
            # What is behind the last thing that was understood is one tag, and it has not ended yet.
            if parsed - parser.CurrentByteIndex > MOST_TAG_BYTES:
                raise ListError(too_long)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, ListError):
            raise
        raise ListError("This is not readable XML.") from error


def _local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _entry(file: ET.Element) -> ParsedEntry:
    found = _urls_by_rank(file)
    addresses = [(url.text or "").strip() for url in found]
    # Metalink 3 also has torrents among the addresses of a file, told apart by their `type`.
    usable = [
        address
        for url, address in zip(found, addresses, strict=True)
        if urls.looks_absolute(address)
        and (url.get("type") or "http").strip().lower() in ("http", "https")
    ]
    if not usable:
        first = addresses[0] if addresses else ""
        return ParsedEntry(first, problem="The file has no http address.", code="bad_url")
    checks, warnings = _checks(file)
    # The name may hold folders, or try to lead out of ours: the rules of `out` are for both.
    options = [("out", (file.get("name") or "").strip()), *checks]
    try:
        item, _ = aria2.build_item(usable, options, None)
    except DownloadError as error:
        return ParsedEntry(usable[0], problem=error.message, code=error.code)
    skipped = len(addresses) - len(usable)
    if skipped:
        warnings.append(
            "1 address is not http." if skipped == 1 else f"{skipped} addresses are not http."
        )
    return ParsedEntry(usable[0], item, warnings=tuple(warnings))


def _urls_by_rank(file: ET.Element) -> list[ET.Element]:
    """Best first: the lowest `priority` (RFC 5854 §4.2.16.1), or the highest `preference` of Metalink 3."""

    def rank(url: ET.Element) -> int:
        priority, preference = url.get("priority", ""), url.get("preference", "")
        if priority.isdecimal():
            return int(priority[:9])
        return -int(preference[:9]) if preference.isdecimal() else 1_000_000

    return sorted((child for child in file.iter() if _local_name(child) == "url"), key=rank)


def _checks(file: ET.Element) -> tuple[list[tuple[str, str]], list[str]]:
    """The file's size and checksums as options, and a warning for each that cannot be checked.

    1. The size, if it is a number.
    2. The strongest checksum of the whole file; or else
    3. the pieces, if they fit the size. They are needed only where there is no checksum of the whole.
    """
    checks: list[tuple[str, str]] = []
    warnings: list[str] = []
    sizes = (child.text or "" for child in file if _local_name(child) == "size")
    written = next(sizes, "").strip()
    size = parse_count(written)
    if size is not None:
        checks.append(("size", str(size)))
    elif written:
        warnings.append("The size is not a number of bytes.")
    found: dict[str, str] = {}
    for element in _verification(file, "hash"):
        if digest := "".join((element.text or "").split()).lower():
            found[_algorithm(element)] = digest
    strongest = next((name for name in _STRENGTH if name in found), None)
    # One is enough: a file that has the strongest digest has the others, too.
    if strongest is not None:
        return [*checks, ("checksum", f"{strongest}={found[strongest]}")], warnings
    pieces = _strongest_pieces(file)
    if pieces is None:
        return checks, warnings
    # Cut before it is parsed: one digit more than allowed is enough to see that it is too long.
    try:
        parsed = Pieces.parse(pieces[: MOST_PIECES_LETTERS + 1])
        is_fitting = len(pieces) <= MOST_PIECES_LETTERS and (size is None or parsed.fits(size))
    except ValueError:
        is_fitting = False
    if is_fitting:
        checks.append(("pieces", pieces))
    else:
        warnings.append("The checksums of its pieces do not fit the file, and are not checked.")
    return checks, warnings


def _strongest_pieces(file: ET.Element) -> str | None:
    """The pieces with the strongest checksums, as `Pieces.parse` reads them."""
    found: dict[str, str] = {}
    for element in _verification(file, "pieces"):
        hashes = [child for child in element if _local_name(child) == "hash"]
        # Metalink 3 numbers them, in any order; Metalink 4 has them in order.
        if all((child.get("piece") or "").isdecimal() for child in hashes):
            hashes.sort(key=lambda child: int((child.get("piece") or "0")[:9]))
        digests = "".join("".join((child.text or "").split()).lower() for child in hashes)
        name = _algorithm(element)
        found[name] = f"{name}:{(element.get('length') or '').strip()}:{digests}"
    return next((found[name] for name in _STRENGTH if name in found), None)


def _verification(file: ET.Element, name: str) -> Iterator[ET.Element]:
    """Elements of a name in a file; Metalink 3 has them one level deeper."""
    for parent in [file, *(child for child in file if _local_name(child) == "verification")]:
        yield from (child for child in parent if _local_name(child) == name)


def _algorithm(element: ET.Element) -> str:
    kind = (element.get("type") or "").lower()
    return _OLD_NAMES.get(kind, kind)
