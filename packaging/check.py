"""Judge what we ship with every validator that this machine has, and say which it lacks.

    python packaging/check.py [--strict]

With --strict a missing validator is a failure, too. Nothing is installed, nothing leaves a temporary folder.
"""

from __future__ import annotations

import json
import os
import plistlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.dom.minidom
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import deb
import installer
import manpage
import parts
from stamp import ROOT, epoch

from trayagent import __version__
from trayagent.desktop import autostart

PACKAGING, ICONS = ROOT / "packaging", ROOT / "assets/icons"


@dataclass(frozen=True)
class Check:
    """One thing to judge: `run` gets an empty folder, and returns complaints."""

    name: str
    run: Callable[[Path], str]
    needs: tuple[str, ...] = ()


def said(*command: str | Path) -> str:
    """What a validator says when it is not content; empty when it is."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    text = (done.stdout + done.stderr).strip()
    return (text or f"{command[0]} ended with {done.returncode}") if done.returncode else ""


def desktop_entries(folder: Path) -> str:
    """The menu's entry, and the one that `autostart on` writes."""
    own = folder / "autostart.desktop"
    words = autostart.Command(("/opt/a folder/trayagent", "run"))
    own.write_text(autostart.desktop_entry(words), "utf-8")
    return said("desktop-file-validate", PACKAGING / "linux/trayagent.desktop", own)


def appstream(_: Path) -> str:
    """What software centres show."""
    file = PACKAGING / "linux/org.trayagent.trayagent.metainfo.xml"
    return said("appstreamcli", "validate", "--no-net", "--pedantic", file)


def metainfo(_: Path) -> str:
    """The version there is ours."""
    file = PACKAGING / "linux/org.trayagent.trayagent.metainfo.xml"
    newest = xml.dom.minidom.parse(str(file)).getElementsByTagName("release")[0]
    version = newest.getAttribute("version")
    return "" if version == __version__ else f"the newest release there is {version}"


def man(folder: Path) -> str:
    """The manual page."""
    file = folder / "trayagent.1"
    file.write_text(manpage.page(epoch()), "utf-8")
    return said("mandoc", "-Tlint", "-W", "warning,stop", file)


def completion(shell: str) -> Callable[[Path], str]:
    """The completion of one shell, read but not run."""

    def run(folder: Path) -> str:
        file = folder / shell
        file.write_text(deb.completion(shell), "utf-8")
        return said(shell, "-n", file)

    return run


def unit(_: Path) -> str:
    """The service: every line known, the program where the package puts it."""
    text = (PACKAGING / "linux/trayagent.service").read_text("utf-8")
    odd = [
        line
        for line in text.splitlines()
        if line and not re.fullmatch(r"#.*|\[(Unit|Service|Install)\]|[A-Z]\w+=\S.*", line)
    ]
    if "ExecStart=/usr/bin/trayagent run --headless" not in text:
        odd.append("ExecStart is not what the package installs")
    return "\n".join(odd)


