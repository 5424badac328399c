"""Small files that would be huge once they are read: refused before anything of them is kept."""

from __future__ import annotations

import plistlib
import tracemalloc

import pytest

from trayagent.lists import ListEntry, dialect_for, json_items, metalink

HEAD = b'<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
ENTITIES = b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
BOMBS = {
    "deep.meta4": HEAD + b"<a>" * 1_000_000 + b"</a>" * 1_000_000 + b"</metalink>",
    "wide.meta4": HEAD + b"<a/>" * 2_000_000 + b"</metalink>",
    "laughs.meta4": b'<!DOCTYPE metalink [<!ENTITY a "aa">'
    + ENTITIES
    + b"]>"
    + HEAD
    + b"&j;</metalink>",
    "many.json": b"[" + b",".join([b'""'] * 2_000_000) + b"]",
    "deep.json": b"[" * 2_000_000,
    "deep-item.json": b"[" + b"[" * 500 + b"]" * 500 + b"]",
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
def test_a_bomb_is_one_refusal_and_takes_no_room(name: str) -> None:
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
