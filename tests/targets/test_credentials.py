"""Where the keys of a bucket come from: one place at a time, and never the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from trayagent.model.errors import DownloadError
from trayagent.targets.credentials import bucket_options

FILE = """\
[default]
aws_access_key_id = FILE
aws_secret_access_key = from%file
[work]
aws_access_key_id = WORK
aws_secret_access_key = at-work
aws_session_token = for-an-hour
"""
CONFIG = "[default]\nregion = eu-central-1\n[profile work]\nregion = us-west-2\n"
ENVIRON = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "from-env"}


@pytest.fixture
def person(tmp_path: Path) -> Path:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(FILE)
    (tmp_path / ".aws" / "config").write_text(CONFIG)
    return tmp_path


def test_the_settings_come_before_the_environment_and_that_before_the_files(person: Path) -> None:
    named = bucket_options("s3", ENVIRON, person, access_key="OWN", secret="mine", region="x")
    assert named == {"access_key_id": "OWN", "secret_access_key": "mine", "region": "x"}
    assert bucket_options("s3", ENVIRON, person) == {
        "access_key_id": "ENV",
        "secret_access_key": "from-env",
        "region": "eu-central-1",
    }
    assert bucket_options("s3", {}, person)["access_key_id"] == "FILE"
    assert bucket_options("s3", {}, person)["secret_access_key"] == "from%file"


def test_a_profile_is_followed(person: Path) -> None:
    assert bucket_options("s3", {"AWS_PROFILE": "work"}, person) == {
        "access_key_id": "WORK",
        "secret_access_key": "at-work",
        "session_token": "for-an-hour",
        "region": "us-west-2",
    }


def test_files_may_lie_elsewhere_and_an_endpoint_too(person: Path, tmp_path: Path) -> None:
    moved = (person / ".aws" / "credentials").rename(tmp_path / "keys")
    environ = {"AWS_SHARED_CREDENTIALS_FILE": str(moved), "AWS_ENDPOINT_URL": "https://s3.example"}
    found = bucket_options("s3", environ, tmp_path / "nobody")
    assert (found["access_key_id"], found["endpoint"]) == ("FILE", "https://s3.example")


@pytest.mark.parametrize(
    ("scheme", "environ"),
    [("s3", {}), ("s3", {"AWS_ACCESS_KEY_ID": "only half"}), ("gs", {}), ("az", ENVIRON)],
)
def test_without_keys_nobody_is_asked(tmp_path: Path, scheme: str, environ: dict[str, str]) -> None:
    """Else obstore would look for them at an address of the network."""
    with pytest.raises(DownloadError) as refused:
        bucket_options(scheme, environ, tmp_path)
    assert refused.value.code == "bucket_refused"


@pytest.mark.parametrize(
    "text", ["[default", "\0", "aws_access_key_id = X", "[default]\nregion", "é" * 9]
)
def test_a_file_that_is_none_of_theirs_has_no_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_bytes(text.encode("latin-1"))
    with pytest.raises(DownloadError):
        bucket_options("s3", {}, tmp_path)
