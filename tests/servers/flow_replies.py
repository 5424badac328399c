"""How the fake Flow answers: JSON, files with ranges, and errors in three dialects."""

from __future__ import annotations

import hashlib
import json
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

TYPES = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)
MESSAGES = {
    "UNAUTHENTICATED": "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
    "other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    "INVALID_ARGUMENT": "Request contains an invalid argument.",
    "NOT_FOUND": "Requested entity was not found.",
    "PERMISSION_DENIED": "Method doesn't allow unregistered callers. Please use API Key.",
    "RESOURCE_EXHAUSTED": "Resource has been exhausted (e.g. check quota).",
    "UNAVAILABLE": "The service is currently unavailable.",
}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class Replies(BaseHTTPRequestHandler):
    """Whole answers, each in one write."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    answered = 0
    """The status of the last answer."""

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: /__fake__/log has it all."""

    def reply(self, status: int, body: bytes, kind: str = "text/plain", **headers: str) -> None:
        """One whole answer."""
        self.answered = status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, status: int, value: object, **headers: str) -> None:
        self.reply(status, json.dumps(value).encode(), "application/json; charset=UTF-8", **headers)

    def bytes_of(self, body: bytes, kind: str | None = None) -> None:
        """A plain file, whole or the part asked for."""
        kind = kind or next(
            (kind for magic, kind in TYPES if body.startswith(magic)), "application/octet-stream"
        )
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        common = {"Accept_Ranges": "bytes", "ETag": tag}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and self.headers.get("If-Range", tag) == tag:
            start, end = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
            if start >= len(body):
                self.reply(416, b"", kind, Content_Range=f"bytes */{len(body)}")
                return
            self.reply(
                206,
                body[start : end + 1],
                kind,
                Content_Range=f"bytes {start}-{end}/{len(body)}",
                **common,
            )
            return
        self.reply(200, body, kind, **common)

    def google_error(
        self,
        status: int,
        message: str | None = None,
        reason: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        name = STATUSES.get(status, "INTERNAL")
        error: dict[str, Any] = {
            "code": status,
            "message": message or MESSAGES.get(name, "fault"),
            "status": name,
        }
        if reason:
            error["details"] = [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
            ]
        wait = {} if retry_after is None else {"Retry_After": str(retry_after)}
        self.reply_json(status, {"error": error}, **wait)

    def trpc_error(self, status: int, code: str, number: int) -> None:
        where = {"code": code, "httpStatus": status, "path": "media.fetchUserHistoryDirectly"}
        message = HTTPStatus(status).phrase
        self.reply_json(
            status, {"error": {"json": {"message": message, "code": number, "data": where}}}
        )

    def xml_error(self, status: int, code: str) -> None:
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"
        self.reply(status, body.encode(), "application/xml; charset=UTF-8")
