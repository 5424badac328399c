"""What is inside: every foreign package that the lists name, with its licence.

python packaging/parts.py sbom       a software bill of materials (CycloneDX 1.5, JSON)
python packaging/parts.py licences   the texts that must travel with the program
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from stamp import ROOT, epoch

LIST = "requirements.lock"
PREFACE = """\
trayagent contains these packages. Each keeps its own licence; the texts follow. pystray and python-xlib (LGPL)
and bidict (MPL) are unmodified, and their sources are at the addresses below.
"""


@dataclass(frozen=True)
class Part:
    """One foreign package, as locked."""

    name: str
    version: str
    when: str
    """The marker: for which systems."""
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """Package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def parts() -> list[Part]:
    """Everything that the list for running pins, for all systems."""
    text = (ROOT / LIST).read_text("utf-8").replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        pin = re.match(r"([\w.-]+)==(\S+)(?: ; (.+?))?((?: +--hash=sha256:[0-9a-f]{64})+)", line)
        if pin:
            hashes = tuple(re.findall(r"[0-9a-f]{64}", pin[4]))
            found.append(Part(pin[1], pin[2], pin[3] or "", hashes))
    return found


def sbom() -> dict[str, Any]:
    """CycloneDX 1.5; the same lists give the same document."""
    components = [_component(part) for part in parts()]
    version = _version()
    name = json.dumps(components, sort_keys=True) + version
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}",
        "version": 1,
        "metadata": {
            "timestamp": _moment(),
            "component": {
                "type": "application",
                "bom-ref": "trayagent",
                "name": "trayagent",
                "version": version,
                "licenses": [{"license": {"id": "MIT"}}],
            },
        },
        "components": components,
        "dependencies": _dependencies(),
    }


def _component(part: Part) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    licence = licence_of(part.name)
    if licence:
        made["licenses"] = [{"license": {"name": licence}}]
    if part.when:
        made["properties"] = [{"name": "trayagent:marker", "value": part.when}]
    reference = {
        "type": "distribution",
        "url": f"https://pypi.org/project/{part.name}/{part.version}/",
    }
    hashes = [{"alg": "SHA-256", "content": one} for one in part.hashes]
    return {**made, "externalReferences": [{**reference, "hashes": hashes}]}


def _dependencies() -> list[dict[str, Any]]:
    """Who needs whom, as uv.lock has it."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    refs = {part.name: part.purl for part in parts()} | {"trayagent": "trayagent"}
    found = []
    for package in lock["package"]:
        if package["name"] in refs:
            extras = package.get("optional-dependencies", {}).values()
            needs = [*package.get("dependencies", []), *(one for some in extras for one in some)]
            needed = sorted({refs[one["name"]] for one in needs if one["name"] in refs})
            found.append({"ref": refs[package["name"]], "dependsOn": needed})
    return found


def licence_of(name: str) -> str | None:
    """What a package says its licence is; None where it is not installed (another system's)."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    classifiers = [
        c.rpartition(" :: ")[2] for c in said.get_all("Classifier") or [] if c.startswith("License")
    ]
    text = (
        _first(said, "License-Expression") or " AND ".join(classifiers) or _first(said, "License")
    )
    return text.strip().splitlines()[0] if text.strip() else None


def _first(said: metadata.PackageMetadata, key: str) -> str:
    """The first value of a header, empty if there is none."""
    return next(iter(said.get_all(key) or []), "")


def licences() -> str:
    """Name, version, licence and full texts of all that is installed here and part of the program."""
    sections = [PREFACE]
    python = Path(json.__file__).parents[1] / "LICENSE.txt"
    if python.exists():
        head = f"{'=' * 78}\nPython {sys.version.split()[0]}\nhttps://www.python.org"
        sections.append(f"{head}\n\n{python.read_text('utf-8').strip()}\n")
    for part in parts():
        try:
            files = metadata.files(part.name) or []
            said = metadata.metadata(part.name)
        except metadata.PackageNotFoundError:
            continue
        home = _first(said, "Home-page") or _first(said, "Project-URL").rpartition(" ")[2]
        head = f"{part.name} {part.version}\nLicence: {licence_of(part.name) or 'see below'}\n{home}".rstrip()
        texts = [
            file.read_text("utf-8").strip()
            for file in sorted(files, key=str)
            if re.match(r"(licen[cs]e|copying|notice)", file.name, re.IGNORECASE)
            and ".dist-info" in str(file)
        ]
        if (beside := ROOT / f"packaging/licences/with-{part.name}.txt").exists():
            texts.append(beside.read_text("utf-8").strip())
        sections.append("\n\n".join([f"{'=' * 78}\n{head}", *texts]) + "\n")
    return "\n".join(sections)


def _version() -> str:
    text = (ROOT / "trayagent/__init__.py").read_text("utf-8")
    found = re.search(r'__version__ = "(.+)"', text)
    assert found is not None
    return found[1]


def _moment() -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> int:
    """Print what is asked for."""
    asked = sys.argv[1:]
    if asked == ["sbom"]:
        print(json.dumps(sbom(), indent=1))
    elif asked == ["licences"]:
        print(licences(), end="")
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
