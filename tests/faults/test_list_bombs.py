"""Small files that would be huge once they are read: refused before anything of them is kept."""

from __future__ import annotations

import plistlib
import tracemalloc
from itertools import product

import pytest

from trayagent.lists import ListEntry, dialect_for, json_items, metalink

HEAD = b'<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
MANY = 100_000
"""Entries that a list may have here, a tenth of what it may have: kept, these would take thirty MB, too."""
ENTITIES = b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
BOMBS = {
    "deep.meta4": HEAD + b"<a>" * 1_000_000 + b"</a>" * 1_000_000 + b"</metalink>",
    "wide.meta4": HEAD + b"<a/>" * 2_000_000 + b"</metalink>",
    "laughs.meta4": b'<!DOCTYPE metalink [<!ENTITY a "aa">'
    + ENTITIES
    + b"]>"
    + HEAD
    + b"&j;</metalink>",
    "attributes.meta4": HEAD
    + b"<file "
    + b" ".join(b"a%d='x'" % n for n in range(300_000))
    + b"/></metalink>",
    "attributes-of-many.meta4": HEAD
    + (b"<file " + b" ".join(b"a%d='x'" % n for n in range(300)) + b"/>") * 1000
    + b"</metalink>",
    "many.json": b"[" + b",".join([b'""'] * (MANY + 1)) + b"]",
    "deep.json": b"[" * 2_000_000,
    "deep-item.json": b"[" + b"[" * 500 + b"]" * 500 + b"]",
    "halves.json": b'["' + rb"\ud800" * 500_000 + b'"]',
    "quotes.json": b"[" + b'"' * 1_000_001,
    "backslashes.json": b'["' + b"\\" * 1_000_001,
    "laughs.webloc": b'<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aa">' + ENTITIES + b"]>"
    b"<plist><dict><key>URL</key><string>&j;</string></dict></plist>",
    "deep.webloc": b"<plist>" + b"<array>" * 5_000 + b"</array>" * 5_000 + b"</plist>",
}


