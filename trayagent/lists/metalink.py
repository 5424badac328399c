"""Metalink 4 (RFC 5854), and what is left of Metalink 3: files with mirrors and checksums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from trayagent.lists import aria2
from trayagent.lists.line import ListError
from trayagent.lists.whole import Entry, reader
from trayagent.model import urls
from trayagent.model.download import Item
from trayagent.model.errors import DownloadError

_NAMESPACE: Final = "urn:ietf:params:xml:ns:metalink"
_STRENGTH: Final = ("sha-512", "sha-384", "sha-256", "sha-224", "sha-1", "md5")
_OLD_NAMES: Final = {name.replace("-", ""): name for name in _STRENGTH}


def parse(data: bytes) -> Iterator[Entry]:
    """An entry for every file; raises ListError for what is no Metalink."""
    _refuse_declarations(data)
    try:
        root = ET.fromstring(data)  # noqa: S314  # No declarations, so no entities.
    except (ET.ParseError, ValueError, LookupError) as error:
        raise ListError("This is not readable XML.") from error
    if _local(root) != "metalink":
        raise ListError("This is not a Metalink file.")
    for element in root.iter():
        if _local(element) == "file":
            yield _entry(element)


read = reader(parse)


def write(items: Iterable[Item]) -> str:
    """Items as Metalink 4: addresses, name, folder and checksum; the format has no more."""
    files = "".join(_file(item) for item in items)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<metalink xmlns="{_NAMESPACE}">\n{files}</metalink>\n'


def _refuse_declarations(data: bytes) -> None:
    """A document type can make a small file explode in memory or reach for other files; Metalink needs none."""

    def refuse(*_: object) -> None:
        raise ListError("The XML declares a document type, which a Metalink never needs.")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, ListError):
            raise
        raise ListError("This is not readable XML.") from error


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _entry(element: ET.Element) -> Entry:
    addresses = [(child.text or "").strip() for child in _urls_by_rank(element)]
    usable = [address for address in addresses if urls.looks_absolute(address)]
    if not usable:
        first = addresses[0] if addresses else ""
        return Entry(first, problem="The file has no http address.", code="bad_url")
    options = [("out", (element.get("name") or "").strip())]
    options += [("checksum", checksum) for checksum in _checksums(element)[:1]]
    try:
        item, _ = aria2.item(usable, options, None)
    except DownloadError as error:
        return Entry(usable[0], problem=error.message, code=error.code)
    skipped = len(addresses) - len(usable)
    return Entry(
        usable[0], item, warnings=(f"{skipped} addresses are not http.",) if skipped else ()
    )


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


def _file(item: Item) -> str:
    name = "/".join(part for part in (item.folder, item.filename) if part)
    rows = [f'  <file name="{escape(name)}">\n']
    if item.checksum:
        kind, _, digest = item.checksum.partition("=")
        rows.append(f'    <hash type="{escape(kind)}">{escape(digest)}</hash>\n')
    for priority, url in enumerate((item.url, *item.mirrors), 1):
        rows.append(f'    <url priority="{priority}">{escape(url)}</url>\n')
    return "".join([*rows, "  </file>\n"])
