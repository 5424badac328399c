"""Everything has one place, ours alone, whichever way the place is chosen."""

import os
import stat
import sys
from pathlib import Path

import pytest

from trayagent.model.errors import ConfigError
from trayagent.settings import Home, load

posix = pytest.mark.skipif(sys.platform == "win32", reason="folder modes are a POSIX matter")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_chosen_folder_holds_everything(tmp_path: Path) -> None:
    home = Home.find({"TRAYAGENT_HOME": str(tmp_path / "x")})
    assert home.portable
    assert home.config == tmp_path / "x" / "config.toml"
    assert home.database == tmp_path / "x" / "trayagent.db"
    assert home.runtime == tmp_path / "x" / "runtime.json"
    assert home.token == tmp_path / "x" / "token"
    assert home.logs == tmp_path / "x" / "logs"
    assert home.drop == tmp_path / "x" / "drop"
    assert home.downloads == tmp_path / "x" / "downloads"
    assert home.library == tmp_path / "x" / "library"


def test_a_chosen_folder_may_be_relative_or_begin_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert Home.find({"TRAYAGENT_HOME": "x"}).data == tmp_path / "x"
    assert Home.find({"TRAYAGENT_HOME": "~/y"}).data == tmp_path / "y"


@pytest.mark.parametrize("environ", [{}, {"TRAYAGENT_HOME": ""}, {"TRAYAGENT_HOME": "  "}])
def test_without_one_the_platform_says_where(environ: dict[str, str]) -> None:
    home = Home.find(environ)
    assert not home.portable
    assert home.drop.parts[-2:] == ("trayagent", "drop")
    assert home.library.name == "trayagent"
    assert home.data.is_absolute()
    assert home.downloads.is_absolute()


@pytest.mark.skipif(sys.platform != "linux", reason="only there a file names these folders")
def test_folders_that_the_user_deleted_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The desktop then says that the home itself is the folder."""
    names = Path(os.environ["XDG_CONFIG_HOME"], "user-dirs.dirs")
    names.parent.mkdir(parents=True)
    kinds = ("DOWNLOAD", "DOCUMENTS", "PICTURES")
    names.write_text("".join(f'XDG_{kind}_DIR="$HOME/"\n' for kind in kinds), encoding="utf-8")
    for kind in kinds:
        monkeypatch.delenv(f"XDG_{kind}_DIR", raising=False)
    home = Home.of_platform()
    assert home.downloads == Path.home() / "Downloads"
    load(home, {})


@posix
def test_the_runtime_file_never_lies_where_others_may_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value in ("", "/tmp", "/run/user/0"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", value)
        assert Home.find({}).runtime.parent == Home.find({}).data


@posix
def test_our_folders_are_made_private_also_when_they_were_not(tmp_path: Path) -> None:
    (tmp_path / "x" / "logs").mkdir(parents=True)
    (tmp_path / "x").chmod(0o755)
    (tmp_path / "x" / "logs").chmod(0o777)
    home = Home.under(tmp_path / "x")
    home.prepare()
    home.prepare()
    for folder in (home.data, home.logs, home.secrets_dir):
        assert mode(folder) == 0o700
    assert not home.drop.exists()


@posix
def test_a_folder_that_all_may_write_to_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(ConfigError, match="shared with others"):
        Home.under(shared).prepare()
    assert mode(shared) == 0o1777
