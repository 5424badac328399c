"""Settings are shown, changed and checked without an agent; a mistake names the key and its neighbour."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_it_says_where_the_file_is(run: Run, home: Path) -> None:
    assert run("config", "path").out == f"{home / 'config.toml'}\n"


def test_a_change_is_written_and_shown_with_its_origin(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").write_text("# mine\n[downloads]\nretries = 2  # few\n")
    assert run("config", "set", "downloads.workers", "8").code == 0
    assert run("config", "set", "drop.poll", "true").code == 0
    assert run("config", "set", "network.allow", "nas:80, tv:81").code == 0
    assert "retries = 2  # few" in (home / "config.toml").read_text()
    assert run("config", "get", "downloads.workers").out == "8\n"
    assert run("config", "get", "network.allow", "--json").json == ["nas:80", "tv:81"]
    monkeypatch.setenv("TRAYAGENT_HOOK__PORT", "4444")
    shown = run("config", "show", "--origin", "--json").json
    assert shown["values"]["hook"]["port"] == 4444
    assert shown["origins"]["hook.port"] == "TRAYAGENT_HOOK__PORT"
    assert shown["origins"]["downloads.retries"] == "config.toml"
    assert shown["origins"]["downloads.per_host"] == "default"


def test_the_folder_of_a_site_is_set_and_shown_by_its_name(run: Run, home: Path) -> None:
    assert run("config", "set", "folders.example.com", "Shows").code == 0
    assert run("config", "get", "folders.example.com").out == "Shows\n"
    assert "folders.example.com" in run("config", "show").out
    assert '"example.com" = "Shows"' in (home / "config.toml").read_text()
    assert run("config", "set", "folders.example.com", "../out").code == 2
    assert run("config", "set", "folders.example.com", "--default").code == 0
    assert run("config", "get", "folders.example.com").code == 2


def test_a_change_goes_back_to_the_default(run: Run) -> None:
    run("config", "set", "downloads.workers", "8")
    assert run("config", "set", "--default", "downloads.workers").code == 0
    assert run("config", "get", "downloads.workers").out == "4\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["get", "downloads.workrs"], "downloads.workers"),
        (["set", "downloads.workrs", "3"], "downloads.workers"),
        (["set", "downloads.workers", "99"], "1 to 32"),
        (["set", "downloads.workers"], "config set KEY VALUE"),
    ],
)
def test_a_mistake_is_2_and_explained(run: Run, words: list[str], told: str) -> None:
    said = run("config", *words)
    assert said.code == 2
    assert told in said.err


def test_validate_says_all_problems_at_once(run: Run, home: Path) -> None:
    assert run("config", "validate").code == 0
    (home / "config.toml").write_text('[downloads]\nworkers = 0\nfoldr = "x"\n[hok]\nport = 1\n')
    said = run("config", "validate")
    assert said.code == 2
    for key in ("downloads.workers", "downloads.foldr", "hok"):
        assert key in said.err
    assert run("run", "--headless").code == 2
