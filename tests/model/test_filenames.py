"""Whatever a server, page or list calls a file, its name is safe on every system and never runnable."""

import os
import random
import re
import time
import unicodedata
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trayagent.model import disposition, filenames
from trayagent.model.downloads import Kind
from trayagent.model.errors import DownloadError

NOW = datetime(2026, 11, 21, 13, 5, 7)  # noqa: DTZ001  # Local time, as people read it.
STAMP = "video-20261121-130507"
LONGEST_SUFFIX = " (9999).part.json"

TABLE = [
    # F01: paths of any system lead to their last part
    ("../x", "x"),
    ("..\\x", "x"),
    ("....//x", "x"),
    ("%2e%2e%2fx", "%2e%2e%2fx"),
    ("/etc/x", "x"),
    ("C:\\x", "x"),
    ("C:x", "x"),
    ("\\\\srv\\share\\x", "x"),
    ("\\\\?\\C:\\x", "x"),
    ("//x", "x"),
    ("~/.bashrc", "bashrc"),
    ("$HOME/x", "x"),
    ("file:x", "file_x"),
    # F02: controls and line ends
    ("a\x00b\x01c\x7f.mp4", "abc.mp4"),
    ("a\r\nb.mp4", "a b.mp4"),
    ("a\u0085b\u2028c\u2029d.mp4", "a b c d.mp4"),
    ("a\ud800b.mp4", "ab.mp4"),
    # F03: what is invisible cannot hide an ending
    ("\u202egpj.exe", "gpj.exe.download"),
    ("a\u200b.ex\u2066e\u2069", "a.exe.download"),
    ("a.\U000e0065exe\ufeff", "a.exe.download"),
    ("\u061ca\u200e.m\u00adp4", "a.mp4"),
    # F04: reserved on Windows
    ("CON", "_CON"),
    ("con.txt", "_con.txt"),
    ("NUL.tar.gz", "_NUL.tar.gz"),
    ("nul.jpg.txt", "_nul.jpg.txt"),
    ("some.nul.jpg", "some.nul.jpg"),
    ("COM1", "_COM1"),
    ("COM\u00b9", "_COM\u00b9"),
    ("LPT9.mp4", "_LPT9.mp4"),
    ("CONIN$", "_CONIN$"),
    ("CONOUT$", "_CONOUT$"),
    ("AUX .mp4", "_AUX .mp4"),
    ("PRN:x", "_PRN_x"),
    ("CLOCK$", "_CLOCK$"),
    ("CONTRACT.pdf", "CONTRACT.pdf"),
    # F05: streams and what Windows forbids
    ("a.mp4:ads", "a.mp4_ads"),
    ("a.mp4::$DATA", "a.mp4__$DATA"),
    ('a<b>c"d|e?f*g.mp4', "a_b_c_d_e_f_g.mp4"),
    # a class of Windows as an ending: Explorer hides it, and obeys it
    (
        "film.{3050f4d8-98b5-11cf-bb82-00aa00bdce0b}",
        "film_{3050f4d8-98b5-11cf-bb82-00aa00bdce0b}",
    ),
    (
        "x.{20D04FE0-3AEA-1069-A2D8-08002B30309D}.txt",
        "x_{20D04FE0-3AEA-1069-A2D8-08002B30309D}.txt",
    ),
    ("a.{b}.txt", "a.{b}.txt"),
    # F06: hidden, empty, options, files that systems obey
    (".htaccess", "htaccess"),
    (" - .x. ", "x"),
    ("-rf", "rf"),
    (".", "download"),
    ("..", "download"),
    ("", "download"),
    ("...", "download"),
    ("///", "download"),
    ("???", "download"),
    ("desktop.ini", "_desktop.ini.download"),
    ("Thumbs.db", "_Thumbs.db"),
    ("autorun.inf", "_autorun.inf.download"),
    ("x.mp4. . ", "x.mp4"),
    # F08: judged by the last ending after cleaning
    ("video.mp4.exe", "video.mp4.exe.download"),
    ("video.exe.mp4", "video.exe.mp4"),
    ("video.mp4%20.exe", "video.mp4%20.exe.download"),
    ("video.mp4\u3000.exe", "video.mp4 .exe.download"),
    ("v.MP4", "v.MP4"),
    ("v.ExE", "v.ExE.download"),
    ("v.exe.", "v.exe.download"),
    ("v.exe.download", "v.exe.download"),
    # our own suffixes stay ours
    ("x.part", "x.part.download"),
    ("x.part.json", "x.part.json.download"),
    # ZWNJ and ZWJ stay where scripts and emoji need them, and nowhere else
    (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.mp4",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.mp4",
    ),
    ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    ("\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0dc1\u0dca\u200d\u0dbb\u0dd3"),
    (
        "👩🏽\u200d🚀 ❤\ufe0f\u200d🔥 🏳\ufe0f\u200d🌈.png",
        "👩🏽\u200d🚀 ❤\ufe0f\u200d🔥 🏳\ufe0f\u200d🌈.png",
    ),
    ("\u0645\u06cc\u200c\u200c\u062e\u200c.mp4", "\u0645\u06cc\u200c\u062e.mp4"),
    ("\u200c\u0645\u200d.e\u200cx\u200de", "\u0645.exe.download"),
    ("pay\u200cpal\u200d👩\u200c👧", "paypal👩👧"),
    ("e\u200d\u0301.mp4", "\u00e9.mp4"),
    # F10: one form of a letter
    ("e\u0301.mp4", "\u00e9.mp4"),
]


