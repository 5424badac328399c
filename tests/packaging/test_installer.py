"""The installer's script says the commands that the program has, and takes back all that it had them write.

Whether they do it is seen under Wine (`tests/windows/test_installer.py`), which takes minutes.
"""

from __future__ import annotations

import re
from pathlib import Path

from trayagent.cli.extension import extension

SCRIPT = (Path(__file__).parents[2] / "packaging/windows/trayagent.nsi").read_text("utf-8")
SECTIONS = dict(
    re.findall(
        r'^Section (?:/o )?"([^"]+)"[^\n]*\n(.*?)^SectionEnd', SCRIPT, re.DOTALL | re.MULTILINE
    )
)


def commands(section: str) -> list[str]:
    """What a section has the program do."""
    return re.findall(r"trayagent\.exe\" ([\w -]+)'", SECTIONS[section])


def test_browsers_are_told_by_the_program_itself_and_told_back() -> None:
    """It knows the keys of all browsers; the script has none of its own that could be left behind."""
    assert commands("Let browsers start trayagent") == ["extension --register"]
    assert "extension --remove" in commands("Uninstall")
    assert "NativeMessagingHosts" not in SCRIPT
    known = {name for option in extension.params for name in option.opts}
    assert {"--register", "--remove"} <= known


def test_the_program_is_asked_before_it_goes() -> None:
    uninstall = SECTIONS["Uninstall"]
    assert uninstall.index("extension --remove") < uninstall.index(
        r'Delete "$INSTDIR\trayagent.exe"'
    )
    assert uninstall.index("EndAgent") < uninstall.index("extension --remove")
