"""JDownloader's folder-watch jobs: properties, a JSON object of the same keys, or an array of such.

Source: FolderWatch V2, CrawlJobStorable. Stricter than the original: what asks for a place outside the
downloads folder is refused, and programs and archives' passwords are ignored with a warning. As lenient
with what programs really write: `null` is "not set", values may be quoted, keys in any case, and the text
may hold its links in any way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from trayagent.lists import aria2
from trayagent.lists.line import ListError
from trayagent.lists.text import decode
from trayagent.lists.whole import Entry, reader
from trayagent.model import lenient_json, urls
from trayagent.model.downloads import Item
from trayagent.model.errors import DownloadError

_USED: Final = frozenset(
    "text filename packageName downloadFolder chunks priority enabled autoStart comment".split()
)
_SILENT: Final = frozenset(
    "type autoConfirm forcedStart addOfflineLink deepAnalyseEnabled overwritePackagizerEnabled"
    " setBeforePackagizerEnabled".split()
)
_KEYS: Final = {key.lower(): key for key in _USED | _SILENT}
_LINK: Final = re.compile(r"(^|[\s,;|\"'<(\[])(https?://)", re.IGNORECASE)
"""A link behind what may part the links of a text, or enclose them."""
_CLOSING: Final = {'"': '"', "'": "'", "<": ">", "(": ")", "[": "]"}
_HIGH: Final = frozenset({"HIGHEST", "HIGHER", "HIGH"})
_PROPERTY: Final = re.compile(r"([A-Za-z]+)\s*=(.*)")
_ESCAPE: Final = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/bfnrt:=]))')
_PLAIN: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def parse(data: bytes) -> Iterator[Entry]:
    """An entry for every link, in order; raises ListError for broken JSON, and for what holds no job at all."""
    text = decode(data).strip()
    jobs = list(_json_jobs(text) if text.startswith(("[", "{")) else _jobs(text))
    if not jobs and text != "[]" and any(map(_says_something, text.splitlines())):
        raise ListError("No job is recognised here; a job has a line like text=https://…")
    for job in jobs:
        yield from _entries(job)


read = reader(parse)


def write(items: Iterable[Item]) -> str:
    """Items as properties: address, name, folder, title, pause, segments and priority; the format has no more."""
    return "\n".join(_properties(item) for item in items)


def _properties(item: Item) -> str:
    pairs = [("text", item.url)]
    texts = {"filename": item.filename, "downloadFolder": item.folder, "comment": item.title}
    pairs += [(key, value) for key, value in texts.items() if value]
    pairs += [("autoStart", "FALSE")] if item.paused else []
    pairs += [("priority", "HIGHEST")] if item.next else []
    pairs += [("chunks", str(item.segments))] if item.segments else []
    return "".join(f"{key}={_escaped(value)}\n" for key, value in pairs)


def _escaped(value: str) -> str:
    return (
        msgspec.json.encode(value)
        .decode()[1:-1]
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


def _unescaped(value: str) -> str:
    def one(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else _PLAIN.get(match[2], match[2])

    # Half a surrogate pair is no character.
    return _ESCAPE.sub(one, value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _says_something(line: str) -> bool:
    line = line.strip()
    return bool(line) and not line.startswith(("#", "->"))


def _json_jobs(text: str) -> list[dict[str, Any]]:
    try:
        found: dict[str, Any] | list[dict[str, Any]] = lenient_json.read(
            text.encode(), dict[str, Any] | list[dict[str, Any]]
        )
    except (msgspec.DecodeError, RecursionError) as error:
        raise ListError("This is neither a JSON job nor an array of jobs.") from error
    jobs = found if isinstance(found, list) else [found]
    return [{_key(key): value for key, value in job.items()} for job in jobs]


def _key(word: str) -> str:
    """A key as JDownloader spells it."""
    return _KEYS.get(word.lower(), word)


def _jobs(text: str) -> Iterator[dict[str, Any]]:
    """Jobs of the properties form: a repeated key, or a line that is neither property nor link, ends one."""
    job: dict[str, Any] = {}
    links: list[str] = []
    lines = re.split("\r\n|[\r\n\u2028\u2029]", text)
    for place, line in enumerate(lines):
        line = line.strip()
        match = _PROPERTY.fullmatch(line)
        if line.startswith("#"):
            continue
        if urls.looks_absolute(line):
            links.append(line)
        elif match and match[1].lower() == "resttext":
            job["text"] = "\n".join([match[2], *lines[place + 1 :]])
            break
        elif not match or _key(match[1]) in job:
            yield from _finished(job, [])
            job = {_key(match[1]): _unescaped(match[2].strip())} if match else {}
        elif match[2].strip():
            job[_key(match[1])] = _unescaped(match[2].strip())
    yield from _finished(job, links)


def _finished(job: Mapping[str, Any], links: list[str]) -> Iterator[dict[str, Any]]:
    """A job, with the bare links of the file put before its own."""
    if job or links:
        yield {**job, "text": "\n".join([*links, *filter(None, [job.get("text")])])}


def _entries(job: Mapping[str, Any]) -> Iterator[Entry]:
    links = _links(_text(job, "text"))
    if not links:
        yield Entry("", problem="The job has no link.", code="bad_url")
    for link in links:
        try:
            item, warnings = aria2.item([link], list(_options(job, alone=len(links) == 1)), None)
        except DownloadError as error:
            yield Entry(link, problem=error.message, code=error.code)
        except ListError as error:
            yield Entry(link, problem=str(error))
        else:
            ignored = tuple(
                f"The key {key} is ignored." for key in job if key not in _USED | _SILENT
            )
            yield Entry(link, item, warnings=(*warnings, *ignored))


def _links(text: str) -> list[str]:
    """The links in a text: each by itself, or several with spaces or commas between them, quoted or not."""
    links: list[str] = []
    for line in re.split(r"[\r\n]+", text):
        found = list(_LINK.finditer(line))
        ends = [match.start() for match in found[1:]] + [len(line)]
        for match, end in zip(found, ends, strict=False):
            link, closing = line[match.start(2) : end], _CLOSING.get(match[1])
            enclosed = closing is not None and closing in link
            links.append(link[: link.rindex(closing)] if enclosed and closing else link)
        if not found and urls.trimmed(line) not in ("", "null"):
            links.append(line)
    return [urls.unpasted(link.rstrip(" \t,;|")) for link in links]


def _options(job: Mapping[str, Any], *, alone: bool) -> Iterator[tuple[str, str]]:
    """The job in the words of an option list; a file name means something for one link only."""
    folder = _text(job, "downloadFolder") or _text(job, "packageName")
    if folder:
        yield "dir", folder
    if alone and _text(job, "filename"):
        yield "out", _text(job, "filename")
    if _text(job, "comment"):
        yield "title", _text(job, "comment")
    if "FALSE" in (_text(job, "enabled").upper(), _text(job, "autoStart").upper()):
        yield "pause", "true"
    if _text(job, "priority").upper() in _HIGH:
        yield "next", "true"
    if _text(job, "chunks") not in ("", "0"):
        yield "split", _text(job, "chunks")


def _text(job: Mapping[str, Any], key: str) -> str:
    value = job.get(key)
    if isinstance(value, list):
        return "\n".join(map(str, value))
    text = "" if value is None else str(value).strip()
    quoted = re.fullmatch(r"\"([^\"]*)\"", text)
    text = quoted[1] if quoted else text
    return "" if text.lower() == "null" else text