@pytest.mark.parametrize(("raw", "name"), TABLE)
def test_the_table_of_bad_names(raw: str, name: str) -> None:
    assert filenames.safe(raw) == name


@pytest.mark.parametrize(
    "ending",
    "exe scr com bat cmd ps1 vbs js jar msi lnk url webloc desktop scf library-ms hta dll app pkg sh py html"
    " htm svg svgz xml deb rpm appimage command reg chm apk mht xll ahk osascript accde".split(),
)
def test_what_a_double_click_could_run_is_made_inert(ending: str) -> None:
    assert filenames.safe(f"name.{ending}") == f"name.{ending}.download"
    assert filenames.safe(f"name.{ending.upper()}") == f"name.{ending.upper()}.download"


@pytest.mark.parametrize(
    "ending",
    "mp4 jpg mp3 zip rar 7z tar.gz gz pdf docx xlsm epub txt json csv dmg iso img vhd bin torrent srt ts".split(),
)
def test_media_archives_documents_and_images_keep_their_names(ending: str) -> None:
    assert filenames.safe(f"name.{ending}") == f"name.{ending}"


def judge(name: str, limit: int = filenames.LIMIT) -> None:
    """Assert everything that a safe name promises."""
    encoded = name.encode()
    assert 0 < len(encoded) <= limit
    assert len(name.encode("utf-16-le")) // 2 <= limit
    shown = re.sub(
        "(?<=[^ -\u02ff])[\u200c\u200d](?=[^ -\u02ff])", "", name
    )  # where letters and pictures join
    assert shown.isprintable()
    assert unicodedata.is_normalized("NFC", name)
    assert not re.search(r'[<>:"/\\|?*]', name)
    assert name[0] not in ". -"
    assert name[-1] not in ". "
    assert filenames.extension(name) not in filenames.RUNNABLE
    assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)", name)
    assert PurePosixPath(name).name == name
    assert PureWindowsPath(name).name == name
    root = str(Path("/somewhere/downloads").absolute())
    assert os.path.commonpath([root, os.path.normpath(f"{root}/{name}")]) == root


PIECES = [
    *(
        "../",
        "..\\",
        "/",
        "\\",
        ".",
        "..",
        " ",
        "-",
        "~",
        ":",
        "C:",
        "%2f",
        "\x00",
        "\n",
        "con",
        "NUL",
    ),
    *(
        "COM1",
        ".exe",
        ".mp4",
        ".html",
        ".part",
        ".download",
        ".tar.gz",
        "\u202e",
        "\u200d",
        "\u200c",
        "\ufe0f",
    ),
    *(
        "👨\u200d👩\u200d👧",
        "🇩🇪",
        "👍🏽",
        "e\u0301",
        "\u0338",
        "<",
        "|",
        "\u3000",
        "é" * 60,
        "x" * 90,
        "한" * 40,
    ),
    *(
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "\u0627\u0653",
        "\u2126",
        "\u212a",
        "\u1100\u1161",
        "_",
        "json",
        "a",
        "ß",
        "desktop.ini",
        "\U000e0065",
        "\u115f",
    ),
]
EVIL = st.lists(st.sampled_from(PIECES)).map("".join)


