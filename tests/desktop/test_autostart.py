"""Starting with the session: what is written starts exactly this program, and can be taken back."""

from __future__ import annotations

import plistlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.desktop import autostart
from trayagent.desktop.autostart import (
    Command,
    LaunchAgent,
    XdgAutostart,
    desktop_entry,
    exec_line,
    our_command,
    property_list,
)

HERE = Command(("/opt/my agent/bin/python", "-m", "trayagent", "run"))
MOVED = Command(("/new/bin/python", "-m", "trayagent", "run"))

words = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1
)


def read_exec(value: str) -> list[str]:
    """Read an Exec value as the Desktop Entry Specification says: string escapes, quotes, field codes."""
    escapes = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r", "\\s": " "}
    text = re.sub(r"\\.", lambda m: escapes[m.group()], value)
    found = re.findall(r'"((?:\\.|[^"\\])*)"(?: |$)', text, re.DOTALL)
    plain = [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in found]
    return [word.replace("%%", "%") for word in plain]


@given(words)
def test_any_words_survive_the_desktop_entry(given_words: list[str]) -> None:
    line = exec_line(given_words)
    assert "\n" not in line
    assert read_exec(line) == given_words


printable = st.text(st.characters(exclude_categories=["C"]))  # XML has no control characters


@given(
    st.lists(printable, min_size=1),
    st.dictionaries(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), printable, max_size=2),
)
def test_any_words_survive_the_property_list(
    given_words: list[str], environment: dict[str, str]
) -> None:
    read = plistlib.loads(property_list(Command(tuple(given_words), environment)))
    assert read["ProgramArguments"] == given_words
    assert read.get("EnvironmentVariables", {}) == environment


@pytest.fixture(params=[XdgAutostart, LaunchAgent])
def kind(request: pytest.FixtureRequest) -> type[XdgAutostart | LaunchAgent]:
    chosen: type[XdgAutostart | LaunchAgent] = request.param
    return chosen


def test_on_and_off(kind: type[XdgAutostart | LaunchAgent], tmp_path: Path) -> None:
    entry = kind(tmp_path / "not" / "there", HERE)
    assert not entry.status().enabled
    entry.disable()
    entry.enable()
    entry.enable()
    state = entry.status()
    assert state.enabled
    assert not state.stale
    assert state.path is not None
    assert [p.name for p in state.path.parent.iterdir()] == [state.path.name]
    entry.disable()
    assert not entry.status().enabled


def test_an_entry_that_starts_an_older_place_is_repaired(
    kind: type[XdgAutostart | LaunchAgent], tmp_path: Path
) -> None:
    kind(tmp_path, HERE).enable()
    moved = kind(tmp_path, MOVED)
    assert moved.status().stale
    assert moved.repair()
    assert not moved.status().stale
    assert not moved.repair()


def test_nothing_is_repaired_that_was_never_asked_for(tmp_path: Path) -> None:
    assert not XdgAutostart(tmp_path, HERE).repair()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["Hidden=true", "X-GNOME-Autostart-enabled=false"])
def test_a_desktop_that_switched_it_off_is_believed(tmp_path: Path, line: str) -> None:
    entry = XdgAutostart(tmp_path, HERE)
    entry.enable()
    file = tmp_path / "trayagent.desktop"
    text = file.read_text().replace("X-GNOME-Autostart-enabled=true\n", "")
    file.write_text(f"{text}{line}\n")
    assert not entry.status().enabled
    assert not entry.repair()


def test_the_entry_in_full() -> None:
    assert desktop_entry(Command(HERE.words, {"TRAYAGENT_HOME": "/data/my home"})) == (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Name=trayagent\n"
        "Comment=Gets media onto your disk\n"
        'Exec="env" "TRAYAGENT_HOME=/data/my home" "/opt/my agent/bin/python" "-m" "trayagent" "run"\n'
        "Icon=trayagent\n"
        "Terminal=false\n"
        "X-GNOME-Autostart-enabled=true\n"
    )


def test_our_command_carries_a_portable_home(tmp_path: Path) -> None:
    command = our_command("/usr/bin/python3", {"TRAYAGENT_HOME": str(tmp_path)})
    assert command.words == ("/usr/bin/python3", "-m", "trayagent", "run")
    assert command.environment == {"TRAYAGENT_HOME": str(tmp_path)}
    assert our_command("/usr/bin/python3", {}).environment == {}


def test_a_program_that_opens_no_console_is_preferred(tmp_path: Path) -> None:
    for name in ("python.exe", "pythonw.exe"):
        (tmp_path / name).touch()
    assert our_command(str(tmp_path / "python.exe"), {}).words[0] == str(tmp_path / "pythonw.exe")


@pytest.mark.skipif("sys.platform != 'linux'")
def test_this_system_uses_the_config_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    entry = autostart.session_entry()
    entry.enable()
    assert entry.status().path == tmp_path / "autostart" / "trayagent.desktop"


@pytest.mark.needs("desktop-file-validate")
def test_the_entry_is_valid_for_the_desktop(tmp_path: Path) -> None:
    import subprocess

    XdgAutostart(tmp_path, HERE).enable()
    subprocess.run(["desktop-file-validate", tmp_path / "trayagent.desktop"], check=True)
