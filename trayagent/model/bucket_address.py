"""`s3://bucket/prefix`: where in which object store files are kept."""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

_ADDRESS: Final = re.compile(r"(s3|gs|az)://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(.*))?")
_LONGEST: Final = 1024
"""Bytes of a key in S3, and less than Azure and Google take."""


class BucketAddress(Struct, frozen=True):
    """A bucket (Azure calls it a container), and what all keys of ours in it begin with."""

    scheme: Literal["s3", "gs", "az"]
    bucket: str
    prefix: str = ""
    """Without a `/` at its ends."""

    @classmethod
    def parse(cls, text: str) -> BucketAddress:
        """Raises ValueError, in words for a person."""
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise ValueError("it must be like s3://bucket/folder, gs://… or az://…")
        scheme, bucket, prefix = found[1], found[2], (found[3] or "").strip("/")
        parts = prefix.split("/") if prefix else []
        # `?` and `#` would be read as part of the name; who writes them means something else.
        if any(part in ("", ".", "..") for part in parts) or re.search(r"[?#\\\x00-\x1f]", prefix):
            raise ValueError("the folder in it may hold no ., .., //, ?, # or backslash")
        if len(prefix.encode()) > _LONGEST // 2:
            raise ValueError("the folder in it is too long")
        return cls(scheme, bucket, prefix)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def is_bucket(text: str) -> bool:
    """Whether a place is meant as one in an object store, well written or not."""
    return re.match(r"[a-z0-9+.-]{2,}://", text, re.IGNORECASE) is not None