@settings(max_examples=1500)
@given(st.one_of(st.text(), EVIL, st.binary().map(lambda data: data.decode("latin-1"))))
@example("a" * 300 + ".exe")
@example("con" + "\u0301" * 200)
@example("_" + "👩\u200d" * 100)
@example("desktop.ini" + "👩\u200d" * 100)
@example("." + "\u0301" * 300)
def test_any_text_becomes_a_safe_name_once_and_for_all(raw: str) -> None:
    name = filenames.safe(raw)
    judge(name)
    assert filenames.safe(name) == name


def scramble(rng: random.Random) -> str:
    """Random characters of all of Unicode, between pieces that did harm somewhere."""
    return "".join(
        rng.choice(PIECES) if rng.random() < 0.7 else chr(rng.randrange(0x110000))
        for _ in range(rng.randrange(1, 12))
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_very_many_texts_become_safe_names(count: int) -> None:
    rng = random.Random(count)
    for _ in range(count):
        raw = scramble(rng)
        name = filenames.safe(raw)
        judge(name)
        assert filenames.safe(name) == name, raw


@given(EVIL, st.integers(40, 238))
def test_a_shorter_limit_is_kept(raw: str, limit: int) -> None:
    name = filenames.safe(raw, limit)
    judge(name, limit)
    assert filenames.safe(name, limit) == name


@given(st.text(), st.integers(1, 9999))
def test_every_suffix_we_add_still_fits(raw: str, n: int) -> None:
    numbered = filenames.with_number(filenames.safe(raw), n)
    judge(numbered, 255 - len(".part.json"))
    assert len((filenames.safe(raw * 50) + LONGEST_SUFFIX).encode()) <= 255


def test_such_names_can_be_made_on_a_real_disk(tmp_path: Path) -> None:
    for raw, _ in TABLE:
        name = filenames.with_number(filenames.safe(raw + "x" * 300 + raw), 9999) + ".part.json"
        (tmp_path / name).touch()
        assert (tmp_path / name).parent.resolve() == tmp_path.resolve()


@pytest.mark.parametrize(
    ("cluster", "size"),
    [
        ("👩🏽\u200d🚀", 15),
        ("e\u0323\u0301", 5),
        ("👍🏽", 8),
        ("🇩🇪", 8),
        ("☂\ufe0f", 6),
        ("न\u094d", 6),
    ],
)
def test_a_cut_never_tears_a_character_from_its_marks(cluster: str, size: int) -> None:
    composed = unicodedata.normalize("NFC", cluster)
    for padding in range(12):
        name = filenames.safe("x" * padding + cluster * 100 + ".mp4")
        stem = name.removesuffix(".mp4")
        assert name.endswith(".mp4")
        assert stem.endswith(composed), (padding, size)
        assert len(stem[padding:]) % len(composed) == 0


def test_a_cut_keeps_the_ending() -> None:
    assert filenames.safe("a" * 400 + ".mp4").endswith("a.mp4")
    assert filenames.safe("a" * 400 + ".tar.gz").endswith("a.tar.gz")
    assert filenames.safe("a" * 400 + ".exe").endswith("a.exe.download")
    assert filenames.safe("a" * 233 + " " + "b" * 50 + ".mp4") == "a" * 233 + ".mp4"


@pytest.mark.parametrize(
    "raw",
    [
        "n" * 136 + ".mp4",
        "\u6620\u753b" * 60 + ".mp4",
        "a.mp4",
        "x" * 300 + ".tar.gz",
        "👩🏽\u200d🚀" * 30,
    ],
)
@pytest.mark.parametrize(
    ("name_bytes", "path_units"),
    [(143, None), (255, None), (255, 70), (143, 40), (33, 33), (1 << 20, 1 << 20)],
)
def test_a_name_fits_what_the_file_system_takes(
    raw: str, name_bytes: int, path_units: int | None
) -> None:
    name = filenames.fit(raw, name_bytes, path_units)
    judge(name)
    assert filenames.fit(name, name_bytes, path_units) == name
    assert len((name + LONGEST_SUFFIX).encode()) <= min(255, name_bytes)
    assert len((name + LONGEST_SUFFIX).encode("utf-16-le")) // 2 <= (path_units or 255)
    assert filenames.extension(name) == filenames.extension(raw)


def test_a_short_name_is_cut_for_nobody() -> None:
    assert filenames.fit("film.mp4", 143, 60) == "film.mp4"
    # Windows counts letters, not bytes.
    assert filenames.fit("\u6620" * 40 + ".mp4", 255, 70) == "\u6620" * 40 + ".mp4"


@pytest.mark.parametrize(("name_bytes", "path_units"), [(12, None), (255, 20), (255, -5)])
def test_a_folder_without_room_for_any_name_is_told(
    name_bytes: int, path_units: int | None
) -> None:
    with pytest.raises(DownloadError) as caught:
        filenames.fit("n" * 100, name_bytes, path_units)
    assert caught.value.code == "permission_denied"


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("a.mp4", "a (1).mp4"),
        ("a", "a (1)"),
        ("a.tar.gz", "a (1).tar.gz"),
        ("a.exe.download", "a (1).exe.download"),
        ("Dr. Who", "Dr. Who (1)"),
        ("particles.v2", "particles.v2 (1)"),
        ("Show.S01E02.WEB-DL", "Show.S01E02.WEB-DL (1)"),
        ("plan.sketchup", "plan (1).sketchup"),
    ],
)
def test_the_second_of_a_name(name: str, second: str) -> None:
    assert filenames.with_number(name, 1) == second


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.mp4"', "a b.mp4"),
        ("attachment; filename=x.mp4", "x.mp4"),
        ("inline; FileName = x.mp4 ; size=3", "x.mp4"),
        ("attachment; filename=\"x.mp4\"; filename*=UTF-8''%e2%82%ac.mp4", "€.mp4"),
        ("attachment; filename*=UTF-8''%e2%82%ac.mp4; filename=x.mp4", "€.mp4"),
        ("attachment; filename*=iso-8859-1'en'%a3.mp4", "£.mp4"),
        ("attachment; filename*=UTF-8''%ff; filename=x.mp4", "x.mp4"),
        ("attachment; filename*=KOI8''a; filename=x.mp4", "x.mp4"),
        ("attachment; filename*=GBK''%D6%D0%CE%C4.mp4; filename=x.mp4", "\u4e2d\u6587.mp4"),
        ("attachment; filename*=gb2312'zh'%D6%D0.mp4", "\u4e2d.mp4"),
        ("attachment; filename*=Shift_JIS''%93%FA%83%5C.mp4", "\u65e5\u30bd.mp4"),
        ("attachment; filename*=EUC-KR''%C7%D1.mp4", "\ud55c.mp4"),
        ("attachment; filename*=Big5''%A4%A4.mp4", "\u4e2d.mp4"),
        ("attachment; filename*=windows-1251''%EA%E8%ED%EE.mp4", "\u043a\u0438\u043d\u043e.mp4"),
        ("attachment; filename*=koi8-r''%CB.mp4", "\u043a.mp4"),
        # No charsets of texts, though Python has them.
        ("attachment; filename*=unicode_escape''%5Cx41; filename=x.mp4", "x.mp4"),
        ("attachment; filename*=rot13''nop; filename=x.mp4", "x.mp4"),
        ("attachment; filename*=idna''xn--4ca; filename=x.mp4", "x.mp4"),
        # In sections (RFC 2231).
        ('attachment; filename*0="a long "; filename*1="name.mp4"', "a long name.mp4"),
        ("attachment; filename*1=b.mp4; filename*0=a; filename=x.mp4", "ab.mp4"),
        (
            "attachment; filename*0*=UTF-8''%e2%82; filename*1*=%ac%20; filename*2=\"100%.mp4\"",
            "\u20ac 100%.mp4",
        ),
        ("attachment; filename*0=a.mp4; filename*2=c", "a.mp4"),
        ("attachment; filename*1=b; filename=x.mp4", "x.mp4"),
        ("attachment; filename*0=a; filename*=UTF-8''b.mp4", "b.mp4"),
        # In the encoded words of mail (RFC 2047).
        ('attachment; filename="=?UTF-8?B?5pel5pys6KqeLm1wNA==?="', "\u65e5\u672c\u8a9e.mp4"),
        ("attachment; filename==?UTF-8?B?5pel5pys6KqeLm1wNA==?=", "\u65e5\u672c\u8a9e.mp4"),
        ('attachment; filename="=?utf-8?Q?Caf=C3=A9_menu=2Emp4?="', "Caf\u00e9 menu.mp4"),
        ('attachment; filename="=?UTF-8?Q?my?= =?UTF-8?Q?File.mp4?="', "myFile.mp4"),
        ('attachment; filename="=?UTF-8?Q?=E6=97?==?UTF-8?Q?=A5.mp4?="', "\u65e5.mp4"),
        ('attachment; filename="=?UTF-8?Q?a?= =?ISO-8859-1?Q?=E9?= (1).mp4"', "a\u00e9 (1).mp4"),
        ('attachment; filename="=?gb2312?B?1tDOxA?=.mp4"', "\u4e2d\u6587.mp4"),
        ('attachment; filename="=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=.mp4"', "\u65e5\u672c.mp4"),
        ('attachment; filename="=?UTF-8*en?Q?a b.mp4?="', "a b.mp4"),
        ("attachment; filename=\"=?UTF-8?Q?a.mp4?=\"; filename*=UTF-8''b.mp4", "b.mp4"),
        ('attachment; filename="=?UTF-8?B?5?="', "=?UTF-8?B?5?="),
        ('attachment; filename="=?UTF-8?Q?=FF?=.mp4"', "=?UTF-8?Q?=FF?=.mp4"),
        ('attachment; filename="=?nonsense?Q?a?="', "=?nonsense?Q?a?="),
        ('attachment; filename="=?.mp4"', "=?.mp4"),
        # Latin-1 means windows-1252.
        ('attachment; filename="Bob\udc92s \udc96 1.mp4"', "Bob\u2019s \u2013 1.mp4"),
        ('attachment; filename="\udc81\udce9.mp4"', "\x81\u00e9.mp4"),
        ('attachment; filename="a\\"b;c.mp4"', 'a"b;c.mp4'),
        ('attachment; filename="\u00c3\u00a9.mp4"', "é.mp4"),
        ('attachment; filename="\udcc3\udca9.mp4"', "é.mp4"),
        ('attachment; filename="\udce9.mp4"', "é.mp4"),
        ('attachment; filename="é.mp4"', "é.mp4"),
        ('attachment; filename="%E2%82%AC.mp4"', "€.mp4"),
        ('attachment; filename="100%.mp4"', "100%.mp4"),
        ('attachment; filename="../../x"', "../../x"),
        ('attachment; filename="unclosed.mp4', "unclosed.mp4"),
        ("attachment; filename=UTF-8''%E6%97%A5.mp4", "\u65e5.mp4"),
        ("attachment; filename=\"utf-8''a%20b.mp4\"", "a b.mp4"),
        ("attachment; filename=UTF-8''%ff.mp4", "UTF-8''\xff.mp4"),
        ("attachment; filename='a b.mp4'", "a b.mp4"),
        ("attachment; filename='a.mp4' ; size=3", "a.mp4"),
        ("attachment; filename=\"'a.mp4'\"", "'a.mp4'"),
        ("attachment; filename=rock'n'roll.mp4", "rock'n'roll.mp4"),
        ('attachment; filename=""', None),
        ("attachment", None),
        ("", None),
        ("attachment; xfilename=x.mp4", None),
        ('attachment; foo="; filename=trick.bin"; filename=real.bin', "real.bin"),
        ('foo="; filename=trick.bin"; filename=real.bin', "real.bin"),
        ('attachment; foo="\\"; filename=trick.bin"; filename=real.bin', "real.bin"),
        ("attachment; foo=\"; filename*=UTF-8''trick.bin\"; filename=real.bin", "real.bin"),
        ('attachment; foo="; filename=trick.bin', None),
        ("attachment; foo; filename=real.bin", "real.bin"),
        ("attachment; foo=a b; filename=real.bin", "real.bin"),
        ("filename=real.bin", "real.bin"),
    ],
)
def test_names_in_content_disposition(header: str, name: str | None) -> None:
    assert disposition.from_disposition(header) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/b.mp4?x#y", "b.mp4"),
        ("http://h/a%20b.mp4", "a b.mp4"),
        ("http://h/a%2Fb.mp4", "a/b.mp4"),
        ("http://h/%252e%252e%252fx", "%2e%2e%2fx"),
        ("http://h/%E9.mp4", "é.mp4"),
        ("http://h/videos/7/", "7"),
        ("http://h/", None),
        ("http://h", None),
        ("http://[", None),
        ("http://h/a.mp4;jsessionid=1A2B.node1", "a.mp4"),
        ("http://h/get;JSESSIONID=1/a%20b.mp4?x", "a b.mp4"),
        ("http://h/a;b.mp4", "a;b.mp4"),
    ],
)
def test_names_in_urls(url: str, name: str | None) -> None:
    assert filenames.from_url(url) == name