def read(name: str, data: bytes) -> list[ListEntry]:
    dialect = dialect_for(name)
    assert dialect is not None
    return list(dialect.parse(data))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one_refusal_and_takes_no_room(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_items, "MOST_ENTRIES", MANY)
    tracemalloc.start()
    try:
        (line,) = read(name, BOMBS[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert line.error is not None
    assert peak < 3 * len(BOMBS[name]) + (4 << 20)


@pytest.mark.parametrize("name", ["x.url", "x.webloc", "x.desktop"])
def test_a_link_file_holds_a_link_and_no_more(name: str) -> None:
    text = {
        "x.url": b"[InternetShortcut]\nURL=http://h/a\n",
        "x.webloc": plistlib.dumps({"URL": "http://h/a"}),
        "x.desktop": b"[Desktop Entry]\nType=Link\nURL=http://h/a\n",
    }[name]
    assert [line.url for line in read(name, text)] == ["http://h/a"]
    (line,) = read(name, text + b"\n" * 65_536)
    assert line.error is not None


@pytest.mark.parametrize(
    "child", [b"<url>http://h/a</url>", b"<pieces><hash>a</hash></pieces>", b"<x><x><x/></x></x>"]
)
def test_of_one_file_no_more_is_kept_than_it_may_need(child: bytes) -> None:
    inside = b"<url>http://h/first</url>" + child * 250_000
    data = HEAD + b'<file name="n">' + inside + b"</file></metalink>"
    tracemalloc.start()
    try:
        (entry,) = metalink.parse(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert entry.item is not None
    assert entry.item.url == "http://h/first"
    assert peak < 24 << 20


def test_a_large_metalink_is_read_file_by_file() -> None:
    file = b'<file name="n%d"><url>http://h/%d</url></file>'
    data = HEAD + b"".join(file % (n, n) for n in range(20_000)) + b"</metalink>"
    tracemalloc.start()
    try:
        count = sum(entry.item is not None for entry in metalink.parse(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "text",
    ["[1 2]", '["a",]', '["a"] x', '["a"', '["a"]]', "[}", '{"items": ["a",]}', "[1}"],
)
def test_a_broken_array_brings_nothing(text: str) -> None:
    (line,) = read("x.json", text.encode())
    assert line.error == ("bad_list", "This is not a JSON array of items.")


@pytest.mark.parametrize("text", ["[]", " [ \n ] ", '{"items": []}', ""])
def test_an_empty_array_is_no_entry(text: str) -> None:
    assert read("x.json", text.encode()) == []


def test_more_entries_than_a_list_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_items, "MOST_ENTRIES", 2)
    assert len(read("x.json", b'["http://h/1", "http://h/2"]')) == 2
    (line,) = read("x.json", b'["http://h/1", "http://h/2", "http://h/3"]')
    assert line.error is not None
    assert "too many" in line.error[1]


KEYS = ["".join(letters) for letters in product("abcdefghijk", repeat=3)]
"""None of them is JDownloader's."""
PILES = {
    "jobs.crawljob": b"text=u\n" * 20_000,
    "lines.crawljob": b"no\n" * 60_000,
    "links.crawljob": b"text=" + b"http://h/a " * 20_000,
    "objects.crawljob": b"[" + b",".join([b"{}"] * 10_000) + b"]",
    "values.crawljob": b'{"text": "http://h/a", "x": [' + b",".join([b"{}"] * 1_500_000) + b"]}",
    "latin.crawljob": b"\xe9\n" * 60_000,
    "values.json": b"[[" + b",".join([b"{}"] * 400_000) + b"]]",
    "headers.json": b'[{"url":"http://h/","headers":{'
    + b",".join(b'"x%d":""' % n for n in range(100_000))
    + b"}}]",
}


@pytest.mark.parametrize("name", PILES)
def test_a_pile_of_small_things_is_read_one_by_one(name: str) -> None:
    dialect = dialect_for(name)
    assert dialect is not None
    tracemalloc.start()
    try:
        for _ in dialect.parse(PILES[name]):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(PILES[name]) + (4 << 20)


def test_what_a_job_says_is_not_kept_again_for_each_link() -> None:
    unknown = b"".join(b"%s=x\n" % key.encode() for key in KEYS[:900])
    links = b"text=" + b"http://h/a " * 1000
    lines = read("x.crawljob", b"comment=" + b"c" * 100_000 + b"\n" + unknown + links)
    titles = {line.item.title for line in lines if line.item is not None}

    assert len(lines) == 1000
    assert titles == {"c" * 1024}
    assert {len(line.warnings) for line in lines} == {11}
    assert lines[0].warnings[-1] == "890 more keys are ignored."


def test_a_job_with_more_keys_than_any_program_has_is_refused() -> None:
    several = "".join(f"{key}{key}=x\n" for key in KEYS[:1001])
    (line,) = read("x.crawljob", several.encode())
    assert line.error == ("bad_list", "A job has too many keys.")


def test_options_without_end_cost_their_own_address_and_no_memory() -> None:
    text = b"http://h/a\n" + b" header=a: b\n" * 60_000 + b"http://h/b\n"
    dialect = dialect_for("x.txt")
    assert dialect is not None
    tracemalloc.start()
    try:
        first, second = dialect.parse(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (first.url, first.error) == (
        "http://h/a",
        ("bad_item", "This address has too many options."),
    )
    assert second.item is not None
    assert peak < len(text) + (8 << 20)


@pytest.mark.parametrize(
    "text", ["[{0}]\nhttp://h/a\n", "http://h/a\n dir={0}\n", "http://h/a\n out={0}x\n"]
)
def test_a_folder_of_a_hundred_thousand_parts_is_refused_at_once(text: str) -> None:
    first = read("x.txt", text.format("a/" * 100_000).encode())[0]
    assert first.error is not None
    assert first.error[0] == "permission_denied"
