"""`s3://bucket/prefix`, and what is none."""

from __future__ import annotations

import pytest

from trayagent.model.bucket_address import BucketAddress, is_bucket


@pytest.mark.parametrize("text", ["s3://films", "gs://films/new", "az://a-b.c/Filme/ä ö"])
def test_an_address_reads_as_it_was_written(text: str) -> None:
    assert str(BucketAddress.parse(text)) == text
    assert str(BucketAddress.parse(f"{text}/")) == text
    assert is_bucket(text)


@pytest.mark.parametrize(
    "text",
    """s3:// s3:///new s3://Films s3://a ftp://films s3://films/../x s3://films/a//b s3://films/a?b s3://films/a#b
    s3://films/a\\b s3://user:word@films s3://films:9000/x""".split(),
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be like|may hold no"):
        BucketAddress.parse(text)
    assert is_bucket(text)


@pytest.mark.parametrize("text", ["/mnt/nas", r"C:\films", "C:/films", r"\\nas\films", "films"])
def test_a_folder_is_no_bucket(text: str) -> None:
    assert not is_bucket(text)
