"""The clipboard's text is read from whoever holds it, and a stuck holder does not hold us."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop.conftest import Boot
from tests.desktop.rig import Desktop
from tests.desktop.stub import Program
from tests.patience import patience
from trayagent.desktop import clipboard

pytestmark = pytest.mark.skipif("sys.platform != 'linux'")


@pytest.fixture
def screen(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> Desktop:
    desktop = boot("none")
    monkeypatch.setenv("DISPLAY", desktop.env["DISPLAY"])
    return desktop


@contextlib.contextmanager
def holder(desktop: Desktop, text: str, how: str = "answers") -> Iterator[None]:
    """A program that owns the clipboard."""
    with contextlib.closing(Program(desktop, "tests.desktop.stub_clipboard", text, how)) as program:
        assert program.next() == ["holds"]
        yield


@pytest.mark.desktop
@pytest.mark.needs("openbox", "xsetroot")
def test_text_is_read_whole(screen: Desktop) -> None:
    text = "https://example/ä.mp4\nhttps://example/b.mp4"
    with holder(screen, text):
        assert clipboard.read() == text


@pytest.mark.desktop
@pytest.mark.needs("openbox", "xsetroot")
def test_an_empty_clipboard_and_one_without_text_are_empty(screen: Desktop) -> None:
    assert clipboard.read() == ""
    with holder(screen, "x", "refuses"):
        assert clipboard.read() == ""


@pytest.mark.desktop
@pytest.mark.needs("openbox", "xsetroot")
def test_a_stuck_holder_is_left_after_two_seconds(screen: Desktop) -> None:
    with holder(screen, "x", "hangs"):
        started = time.monotonic()
        assert clipboard.read() == ""
        assert time.monotonic() - started < clipboard.ANSWER_SECONDS + patience(1)


def test_without_a_display_it_is_empty() -> None:
    assert clipboard.read() == ""


def test_wayland_is_asked_through_its_own_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "wl-paste"
    program.write_text("#!/bin/sh\nprintf 'https://example/x'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert clipboard.read() == "https://example/x"
