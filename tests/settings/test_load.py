"""Settings come from flag, environment, file or default, in this order, and every mistake is told at once."""

import os
from pathlib import Path

import pytest

from tests.links import link
from trayagent.model.errors import ConfigError
from trayagent.model.settings import Config
from trayagent.settings import Home, change, load, origins, schema, visible_values

CONTRACT = """
[downloads]
folder = "~/Downloads"
workers = 4                 # 1-32
per_host = 4
connections_per_host = 16
segments = "auto"
retries = 5
speed_limit = "0"
max_size = "50GB"
keep_free = "512MB"
[hook]
port = 17830
[drop]
folder = "~/Documents/trayagent/drop"
poll = false
[network]
private_addresses = "named"
allow = []
proxy = ""
[notifications]
level = "all"
[library]
folder = "~/Pictures/trayagent"
date = "created"
[sites]
quality = "best"
[[sources]]
name = "flow"
type = "flow"
every = ""
labs_base = "https://labs.google/fx"
media_base = "https://aisandbox-pa.googleapis.com/v1"
api_key = ""
page_delay = "1-2s"
[[sources]]
name = "shots"
type = "json"
base = "https://api.example.com"
list = { url = "{base}/items", query = { limit = "{page_size}", cursor = "{cursor}" }, page_size = 50 }
page = { items = "data.items", next = "data.next_cursor", style = "cursor" }
item = { id = "id", name = "file.name", kind = "type", created = "created_at", size = "file.size", sha256 = "hash" }
fetch = { url = "{base}/items/{id}/original", base64 = "", fallback = "file.signed_url" }
auth = { headers = { Authorization = "Bearer {secret:token}" }, query = {} }
"""


@pytest.fixture
def place(tmp_path: Path) -> Home:
    home = Home.under(tmp_path / "home")
    home.prepare()
    return home


def written(place: Home, text: str) -> Home:
    place.config.write_text(text, encoding="utf-8")
    return place


def problems(
    place: Home, text: str = "", environ: dict[str, str] | None = None, **flags: str
) -> list[str]:
    dotted = {key.replace("__", "."): value for key, value in flags.items()}
    with pytest.raises(ConfigError) as caught:
        load(written(place, text), environ or {}, dotted)
    return caught.value.problems


def test_without_a_file_the_defaults_hold(place: Home) -> None:
    config = load(place, {})
    assert config.downloads.workers == 4
    assert Path(config.downloads.folder) == place.downloads
    assert Path(config.drop.folder) == place.drop
    assert Path(config.library.folder) == place.library
    assert config.sources == ()


def test_every_documented_key_is_taken_and_is_the_default(place: Home) -> None:
    defaults = load(place, {})
    config = load(written(place, CONTRACT), {})
    for section in Config.__struct_fields__:
        if section not in {"downloads", "drop", "library", "sources"}:
            assert getattr(config, section) == getattr(defaults, section)
    assert Path(config.drop.folder) == Path("~/Documents/trayagent/drop").expanduser()
    assert [source.name for source in config.sources] == ["flow", "shots"]
    assert config.sources[1].item["name"] == "file.name"


def test_a_flag_beats_the_environment_beats_the_file(place: Home) -> None:
    written(place, "[downloads]\nworkers = 5\nretries = 6\nper_host = 3\n")
    environ = {"TRAYAGENT_DOWNLOADS__WORKERS": "7", "TRAYAGENT_DOWNLOADS__RETRIES": "8"}
    flags = {"downloads.workers": "9"}
    config = load(place, environ, flags)
    assert (config.downloads.workers, config.downloads.retries, config.downloads.per_host) == (
        9,
        8,
        3,
    )
    where = origins(place, environ, flags)
    assert where["downloads.workers"] == "--workers"
    assert where["downloads.retries"] == "TRAYAGENT_DOWNLOADS__RETRIES"
    assert where["downloads.per_host"] == "config.toml"
    assert where["downloads.max_size"] == "default"
    assert set(where) == set(schema.all_keys())


