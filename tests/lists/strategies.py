"""Items and lists for property tests, within what each dialect can say."""

from hypothesis import strategies as st

from trayagent.model.downloads import Cookie, Item

WORD = st.text("abcXYZ019äß☂-_.", min_size=1, max_size=12).filter(lambda word: word.strip(".-"))
VALUE = st.text("abc XYZ=:;,#[]\"'\\/äß☂<&>", max_size=30).map(str.strip)
TOKEN = st.text("abcXYZ019-", min_size=1, max_size=12)
URL = st.builds("http://h{}.example/{}?q={}".format, st.integers(0, 99), WORD, WORD)
FOLDER = st.one_of(st.none(), WORD, st.builds("{}/{}".format, WORD, WORD))
NAME = st.one_of(st.none(), WORD)
TITLE = st.one_of(st.none(), VALUE.filter(bool))
CHECKSUM = st.one_of(st.none(), st.just("sha-256=" + "0a" * 32), st.just("md5=" + "ff" * 16))
SIZE = st.sampled_from([None, 251, 400])
PIECES = st.sampled_from([None, "sha-1:200:" + "0a" * 40, "md5:250:" + "ff" * 32])
SEGMENTS = st.one_of(st.none(), st.integers(1, 16))
MIRRORS = st.lists(URL, max_size=3).map(tuple)
COOKIE = st.builds(
    Cookie,
    TOKEN,
    st.text('abc=XYZ"019', max_size=12),
    st.just("h.example"),
    st.sampled_from(["/", "/a"]),
    st.booleans(),
)


def items() -> st.SearchStrategy[Item]:
    """Items with everything they can have."""
    return st.builds(
        Item,
        URL,
        filename=NAME,
        folder=FOLDER,
        referer=st.one_of(st.none(), URL),
        user_agent=TITLE,
        headers=st.dictionaries(TOKEN, VALUE, max_size=3),
        cookies=st.lists(COOKIE, max_size=3).map(tuple),
        page_url=st.one_of(st.none(), URL),
        title=TITLE,
        checksum=CHECKSUM,
        size=SIZE,
        pieces=PIECES,
        kind=st.sampled_from(["auto", "video", "image", "audio", "file", "page"]),
        mirrors=MIRRORS,
        segments=SEGMENTS,
        speed_limit=st.sampled_from([None, "2MB", "1.5 MiB", "20000"]),
        paused=st.booleans(),
        next=st.booleans(),
        quality=st.sampled_from([None, "best", "1080", "audio"]),
        subtitles=st.lists(st.sampled_from(["de", "en", "pt-BR"]), max_size=2).map(tuple),
        again=st.booleans(),
    )


@st.composite
def text_lists(draw: st.DrawFn) -> str:
    """Text lists with everything in them, good and bad, and line ends of every kind."""
    row = st.one_of(
        URL,
        st.builds("{}\t{}".format, URL, URL),
        st.sampled_from(["", "# c", "[a]", "[b/c]", "[]", "[../x]", "nonsense", "  http://h/x"]),
        st.sampled_from([" out=a", "\tdir=b", " out=../x", " foo=1", " on-x=1", " split=3", "ä☂"]),
        st.sampled_from([" engine=nas", " engine=here", " engine="]),
    )
    end = st.sampled_from(["\n", "\r\n", "\r", "\u2028"])
    return "".join(draw(row) + draw(end) for _ in range(draw(st.integers(0, 12))))
