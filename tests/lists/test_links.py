"""A link file is one address, whichever desktop wrote it; launchers of programs are refused."""

import plistlib

import pytest

from trayagent.lists import ListEntry, dialect_for
from trayagent.model.downloads import Item


def parse(name: str, data: str | bytes) -> list[ListEntry]:
    dialect = dialect_for(name)
    assert dialect
    return list(dialect.parse(data))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.url", "[InternetShortcut]\r\nURL=http://h/a?b=c\r\nIconIndex=0\r\n"),
        ("x.url", "[{000214A0}]\nProp3=19,2\n[InternetShortcut]\nIDList=\nurl=http://h/a?b=c"),
        (
            "x.url",
            "[DEFAULT]\nBASEURL=http://evil/\n[InternetShortcut]\nURL=http://h/a?b=c".encode(
                "utf-16"
            ),
        ),
        ("x.desktop", "[Desktop Entry]\nType=Link\nName=x\nURL=http://h/a?b=c\n"),
        (
            "x.desktop",
            "# c\n[Desktop Entry]\nURL[$e]=http://h/a?b=c\nType=Link\n[Other]\nURL=http://evil/",
        ),
        ("x.webloc", plistlib.dumps({"URL": "http://h/a?b=c"})),
        ("x.webloc", plistlib.dumps({"URL": "http://h/a?b=c"}, fmt=plistlib.FMT_BINARY)),
    ],
)
def test_links(name: str, data: str | bytes) -> None:
    (line,) = parse(name, data)
    assert line.item == Item("http://h/a?b=c")
    assert line.number == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.url", ""),
        ("x.url", "[Other]\nURL=http://h/"),
        ("x.url", "[InternetShortcut]\nURL=\n"),
        ("x.desktop", "[Desktop Entry]\nType=Application\nExec=rm -rf\nURL=http://h/\n"),
        ("x.desktop", "[Desktop Entry]\nURL=http://h/\n"),
        ("x.webloc", "<plist>"),
        ("x.webloc", plistlib.dumps(["http://h/"])),
        ("x.webloc", plistlib.dumps({"URL": 3})),
        (
            "x.webloc",
            '<!DOCTYPE x [<!ENTITY a "b">]><plist><dict><key>URL</key><string>&a;</string></dict></plist>',
        ),
        ("x.webloc", b"bplist00\xff\xff"),
    ],
)
def test_what_is_no_link_is_one_refusal(name: str, data: str | bytes) -> None:
    (line,) = parse(name, data)
    assert line.error
    assert line.item is None


def test_the_escapes_of_a_desktop_link() -> None:
    (line,) = parse("x.desktop", "[Desktop Entry]\nType=Link\nURL=http://h/a\\sb\\\\c\n")
    assert line.url == "http://h/a%20b\\c"
