"""A server of the standard library on a free port of 127.0.0.1, with a thread for each connection."""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from socketserver import BaseRequestHandler
from types import TracebackType
from typing import Self


class Quiet(ThreadingHTTPServer):
    """Serves whoever comes, and does not mind who goes."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, handler: type[BaseRequestHandler], port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self.host = host
        super().__init__((host, port), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves early, or is killed, is no error."""


class Threaded:
    """A context manager: the server answers inside it, and is gone after it."""

    scheme = "http"

    def __init__(self, server: Quiet) -> None:
        self.server = server
        self.port = server.server_port
        self.base = f"{self.scheme}://{server.host}:{self.port}"
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), name=type(self).__name__, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