def test_text_from_the_environment_becomes_what_the_key_needs(place: Home) -> None:
    config = load(
        place,
        {
            "TRAYAGENT_DROP__POLL": "true",
            "TRAYAGENT_DOWNLOADS__SEGMENTS": "8",
            "TRAYAGENT_NETWORK__ALLOW": "nas.example:8080, [fd00::1]:80",
            "TRAYAGENT_NETWORK__PRIVATE_ADDRESSES": "refuse",
        },
    )
    assert config.drop.poll is True
    assert config.downloads.segments == 8
    assert config.network.allow == ("nas.example:8080", "[fd00::1]:80")
    assert load(place, {"TRAYAGENT_NETWORK__ALLOW": '["a:1"]'}).network.allow == ("a:1",)
    assert load(place, {"TRAYAGENT_NETWORK__ALLOW": ""}).network.allow == ()
    assert load(place, {"TRAYAGENT_DOWNLOADS__SEGMENTS": "auto"}).downloads.segments == "auto"


def test_allowed_hosts_are_kept_as_hosts_are_compared(place: Home) -> None:
    config = load(place, {"TRAYAGENT_NETWORK__ALLOW": "NAS.Example:80, 0x7f.1:8080, [FD00::1]:1"})
    assert config.network.allow == ("nas.example:80", "127.0.0.1:8080", "[fd00::1]:1")


def test_other_variables_of_ours_are_no_settings(place: Home) -> None:
    load(place, {"TRAYAGENT_SECRETS": "file", "TRAYAGENT_HOME": "x", "TRAYAGENT_FAILPOINT": "y"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[downloads]\nwrokers = 4", ["downloads.wrokers", "did you mean downloads.workers?"]),
        ("[downloads]\npoll = true", ["downloads.poll", "did you mean drop.poll?"]),
        ("[download]\nworkers = 4", ["download ", "did you mean downloads?"]),
        ("workers = 4", ["workers is not a setting", "did you mean downloads.workers?"]),
        ("downloads = 4", ["downloads must be a section"]),
        ("[downloads]\nworkers = 0", ["downloads.workers is 0", "from 1 to 32"]),
        ("[downloads]\nworkers = 33", ["downloads.workers is 33"]),
        ('[downloads]\nworkers = "4"', ["downloads.workers"]),
        ("[downloads]\nworkers = true", ["downloads.workers"]),
        ("[downloads]\nsegments = 17", ['from 1 to 16 or "auto"']),
        ("[downloads]\nspeed_limit = 2", ["downloads.speed_limit", "a text in quotes"]),
        ('[downloads]\nspeed_limit = "fast"', ["downloads.speed_limit", "2MB"]),
        ('[downloads]\nmax_size = "50XB"', ["downloads.max_size"]),
        ('[network]\nprivate_addresses = "allowed"', ["did you mean allow"]),
        ('[network]\nallow = "a:1"', ["network.allow", "a list of texts"]),
        ('[network]\nallow = ["nas"]', ["network.allow", "host:port"]),
        ('[network]\nallow = ["nas:0"]', ["network.allow"]),
        ('[network]\nproxy = "proxy:3128"', ["network.proxy", "http://host:port"]),
        ('[network]\nproxy = "http://[::1"', ["network.proxy"]),
        ('[notifications]\nlevel = "error"', ["did you mean errors"]),
        ('[library]\ndate = "now"', ["one of created, downloaded"]),
        ('[sites]\nquality = "good"', ["sites.quality"]),
        ('[network]\nfirst_byte = "0"', ["network.first_byte", "no time at all"]),
        ('[[sources]]\nname = "a"\nevery = "0"', ["sources.a.every", "no time at all"]),
        ('[folders]\nvideo = "../x"', ["folders.video", "inside the downloads folder"]),
        ('[folders]\n"a.example" = "b/../../x"', ["folders.a.example", "inside the downloads"]),
        ("[hook]\nport = 65536", ["from 0 to 65535"]),
        ('[drop]\npoll = "no"', ["true or false"]),
        ("sources = 3", ["[[sources]]"]),
        ('[[sources]]\ntype = "flow"', ["sources[1] needs a name"]),
        ('[[sources]]\nname = "Big Name"', ["sources.Big Name.name", "small letters"]),
        ('[[sources]]\nname = "a"\n[[sources]]\nname = "a"', ["Two sources are named a"]),
        ('[[sources]]\nname = "a"\nevrey = "6h"', ["did you mean sources.a.every?"]),
        ('[[sources]]\nname = "a"\nevery = "often"', ["sources.a.every"]),
        ('[[sources]]\nname = "a"\npage_delay = "2-1s"', ["sources.a.page_delay"]),
        ('[[sources]]\nname = "a"\nlabs_base = "labs"', ["sources.a.labs_base"]),
        ('[[sources]]\nname = "a"\ntype = "jsn"', ["did you mean json"]),
        (
            '[[sources]]\nname = "a"\nbase = "https://x"',
            ["sources.a.base is not a setting of a flow source"],
        ),
    ],
)
def test_a_mistake_is_named_with_its_key_and_the_way_out(
    place: Home, text: str, words: list[str]
) -> None:
    (problem,) = problems(place, text)
    for word in words:
        assert word in problem


