"""JDownloader's folder-watch jobs: properties, a JSON object of the same keys, or an array of such.

Source: FolderWatch V2, CrawlJobStorable. Stricter than the original: what asks for a place outside the
downloads folder is refused, and programs and archives' passwords are ignored with a warning. As lenient
with what programs really write: `null` is "not set", values may be quoted, keys in any case, and the text
may hold its links in any way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, Final

import msgspec

from trayagent.lists import aria2, json_items
from trayagent.lists.entry import ListError, ParsedEntry, whole_reader
from trayagent.lists.text import decode
from trayagent.model import lenient_json, urls
from trayagent.model.errors import DownloadError
from trayagent.model.file_types import type_of

MOST_KEYS: Final = 1000
"""Keys of one job; JDownloader has forty."""
MOST_JOB_BYTES: Final = 4 * 1024 * 1024
"""Of a job in JSON, whose values become Python's own: a byte may take twenty of memory."""
MOST_BARE_LINKS: Final = 1_000_000
"""They are kept until the last job is known."""
_LONGEST_TITLE: Final = 1024
"""Characters. Each link of a job has its title, so a long one would be kept a million times."""
_MOST_WARNINGS: Final = 10
"""Keys that are named as ignored, for each link again."""
_USED: Final = frozenset(
    "text filename packageName downloadFolder chunks priority enabled autoStart comment".split()
)
_SILENT: Final = frozenset(
    "type autoConfirm forcedStart addOfflineLink deepAnalyseEnabled overwritePackagizerEnabled"
    " setBeforePackagizerEnabled".split()
)
"""Keys that JDownloader's own tools always write and that mean nothing here: no warning."""
_KNOWN: Final = _USED | _SILENT
_KEYS: Final = {key.lower(): key for key in _KNOWN}
_LINK: Final = re.compile(r"(^|[\s,;|\"'<(\[])(https?://)", re.IGNORECASE)
"""A link behind what may part the links of a text, or enclose them."""
_JOINING: Final = frozenset("and or then und oder dann et ou y e o & + - -> =>".split())
"""Words between two links, in small letters."""
_LINE: Final = re.compile("(?!\\Z)([^\r\n\u2028\u2029]*)(?:\r\n|[\r\n\u2028\u2029]|\\Z)")
_CLOSING: Final = {'"': '"', "'": "'", "<": ">", "(": ")", "[": "]"}
_HIGH: Final = frozenset({"HIGHEST", "HIGHER", "HIGH"})
_PROPERTY: Final = re.compile(
    rf"([A-Za-z]+)\s*=(.*)|({'|'.join(_KEYS)}|resttext)\s*:(.*)", re.IGNORECASE
)
"""With an equals sign, or with a colon as Java's properties may have it: then of a key that we know."""
_ESCAPE: Final = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/bfnrt:=]))')
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def parse(data: bytes) -> Iterator[ParsedEntry]:
    """An entry for every link, in order; raises ListError for broken JSON, and for what holds no job at all."""
    # Jobs, lines and links are taken one by one: a list of all of them would be many times the file.
    text = decode(data).strip()
    if text.startswith(("[", "{")):
        for job in _json_jobs(text):
            yield from _entries(job)
        return
    has_job = False
    for job in _property_jobs(text):
        has_job = True
        yield from _entries(job)
    # A comment or JDownloader's own separator alone is an empty list, not a wrong one.
    if not has_job and any(
        line and not line.startswith(("#", "->")) for line in map(str.strip, _lines_of(text))
    ):
        raise ListError("No job is recognised here; a job has a line like text=https://…")


read = whole_reader(parse)


def _lines_of(text: str) -> Iterator[str]:
    return (line[1] for line in _LINE.finditer(text))


