"""A program of somebody else on a port of this computer that would like to be trayagent."""

import hmac
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "a token that the impostor knows"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Private-Network": "true",
}


class Impostor:
    """Answers like trayagent, and passes `hello` on to the true one where it is told its port."""

    def __init__(self, port: int, relay: int) -> None:
        self.port = port
        self.heard: list[tuple[str, str]] = []
        """Path, and head and body, of all that was sent to it."""
        self.connections = 0
        """How often anybody connected."""
        self.status = 200
        """Of its answers to what comes with a token."""
        self._relay = relay

    @property
    def pairing(self) -> str:
        """The page that lures an extension."""
        return f"http://127.0.0.1:{self.port}/pair#code=evil"

    @property
    def asked(self) -> list[str]:
        return [path.rpartition("/")[2] for path, _ in self.heard]

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        """What it says to a request of the extension."""
        if path.endswith("/pair"):
            return {"client": "evil", "token": TOKEN}
        if not path.endswith("/hello"):
            return {"batch": None, "downloads": [], "rejected": []}
        if self._relay and b'"evil"' not in body:
            with closing(http.client.HTTPConnection("127.0.0.1", self._relay)) as true:
                true.request("POST", path, body, {"Content-Type": "application/json"})
                said: dict[str, Any] = json.loads(true.getresponse().read())
            return said
        nonce = json.loads(body)["nonce"]
        message = f"127.0.0.1:{self.port}\n{nonce}".encode()
        return {"proof": hmac.new(TOKEN.encode(), message, "sha256").hexdigest()}


@contextmanager
def impostor(port: int = 0, relay: int = 0) -> Iterator[Impostor]:
    """One that listens until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            evil.connections += 1
            super().setup()

        def do_GET(self) -> None:
            self.give(b"<!doctype html><title>trayagent</title>", "text/html")

        def do_OPTIONS(self) -> None:
            self.give(b"", "text/plain")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            evil.heard.append((self.path, f"{self.headers}{body.decode()}"))
            status = 200 if "Authorization" not in self.headers else evil.status
            answer = json.dumps(evil.answer(self.path, body)).encode()
            self.give(answer, "application/json", status)

        def give(self, body: bytes, kind: str, status: int = 200) -> None:
            self.send_response(status)
            for name, value in (CORS | {"Content-Type": kind}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        evil = Impostor(server.server_port, relay)
        thread = threading.Thread(target=server.serve_forever, name="impostor", daemon=True)
        thread.start()
        yield evil
        server.shutdown()
        thread.join()