JSON = '[[sources]]\nname = "a"\ntype = "json"\nbase = "https://x"\n'


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (
            'page = { items = "x" }\nitem = { id = "id", url = "u" }',
            "sources.a.list needs a text named url",
        ),
        (
            'list = { url = "x" }\nitem = { id = "id", url = "u" }',
            "sources.a.page needs a text named items",
        ),
        (
            'list = { url = "x" }\npage = { items = "x" }\nitem = { url = "u" }',
            "needs a text named id",
        ),
        (
            'list = { url = "x" }\npage = { items = "x" }\nitem = { id = "i" }',
            "fetch.url or item.url",
        ),
        (
            'list = { url = "x" }\npage = { items = "x" }\nitem = { id = "i", url = "u" }\nauth = { query = 3 }',
            "sources.a.auth.query must be a table",
        ),
        (
            'list = { url = "x", pagesize = 3 }\npage = { items = "x" }\nitem = { id = "i", url = "u" }',
            "did you mean sources.a.list.page_size?",
        ),
        (
            'list = { url = "x" }\npage = { items = "x", style = "scroll" }\nitem = { id = "i", url = "u" }',
            "cursor, page, offset, next_url, link_header",
        ),
    ],
)
def test_a_json_source_says_what_it_lacks(place: Home, lines: str, word: str) -> None:
    (problem,) = problems(place, JSON + lines)
    assert word in problem


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("page_size = 2", "page_size = 0", ["list.page_size", "whole number from 1"]),
        ("page_size = 2", 'page_size = "many"', ["list.page_size", "whole number from 1"]),
        ("{base}/items", "{bse}/items", ["list.url holds {bse}", "{base}"]),
        ('c = "{cursor}"', 'c = "{curser}"', ["list.c holds {curser}", "{cursor}"]),
        ("{id}/file", "{key}/file", ["fetch.url holds {key}", "{id}"]),
        ('items = "d"', 'items = "d["', ["page.items", "d[", "data.items[0].name"]),
        ('id = "i"', 'id = "a..b"', ["item.id", "a..b"]),
        ('id = "i"', 'id = "i"\nsize = 3', ["item.size"]),
    ],
)
def test_a_json_source_whose_fields_or_paths_mean_nothing(
    place: Home, old: str, new: str, words: list[str]
) -> None:
    text = JSON + (
        '[sources.list]\nurl = "{base}/items"\npage_size = 2\nquery.c = "{cursor}"\n'
        '[sources.page]\nitems = "d"\n[sources.item]\nid = "i"\n'
        '[sources.fetch]\nurl = "{base}/{id}/file"\n'
    )
    load(written(place, text), {})
    assert old in text
    (problem,) = problems(place, text.replace(old, new))
    for word in words:
        assert word in problem


def test_a_heading_with_nothing_below_it_is_no_table_yet(place: Home) -> None:
    text = '[[engines]]\n# name = "nas"\n[[sources]]\n'
    config = load(written(place, text), {})
    assert (config.engines, config.sources) == ((), ())