@pytest.mark.parametrize(
    ("given_name", "header", "url", "kind", "content", "name"),
    [
        (
            "mine.mp4",
            "attachment; filename=theirs.mp4",
            "http://h/u.mp4",
            "auto",
            "mp4",
            "mine.mp4",
        ),
        (None, "attachment; filename=theirs.mp4", "http://h/u.mp4", "auto", None, "theirs.mp4"),
        (None, None, "http://h/u.mp4?x", "auto", None, "u.mp4"),
        ("..", "attachment; filename=/", "http://h/u.mp4", "auto", None, "u.mp4"),
        (None, None, "http://h/", "auto", None, STAMP),
        (None, None, "http://h/", "video", None, f"{STAMP}.mp4"),
        (None, None, "http://h/", "auto", "webm", f"{STAMP}.webm"),
        ("clip", None, "http://h/", "video", None, "clip.mp4"),
        ("clip", None, "http://h/", "video", ".webm", "clip.webm"),
        ("clip.mkv", None, "http://h/", "video", "webm", "clip.mkv"),
        ("Episode 1.5", None, "http://h/", "video", "mp4", "Episode 1.5.mp4"),
        (None, None, "http://h/watch.php?v=3", "video", "mp4", "watch.mp4"),
        (None, None, "http://h/watch.html", "auto", None, "watch.html.download"),
        (None, None, "http://h/a.jpg", "image", "png", "a.png"),
        (None, None, "http://h/a.jpeg", "image", "jpg", "a.jpeg"),
        (None, None, "http://h/a.gif", "auto", "mp4", "a.mp4"),
        (None, "attachment; filename=a.jpg", "http://h/", "auto", "webm", "a.webm"),
        # What follows the last dot is an ending only if it is one.
        (None, None, "http://h/Movie.2023.1080p", "auto", "mp4", "Movie.2023.1080p.mp4"),
        (
            None,
            "attachment; filename=Show.S01E02.WEB-DL",
            "http://h/",
            "auto",
            "mp4",
            "Show.S01E02.WEB-DL.mp4",
        ),
        (None, None, "http://h/Show.S01E02", "auto", "webm", "Show.S01E02.webm"),
        (None, None, "http://h/Film.x264", "video", None, "Film.x264.mp4"),
        (
            None,
            None,
            "http://h/Film.from.www.site.com",
            "video",
            "mp4",
            "Film.from.www.site.com.mp4",
        ),
        ("Mr. Robot.final", None, "http://h/", "auto", "mp4", "Mr. Robot.final.mp4"),
        ("Dr. Who", None, "http://h/", "video", None, "Dr. Who.mp4"),
        (None, None, "http://h/album.remastered", "auto", "flac", "album.remastered.flac"),
        (None, None, "http://h/holiday.July", "auto", "jpg", "holiday.July.jpg"),
        (None, None, "http://h/particles.v2", "auto", "webm", "particles.v2.webm"),
        (None, None, "http://h/particles.v2", "auto", "zip", "particles.v2.zip"),
        ("particles.v2", None, "http://h/", "auto", "zip", "particles.v2"),
        (None, None, "http://h/particles.v2", "auto", None, "particles.v2"),
        (None, None, "http://h/tool-1.2rc1", "auto", "gz", "tool-1.2rc1.gz"),
        # One that we do not know is one all the same, where we do not know better.
        (None, None, "http://h/plan.sketchup", "auto", "zip", "plan.sketchup"),
        (None, None, "http://h/board.xyz", "auto", "txt", "board.xyz"),
        # Files that begin like another's.
        (None, None, "http://h/IMG_1.CR2", "auto", "tif", "IMG_1.CR2"),
        (None, None, "http://h/a.dng", "image", "tif", "a.dng"),
        (None, None, "http://h/GX01.LRV", "auto", "mp4", "GX01.LRV"),
        (None, None, "http://h/film.rmvb", "video", None, "film.rmvb"),
        (None, None, "http://h/film.mp4.001", "auto", "mp4", "film.mp4.001"),
        (None, None, "http://h/disk.7z.002", "auto", None, "disk.7z.002"),
        # Of a film these are words of its title; of others they are endings.
        (None, None, "http://h/Film.H.264", "auto", "mp4", "Film.H.264.mp4"),
        (None, None, "http://h/Film.1080p.HEVC", "auto", "mkv", "Film.1080p.HEVC.mkv"),
        ("Film.DTS", None, "http://h/", "auto", "mkv", "Film.DTS.mkv"),
        (None, None, "http://h/song.flac", "auto", "flac", "song.flac"),
        (None, None, "http://h/take.h264", "auto", None, "take.h264"),
        (None, None, "http://h/sky.hdr", "auto", None, "sky.hdr"),
        (None, None, "http://h/film.h.002", "auto", None, "film.h.002"),
        # A film is never called a playlist.
        (None, None, "http://h/index.m3u8", "auto", "ts", "index.ts"),
        (None, None, "http://h/manifest.mpd", "video", "mp4", "manifest.mp4"),
        (None, None, "http://h/radio.m3u", "auto", "txt", "radio.m3u"),
        # Any bytes may begin like a sound, and no server sends one for a picture.
        (None, None, "http://h/a.jpg", "auto", "mp3", "a.jpg"),
        (None, None, "http://h/a.jpg", "auto", "html", "a.jpg"),
        (None, None, "http://h/a.mp4", "auto", "jpg", "a.mp4"),
        (None, None, "http://h/a", "auto", "jpg", "a.jpg"),
        (None, None, "http://h/readme", "file", None, "readme"),
        ("README", None, "http://h/a.md", "auto", "txt", "README"),
        ("Release 1.5", None, "http://h/", "file", "zip", "Release 1.5"),
        ("cover", None, "http://h/", "image", "jpg", "cover"),
        ("clip", None, "http://h/", "auto", "webm", "clip.webm"),
        ("clip", None, "http://h/", "video", "mp3", "clip.mp3"),
        ("get.php", None, "http://h/", "auto", "jpg", "get.jpg"),
        ("..", "attachment; filename=README", "http://h/", "auto", "txt", "README.txt"),
        (None, None, "http://h/LICENSE", "auto", "txt", "LICENSE.txt"),
        ("x.mp4.exe", None, "http://h/", "video", "mp4", "x.mp4.exe.download"),
        ("a" * 400, None, "http://h/", "video", "mp4", "a" * 234 + ".mp4"),
        ("x.exe", None, "http://h/", "file", "exe", "x.exe.download"),
        (
            None,
            "attachment; filename*=UTF-8''..%2f..%2fx.sh",
            "http://h/",
            "auto",
            None,
            "x.sh.download",
        ),
    ],
)
def test_the_choice_of_a_name(
    given_name: str | None, header: str | None, url: str, kind: Kind, content: str | None, name: str
) -> None:
    assert filenames.choose(given_name, header, url, kind, content, lambda: NOW) == name


