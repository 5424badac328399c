"""`sites` says which engine reads video pages, renews it, and goes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.servers.site import Site
from tests.sites.rig import release
from tests.sites.test_update import NEWEST, WORKS, publish, wheel
from trayagent.sites.update import installed_version


def test_the_command_says_which_engine_is_used(run: Run, home: Path) -> None:
    release(home / "sites", WORKS, "2099.1.1")
    answer = run("sites", "status", "--json")
    assert answer.json["version"] == "2099.1.1"
    assert "2099.1.1" in run("sites", "status").out
    assert "is used from now on" in run("sites", "update", "--undo").out
    assert run("sites", "status", "--json").json["version"] == installed_version()


def test_an_update_is_fetched_and_told(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Site() as site:
        (home / "config.toml").write_text(f'[network]\nallow = ["{site.authority}"]\n')
        monkeypatch.setattr("trayagent.sites.update.INDEX", f"{site.base}/index")
        publish(site, wheel())
        assert run("sites", "update", "--json").json == {
            "before": installed_version(),
            "after": NEWEST,
        }
        assert "there is no newer one" in run("sites", "update").out
    assert (home / "sites" / NEWEST / "yt_dlp" / "__init__.py").read_text() == WORKS


def test_offline_it_says_so(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trayagent.sites.update.INDEX", "http://127.0.0.1:9/index")
    said = run("sites", "update")
    assert said.code == 1
    assert "stays as it was" in said.err