def test_a_json_source_has_no_settings_of_flow(place: Home) -> None:
    text = JSON + 'list = { url = "x" }\npage = { items = "x" }\nitem = { id = "i", url = "u" }\n'
    load(written(place, text), {})
    (problem,) = problems(place, text + 'labs_base = "https://x"')
    assert "labs_base is not a setting of a json source" in problem


def test_all_problems_show_at_once_with_where_they_are(place: Home) -> None:
    found = problems(
        place,
        '[downloads]\nwrokers = 4\nmax_size = "x"\n[hook]\nport = -1\n',
        {"TRAYAGENT_DROP__PALL": "true", "TRAYAGENT_SITES__QUALITY": "good"},
        downloads__workers="many",
    )
    assert len(found) == 6
    text = "\n".join(found)
    for word in ("config.toml", "TRAYAGENT_DROP__PALL", "TRAYAGENT_SITES__QUALITY", "--workers"):
        assert word in text


@pytest.mark.parametrize("text", ["x = [", "[a]\n[a]\n", "\x00", "a = 1\na = 2"])
def test_what_is_no_toml_is_told(place: Home, text: str) -> None:
    (problem,) = problems(place, text)
    assert "config.toml is not valid TOML" in problem


@pytest.mark.parametrize(
    "line",
    [
        r'folder = "C:\Users\me"',
        r'folder = "C:\my films"',
        r'folder = "D:\temp\new"',
        r'folder = "C:\Downloads\"',
        r'folder = "C:\films" # mine',
    ],
)
def test_a_path_with_backslashes_belongs_in_single_quotes(place: Home, line: str) -> None:
    r"""In double quotes `\t` is a tab: such a folder is never taken as it stands."""
    place.config.write_text(f"[downloads]\nworkers = 4\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        load(place, {})
    assert "single quotes" in str(caught.value)
    place.config.write_text(f"[downloads]\n{line.replace(chr(34), chr(39))}\n")
    loaded = load(place, {}).downloads.folder
    # Windows takes the closing backslash off; elsewhere it is a letter of the name.
    assert loaded.rstrip("\\").endswith(line.split(chr(34))[1].rstrip("\\"))


def test_a_byte_order_mark_does_no_harm(place: Home) -> None:
    place.config.write_bytes(b"\xef\xbb\xbf[downloads]\r\nworkers = 5\r\n")
    assert load(place, {}).downloads.workers == 5


@pytest.mark.skipif("not hasattr(os, 'mkfifo')", reason="pipes are a thing of POSIX")
def test_a_pipe_in_the_place_of_the_file_is_told(place: Home) -> None:
    """To read one would wait for ever."""
    os.mkfifo(place.config)
    with pytest.raises(ConfigError, match="not a regular file"):
        load(place, {})


def test_a_folder_in_the_place_of_the_file_is_told(place: Home) -> None:
    place.config.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(place, {})


@pytest.mark.parametrize(
    ("drop", "downloads"),
    [
        ("{0}/d", "{0}/d"),
        ("{0}/d/drop", "{0}/d"),
        ("{0}/d", "{0}/d/x"),
        ("{0}/d/../d", "{0}/d/./"),
        ("{0}/link", "{0}/real"),
    ],
)
def test_the_drop_folder_may_not_overlap(
    place: Home, tmp_path: Path, drop: str, downloads: str
) -> None:
    (tmp_path / "real").mkdir()
    if "link" in drop:
        link(tmp_path / "link", tmp_path / "real")
    text = "[drop]\nfolder = '{}'\n[{}]\nfolder = '{}'\n"
    for section in ("downloads", "library"):
        (problem,) = problems(place, text.format(drop, section, downloads).format(tmp_path))
        assert "drop.folder" in problem
        assert f"{section}.folder" in problem


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        (r'folder = "D:\Downloads"', r"Write paths in single quotes: 'D:\Downloads'."),
        (r'folder = "C:\Users\me"', r"Write paths in single quotes: 'C:\Users\me'."),
        (r'folder = "D:\x\"', "Write paths in single quotes: 'D:\\x\\'."),
        ('folder = "D:/x', None),
        (r"folder = 'D:\x", None),
    ],
)
def test_backslashes_in_double_quotes_are_explained(
    place: Home, line: str, advice: str | None
) -> None:
    """What every user of Windows writes first."""
    (problem,) = problems(place, f"[downloads]\n{line}\n")
    assert "is not valid TOML" in problem
    assert ("single quotes" in problem) == (advice is not None)
    assert advice is None or problem.endswith(advice)


