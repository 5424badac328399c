"""Files, folders and addresses open the way the desktop does it; what could run is only shown."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.desktop.rig import Desktop, until
from tests.patience import patience
from trayagent.agent.codes import CodePages
from trayagent.desktop import opener
from trayagent.model.errors import TrayagentError

pytestmark = pytest.mark.skipif("sys.platform != 'linux'")

Opened = Callable[[], list[str]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """An xdg-open that notes what it is asked to open."""
    programs, notes = tmp_path / "bin", tmp_path / "notes"
    programs.mkdir()
    script = programs / "xdg-open"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{notes}"\nexit ${{FAIL:-0}}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return lambda: notes.read_text().splitlines() if notes.exists() else []


def test_a_file_opens_with_its_program(opened: Opened, tmp_path: Path) -> None:
    film = tmp_path / "a film; with $odd 'name'.mp4"
    film.touch()
    opener.open_file(film)
    assert opened() == [str(film)]


@pytest.mark.parametrize(
    "name", ["setup.exe", "page.html", "run.sh", "link.desktop", "tool.AppImage"]
)
def test_what_could_run_is_shown_in_its_folder(opened: Opened, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    opener.open_file(tmp_path / name)
    assert opened() == [str(tmp_path)]


def test_the_x_bit_and_links_do_not_get_around_it(opened: Opened, tmp_path: Path) -> None:
    program, script, link = (tmp_path / name for name in ("innocent.mp4", "x.sh", "film.mp4"))
    program.touch(0o755)
    script.touch()
    link.symlink_to(script)
    opener.open_file(program)
    opener.open_file(link)
    assert opened() == [str(tmp_path)] * 2


def test_a_folder_opens(opened: Opened, tmp_path: Path) -> None:
    opener.open_folder(tmp_path)
    opener.open_folder(tmp_path / "gone.mp4")
    assert opened() == [str(tmp_path)] * 2


def test_what_is_gone_is_said(opened: Opened, tmp_path: Path) -> None:
    for call in (opener.open_file, opener.open_folder):
        with pytest.raises(TrayagentError, match="not there any more"):
            call(tmp_path / "no" / "where.mp4")
    assert opened() == []


def test_the_browser_gets_a_file_that_leads_to_a_code(opened: Opened, tmp_path: Path) -> None:
    page = CodePages(tmp_path / "open").write("x", "http://127.0.0.1:17830/#code=x")
    opener.open_page(page)
    assert opened() == [str(page)]


def test_a_desktop_that_cannot_open_it_is_reported(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "3")
    (tmp_path / "a.mp4").touch()
    with pytest.raises(TrayagentError, match="No program here opens"):
        opener.open_file(tmp_path / "a.mp4")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrayagentError, match="not installed"):
        opener.open_file(tmp_path / "a.mp4")


def test_a_viewer_that_stays_does_not_hold_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = tmp_path / "xdg-open"
    viewer.write_text("#!/bin/sh\nexec sleep 3\n")
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    started = time.monotonic()
    opener.open_folder(tmp_path)
    assert time.monotonic() - started < opener.START_FAILS_SECONDS + patience(1)


@pytest.mark.needs("dbus-daemon")
def test_the_file_manager_is_asked_to_select_the_file(
    opened: Opened, bus: Desktop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import closing

    from tests.desktop.stub import Program

    film = tmp_path / "ein Film, 100 %.mp4"
    film.touch()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.env["DBUS_SESSION_BUS_ADDRESS"])
    with closing(Program(bus, "tests.desktop.stub_files")) as manager:
        until(lambda: bus.owned("org.freedesktop.FileManager1"), "the file manager")
        opener.open_folder(film)
        assert manager.next() == ["show", [film.as_uri()]]
    assert opened() == []
