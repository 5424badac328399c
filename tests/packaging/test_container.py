"""The container file names what there is: built only where an engine for containers is, read everywhere."""

import re
import shutil
import subprocess

import pytest

from tests.packaging.scripts import ROOT

FILE = ROOT / "packaging" / "linux" / "Containerfile"


def test_it_copies_what_is_there_and_ends_as_a_user() -> None:
    text = FILE.read_text("utf-8")
    for copied in re.findall(r"^COPY (.+) /build", text, re.MULTILINE):
        for name in copied.split():
            assert (ROOT / name).exists(), name
    steps = re.findall(r"^([A-Z]+) (.*)$", text, re.MULTILINE)
    assert steps[0][0] == "FROM"
    assert [words for step, words in steps if step == "USER"] == ["agent"]
    assert "--require-hashes" in text
    assert steps[-1] == ("CMD", '["run", "--headless"]')


@pytest.mark.soak  # minutes, and registries
@pytest.mark.skipif(shutil.which("podman") is None, reason="needs podman: sudo apt install podman")
def test_it_builds() -> None:
    words = ["podman", "build", "-f", str(FILE), "-t", "trayagent-test", str(ROOT)]
    subprocess.run(words, check=True, timeout=600)
