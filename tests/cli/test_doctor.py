"""`doctor`, `logs` and `open` say what is and what to do, and a report holds no secret."""

import io
import json
import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from trayagent.cli import doctor
from trayagent.cli.logs import tail
from trayagent.settings.home import Home


def verdicts(run: Run) -> dict[str, tuple[str, str]]:
    """Check -> verdict and mending line."""
    found = run("doctor", "--json").json["checks"]
    return {check["name"]: (check["verdict"], check["mend"]) for check in found}


def test_the_doctor_looks_at_everything(run: Run) -> None:
    found = verdicts(run)
    wanted = "version settings agent database keyring tray notifications autostart ffmpeg"
    assert set(wanted.split()) <= set(found)
    assert {"downloads folder", "drop folder", "library folder", "video pages"} <= set(found)
    assert found["agent"] == ("warning", "trayagent run")
    # What the system lacks is the only warning with nothing to do about it: a sandbox, and whose
    # program is at the other end of a connection.
    system = {"page engine", "other users"}
    assert all(
        verdict == "ok" or mend for name, (verdict, mend) in found.items() if name not in system
    )


def test_people_see_the_mending_line_below(run: Run) -> None:
    said = run("doctor")
    assert said.code == 0
    assert "→ trayagent run" in said.out


def test_a_broken_setting_is_a_problem_and_1(run: Run, home: Path) -> None:
    (home / "config.toml").write_text("[downloads]\nworkers = 0\n")
    said = run("doctor", "--json")
    assert said.code == 1
    problems = [check["name"] for check in said.json["checks"] if check["verdict"] == "problem"]
    assert problems == ["settings"]


def test_a_damaged_database_is_a_problem(run: Run, home: Path) -> None:
    (home / "trayagent.db").write_bytes(b"not a database at all, " * 500)
    assert verdicts(run)["database"][0] == "problem"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder nobody can write to: /proc")
def test_a_folder_we_cannot_write_to_is_a_problem() -> None:
    found = doctor.folder("downloads folder", Path("/proc/nothing"), 0)
    assert found.verdict == "problem"
    assert found.mend


def test_too_little_room_is_a_problem(tmp_path: Path) -> None:
    assert doctor.folder("downloads folder", tmp_path, 1 << 60).verdict == "problem"


@pytest.mark.parametrize(
    ("version", "verdict"), [("2020.1.1", "warning"), ("2099.1.1", "ok"), ("odd", "ok")]
)
def test_an_old_engine_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, verdict: str
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: version)
    assert doctor.page_engine(Home.under(tmp_path)).verdict == verdict


def test_what_speaks_with_a_bucket_is_looked_for_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list(doctor.bucket("/mnt/nas")) == []
    assert [check.verdict for check in doctor.bucket("s3://films")] == ["ok"]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (missing,) = doctor.bucket("s3://films")
    assert (missing.verdict, missing.mend) == (
        "problem",
        "Install it with: pip install 'trayagent[buckets]'",
    )


def test_a_report_holds_no_secret(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (home / "token").write_text("CANARY-token")
    (home / "logs").mkdir()
    (home / "logs/trayagent.log").write_text(
        f"{Path.home()} fetched https://me:CANARY@h/film.mp4?sig=CANARY\nCookie: a=CANARY\n"
    )
    (home / "config.toml").write_text(
        '[network]\nproxy = "http://me:CANARY@proxy:80"\n[[sources]]\nname = "flow"\napi_key = "CANARY"\n'
    )
    said = run("doctor", "--report", "--json")
    path = Path(said.json["report"])
    assert path.parent == tmp_path
    with zipfile.ZipFile(path) as report:
        texts = {name: report.read(name).decode() for name in report.namelist()}
    assert {"doctor.json", "settings.json", "system.json", "logs/trayagent.log"} <= set(texts)
    assert "film.mp4" in texts["logs/trayagent.log"]
    for text in texts.values():
        assert "CANARY" not in text
        assert str(Path.home()) not in text


def test_logs_shows_the_last_lines(run: Run, home: Path) -> None:
    assert run("logs").code == 1
    (home / "logs").mkdir()
    (home / "logs/trayagent.log").write_text("".join(f"line {n}\n" for n in range(100)))
    assert run("logs", "-n", "2").out == "line 98\nline 99\n"
    assert json.loads(run("logs", "-n", "1", "--json").out) == {"line": "line 99"}
    assert run("logs", "--path").out == f"{home / 'logs'}\n"


def test_a_long_log_is_not_read_whole() -> None:
    log = io.BytesIO(b"x" * 3_000_000 + b"\nlast\n")
    assert tail(log, 1) == ["last"]
    assert tail(log, 0) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the Linux way to open things")
def test_open_hands_the_folder_to_the_desktop(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "xdg-open"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    Home.under(home).downloads.mkdir()
    assert run("open").code == 0
    assert opened.read_text().strip() == str(home / "downloads")
