"""A folder is chosen in whatever dialog this desktop has."""

import sys
from pathlib import Path

import pytest

from trayagent.desktop import folder_chooser
from trayagent.desktop.folder_chooser import choose, command_of
from trayagent.model.errors import TrayagentError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="programs of Linux desktops")


@pytest.fixture
def dialog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named zenity on an X desktop; its script is to be written."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.delenv("XDG_CURRENT_DESKTOP", raising=False)
    return programs / "zenity"


def write(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@linux_only
def test_dialog_begins_at_the_nearest_folder_that_is_there(dialog: Path, tmp_path: Path) -> None:
    write(dialog, f'echo "$*" > "{tmp_path}/asked"; echo "{tmp_path}/the films"')
    assert choose(tmp_path / "not" / "there") == tmp_path / "the films"
    assert f"--filename={tmp_path}/" in (tmp_path / "asked").read_text()


@linux_only
def test_a_cancelled_dialog_chooses_nothing(dialog: Path, tmp_path: Path) -> None:
    write(dialog, "exit 1")
    assert choose(tmp_path) is None


@linux_only
def test_without_a_dialog_it_is_said_what_to_do(
    dialog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del dialog
    monkeypatch.setattr(folder_chooser, "command_of", lambda *_: None)
    with pytest.raises(TrayagentError, match="no program here"):
        choose(tmp_path)


@pytest.mark.parametrize(
    ("system", "environ", "program"),
    [
        ("win32", {}, "powershell"),
        ("darwin", {}, "osascript"),
        ("linux", {"PATH": ""}, None),
    ],
)
def test_command(system: str, environ: dict[str, str], program: str | None) -> None:
    command = command_of(Path("/home/me"), environ, system)
    assert (command[0] if command else None) == program
