"""The Debian package, from a folder with the frozen program: the same folder gives the same bytes.

python packaging/deb.py FOLDER [OUT]
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from email.utils import formatdate
from pathlib import Path

import manpage
import parts
from stamp import ROOT, epoch

from trayagent import __version__
from trayagent.desktop import native_messaging

LINUX = ROOT / "packaging/linux"
ICONS = ROOT / "assets/icons"
SHELLS = {
    "bash": "usr/share/bash-completion/completions/trayagent",
    "zsh": "usr/share/zsh/vendor-completions/_trayagent",
    "fish": "usr/share/fish/vendor_completions.d/trayagent.fish",
}
PLACES = {
    "trayagent.desktop": "usr/share/applications/trayagent.desktop",
    "org.trayagent.trayagent.metainfo.xml": "usr/share/metainfo/org.trayagent.trayagent.metainfo.xml",
    "trayagent.service": "usr/lib/systemd/user/trayagent.service",
    "copyright": "usr/share/doc/trayagent/copyright",
    "lintian-overrides": "usr/share/lintian/overrides/trayagent",
}
NATIVE_HOST = "usr/lib/trayagent/native-host"
"""What browsers start for the extension; a manifest cannot name a word after the program."""
MAINTAINER = "trayagent contributors <trayagent@users.noreply.github.com>"
CHANGELOG = """\
trayagent ({version}) unstable; urgency=medium

  * What has changed is in CHANGELOG.md.gz, beside this file.

 -- {maintainer}  {date}
"""
CONTROL = """\
Package: trayagent
Version: {version}
Architecture: {machine}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: libc6 (>= {glibc}), zlib1g, ca-certificates
Recommends: ffmpeg
Suggests: gnome-keyring
Section: net
Priority: optional
Description: gets videos, lists of links and image libraries onto your disk
 A small program that sits in the tray. Send it videos from the browser, drop
 it lists of links, let it mirror whole image libraries. It fetches four files
 at a time, goes on after a crash or a reboot, checks every file, and only then
 gives it its name.
"""


def build(app: Path, out: Path) -> Path:
    """Make the package of the frozen program in `app`, into the folder `out`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "trayagent")
        stage(app, root)
        native_host(root)
        control(root)
        settle(root)
        out.mkdir(parents=True, exist_ok=True)
        package = out / f"trayagent_{__version__}_{machine()}.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(package)],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return package


def stage(app: Path, root: Path) -> None:
    """Put every file at its place."""
    shutil.copytree(app, root / "usr/lib/trayagent", symlinks=True)
    link = root / "usr/bin/trayagent"
    link.parent.mkdir(parents=True)
    link.symlink_to("../lib/trayagent/trayagent")
    for name, place in PLACES.items():
        put(root / place, (LINUX / name).read_bytes())
    for shell, place in SHELLS.items():
        put(root / place, completion(shell).encode())
    put(root / "usr/share/man/man1/trayagent.1.gz", packed(manpage.page(epoch())))
    docs = root / "usr/share/doc/trayagent"
    put(
        docs / "changelog.gz",
        packed(
            CHANGELOG.format(version=__version__, maintainer=MAINTAINER, date=formatdate(epoch()))
        ),
    )
    put(docs / "CHANGELOG.md.gz", packed((ROOT / "CHANGELOG.md").read_text("utf-8")))
    put(docs / "THIRD-PARTY.txt.gz", packed(parts.licences()))
    put(docs / "trayagent.cdx.json", json.dumps(parts.sbom(), indent=1).encode())
    icons = root / "usr/share/icons/hicolor"
    put(
        icons / "scalable/apps/trayagent.svg",
        (ROOT / "trayagent/hook/static/icon.svg").read_bytes(),
    )
    put(icons / "512x512/apps/trayagent.png", (ICONS / "trayagent.png").read_bytes())
    if (own := root / "usr/lib/trayagent/_internal/trayagent/assets/extension").exists():
        (root / "usr/share/trayagent").mkdir()
        (root / "usr/share/trayagent/extension").symlink_to(
            os.path.relpath(own, root / "usr/share/trayagent")
        )


def native_host(root: Path) -> None:
    """Every browser's manifest, as links: files in /etc would outlive the package, links go with it."""
    put(root / NATIVE_HOST, b'#!/bin/sh\nexec /usr/bin/trayagent native-host "$@"\n')
    for place, family in native_messaging.SYSTEM_FOLDERS.items():
        manifest = Path("usr/lib/trayagent", f"native-messaging-{family}.json")
        put(root / manifest, native_messaging.manifest(family, f"/{NATIVE_HOST}"))
        link = root / place / f"{native_messaging.HOST}.json"
        link.parent.mkdir(parents=True, exist_ok=True)
        # Debian policy 10.5: relative within a top-level folder, absolute between two.
        near = place.startswith("usr/")
        link.symlink_to(os.path.relpath(root / manifest, link.parent) if near else f"/{manifest}")


def control(root: Path) -> None:
    """DEBIAN/control and the checksums."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    text = CONTROL.format(
        version=__version__, machine=machine(), maintainer=MAINTAINER, size=size, glibc=glibc(files)
    )
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in files
    )
    put(root / "DEBIAN/control", text.encode())
    put(root / "DEBIAN/md5sums", sums.encode())


def settle(root: Path) -> None:
    """Plain modes and one date everywhere, whoever builds."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            programs = (root / "usr/lib/trayagent/trayagent", root / NATIVE_HOST)
            runs = path.is_dir() or path in programs
            path.chmod(0o755 if runs else 0o644)
        os.utime(path, (epoch(), epoch()), follow_symlinks=False)


def glibc(files: list[Path]) -> str:
    """The newest version of the C library that any of them asks for."""
    found = {
        tuple(int(part) for part in match.split(b"."))
        for path in files
        if (data := path.read_bytes())[:4] == b"\x7fELF"
        for match in re.findall(rb"GLIBC_(2\.[0-9]+)", data)
    }
    return ".".join(map(str, max(found, default=(2, 28))))


def completion(shell: str) -> str:
    """What makes the Tab key know our commands."""
    command = [sys.executable, "-m", "trayagent", "completion", shell]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def machine() -> str:
    """Debian's word for this machine."""
    done = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def packed(text: str) -> bytes:
    """As gzip -9n would."""
    return gzip.compress(text.encode(), 9, mtime=0)


def put(path: Path, content: bytes) -> None:
    """Write a file, and the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit(__doc__)
    print(build(Path(sys.argv[1]), Path((sys.argv[2:] or ["dist"])[0])))