def _json_jobs(text: str) -> Iterator[dict[str, Any]]:
    """The jobs of an array, or the one job. Raises ListError."""
    is_array = text.startswith("[")
    data = text.encode()
    for element in json_items.elements(data) if is_array else [data]:
        if len(element) > MOST_JOB_BYTES:
            raise ListError("A job is too long; save its links as a .txt, one address a line.")
        try:
            job: dict[str, Any] = lenient_json.read(element, dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            raise ListError("This is neither a JSON job nor an array of jobs.") from error
        # Keys in any case, as in properties: programs write both forms from the same table.
        yield {_canonical_key(key): value for key, value in job.items()}


def _property_jobs(text: str) -> Iterator[dict[str, Any]]:
    """Jobs of the properties form. A line is, in this order:

    1. a comment;
    2. a bare link: all of these go before the links of the last job;
    3. `restText=`: everything from here to the end of the file is the job's text;
    4. a property that the job has already, or no property at all: the job ends, the next begins;
    5. a property of the job; without a value it says nothing.
    """
    job: dict[str, Any] = {}
    bare_links: list[str] = []
    for found in _LINE.finditer(text):
        line = found[1].strip()
        match = _PROPERTY.fullmatch(line)
        key, value = [part for part in match.groups() if part is not None] if match else ("", "")
        if line.startswith("#"):
            continue
        if urls.looks_absolute(line):
            bare_links.append(line)
            if len(bare_links) > MOST_BARE_LINKS:
                raise ListError("The list has too many links; save it as a .txt.")
        elif key.lower() == "resttext":
            job["text"] = f"{value}\n{text[found.end() :]}"
            break
        elif not key or _canonical_key(key) in job:
            yield from _complete(job, [])
            job = {_canonical_key(key): _unescape(value.strip())} if key else {}
        elif value.strip():
            job[_canonical_key(key)] = _unescape(value.strip())
            if len(job) > MOST_KEYS:
                raise ListError("A job has too many keys.")
    yield from _complete(job, bare_links)


def _canonical_key(key: str) -> str:
    """A key as JDownloader spells it."""
    return _KEYS.get(key.lower(), key)


def _unescape(value: str) -> str:
    r"""A value of Java's properties: `\uXXXX`, `\n`, `\:` and the like."""

    def character(match: re.Match[str]) -> str:
        # A backslash before any other letter means that letter, as Java reads it.
        return chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2])

    # Two \u escapes can be the halves of one character; a half alone becomes U+FFFD.
    return (
        _ESCAPE.sub(character, value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def _complete(job: Mapping[str, Any], bare_links: list[str]) -> Iterator[dict[str, Any]]:
    """A job with the bare links of the file put before its own; nothing, where there is neither."""
    if job or bare_links:
        yield {**job, "text": "\n".join([*bare_links, *filter(None, [job.get("text")])])}


def _entries(job: Mapping[str, Any]) -> Iterator[ParsedEntry]:
    links = _links_in(_value(job, "text"))
    ahead = list(islice(links, 2))
    if not ahead:
        yield ParsedEntry("", problem="The job has no link.", code="bad_url")
    # Once for all links: what a job says costs by its own length, not by that times its links.
    options = list(_options_of(job, is_only_link=len(ahead) == 1))
    ignored = _ignored_keys(job)
    for link in chain(ahead, links):
        try:
            item, warnings = aria2.build_item([link], options, None)
        except DownloadError as error:
            yield ParsedEntry(link, problem=error.message, code=error.code)
        except ListError as error:
            yield ParsedEntry(link, problem=str(error))
        else:
            yield ParsedEntry(link, item, warnings=(*warnings, *ignored))


def _ignored_keys(job: Iterable[str]) -> list[str]:
    """A warning for each key that we do not know, and one for all where they are many."""
    unknown = [key for key in job if key not in _KNOWN]
    warnings = [f"The key {key[:40]} is ignored." for key in unknown[:_MOST_WARNINGS]]
    if len(unknown) > _MOST_WARNINGS:
        warnings.append(f"{len(unknown) - _MOST_WARNINGS:,} more keys are ignored.")
    return warnings


def _links_in(text: str) -> Iterator[str]:
    """The links in a text: each by itself, or several with spaces or commas between them, quoted or not.

    A link ends where the next one begins, at what closes the quote or bracket before it, or before the
    words that part it from the next. So one link may hold spaces, commas and brackets. A line without
    any is a link of another kind, for the intake to refuse.
    """
    for line in _lines_of(text):
        found = _LINK.finditer(line)
        match = next(found, None)
        if match is None and urls.trim(line) not in ("", "null"):
            yield _clean_link(line)
        while match is not None:
            following = next(found, None)
            link = line[match.start(2) : following.start() if following else len(line)]
            closing = _CLOSING.get(match[1], "")
            is_enclosed = closing != "" and closing in link
            link = link[: link.rindex(closing)] if is_enclosed else _without_words(link)
            yield _clean_link(link)
            match = following


def _without_words(link: str) -> str:
    """A link without the words of a person behind it, as far as they can be told from its own raw spaces.

    1. Behind the last part that ends as a file does, everything is words.
    2. Of a link without such a part, a word that joins it to the next, or that names the next: `Part 2:`.
    """
    parts = link.rstrip().split(" ") if len(link) <= urls.MAX_LENGTH else []
    if len(parts) < 2:
        return link
    files = [number for number, part in enumerate(parts) if _ends_a_file(part)]
    if files:
        del parts[files[-1] + 1 :]
    elif parts[-1].lower() in _JOINING:
        del parts[-1]
    elif parts[-1].endswith(":"):
        is_number = parts[-1][:-1].isdigit() and len(parts) > 2
        del parts[-2 if is_number else -1 :]
    return " ".join(parts)


def _ends_a_file(part: str) -> bool:
    path = re.split("[?#]", part.rstrip(",;|"), maxsplit=1)[0]
    _, dot, ending = path.rpartition(".")
    return bool(dot) and type_of(ending.lower()) != "other"


def _clean_link(link: str) -> str:
    return urls.unpaste(link.rstrip(" \t,;|"))


def _options_of(job: Mapping[str, Any], *, is_only_link: bool) -> Iterator[tuple[str, str]]:
    """The job in the words of an option list; a file name means something for one link only."""
    # JDownloader makes a folder of the package's name, unless the job names a folder.
    folder = _value(job, "downloadFolder") or _value(job, "packageName")
    if folder:
        yield "dir", folder
    if is_only_link and _value(job, "filename"):
        yield "out", _value(job, "filename")
    if _value(job, "comment"):
        yield "title", _value(job, "comment")[:_LONGEST_TITLE]
    # Both keep a job from starting there. Nothing says FALSE by default: UNSET is JDownloader's word.
    if "FALSE" in (_value(job, "enabled").upper(), _value(job, "autoStart").upper()):
        yield "pause", "true"
    if _value(job, "priority").upper() in _HIGH:
        yield "next", "true"
    if _value(job, "chunks") not in ("", "0"):
        yield "split", _value(job, "chunks")


def _value(job: Mapping[str, Any], key: str) -> str:
    """A value as text: a list has a line for each, quotes are taken off, `null` and nothing are empty."""
    value = job.get(key)
    if isinstance(value, list):
        return "\n".join(map(str, value))
    text = "" if value is None else str(value).strip()
    quoted = re.fullmatch(r"\"([^\"]*)\"", text)
    text = quoted[1] if quoted else text
    return "" if text.lower() == "null" else text
