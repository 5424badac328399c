"""What we ship for macOS, as far as it can be held without one: its files, its build's recipe, its signing.

Nothing here has run on a Mac.
"""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.packaging.scripts import PACKAGING, ROOT
from trayagent.desktop.autostart import LABEL, Command, property_list

INFO_TYPES: dict[str, type] = {
    "LSUIElement": bool,
    "LSBackgroundOnly": bool,
    "LSMinimumSystemVersion": str,
    "LSApplicationCategoryType": str,
    "NSHighResolutionCapable": bool,
    "NSHumanReadableCopyright": str,
    "NSAppTransportSecurity": dict,
}
"""Of Apple's "Information Property List", the keys that we use."""

LAUNCHD_TYPES: dict[str, type] = {
    "Label": str,
    "ProgramArguments": list,
    "RunAtLoad": bool,
    "ProcessType": str,
    "EnvironmentVariables": dict,
}
"""Of launchd.plist(5), the keys that we use."""

PROCESS_TYPES = {"Background", "Standard", "Adaptive", "Interactive"}

RIGHTS = {
    "com.apple.security.cs.allow-unsigned-executable-memory",
    "com.apple.security.network.client",
    "com.apple.security.network.server",
}
"""What the program may do under the hardened runtime; each of them is a reason to ask why."""

TOOLS = ("codesign", "ditto", "xcrun")


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = plistlib.loads((PACKAGING / "macos" / name).read_bytes())
    return content


def mistyped(content: dict[str, Any], types: dict[str, type]) -> list[str]:
    """Keys that Apple does not document, or with another type."""
    return [key for key, value in content.items() if type(value) is not types.get(key)]


def test_the_keys_of_the_app_are_documented_and_typed() -> None:
    info = read("Info.plist")
    assert mistyped(info, INFO_TYPES) == []
    assert info["LSApplicationCategoryType"].startswith("public.app-category.")
    assert info["NSAppTransportSecurity"] == {"NSAllowsArbitraryLoads": True}


def test_the_app_is_in_the_menu_bar_and_no_program_without_a_face() -> None:
    # PyInstaller calls a program with a console LSBackgroundOnly, and macOS shows nothing of such a
    # one. What our list says wins.
    info = read("Info.plist")
    assert info["LSUIElement"] is True
    assert info["LSBackgroundOnly"] is False


def test_the_rights_are_the_few_that_it_needs() -> None:
    rights = read("entitlements.plist")
    assert rights.keys() == RIGHTS
    assert set(rights.values()) == {True}


@pytest.mark.parametrize("environment", [{}, {"TRAYAGENT_HOME": "/Users/ä b/home"}])
def test_the_launch_agent_says_what_launchd_reads(environment: dict[str, str]) -> None:
    words = ("/Applications/trayagent.app/Contents/MacOS/trayagent", "run")
    agent = plistlib.loads(property_list(Command(words, environment)))
    assert mistyped(agent, LAUNCHD_TYPES) == []
    assert agent["Label"] == LABEL
    assert agent["ProcessType"] in PROCESS_TYPES
    assert agent["ProgramArguments"] == list(words)
    assert agent.get("EnvironmentVariables", {}) == environment


def recipe(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[Any, ...]]]:
    """What the recipe asks PyInstaller for on a Mac: the arguments of each step."""
    asked: dict[str, list[tuple[Any, ...]]] = {}

    def step(name: str) -> Any:
        def note(*args: Any, **named: Any) -> Any:
            asked.setdefault(name, []).append((args, named))
            made = ModuleType(name)
            made.__dict__.update(pure=[], scripts=[], binaries=[], datas=[])
            return made

        return note

    hooks = ModuleType("PyInstaller.utils.hooks")
    hooks.__dict__.update(collect_submodules=lambda name: [name], copy_metadata=lambda _name: [])
    monkeypatch.setitem(sys.modules, "PyInstaller", ModuleType("PyInstaller"))
    monkeypatch.setitem(sys.modules, "PyInstaller.utils", ModuleType("PyInstaller.utils"))
    monkeypatch.setitem(sys.modules, "PyInstaller.utils.hooks", hooks)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYSTRAY_BACKEND", "dummy")
    steps = {name: step(name) for name in ("Analysis", "PYZ", "EXE", "COLLECT", "BUNDLE")}
    given = {"SPECPATH": str(PACKAGING), "workpath": str(ROOT / "build/trayagent")}
    spec = PACKAGING / "trayagent.spec"
    exec(compile(spec.read_text("utf-8"), str(spec), "exec"), {**given, **steps})
    return asked


