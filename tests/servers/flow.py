"""A fake of Google Flow's media API (as it was in 2025), for tests and for developers to sync against.

`python -m tests.servers.flow [PORT]` runs it; everything is made up, nothing is captured.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import re
import sys
import threading
import time
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.servers import flow_data as data
from tests.servers.flow_replies import Replies
from tests.servers.flow_state import FlowState
from tests.servers.plain_files import serve_plain
from tests.servers.threaded import Quiet, Threaded

LIST = "/fx/api/trpc/media.fetchUserHistoryDirectly"
SCRIPT = "/_next/static/chunks/pages/_app-0123456789abcdef.js"


class FakeFlow(Threaded):
    """The server on a free port of 127.0.0.1; a context manager."""

    def __init__(self, port: int = 0) -> None:
        self.state = FlowState()
        handler: type[_Handler] = type("Handler", (_Handler,), {"state": self.state})
        super().__init__(Quiet(handler, port))
        handler.home = self.base
        self.labs_base, self.media_base = f"{self.base}/fx", f"{self.base}/v1"

    def scenario(self, **changes: Any) -> None:
        """Merge into the scenario, as POST /__fake__/scenario does."""
        with self.state.lock:
            self.state.scenario.update(changes)


class _Handler(Replies):
    state: FlowState
    home = ""
    """The server's own origin."""

    # --- in and out ---

    def do_GET(self) -> None:  # noqa: N802 - the name http.server wants
        started, self.answered = time.time(), 0
        path = self.path.partition("?")[0]
        if path.startswith("/__fake__/"):
            self._control_get(path)
            return
        with self.state.counted(route := _route(path)):
            self._dispatch(route, path)
        with self.state.lock:
            self.state.log.append(
                {
                    "n": len(self.state.log) + 1,
                    "method": self.command,
                    "target": _masked(self.path),
                    "status": self.answered,
                    "has_cookie": "Cookie" in self.headers,
                    "has_bearer": self.headers.get("Authorization", "").startswith("Bearer "),
                    "t_start": started,
                    "t_end": time.time(),
                }
            )

    def do_HEAD(self) -> None:  # noqa: N802 - the name http.server wants
        self.do_GET()

    def do_POST(self) -> None:  # noqa: N802 - the name http.server wants
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        state = self.state
        with state.lock:
            match self.path:
                case "/__fake__/scenario":
                    state.scenario.update(body)
                case "/__fake__/clock":
                    state.now += body["advance"]
                case "/__fake__/revoke":
                    state.tokens.pop(body["account"], None)
                case "/__fake__/signout":
                    state.tokens.pop(body["account"], None)
                    state.signed_out.add(body["account"])
                case "/__fake__/items":
                    state.add(body.get("account", "alice"), body.get("add", 0))
                    state.delete(body.get("account", "alice"), body.get("delete", []))
                case "/__fake__/reset":
                    state.reset()
                case _:
                    self.reply(404, b"")
                    return
        self.reply_json(200, {})

    def _control_get(self, path: str) -> None:
        with self.state.lock:
            known: dict[str, Any] = {
                "/__fake__/stats": self.state.stats(),
                "/__fake__/log": self.state.log,
            }
            self.reply_json(200 if path in known else 404, known.get(path, {}))

    def _dispatch(self, route: str, path: str) -> None:
        if route in ("/v1/media", "/storage") and (
            latency := self.state.scenario.get("latency_ms")
        ):
            time.sleep(latency / 1000)
        if (wait := self.state.limited(route)) is not None:
            self.google_error(429, retry_after=wait)
            return
        match route:
            case "/fx/api/auth/session":
                self.reply_json(200, self.state.session(self.cookie()))
            case "/fx" | "/fx/tools/flow":
                self.reply(200, self.page(), "text/html; charset=utf-8")
            case _ if route == LIST:
                self.list_page()
            case "/v1/media":
                self.media(path.removeprefix("/v1/media/"))
            case "/storage":
                self.storage(path)
            case "/image":
                self.reply(200, data.png(1, b"poster"), "image/png")
            case "/dl":
                serve_plain(self)
            case _ if path == SCRIPT:
                code = f'var a={{apiKey:"{data.API_KEY}"}},b="{data.DECOY}",c={{apiKey:"{data.API_KEY}"}};'
                self.reply(200, code.encode(), "application/javascript")
            case _:
                self.reply(404, b"<html>not here</html>", "text/html")

    # --- session ---

    def cookie(self) -> str | None:
        """The session cookie's value: whole, or joined from its numbered chunks."""
        pairs = (part.strip().partition("=") for part in self.headers.get("Cookie", "").split(";"))
        cookies = {name: value for name, _, value in pairs}
        for name in ("__Secure-next-auth.session-token", "next-auth.session-token"):
            if name in cookies:
                return cookies[name]
            chunks = sorted(
                (int(k[len(name) + 1 :]), v)
                for k, v in cookies.items()
                if re.fullmatch(re.escape(name) + r"\.\d+", k)
            )
            if chunks:
                return "".join(value for _, value in chunks)
        return None

    def page(self) -> bytes:
        """The site's page, with the session in it and a link to its script."""
        props = {"props": {"pageProps": {"session": self.state.session(self.cookie()) or None}}}
        script = f'<script id="__NEXT_DATA__" type="application/json">{json.dumps(props)}</script>'
        return f'<!doctype html><html><head>{script}<script src="{SCRIPT}"></script></head></html>'.encode()

    # --- the listing ---

    def list_page(self) -> None:
        state = self.state
        with state.lock:
            state.pages += 1
            number = state.pages
        account = state.account(self.cookie())
        if account is None:
            self.trpc_error(401, "UNAUTHORIZED", -32001)
            return
        asked = _input(self.path)
        if asked is None:
            self.trpc_error(400, "BAD_REQUEST", -32600)
            return
        rule = state.scenario.get("list_fail")
        due = rule and (rule["page"] == number or state.faults["list_fail"] > 0)
        if rule and due and state.fault("list_fail", rule):
            self.list_fault(rule)
            return
        cursor = None if "meta" in asked else asked["json"].get("cursor")
        try:
            rows, token, printed = state.page(account, cursor, asked["json"].get("pageSize", 18))
        except ValueError:
            self.trpc_error(400, "BAD_REQUEST", -32600)
            return
        self.reply_json(200, self.envelope(rows, token, printed))

    def list_fault(self, rule: dict[str, Any]) -> None:
        status = rule["status"]
        if status == 401:
            self.trpc_error(401, "UNAUTHORIZED", -32001)
            return
        wait = {"Retry_After": str(rule["retry_after"])} if "retry_after" in rule else {}
        self.reply_json(status, {"error": {"json": {"message": "fault", "code": -32603}}}, **wait)

    def envelope(
        self, rows: list[data.FlowMedium], token: str | None, printed: bool
    ) -> dict[str, Any]:
        kind = self.state.scenario.get("pagination")
        inner: dict[str, Any] = {"status": 200, "statusText": "OK"}
        if kind == "inner_500":
            inner = {"status": 500, "statusText": "Internal Server Error"}
        else:
            items = [self.listed(row, kind) for row in rows]
            if kind == "dup_in_page" and items:
                items.insert(1, items[0])
            result: dict[str, Any] = {"userWorkflows": items}
            inner["result"] = result | ({"nextPageToken": token} if printed else {})
        return {"result": {"data": {"json": inner}}}

    def listed(self, row: data.FlowMedium, kind: str | None) -> dict[str, Any]:
        prefix = "VIDEO" if row.form == "video" else "IMAGE"
        about: dict[str, Any] = {"aspectRatio": f"{prefix}_ASPECT_RATIO_{row.aspect}"}
        if row.form != "uploaded":
            about = {"prompt": "a paper boat on a pond", **about}
        if self.state.scenario.get("list_fife"):
            about["fifeUrl"] = self.signed(row)
        form = "userUploadedImage" if row.form == "uploaded" else row.form
        media: dict[str, Any] = {"name": row.listed, form: about, "mediaGenerationId": row.ids}
        if kind == "missing_mgid" and row.index == 7:
            del media["mediaGenerationId"]
        return {"name": row.listed, "media": media, "createTime": row.created}

    # --- one medium ---

    def media(self, raw: str) -> None:
        state = self.state
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        key = query.get("key", [""])[0]
        account = state.bearer(
            self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        )
        if "%" in raw:
            with state.lock:
                state.not_raw += 1
        if not key:
            self.google_error(403)
        elif key != data.API_KEY:
            self.google_error(
                400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID"
            )
        elif account is None:
            self.google_error(401)
        elif "%" in raw or query.get("clientContext.tool") != ["PINHOLE"]:
            self.google_error(400)
        elif (medium := state.find(account, raw)) is None:
            self.google_error(404)
        else:
            self.medium(medium, uri_only=query.get("returnUriOnly") == ["true"])

    def medium(self, medium: data.FlowMedium, uri_only: bool) -> None:
        scenario, name = self.state.scenario, medium.name
        rules = scenario.get("media_fail", {})
        which = name if name in rules else "*"
        if rule := self.state.fault(f"media {name}", rules.get(which)):
            self.google_error(rule["status"], retry_after=rule.get("retry_after"))
            return
        if _chosen(scenario, "html_200", name):
            self.reply(200, b"<!doctype html><html>Sign in</html>", "text/html")
            return
        text: str | None = base64.b64encode(medium.body).decode()
        if uri_only or _chosen(scenario, "no_inline", name):
            text = None
        elif text and _chosen(scenario, "bad_base64", name):
            text = text[: len(text) // 2] + "*"
        self.reply_json(200, self.described(medium, text))

    def described(self, medium: data.FlowMedium, text: str | None) -> dict[str, Any]:
        prefix = "VIDEO" if medium.form == "video" else "IMAGE"
        about: dict[str, Any] = {
            "mediaGenerationId": medium.name,
            "fifeUrl": self.signed(medium),
            "aspectRatio": f"{prefix}_ASPECT_RATIO_{medium.aspect}",
        }
        form, inline = {
            "uploaded": ("userUploadedImage", "image"),
            "image": ("image", "encodedImage"),
            "video": ("video", "encodedVideo"),
        }[medium.form]
        if medium.form == "video":
            about |= {
                "servingBaseUri": f"{self.origin()}/image/{medium.key}?Signature=poster",
                "seed": 24777,
            }
        if text is not None:
            about[inline] = text
        return {"name": medium.name, form: about, "mediaGenerationId": medium.ids}

    # --- signed links ---

    def origin(self) -> str:
        return self.home

    def signed(self, medium: data.FlowMedium) -> str:
        path = f"/storage/ai-sandbox-videofx/{'video' if medium.form == 'video' else 'image'}/{medium.key}"
        expires = int(self.state.now) + 21600
        signature = quote(_signature(path, str(expires)), safe="")
        return f"{self.origin()}{path}?GoogleAccessId=fake%40example.test&Expires={expires}&Signature={signature}"

    def storage(self, path: str) -> None:
        query = parse_qs(urlsplit(self.path).query)
        expires, signature = (query.get(name, [""])[0] for name in ("Expires", "Signature"))
        medium = self.state.by_key(path.rpartition("/")[2])
        if "Authorization" in self.headers or "Cookie" in self.headers:
            with self.state.lock:
                self.state.leaks += 1
            self.xml_error(400, "InvalidArgument")
        elif medium is None or not hmac.compare_digest(signature, _signature(path, expires)):
            self.xml_error(403, "SignatureDoesNotMatch")
        elif int(expires) <= self.state.now:
            self.xml_error(400, "ExpiredToken")
        else:
            self.bytes_of(medium.body)


def _route(path: str) -> str:
    for prefix in ("/v1/media", "/storage", "/image", "/dl", "/_next"):
        if path.startswith(prefix + "/"):
            return prefix
    return path


def _masked(target: str) -> str:
    return re.sub(r"((?:key|Signature)=)[^&]*", r"\1***", target)


def _chosen(scenario: dict[str, Any], what: str, name: str) -> bool:
    return name in scenario.get(what, ()) or "*" in scenario.get(what, ())


def _signature(path: str, expires: str) -> str:
    text = f"GET\n{path}\n{expires}".encode()
    return base64.b64encode(hmac.digest(b"fake-signing-key", text, "sha256")).decode()


def _input(target: str) -> dict[str, Any] | None:
    raw = re.search(r"[?&]input=([^&]*)", target)
    try:
        asked = json.loads(unquote(raw[1])) if raw else None
    except ValueError:
        return None
    if not isinstance(asked, dict) or not isinstance(asked.get("json"), dict):
        return None
    inner = asked["json"]
    size, cursor = inner.get("pageSize", 18), inner.get("cursor")
    good = inner.get("type") == "ASSET_MANAGER" and type(size) is int and 1 <= size <= 100
    return asked if good and (cursor is None or isinstance(cursor, str)) else None


def main() -> None:
    """Run until interrupted, and say how to sync against it."""
    with FakeFlow(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as fake:
        print(f'labs_base = "{fake.labs_base}"\nmedia_base = "{fake.media_base}"')
        print("Session cookie values: st-alice-1, st-bob-1. Stop with Ctrl-C.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