@pytest.mark.parametrize(("raw", "name"), TABLE)
def test_the_table_through_every_way_a_name_comes(raw: str, name: str) -> None:
    """A name given, in a header (both forms) or in a URL is judged alike."""
    del name
    quoted = "".join(f"%{byte:02x}" for byte in raw.encode(errors="ignore"))
    header = f"attachment; filename*=UTF-8''{quoted}"
    plain = 'attachment; filename="' + raw.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for choice in (
        filenames.choose(raw, None, "http://h/", "auto", None, lambda: NOW),
        filenames.choose(None, header, "http://h/", "auto", None, lambda: NOW),
        filenames.choose(None, plain, "http://h/", "auto", None, lambda: NOW),
        filenames.choose(None, None, f"http://h/{quoted}", "auto", None, lambda: NOW),
    ):
        judge(choice)


@given(
    st.text(),
    st.text(),
    st.sampled_from(["auto", "video", "image", "file"]),
    st.sampled_from([None, "mp4", "png"]),
)
def test_a_chosen_name_is_always_safe(
    raw: str, header: str, kind: Kind, content: str | None
) -> None:
    judge(filenames.choose(raw, header, f"http://h/{header}", kind, content, lambda: NOW))
    judge(
        filenames.choose(
            None, f'attachment; filename="{header}"', "http://h/", kind, content, lambda: NOW
        )
    )


