"""A real nginx on loopback: over TLS, in HTTP/1.1 and HTTP/2, on the terms of a test."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import NamedTuple

from tests import programs
from tests.servers.certificates import Authority
from tests.servers.own_process import OwnProcess

CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
  log_format logged "$server_protocol $connection $request_uri";
  access_log {folder}/access.log logged;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/cert.pem;
    root {folder}/www;
    {terms}
  }}
}}
"""


class LoggedRequest(NamedTuple):
    """A request, as nginx writes it down once it is over."""

    protocol: str
    connection: str
    path: str


class Nginx(OwnProcess):
    """`with Nginx(folder, signer, terms) as nginx:`; `terms` are directives of its one server.

    It serves what is in `www`, also what comes there while it runs.
    """

    def __init__(self, folder: Path, signer: Authority, terms: str = "") -> None:
        super().__init__(folder)
        self.www = folder / "www"
        self.www.mkdir(parents=True)
        self.authority = f"127.0.0.1:{self.port}"
        self.base = f"https://{self.authority}"
        signer.write(folder / "cert.pem", "127.0.0.1")
        text = CONFIG.format(folder=folder, port=self.port, terms=terms)
        (folder / "nginx.conf").write_text(text)

    def command(self) -> list[str]:
        program = programs.find("nginx") or "nginx"
        return [program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def end(self) -> None:
        """At leisure: a request is written down only once it is over for nginx, too."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(20)
        finally:
            self.kill()

    def logged(self) -> list[LoggedRequest]:
        """What was asked, in the order in which it was over; whole after the end of the block."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [LoggedRequest(*line.split()) for line in lines]
