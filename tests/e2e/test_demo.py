"""The demonstration works offline, within a minute, and leaves only the files it names."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.agent import PATIENCE, command, environ, until


@pytest.mark.timeout(3 * PATIENCE)
def test_it_shows_the_whole_job_and_keeps_what_it_says(tmp_path: Path) -> None:
    done = command(tmp_path, "demo", "--json", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["seconds"] < 2 * PATIENCE  # a minute
    assert len(told["files"]) == 31
    for file in told["files"]:
        assert hashlib.sha256(Path(file["path"]).read_bytes()).hexdigest() == file["sha256"]
    folder = Path(told["folder"])
    assert {path.name for path in folder.iterdir()} == {"downloads", "library"}
    assert [path for path in tmp_path.iterdir() if path != folder] == []
    files = {str(path) for path in folder.rglob("*") if path.is_file()}
    assert files == {file["path"] for file in told["files"]}
    shutil.rmtree(folder)


@pytest.mark.timeout(3 * PATIENCE)
def test_it_tells_a_pipe_in_plain_lines(tmp_path: Path) -> None:
    done = command(tmp_path, "demo", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert done.stdout.count("   completed ") == 31
    assert done.stdout.count("   notification: ") == 3
    assert "each with the right SHA-256" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals between processes")
def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "trayagent", "demo"],
        env=environ(tmp_path, TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    runtime = until(lambda: next(tmp_path.glob("*/runtime.json"), None), "its agent")
    pid = json.loads(runtime.read_text())["pid"]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert list(tmp_path.iterdir()) == []
    assert not Path(f"/proc/{pid}").exists()
