"""Metalinks give a file its mirrors, best first, and its strongest checksum; hostile XML gives nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.lists import ListEntry, dialect_for
from trayagent.model.downloads import Item

METALINK = dialect_for("x.meta4")
HEAD = '<?xml version="1.0" encoding="UTF-8"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">'


def parse(text: str | bytes) -> list[ListEntry]:
    assert METALINK
    return list(METALINK.parse(text))


def test_version_4() -> None:
    (line,) = parse(
        HEAD + '<generator>x</generator><file name="d/x.mp4"><size>3</size>'
        '<hash type="md5">CD</hash><hash type="sha-256">A B</hash>'
        '<pieces length="1" type="sha-1"><hash>ff</hash></pieces>'
        '<url location="de" priority="2">http://b/x</url><url> http://c/x </url>'
        '<url priority="1">http://a/x</url><url>ftp://d/x</url></file></metalink>'
    )
    assert line.item == Item(
        "http://a/x",
        filename="x.mp4",
        folder="d",
        mirrors=("http://b/x", "http://c/x"),
        checksum="sha-256=ab",
        size=3,
    )
    assert line.warnings == ("1 address is not http.",)


def test_version_3() -> None:
    (line,) = parse(
        '<metalink version="3.0" xmlns="http://www.metalinker.org/"><files><file name="x">'
        '<verification><hash type="sha1">AA</hash></verification><resources>'
        '<url type="http" preference="10">http://b/x</url>'
        '<url type="http" preference="100">http://a/x</url>'
        "</resources></file></files></metalink>"
    )
    assert line.item == Item(
        "http://a/x", filename="x", mirrors=("http://b/x",), checksum="sha-1=aa"
    )


def version_3(resources: str, verification: str = "") -> str:
    return (
        '<metalink version="3.0" xmlns="http://www.metalinker.org/"><files><file name="x">'
        f"<verification>{verification}</verification><resources>{resources}</resources></file></files></metalink>"
    )


def test_a_torrent_is_no_mirror() -> None:
    torrent = '<url type="bittorrent" preference="100">http://h/x.torrent</url>'
    (line,) = parse(
        version_3(
            torrent + '<url type="HTTPS" preference="50">https://h/x</url><url>http://i/x</url>'
        )
    )
    assert line.item == Item("https://h/x", filename="x", mirrors=("http://i/x",))
    assert line.warnings == ("1 address is not http.",)
    (line,) = parse(version_3(torrent))
    assert line.error == ("bad_url", "The file has no http address.")


PIECES = "".join(f'<hash piece="{n}">{digit * 40}</hash>' for n, digit in ((1, "b"), (0, "A")))


def test_size_and_pieces_are_what_the_file_must_be() -> None:
    (line,) = parse(
        HEAD + '<file name="x"><size> 300 </size><pieces type="sha-1" length="200">'
        f"<hash>{'aa' * 20}</hash><hash>{'bb' * 20}</hash></pieces><url>http://h/x</url></file></metalink>"
    )
    assert line.item == Item(
        "http://h/x", filename="x", size=300, pieces="sha-1:200:" + "aa" * 20 + "bb" * 20
    )
    (line,) = parse(
        version_3("<url>http://h/x</url>", f'<pieces type="sha1" length="200">{PIECES}</pieces>')
    )
    assert line.item == Item(
        "http://h/x", filename="x", pieces="sha-1:200:" + "aa" * 20 + "bb" * 20
    )


@pytest.mark.parametrize(
    "checks",
    [
        f'<size>500</size><pieces type="sha-1" length="200">{PIECES}</pieces>',
        f'<pieces type="sha-1" length="0">{PIECES}</pieces>',
        '<pieces type="sha-1" length="200"><hash>aa</hash></pieces>',
        '<pieces type="sha-1" length="200"></pieces>',
        '<pieces type="md5" length="1">' + f"<hash>{'aa' * 16}</hash>" * 7000 + "</pieces>",
        "<size>many</size>",
    ],
)
def test_checks_that_make_no_sense_are_told_and_the_file_is_fetched(checks: str) -> None:
    (line,) = parse(HEAD + f'<file name="x">{checks}<url>http://h/x</url></file></metalink>')
    assert line.item
    assert line.item.pieces is None
    assert len(line.warnings) == 1


def test_a_bad_file_never_blocks_a_good_one() -> None:
    lines = parse(
        HEAD + '<file name="../../x"><url>http://h/a</url></file><file name="n"/>'
        '<file name="o"><url>magnet:x</url></file><file><url>http://h/b</url></file></metalink>'
    )
    assert [line.error[0] if line.error else "" for line in lines] == [
        "permission_denied",
        "bad_url",
        "bad_url",
        "",
    ]
    assert lines[3].item == Item("http://h/b")
    assert [line.number for line in lines] == [1, 2, 3, 4]


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + HEAD[38:] + "</metalink>"


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        f'<!DOCTYPE x SYSTEM "file:///etc/passwd">{HEAD[38:]}</metalink>',
        BOMB.encode("utf-16"),
        "<metalink>",
        "nonsense",
        "<html></html>",
        b"\x00\x01",
    ],
)
def test_hostile_or_broken_xml_is_one_refusal(text: str | bytes) -> None:
    (line,) = parse(text)
    assert line.error
    assert line.error[0] == "bad_list"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<html></html>", "This is not a Metalink file."),
        ("<metalink>", "This is not readable XML."),
    ],
)
def test_a_refusal_tells_another_format_from_broken_xml(text: str, sentence: str) -> None:
    (line,) = parse(text)
    assert line.error == ("bad_list", sentence)


@pytest.mark.parametrize("data", [b"", b"\n \r\n"])
def test_nothing_is_an_empty_list(data: bytes) -> None:
    assert parse(data) == []


def test_other_encodings() -> None:
    text = HEAD.replace("UTF-8", "UTF-16") + '<file name="ä"><url>http://h/</url></file></metalink>'
    (line,) = parse(text.encode("utf-16"))
    assert line.item == Item("http://h/", filename="ä")


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    parse(data)