def test_the_build_makes_one_app_with_our_list_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = recipe(monkeypatch)
    ((_, app),) = asked["BUNDLE"]
    assert app["name"] == "trayagent.app"
    assert app["bundle_identifier"] == "org.trayagent.trayagent"
    assert app["info_plist"] == read("Info.plist")
    assert Path(app["icon"]).read_bytes()[:4] == b"icns"
    ((_, program),) = asked["EXE"]
    # Without a name of its own in MacOS/, neither launchd nor a browser would find the program.
    assert program["name"] == "trayagent"
    assert Path(program["entitlements_file"]).is_file()
    ((_, analysis),) = asked["Analysis"]
    assert "pystray._darwin" in analysis["hiddenimports"]
    assert {target for _, target in analysis["datas"]} >= {
        "trayagent/hook/static",
        "trayagent/assets",
    }


class Signing:
    """`sign.sh` in a checkout of its own, with programs that only write down how they were called."""

    def __init__(self, folder: Path, failing: str = "") -> None:
        self.said = folder / "said"
        programs = folder / "bin"
        shutil.copytree(PACKAGING / "macos", folder / "packaging/macos")
        (folder / "dist/trayagent.app").mkdir(parents=True)
        programs.mkdir()
        for name in TOOLS:
            end = f'case "$*" in {failing}) exit 1;; esac\n' if failing else ""
            stand_in = programs / name
            stand_in.write_text(
                f'#!/bin/sh\nprintf "%s\\n" "{name}" "$@" "" >> "{self.said}"\n{end}'
            )
            stand_in.chmod(0o755)
        self.done = subprocess.run(
            ["bash", folder / "packaging/macos/sign.sh", "Developer ID: A B (T)", "PROFILE"],
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def calls(self) -> list[list[str]]:
        return [call.split("\n") for call in self.said.read_text().strip("\n").split("\n\n")]


bash = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None, reason="needs bash"
)


@bash
def test_signing_is_done_in_the_order_that_apple_asks_for(tmp_path: Path) -> None:
    signing = Signing(tmp_path)
    assert signing.done.returncode == 0, signing.done.stderr
    sign, verify, pack, submit, staple, validate, again = signing.calls()
    assert sign[:2] == ["codesign", "--force"]
    # Notarization refuses what has no hardened runtime and no time stamp.
    assert sign[sign.index("--options") + 1] == "runtime"
    assert "--timestamp" in sign
    entitlements = sign[sign.index("--entitlements") + 1]
    assert (tmp_path / "dist" / entitlements).is_file()
    assert sign[sign.index("--sign") + 1 :] == ["Developer ID: A B (T)", "trayagent.app"]
    assert verify == ["codesign", "--verify", "--strict", "--deep", "trayagent.app"]
    assert pack == ["ditto", "-c", "-k", "--keepParent", "trayagent.app", "trayagent.zip"]
    assert submit[1:4] == ["notarytool", "submit", "trayagent.zip"]
    assert submit[submit.index("--keychain-profile") + 1] == "PROFILE"
    assert "--wait" in submit
    assert staple == ["xcrun", "stapler", "staple", "trayagent.app"]
    assert validate == ["xcrun", "stapler", "validate", "trayagent.app"]
    assert again == pack


@bash
@pytest.mark.parametrize(
    ("failing", "calls"), [("*--verify*", 2), ("notarytool*", 4), ("*staple\\ *", 5)]
)
def test_a_step_that_fails_ends_it(tmp_path: Path, failing: str, calls: int) -> None:
    signing = Signing(tmp_path, failing)
    assert signing.done.returncode == 1
    assert len(signing.calls()) == calls


@pytest.mark.needs("shellcheck")
def test_the_script_is_clean() -> None:
    done = subprocess.run(
        ["shellcheck", PACKAGING / "macos/sign.sh"], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
