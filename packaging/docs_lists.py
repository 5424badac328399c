"""docs/lists.md: the table and the options come from the readers of lists."""

from __future__ import annotations

from collections.abc import Iterator

from trayagent.lists import DIALECTS, aria2

SAYS = {
    "text": "A link a line. A TAB separates mirrors of the same file; `[folder]` sends what follows into that "
    "folder; `#` starts a comment. Indented lines are options of the link above, as in an aria2 input file; "
    "an indented `engine=NAME` above all links, or right below a heading, counts for all that follow. A raw space in a "
    "link is `%20`, unless another link or an option follows it; `- ` or `2. ` before a link is no part of it.",
    "crawljob": "JDownloader's folder watch, as properties, a JSON object or an array of such; `null` is *not set*, "
    "and a text may hold several links. An entry that asks for a place outside the downloads folder is refused; "
    "passwords and programs are ignored, with a warning in the report.",
    "metalink": "Metalink 4 (RFC 5854), and Metalink 3: mirrors in order (a torrent is none), the size, and the "
    "strongest checksum of the whole, else those of the pieces.",
    "url": "A Windows internet shortcut.",
    "webloc": "A macOS link, XML or binary.",
    "desktop": "A Linux link: `Type=Link`. Starters of programs are refused.",
    "json": 'An array of items as [HTTP](http.md#an-item) takes them, of plain addresses, or `{"items": […]}`.',
}
SAMPLES = {
    "text": """
https://example.com/film.mp4
 dir=Films
 out=The film.mp4
https://example.com/song.flac⇥https://mirror.example.org/song.flac
""",
    "crawljob": """
text=https://example.com/film.mp4
""",
    "metalink": """
<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <file name="film.mp4">
    <hash type="sha-256">9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08</hash>
    <url priority="1">https://example.com/film.mp4</url>
    <url priority="2">https://mirror.example.org/film.mp4</url>
  </file>
</metalink>
""",
    "url": """
[InternetShortcut]
URL=https://example.com/film.mp4
""",
    "webloc": """
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
⇥<key>URL</key>
⇥<string>https://example.com/film.mp4</string>
</dict>
</plist>
""",
    "desktop": """
[Desktop Entry]
Type=Link
Name=Link
URL=https://example.com/film.mp4
""",
    "json": """
[
{"url":"https://example.com/film.mp4","filename":"The film.mp4","next":true}
]
""",
}
"""One for each dialect; tests/packaging/test_docs.py reads them as lists."""

START = """
A list is a file of links in the drop folder; `trayagent add - < list.txt` and `trayagent get -i list.txt` read
the same. `trayagent plan FILE` says what a list would do, by the same code and
in the words of its report, without doing it: a line that repeats another is "the same as line N".

| ending | what it is |
|---|---|
"""
FOLDER = """
## What happens to a list

A file's place is its state:

```
drop/x.txt  →  drop/working/x.txt  →  drop/done/x.txt    + x.txt.report.json
                                   ↘  drop/failed/x.txt  + x.txt.report.json + x.txt.retry.txt
```

- A list is taken when its size and date have been quiet for two seconds and its name does not end like a
  half-written file (`.tmp .part .crdownload .download ~`). A program that still has it open is waited for, where
  the system tells (Linux, Windows).
- Every line has exactly one outcome, and no line is fetched twice, also when the agent is killed at any
  moment. A bad line never blocks a good one.
- A list with a failed or rejected line goes to `failed/`; `x.txt.retry.txt` beside it holds just those lines
  and can be dropped again (a list that cannot be read at all has none). A name that is taken there becomes
  `x (1).txt`. Report and retry list can be read by you alone: the latter has the cookies and passwords of its lines.
- What other programs write into lists and no request may carry is left out, with a warning in the report: headers
  that only we may set (`Host`, `Range`, `Accept-Encoding`, …), a referer that is no web address.
- There is one notification for a list, not one for every file. `trayagent undo` takes the last list back; what had
  arrived is in the trash then, and its downloads are `cancelled`.
- UTF-8, UTF-16 with its mark, and Latin-1; all line ends; a million lines in little memory. Formats that are
  not read line by line may have 32 MiB, an entry in JSON 1 MiB (a job of a crawljob 4), the options of one
  address 1 MiB.

The report is JSON: `{"list", "batch", "received_at", "finished_at", "counts", "lines"}`; each of its lines is
`{"line", "url", "outcome", "path", "code", "message"}`, where `line` counts from 1 (entries in JSON, crawljob
and Metalink) and `outcome` is `completed`, `failed`, `duplicate`, `rejected` or `cancelled`. What a `code`
means: [why a download fails](errors.md).
"""


def lists() -> str:
    """The page."""
    read = sorted(aria2.OPTIONS)
    rows = [f"| {_endings(one.endings)} | {SAYS[one.name]} |" for one in DIALECTS]
    lines = [
        "# Lists",
        "<!-- Made by packaging/docs.py from the code: change it there. -->",
        START.rstrip("\n"),
        *rows,
        FOLDER,
        "## Options in a text list",
        "",
        f"Read: {', '.join(f'`{name}`' for name in read)}.",
        "",
        "`dir` and `out` stay inside the downloads folder. aria2's options that start programs or reach for",
        "files of their own (`on-download-complete`, `load-cookies`, `log`, …) make the line rejected; all",
        "others are ignored, with a warning. `next`, `kind`, `quality`, `subtitles`, `again`, `title`, `page-url`,",
        "`size`, `pieces` and `cookie` are words of ours, which aria2 ignores.",
        "",
        "## Examples",
        *_samples(),
        "",
    ]
    return "\n".join(lines)


def _endings(endings: tuple[str, ...]) -> str:
    return " ".join(f"`.{ending}`" for ending in endings)


def _samples() -> Iterator[str]:
    for one in DIALECTS:
        yield from ["", f"`.{one.endings[0]}`", "", "```", SAMPLES[one.name].strip(), "```"]
    yield from ["", "(⇥ is a TAB.)"]
