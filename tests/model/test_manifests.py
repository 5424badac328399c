"""Manifests are known by what they are, and cleaned into what every reader understands."""

from xml.etree import ElementTree as ET

import pytest

from trayagent.model import manifests

HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\u00c9t\u00e9\n/seg.ts\n#EXT-X-ENDLIST\n"
MPD = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><ProgramInformation><Title>\u00c9t\u00e9</Title>'
    "</ProgramInformation><Period/></MPD>"
)


@pytest.mark.parametrize(
    "data",
    [
        HLS.encode(),
        HLS.encode("latin-1"),
        b"\xef\xbb\xbf" + HLS.encode(),
        b"\n\n" + HLS.encode(),
        b"\xef\xbb\xbf\r\n \t\n" + HLS.replace("\n", "\r\n").encode(),
        HLS.encode("utf-16"),
    ],
)
def test_a_playlist_whatever_stands_before_it(data: bytes) -> None:
    assert manifests.kind_of(data) == "hls"
    assert manifests.clean(data, "hls").decode().replace("\r\n", "\n") == HLS


@pytest.mark.parametrize(
    "data",
    [
        MPD.encode(),
        b"\xef\xbb\xbf" + MPD.encode(),
        b"\n\n  " + MPD.encode(),
        b"<!-- made by a packager\n -->\n" + MPD.encode(),
        b'<?xml version="1.0"?>' + MPD.encode(),
        b'\n<?xml version="1.0" encoding="utf-8" ?>\n' + MPD.encode(),
        b"<?xml version='1.0' encoding='ISO-8859-1'?>\n" + MPD.encode("latin-1"),
        b'<?xml version="1.0" encoding="UTF-16"?>' + MPD.encode(),
        MPD.encode("utf-16"),
        MPD.encode("latin-1"),
    ],
)
def test_a_dash_manifest_whatever_stands_before_it(data: bytes) -> None:
    assert manifests.kind_of(data) == "dash"
    assert (
        manifests.clean(data, "dash").decode().removeprefix("<!-- made by a packager\n -->\n")
        == MPD
    )


@pytest.mark.parametrize(
    "data", [b"<mpd:MPD xmlns:mpd='u'>", b"<?x y?><!DOCTYPE MPD><MPD>", b"<MPD\n"]
)
def test_other_beginnings_of_dash(data: bytes) -> None:
    assert manifests.kind_of(data) == "dash"


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"#EXTM3U\n#EXTINF:1,a\nhttp://h/a.mp3\n",
            b"#EXTM3UX\n#EXT-X-",
            b"<html><MPD>",
            b"<MPDX>",
            b"\x00\x00\x00\x18ftyp",
        ),
        *(
            b"text #EXTM3U\n#EXT-X-",
            b"<!-- <MPD> -->",
            b"<?xml version='1.0'?><rss>",
            b"\xff\xfe",
            b"<!--",
            b"{",
        ),
    ],
)
def test_what_is_none(data: bytes) -> None:
    assert manifests.kind_of(data) is None


def ranged(segments: str, base: str = "") -> ET.Element:
    text = (
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet><Representation id="0">'
        f'{base}<SegmentList><Initialization range="0-31"/>{segments}</SegmentList></Representation></AdaptationSet>'
        "</Period></MPD>"
    )
    cleaned = ET.fromstring(manifests.clean(text.encode(), "dash"))
    representation = next(one for one in cleaned.iter() if one.tag.endswith("Representation"))
    assert representation is not None
    return representation


def test_byte_ranges_of_one_file_are_that_file() -> None:
    own = ranged(
        '<SegmentURL mediaRange="32-99"/><SegmentURL mediaRange="100-200"/>',
        "<BaseURL>film.mp4</BaseURL>",
    )
    assert [(one.tag.rpartition("}")[2], one.text) for one in own] == [("BaseURL", "film.mp4")]
    named = ranged(
        '<SegmentURL media="film.mp4" mediaRange="32-99"/><SegmentURL media="film.mp4" mediaRange="100-200"/>'
    )
    assert [(one.tag.rpartition("}")[2], one.text) for one in named] == [("BaseURL", "film.mp4")]
    below = ranged(
        '<SegmentURL media="film.mp4" mediaRange="32-99"/>', "<BaseURL>http://h/d/</BaseURL>"
    )
    assert below[0].text == "http://h/d/film.mp4"


def test_other_segments_stay() -> None:
    for segments in (
        '<SegmentURL media="1.mp4" mediaRange="0-9"/><SegmentURL media="2.mp4" mediaRange="0-9"/>',
        '<SegmentURL media="1.mp4"/><SegmentURL media="2.mp4" mediaRange="0-9"/>',
    ):
        assert [one.tag.rpartition("}")[2] for one in ranged(segments)] == ["SegmentList"]


def test_hostile_xml_is_left_alone() -> None:
    text = '<!DOCTYPE MPD [<!ENTITY a "aa">]><MPD mediaRange="1">&a;</MPD>'
    assert manifests.clean(text.encode(), "dash").decode() == text
    assert manifests.clean(b"<MPD mediaRange", "dash") == b"<MPD mediaRange"
