"""A bucket's process that says nothing, nonsense, or too much: each is a bucket that is away."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trayagent.model.errors import DownloadError
from trayagent.targets import bucket_process
from trayagent.targets.bucket_process import BucketProcess
from trayagent.targets.messages import Opening

OPENING = Opening("s3", "films", "", {"secret_access_key": "the word"})


def say(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(bucket_process, "_command", lambda: [sys.executable, "-I", "-c", code])


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(1)",
        "print('{')",
        "print('null')",
        """print('{"type": "BucketAnswer", "code": 7}')""",
        "print('x' * 200_000)",
        "import os; os.kill(os.getpid(), 9)",
    ],
)
async def test_what_is_no_answer(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    say(monkeypatch, code)
    with pytest.raises(DownloadError) as away:
        await BucketProcess.start(OPENING, {})
    assert away.value.code == "bucket_away"


async def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(bucket_process, "SILENCE_SECONDS", 0.3)
    with pytest.raises(DownloadError, match="took too long"):
        await BucketProcess.start(OPENING, {})


async def test_a_code_that_is_none_of_ours_is_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    say(monkeypatch, """print('{"type": "BucketAnswer", "code": "made_up"}')""")
    with pytest.raises(DownloadError) as found:
        await BucketProcess.start(OPENING, {})
    assert found.value.code == "internal"


async def test_keys_are_on_no_command_line_and_in_no_environment_that_it_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    code = f"import os, sys; open({str(told)!r}, 'w').write(repr((sys.argv, dict(os.environ))))"
    say(monkeypatch, code + """; print('{"type": "BucketAnswer"}', flush=True); sys.stdin.read()""")
    environ = {"PATH": "/bin", "AWS_REGION": "x", "https_proxy": "http://p", "TOKEN": "mine"}
    process = await BucketProcess.start(OPENING, environ)
    await process.end()
    assert "the word" not in told.read_text()
    assert "TOKEN" not in told.read_text()
    assert "https_proxy" not in told.read_text()
    assert "AWS_REGION" in told.read_text()
    assert "the word" not in repr(OPENING)