def unit_verified(folder: Path) -> str:
    """The service, read by systemd itself; the program and its manual need not be installed here."""
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    command = ["systemd-analyze", "verify", "--user", str(PACKAGING / "linux/trayagent.service")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    expected = ("Command /usr/bin/trayagent is not executable", "Command 'man trayagent(1)' failed")
    return "\n".join(
        line for line in done.stderr.splitlines() if not any(one in line for one in expected)
    )


def stand_in(folder: Path, *programs: str) -> Path:
    """A small folder in the place of the frozen program."""
    app = folder / "app"
    deb.put(app / "_internal/trayagent/assets/extension/manifest.json", b"{}\n")
    for name in programs:
        deb.put(app / name, b"#!/bin/sh\necho trayagent stand-in\n")
    return app


def debian(folder: Path) -> str:
    """The package: the same bytes twice, and what lintian says."""
    app = stand_in(folder, "trayagent")
    one, two = (deb.build(app, folder / name) for name in ("one", "two"))
    if one.read_bytes() != two.read_bytes():
        return "two builds differ"
    return ""


def lintian(folder: Path) -> str:
    """What Debian's own checker says of the package."""
    package = deb.build(stand_in(folder, "trayagent"), folder)
    done = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--suppress-tags", ",".join(STAND_IN), package],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode else ""


STAND_IN = ("binary-without-manpage", "mismatched-override", "script-with-language-extension")


def nsis(folder: Path) -> str:
    """The Windows installer, compiled with warnings as errors: a real program, the same bytes twice."""
    app = stand_in(folder, "trayagent.exe", "trayagentw.exe")
    try:
        one, two = (installer.build(app, folder / name) for name in ("one", "two"))
    except subprocess.CalledProcessError as error:
        return f"makensis ended with {error.returncode}"
    data = one.read_bytes()
    (header,) = struct.unpack_from("<I", data, 0x3C)
    if data[:2] != b"MZ" or data[header : header + 4] != b"PE\0\0":
        return "it is no Windows program"
    return "" if data == two.read_bytes() else "two builds differ"


def nsis_keeps(_: Path) -> str:
    """The uninstaller removes only what the installer brought."""
    text = (PACKAGING / "windows/trayagent.nsi").read_text("utf-8")
    removed = re.findall(r"RMDir /r (.+)", text)
    odd = [one for one in removed if one != '"$INSTDIR\\_internal"']
    return "\n".join(f"it removes {one}" for one in odd)


def property_lists(_: Path) -> str:
    """macOS: what the app says, what it may do, and what `autostart on` writes."""
    info = plistlib.loads((PACKAGING / "macos/Info.plist").read_bytes())
    rights = plistlib.loads((PACKAGING / "macos/entitlements.plist").read_bytes())
    agent = plistlib.loads(autostart.property_list(autostart.Command(("/App/trayagent", "run"))))
    odd = [] if info.get("LSUIElement") is True else ["the app would sit in the Dock"]
    odd += [f"{key} is no switch" for key, value in rights.items() if not isinstance(value, bool)]
    if agent["ProgramArguments"] != ["/App/trayagent", "run"] or not agent["RunAtLoad"]:
        odd.append("the launch agent does not start us")
    return "\n".join(odd)


def icons(_: Path) -> str:
    """Every size that the systems ask for."""
    from PIL import Image

    with Image.open(ICONS / "trayagent.ico") as ico:
        lacking = {16, 32, 48, 256} - {width for width, _ in ico.info["sizes"]}
    with Image.open(ICONS / "trayagent.icns") as icns:
        lacking |= {128, 256, 512} - {width for width, _, _ in icns.info["sizes"]}
    return f"sizes are missing: {sorted(lacking)}" if lacking else ""


def bill(_: Path) -> str:
    """The bill of materials names all that the list pins, once, with hashes."""
    document = json.loads(json.dumps(parts.sbom()))
    names = [one["name"] for one in document["components"]]
    known = {one["bom-ref"] for one in document["components"]}
    odd = [name for name in names if names.count(name) > 1]
    odd += [
        need for one in document["dependencies"] for need in one["dependsOn"] if need not in known
    ]
    return "" if not odd and len(names) > 30 else f"it does not add up: {odd or len(names)}"


def copyleft(_: Path) -> str:
    """Nothing that may not travel in a program under the MIT licence."""
    strict = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)")
    found = {part.name: parts.licence_of(part.name) or "" for part in parts.parts()}
    return "\n".join(f"{name}: {said}" for name, said in found.items() if strict.search(said))


def scripts(_: Path) -> str:
    """Shell scripts can be read."""
    return said("bash", "-n", PACKAGING / "macos/sign.sh", ROOT / ".ci/run")


def workflows(_: Path) -> str:
    """Every Python we say we support is tested on three systems; what they call exists."""
    folder = ROOT / ".github/workflows"
    text = {path.name: path.read_text("utf-8") for path in folder.glob("*.yml")}
    said = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    odd = [f"Python {one} is not tested" for one in said if f'"{one}"' not in text["tests.yml"]]
    systems = ("ubuntu", "windows", "macos")
    odd += [f"{one} is not tested" for one in systems if f"{one}-" not in text["tests.yml"]]
    odd += [
        f"{name} calls {path}, which is not there"
        for name, content in text.items()
        for path in re.findall(
            r"\b(?:packaging/[\w/]+\.py|dev\.py|requirements-?\w*\.lock)", content
        )
        if not (ROOT / path).exists()
    ]
    return "\n".join(odd)


CHECKS = (
    Check("desktop entries", desktop_entries, ("desktop-file-validate",)),
    Check("software centre", appstream, ("appstreamcli",)),
    Check("version in the software centre", metainfo),
    Check("manual page", man, ("mandoc",)),
    *(Check(f"{shell} completion", completion(shell), (shell,)) for shell in deb.SHELLS),
    Check("systemd unit", unit),
    Check("systemd unit, by systemd", unit_verified, ("systemd-analyze",)),
    Check("Debian package", debian, ("dpkg-deb",)),
    Check("Debian package, by lintian", lintian, ("dpkg-deb", "lintian")),
    Check("Windows installer", nsis, ("makensis",)),
    Check("Windows uninstaller", nsis_keeps),
    Check("macOS property lists", property_lists),
    Check("icons", icons),
    Check("bill of materials", bill),
    Check("licences", copyleft),
    Check("workflows", workflows),
    Check("shell scripts", scripts, ("bash",)),
)


def main() -> int:
    """Run them all."""
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch())
    missed: dict[str, str] = {}
    failed = 0
    for check in CHECKS:
        lacking = [program for program in check.needs if shutil.which(program) is None]
        if lacking:
            missed[check.name] = ", ".join(lacking)
            continue
        with tempfile.TemporaryDirectory() as folder:
            complaints = check.run(Path(folder))
        failed += bool(complaints)
        print(f"{'FAILED' if complaints else 'ok':7} {check.name}")
        if complaints:
            print("        " + complaints.replace("\n", "\n        "))
    for name, programs in missed.items():
        print(f"missed  {name}: this machine has no {programs}")
    return 1 if failed or (missed and "--strict" in sys.argv[1:]) else 0


if __name__ == "__main__":
    sys.exit(main())
