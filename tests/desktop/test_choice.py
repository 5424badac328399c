"""The best tray is taken, the reason is kept for the doctor, and nothing at all is a normal state."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from tests.desktop.conftest import Boot
from tests.desktop.rig import Desktop, until
from tests.desktop.stub import stub
from tests.patience import patience
from trayagent.desktop import doctor
from trayagent.desktop.tray import linux
from trayagent.desktop.tray.linux import Facts, candidates, options
from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.desktop.tray.tray import NoTray
from trayagent.model.diagnosis import Check

linux_only = pytest.mark.skipif("sys.platform != 'linux'")

FULL = Facts(bus=True, watcher=True, x=True, xembed=True, gi=True)
HEADLESS = Facts()
GNOME = Facts(bus=True, x=True, desktop="ubuntu:GNOME")
OLD = Facts(bus=True, x=True, xembed=True)


@pytest.mark.parametrize(
    ("facts", "auto"),
    [
        (FULL, ["sni", "gtk", "xorg"]),
        (HEADLESS, []),
        (GNOME, ["sni"]),
        (OLD, ["xorg", "sni"]),
        (Facts(x=True, xembed=True, gi=True), ["gtk", "xorg"]),
    ],
)
def test_what_is_ready_comes_before_what_waits(facts: Facts, auto: list[str]) -> None:
    assert candidates("auto", options(facts)) == auto


def test_a_wish_is_followed_or_refused_but_not_replaced() -> None:
    assert candidates("xorg", options(FULL)) == ["xorg"]
    assert candidates("gtk", options(OLD)) == []


@pytest.mark.parametrize("facts", [FULL, HEADLESS, GNOME, OLD])
def test_every_refusal_says_how_to_mend_it(facts: Facts) -> None:
    for option in options(facts):
        assert option.why.endswith(".")
        assert option.mend or option.verdict == "ready"


def test_the_doctor_names_the_mend_of_this_desktop() -> None:
    assert linux.check(options(FULL)).verdict == "ok"
    gnome = linux.check(options(GNOME))
    assert gnome.verdict == "warning"
    assert "gnome-shell-extension-appindicator" in gnome.mend
    assert "trayagent dashboard" in linux.check(options(HEADLESS)).mend
    assert "dashboard" in linux.check(options(OLD)).detail


def test_the_hint_is_given_only_where_the_icon_hides() -> None:
    assert doctor.hint(Check("tray", "ok", "There.")) is None
    hint = doctor.hint(linux.check(options(GNOME)))
    assert hint is not None
    assert "appindicator" in hint.body


def test_popups_are_judged_by_who_offers_them() -> None:
    assert doctor.popup_check(has_bus=True, offered=True).verdict == "ok"
    assert "apt install" in doctor.popup_check(has_bus=True, offered=False).mend
    assert "D-Bus" in doctor.popup_check(has_bus=False, offered=False).detail


def test_no_tray_holds_the_main_thread_until_it_is_stopped() -> None:
    tray = NoTray()
    thread = threading.Thread(target=tray.run)
    thread.start()
    tray.show(Snapshot())
    assert thread.is_alive()
    tray.stop()
    tray.stop()
    thread.join(10)
    assert not thread.is_alive()


@linux_only
def test_importing_pystray_needs_no_display_and_leaves_the_environment_alone() -> None:
    import subprocess

    code = "import os; from trayagent.desktop.tray import sni; assert 'PYSTRAY_BACKEND' not in os.environ"
    env = {"PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, cwd=Path(__file__).parents[2])


@linux_only
@pytest.mark.needs("dbus-daemon")
def test_the_survey_of_a_bare_bus(bus: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.env["DBUS_SESSION_BUS_ADDRESS"])
    facts = linux.survey()
    assert (facts.bus, facts.watcher, facts.x, facts.xembed) == (True, False, False, False)


@linux_only
@pytest.mark.desktop
@pytest.mark.needs("openbox", "xsetroot", "xfce4-panel", "xfce4-notifyd-config")
def test_the_doctor_on_a_whole_desktop(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop = boot("xfce")
    desktop.start_notifications()
    for name in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.setenv(name, desktop.env[name])
    found = {check.name: check for check in doctor.checks()}
    assert found["tray"] == Check("tray", "ok", "The desktop shows tray icons.")
    assert found["notifications"].verdict == "ok"
    assert "does not start" in found["autostart"].detail


def gi_folder(home: Path) -> Path | None:
    """Debian's PyGObject for this Python, if it is of the same version."""
    system = Path("/usr/lib/python3/dist-packages/gi")
    version = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
    typelib = list(Path("/usr/lib").glob("*/girepository-1.0/Gtk-3.0.typelib"))
    if not typelib or not list(system.glob(f"_gi.{version}-*.so")):
        return None
    home.mkdir(exist_ok=True)
    (home / "gi").symlink_to(system)
    return home


@linux_only
@pytest.mark.desktop
@pytest.mark.needs("openbox", "xsetroot", "trayer")
def test_an_x11_tray_gets_a_menu_through_gtk_where_it_is_installed(boot: Boot) -> None:
    desktop = boot("trayer")
    folder = gi_folder(desktop.home / "python")
    if folder is None:
        pytest.skip("needs PyGObject built for this Python (Debian: python3-gi and gir1.2-gtk-3.0)")
    desktop.env["PYTHONPATH"] = str(folder)
    with stub(desktop) as tray:
        assert "GTK" in tray.tray
        from trayagent.desktop.tray.icons import PLATES

        place = until(lambda: desktop.find(PLATES["idle"]["any"]), "the icon", 10)
        desktop.click(place)
        assert tray.next() == ["open_dashboard"]
        tray.process.terminate()
        assert tray.process.wait(patience(5)) == 0
