"""`get` is the engine without the agent: files, lists, bars for people only, exit codes 0, 1, 6 and 130."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.e2e.agent import environ, until
from tests.servers.media import Media, content
from tests.servers.site import Site
from trayagent.demo.media import video


@pytest.fixture
def media() -> Iterator[Media]:
    with Media() as server:
        yield server


def test_one_address_becomes_one_file_here(
    run: Run, media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = run("get", media.url("a.bin"))
    assert (said.code, said.err) == (0, "")
    assert said.out == f"{tmp_path / 'a.bin'}\n"
    assert (tmp_path / "a.bin").read_bytes() == content("a.bin", 10_000)


def test_a_list_with_its_options_and_bad_lines(run: Run, media: Media, tmp_path: Path) -> None:
    listed = tmp_path / "some.txt"
    listed.write_text(
        f"# comment\n{media.url('a.bin')}\n  out=renamed.bin\nnonsense\n[sub]\n{media.url('b.bin')}\n"
        f"{media.url('b.bin')}\n"
    )
    said = run("get", "-i", str(listed), "-o", str(tmp_path / "out"))
    assert said.code == 6
    assert "some.txt, line 4: " in said.err or "nonsense: " in said.err
    assert (tmp_path / "out/renamed.bin").read_bytes() == content("a.bin", 10_000)
    assert (tmp_path / "out/sub/b.bin").read_bytes() == content("b.bin", 10_000)
    assert "2 of 3 files saved" in said.out
    assert media.requests.count("/b.bin") == 1


def test_all_failed_is_1_and_says_why(run: Run, media: Media, tmp_path: Path) -> None:
    said = run("get", "-o", str(tmp_path), media.url("a.bin", status=404), "ftp://x/y")
    assert said.code == 1
    assert "has no such file" in said.err
    assert "ftp://x/y" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["~", "C:x"])
def test_a_folder_that_is_none_of_ours_is_refused(
    run: Run, media: Media, tmp_path: Path, folder: str
) -> None:
    listed = tmp_path / "some.json"
    listed.write_text(json.dumps([{"url": media.url("a.bin"), "folder": folder}]))
    said = run("get", "-i", str(listed), "-o", str(tmp_path / "out"))
    assert said.code == 1
    assert "must stay inside the downloads folder" in said.err
    assert media.requests == []


def test_a_full_disk_is_told_with_the_setting_and_no_promise_to_go_on(
    run: Run, media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAYAGENT_DOWNLOADS__KEEP_FREE", "900000TB")
    said = run("get", "-o", str(tmp_path), media.url("a.bin"))
    assert said.code == 1
    assert "downloads.keep_free" in said.err
    assert "try again" in said.err
    assert "by itself" not in said.err


def test_a_pipe_hears_of_a_file_while_the_next_one_comes(media: Media, tmp_path: Path) -> None:
    """Lines are gathered for a moment, and never until the end."""
    urls = [media.url("quick.bin"), media.url("endless.bin", size=10_000_000, rate=20_000)]
    command = [sys.executable, "-m", "trayagent", "get", "-o", str(tmp_path), *urls]
    with subprocess.Popen(command, env=environ(tmp_path), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert process.poll() is None
        process.kill()
    assert first.decode().strip() == str(tmp_path / "quick.bin")


def test_a_reader_that_goes_away_ends_it_quietly(media: Media, tmp_path: Path) -> None:
    """`trayagent get … | head -1`: no traceback, and nothing more is fetched than was on its way."""
    urls = [media.url(f"{number}.bin", wait=0.05) for number in range(60)]
    command = [sys.executable, "-m", "trayagent", "get", "-o", str(tmp_path), *urls]
    with subprocess.Popen(
        command, env=environ(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (1, b"")
    assert len(media.requests) < 60


def test_json_has_every_download_and_every_refusal(run: Run, media: Media, tmp_path: Path) -> None:
    said = run(
        "get",
        "--json",
        "-o",
        str(tmp_path),
        media.url("a.bin"),
        media.url("b.bin", status=403),
        "x",
    )
    assert said.code == 6
    assert said.err == ""
    states = {download["filename"] or "b": download["state"] for download in said.json["downloads"]}
    assert states == {"a.bin": "completed", "b": "failed"}
    assert said.json["rejected"][0]["code"] == "bad_url"


def test_a_checksum_decides(run: Run, media: Media, tmp_path: Path) -> None:
    right = hashlib.sha256(content("a.bin", 10_000)).hexdigest()
    url = media.url("a.bin")
    assert run("get", "-o", str(tmp_path), "--checksum", f"sha-256={right}", url).code == 0
    assert run("get", "-o", str(tmp_path), "--checksum", f"sha-256={'0' * 64}", url).code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_headers_go_along_and_a_wrong_one_is_2(run: Run, media: Media, tmp_path: Path) -> None:
    url = media.url("a.bin")
    assert run("get", "-o", str(tmp_path), "--header", "X-Key: open sesame", url).code == 0
    assert media.headers[-1]["X-Key"] == "open sesame"
    assert run("get", "-o", str(tmp_path), "--header", "nonsense", url).code == 2
    assert run("get", "-o", str(tmp_path), "--header", "Host: elsewhere", url).code == 1


def test_nothing_is_overwritten(run: Run, media: Media, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text("mine")
    assert run("get", "-o", str(tmp_path), media.url("a.bin")).code == 0
    assert (tmp_path / "a.bin").read_text() == "mine"
    assert (tmp_path / "a (1).bin").read_bytes() == content("a.bin", 10_000)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_are_kept_busy_and_never_exceeded(
    run: Run, media: Media, tmp_path: Path, workers: int
) -> None:
    urls = [media.url(f"{number}.bin", wait=0.1) for number in range(7)]
    assert run("get", "-o", str(tmp_path), "--workers", str(workers), *urls).code == 0
    assert media.most == workers
    assert len(list(tmp_path.iterdir())) == 7


def test_misuse_is_2(run: Run, media: Media, tmp_path: Path) -> None:
    assert run("get").code == 2
    assert run("get", "--segments", "0", "http://x/").code == 2
    assert run("get", "-i", "films.docx").code == 2
    assert run("get", "-i", str(tmp_path / "none.txt")).code == 2
    assert run("get", "--filename", "a", "http://x/1", "http://x/2").code == 2


@pytest.mark.skipif(sys.platform != "linux", reason="a path is any bytes there")
def test_a_folder_whose_path_is_no_text_is_2(run: Run, media: Media, tmp_path: Path) -> None:
    said = run("get", media.url("/a.mp4"), "-o", str(tmp_path / "\udcff"))
    assert said.code == 2
    assert "no UTF-8" in said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(find_spec("yt_dlp") is None, reason="pip install 'trayagent[sites]'")
def test_a_page_becomes_its_video(run: Run, tmp_path: Path) -> None:
    film = video(32, 18, 3, random.Random(1))
    with Site({"/film.mp4": film}) as site:
        one = site.page("/watch", '<video src="/film.mp4"></video>', title="A Film")
        said = run("get", "-o", str(tmp_path), "--kind", "page", one)
        assert (said.code, said.err) == (0, "")
    saved = list(tmp_path.iterdir())
    assert [path.read_bytes() for path in saved] == [film]
    assert saved[0].suffix == ".mp4"


@pytest.mark.skipif(find_spec("yt_dlp") is None, reason="pip install 'trayagent[sites]'")
def test_a_page_that_fails_for_good_leaves_nothing(run: Run, tmp_path: Path) -> None:
    piece = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hosts\n#EXT-X-ENDLIST\n"
    with Site({"/list.m3u8": piece.encode()}) as site:
        gone = site.page("/watch", '<video src="/film.mp4"></video>')
        listed = f"{site.base}/list.m3u8"
        said = run("get", gone, listed, "--kind", "page", "-o", str(tmp_path / "out"))
    assert said.code == 1
    assert "inside trayagent" not in said.err
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interruption_is_130_and_the_same_command_goes_on(
    media: Media, tmp_path: Path, by: str
) -> None:
    urls = (media.url("short.bin", 1000), media.url("long.bin", 4_000_000, rate=2_000_000))
    to = ("-o", str(tmp_path), "--segments", "1", *urls)
    command = [sys.executable, "-m", "trayagent", "get", *to]
    process = subprocess.Popen(
        command, env=environ(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    part = tmp_path / "long.bin.part"
    until(lambda: part.exists() and part.stat().st_size > 1_500_000, "a part of it")
    until((tmp_path / "short.bin").exists, "the short one")
    process.send_signal(getattr(signal, by))
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert "same command goes on" in err
    assert not (tmp_path / "long.bin").exists()
    again = subprocess.run(
        command, env=environ(tmp_path), capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "short.bin  (It is here from an earlier run.)" in again.stdout
    assert media.requests.count("/short.bin") == 1
    assert (tmp_path / "long.bin").read_bytes() == content("long.bin", 4_000_000)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"short.bin", "long.bin"}


def test_after_a_kill_in_the_first_moment_the_same_command_leaves_one_file(
    media: Media, tmp_path: Path
) -> None:
    """Before anything was certain: what is there tells at least whose it is."""
    url = media.url("long.bin", 4_000_000, rate=2_000_000)
    command = [sys.executable, "-m", "trayagent", "get", "-o", str(tmp_path), url]
    with subprocess.Popen(command, env=environ(tmp_path), stdout=subprocess.DEVNULL) as process:
        until((tmp_path / "long.bin.part.json").exists, "the part")
        process.kill()
    again = subprocess.run(
        command, env=environ(tmp_path), capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"long.bin"}
    assert (tmp_path / "long.bin").read_bytes() == content("long.bin", 4_000_000)


def test_bars_are_for_terminals(media: Media, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no pseudo-terminals")
    url = media.url("seen.bin", 1_000_000, rate=1_000_000)
    command = [sys.executable, "-m", "trayagent", "get", "-o", str(tmp_path), url]
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command, env=environ(tmp_path, TERM="xterm"), stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        seen = b""
        while chunk := read(ours):
            seen += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"B/s" in seen
    piped = subprocess.run(
        command, env=environ(tmp_path), capture_output=True, text=True, check=True
    )
    assert piped.stdout == f"{tmp_path / 'seen (1).bin'}\n"
    assert json.dumps(piped.stderr) == '""'


def test_a_failure_does_not_break_into_the_bars(media: Media, tmp_path: Path) -> None:
    """Its reason is a line of its own on a terminal, with the name of the file it is about."""
    if sys.platform == "win32":
        pytest.skip("Windows has no pseudo-terminals")
    import termios

    good = media.url("seen.bin", 1_000_000, rate=1_000_000)
    bad = media.url("lost.bin", status=404)
    command = [sys.executable, "-m", "trayagent", "get", "-o", str(tmp_path), good, bad]
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen(
        command, env=environ(tmp_path, TERM="xterm"), stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        seen = b""
        while chunk := read(ours):
            seen += chunk
    os.close(ours)
    assert process.returncode != 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    lines = [line for line in re.split(r"[\r\n]+", plain) if "no such file" in line]
    assert lines
    assert all("lost.bin" in line and "━" not in line for line in lines), lines


def read(fd: int) -> bytes:
    """What a terminal says; nothing at its end."""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""
