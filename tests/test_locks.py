"""The lists that dev.py installs agree with uv.lock, are hashed to the last file, and have wheels everywhere."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text())
PACKAGES = {package["name"]: package for package in LOCK["package"]}
LISTS = ("requirements.lock", "requirements-test.lock", "requirements-packaging.lock")

LINUX = [f"manylinux_2_{minor}" for minor in range(36, 4, -1)] + [
    "manylinux2014",
    "manylinux2010",
    "manylinux1",
]
SYSTEMS = {
    "Windows": ("win32", "Windows", "AMD64", ["win_amd64"]),
    "Windows on ARM": ("win32", "Windows", "ARM64", ["win_arm64"]),
    "Mac": ("darwin", "Darwin", "arm64", list(mac_platforms((14, 0), "arm64"))),
    "Mac with Intel": ("darwin", "Darwin", "x86_64", list(mac_platforms((14, 0), "x86_64"))),
    "Linux": ("linux", "Linux", "x86_64", [f"{name}_x86_64" for name in LINUX]),
    "Linux on ARM": ("linux", "Linux", "aarch64", [f"{name}_aarch64" for name in LINUX]),
}
PYTHONS = [(3, 11), (3, 12), (3, 13), (3, 14)]


@cache
def pins(name: str) -> dict[str, tuple[str, str, frozenset[str]]]:
    """Return what a list pins: version, marker and hashes of each package."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    found: dict[str, tuple[str, str, frozenset[str]]] = {}
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            pin = re.fullmatch(
                r"([\w.-]+)==(\S+)(?: ; (.+?))?((?: +--hash=sha256:[0-9a-f]{64})+) *", line
            )
            assert pin, f"not a pin with hashes: {line[:80]}"
            hashes = frozenset(pin[4].replace("--hash=", "").split())
            found[canonicalize_name(pin[1])] = (pin[2], pin[3] or "", hashes)
    return found


def files(package: dict[str, Any]) -> list[dict[str, str]]:
    """Return every file of a package that uv.lock knows."""
    return [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_agrees_with_uv_lock(name: str) -> None:
    for package, (version, _, hashes) in pins(name).items():
        locked = PACKAGES[package]
        assert locked["version"] == version
        assert hashes == {file["hash"] for file in files(locked)}


def test_the_other_lists_contain_the_list_for_running() -> None:
    running, testing, packaging = map(pins, LISTS)
    for other in (testing, packaging):
        assert {(name, pin[0]) for name, pin in running.items()} <= {
            (name, pin[0]) for name, pin in other.items()
        }
    assert testing.keys() | packaging.keys() == PACKAGES.keys() - {"trayagent"}


def test_uv_lock_names_the_public_index_only() -> None:
    for name, package in PACKAGES.items():
        if name != "trayagent":
            assert package["source"] == {"registry": "https://pypi.org/simple"}
        assert {urlsplit(file["url"]).netloc for file in files(package)} <= {
            "files.pythonhosted.org"
        }


def wanted(requirements: list[str]) -> set[tuple[str, str]]:
    """Return names and version ranges, in one spelling."""
    parsed = map(Requirement, requirements)
    return {(canonicalize_name(each.name), str(each.specifier)) for each in parsed}


def test_uv_lock_was_made_from_this_pyproject() -> None:
    asked = [*PROJECT["project"]["dependencies"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        asked += extra
    metadata = PACKAGES["trayagent"]["metadata"]
    assert wanted(asked) == spelled(metadata["requires-dist"])
    for group, requirements in PROJECT["dependency-groups"].items():
        assert wanted(requirements) == spelled(metadata["requires-dev"][group])
    assert LOCK["requires-python"] == PROJECT["project"]["requires-python"]


def spelled(entries: list[dict[str, str]]) -> set[tuple[str, str]]:
    """Return uv.lock's own entries in the same spelling."""
    return wanted([entry["name"] + entry.get("specifier", "") for entry in entries])


def tags(python: tuple[int, int], platforms: list[str]) -> set[Tag]:
    """Return what such a machine can install."""
    interpreter = f"cp{python[0]}{python[1]}"
    return {
        *cpython_tags(python, platforms=platforms),
        *compatible_tags(python, interpreter, platforms),
    }


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS, ids="{0[0]}.{0[1]}".format)
def test_every_package_for_running_has_a_wheel(system: str, python: tuple[int, int]) -> None:
    sys_platform, platform_system, machine, platforms = SYSTEMS[system]
    machine_says = {
        "sys_platform": sys_platform,
        "platform_system": platform_system,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "python_version": f"{python[0]}.{python[1]}",
        "python_full_version": f"{python[0]}.{python[1]}.4",
        "platform_release": "6.1",
    }
    fitting = tags(python, platforms)
    without = [
        package
        for package, (_, marker, _) in pins(LISTS[0]).items()
        if not marker or Marker(marker).evaluate(machine_says)
        if not any(
            fitting & parse_wheel_filename(Path(urlsplit(wheel["url"]).path).name)[3]
            for wheel in PACKAGES[package].get("wheels", [])
        )
    ]
    assert without == []