@pytest.mark.parametrize("section", ["downloads", "drop", "library"])
def test_a_path_that_toml_read_as_a_line_end_is_explained(place: Home, section: str) -> None:
    found = problems(place, f'[{section}]\nfolder = "C:\\new"\n')
    assert f"{section}.folder holds a control character (config.toml)" in found[0]
    assert "single quotes" in found[0]


def test_a_path_in_single_quotes_is_read_as_it_stands(place: Home, tmp_path: Path) -> None:
    config = load(written(place, f"[downloads]\nfolder = '{tmp_path / 'd'}'\n"), {})
    assert config.downloads.folder == str(tmp_path / "d")


def test_neighbours_do_not_overlap(place: Home, tmp_path: Path) -> None:
    load(
        written(place, f"[drop]\nfolder = '{tmp_path}/d'\n[downloads]\nfolder = '{tmp_path}/d2'\n"),
        {},
    )


def test_a_relative_folder_belongs_to_the_portable_home(place: Home) -> None:
    config = load(written(place, '[downloads]\nfolder = "files"\n'), {})
    assert Path(config.downloads.folder) == place.data / "files"


def test_a_relative_folder_means_nothing_elsewhere(place: Home) -> None:
    fixed = Home.of_platform()
    fixed.config.parent.mkdir(parents=True)
    (problem,) = problems(fixed, '[downloads]\nfolder = "files"\n')
    assert "full path" in problem


def test_secrets_somebody_wrote_into_the_file_are_not_shown(place: Home) -> None:
    text = (
        '[network]\nproxy = "http://user:CANARY@p:1"\n'
        '[move]\nto = "s3://films"\naccess_key = "AKID"\nsecret = "CANARY"\n'
        '[[sources]]\nname = "a"\napi_key = "CANARY"\n'
        '[[sources]]\nname = "b"\napi_key = "env:KEY"\n'
        + JSON.replace('"a"', '"c"')
        + 'list = { url = "x" }\npage = { items = "x" }\nitem = { id = "i", url = "u" }\n'
        'auth = { headers = { A = "Bearer CANARY", B = "{secret:token}" }, query = { k = "CANARY" } }\n'
    )
    values = visible_values(load(written(place, text), {}))
    assert "CANARY" not in str(values)
    assert values["sources"][1]["api_key"] == "env:KEY"
    assert values["sources"][2]["auth"]["headers"]["B"] == "{secret:token}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "brackets"),
        ("[downloads]\nfolder = '~nobody-at-all/x'", "full path"),
        ("[drop]\nfolder = '~nobody-at-all'", "full path"),
    ],
)
def test_what_python_stumbles_over_is_a_mistake_as_any(
    place: Home, text: str, problem: str
) -> None:
    (told,) = problems(place, text)
    assert problem in told


def test_a_folder_rule_of_nobody_breaks_nothing(place: Home) -> None:
    load(written(place, "[folders]\nvideo = '~nobody-at-all/x'"), {})


def test_what_is_no_text_is_said_in_our_words(place: Home) -> None:
    place.config.write_bytes(b"[downloads]\nfolder = '/media/\xe9'\n")
    with pytest.raises(ConfigError) as caught:
        load(place, {})
    assert caught.value.problems == ["config.toml is not valid TOML: it is no UTF-8 text."]


def test_a_number_of_thousands_of_digits_is_an_error_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"[downloads]\nworkers = {'9' * 5000}\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(Home.under(tmp_path), {})
    with pytest.raises(ConfigError, match="not valid TOML"):
        change(Home.under(tmp_path), {}, {"hook": {"port": 1}})