@pytest.mark.parametrize(
    ("relative", "folder"),
    [
        (None, "."),
        ("", "."),
        (".", "."),
        ("a/b", "a/b"),
        ("a\\b", "a/b"),
        ("a/./b//", "a/b"),
        ("Evil.app/Contents", "Evil.app.download/Contents"),
        (".hidden/con", "hidden/_con"),
        ("ab:c", "ab_c"),
    ],
)
def test_a_folder_is_made_of_safe_names(relative: str | None, folder: str) -> None:
    assert filenames.safe_folder(relative) == PurePosixPath(folder)


@pytest.mark.parametrize(
    "relative",
    [
        "/etc",
        "\\x",
        "..",
        "a/../b",
        "a/.. /b",
        "..\\x",
        "C:\\x",
        "C:x",
        "C:",
        "c: x",
        "~",
        "~root",
        "~/x",
        "//srv/x",
        "a\0b",
    ],
)
def test_a_folder_outside_is_refused(relative: str) -> None:
    with pytest.raises(DownloadError) as caught:
        filenames.safe_folder(relative)
    assert caught.value.code == "permission_denied"


@given(EVIL)
def test_a_folder_is_inside_or_refused(relative: str) -> None:
    try:
        folder = filenames.safe_folder(relative)
    except DownloadError:
        return
    for part in folder.parts:
        judge(part, 128)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.MP4", "video"), ("a.mp3", "audio"), ("a.jpeg", "image"), ("a.pdf", None), ("mp4", None)],
)
def test_media_are_known_by_their_ending(name: str, kind: Kind | None) -> None:
    assert filenames.media_kind(name) == kind


