"""A file's name decides its dialect, by its last ending, in any case."""

import io

import pytest

from trayagent.lists import DIALECTS, Dialect, dialect_for


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("a.txt", "text"),
        ("A.TXT", "text"),
        ("a.txt.retry.txt", "text"),
        ("a.crawljob", "crawljob"),
        ("a.meta4", "metalink"),
        ("a.Metalink", "metalink"),
        ("a.url", "url"),
        ("a.webloc", "webloc"),
        ("a.desktop", "desktop"),
        ("a.json", "json"),
    ],
)
def test_endings(name: str, dialect: str) -> None:
    found = dialect_for(name)
    assert found
    assert found.name == dialect


@pytest.mark.parametrize("name", ["a.txt.exe", "a", "txt.", "a.torrent", "a.txt.part", ""])
def test_other_files_are_no_lists(name: str) -> None:
    assert dialect_for(name) is None


def test_no_ending_has_two_dialects() -> None:
    endings = [ending for dialect in DIALECTS for ending in dialect.endings]
    assert len(endings) == len(set(endings))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_junk_gives_refusals_and_never_an_error(dialect: Dialect) -> None:
    for junk in (b"", b"\x00" * 100, bytes(range(256)) * 10, b"<" * 1000, b"[" * 1000):
        lines = list(dialect.parse(junk))
        for place, line in enumerate(lines, 1):
            assert (line.item is None) == (line.error is not None)
            assert list(dialect.read(io.BytesIO(junk), line.after)) == lines[place:]
