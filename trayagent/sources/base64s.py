"""Files inside JSON: strict base64."""

from __future__ import annotations

import base64
import binascii

from trayagent.model.errors import DownloadError


def decoded(text: str) -> bytes:
    """The bytes, padded or not (RFC 4648 §4); raises DownloadError `truncated` for anything damaged."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise DownloadError("truncated", "the data in the answer is damaged") from None