def test_a_dot_at_the_end_does_not_hide_the_extension() -> None:
    """`t.mp4.` is a film already."""
    assert filenames.choose(None, None, "http://h/t.mp4.", "auto", "mp4", lambda: NOW) == "t.mp4"


@pytest.mark.parametrize("limit", [128, filenames.LIMIT])
@pytest.mark.parametrize("behind", ["y" * 60, " y." + "z" * 60, "." * 60])
def test_a_cut_brings_no_ending_to_light_that_could_run(limit: int, behind: str) -> None:
    """What was the middle of a name is its end after the cut, and is looked at again."""
    name = filenames.safe("x" * (limit - 4) + ".exe" + behind, limit)
    assert filenames.extension(name) not in filenames.RUNNABLE
    assert len(name.encode()) <= limit


@pytest.mark.parametrize(
    "piece", ["\u0645\u200c", "👩\u200d", "e\u0301", "=?UTF-8?Q?a?= ", ".a", "🇩", "\\"]
)
def test_a_name_of_any_length_costs_little(piece: str) -> None:
    raw = piece * (65_536 // len(piece))
    before = time.process_time()
    judge(filenames.safe(raw))
    judge(filenames.fit(raw, 255, 60))
    judge(
        filenames.choose(
            None, f'attachment; filename="{raw}', "http://h/", "video", "mp4", lambda: NOW
        )
    )
    assert time.process_time() - before < 0.15
