"""What people download has its SHA-256 beside it, from the machine that built it."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.scripts import checkout

ROOT = Path(__file__).parents[2]


def jobs() -> dict[str, str]:
    """The jobs of the workflow that builds packages, and what each says."""
    workflow = (ROOT / ".github/workflows/packages.yml").read_text("utf-8")
    found = re.split(r"^  (\w+):\n", workflow.partition("\njobs:\n")[2], flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def sums(*words: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "packaging/sums.py"
    return subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, check=False
    )


@pytest.mark.needs("sha256sum")
def test_the_usual_tool_checks_them(tmp_path: Path) -> None:
    names = ["trayagent-0.1.0-setup.exe", "trayagent-macos.zip", "trayagent_0.1.0_amd64.deb"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode() * 1000)
    (tmp_path / "trayagent").mkdir()
    assert sums("all", str(tmp_path)).returncode == 0
    again = sums("all", str(tmp_path))
    assert again.stdout.strip() == str(tmp_path / "SHA256SUMS-all")
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS-all"]
    good = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert good.stdout.splitlines() == [f"{name}: OK" for name in names]
    (tmp_path / names[0]).write_bytes(b"another installer")
    bad = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert f"{names[0]}: FAILED" in bad.stdout


def test_they_are_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    sums("x", str(tmp_path))
    line = f"{hashlib.sha256(b'a').hexdigest()}  a\n"
    assert (tmp_path / "SHA256SUMS-x").read_bytes() == line.encode()


def test_nothing_built_is_an_error(tmp_path: Path) -> None:
    assert sums("x", str(tmp_path)).returncode == 1
    assert list(tmp_path.iterdir()) == []


@checkout
def test_every_machine_of_a_release_sends_its_sums_on() -> None:
    """The last steps of a job: sums of what it built, then both on; the release checks all of them."""
    building = {name: steps for name, steps in jobs().items() if "upload-artifact" in steps}
    assert building.keys() == {"wheel", "debian", "windows", "macos"}
    for steps in building.values():
        before, after = steps.split("actions/upload-artifact")
        artifact = re.search(r"name: (\w+)", after)
        assert artifact is not None
        last = before.strip().splitlines()[-2]
        assert last.endswith(f"packaging/sums.py {artifact[1]}"), "the last step before"
        assert f"SHA256SUMS-{artifact[1]}" in after or "path: dist/\n" in after
    release = jobs()["release"]
    assert release.index("sha256sum --check") < release.index("gh release create")
