"""nginx on loopback, plain and TLS, with a limit per connection under /slow/."""

from __future__ import annotations

from pathlib import Path

import trustme

from tests import programs
from tests.servers.own_process import OwnProcess, unused_port

CONFIG = """
worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; types {{ }}
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    root {root};
    location /slow/ {{ alias {root}/; limit_rate 2m; }}
    location /capped/ {{ alias {root}/; limit_rate 100m; }}
  }}
}}
"""


class Server(OwnProcess):
    """`with Server(folder) as server:` serves `root`, at `plain` and, vouched for by `ca`, at `tls`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / "www"
        self.root.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        secure = unused_port()
        text = CONFIG.format(folder=folder, root=self.root, plain=self.port, tls=secure)
        (folder / "nginx.conf").write_text(text)
        self.plain, self.tls = f"http://127.0.0.1:{self.port}", f"https://127.0.0.1:{secure}"

    def command(self) -> list[str]:
        program = programs.find("nginx")
        if program is None:
            raise SystemExit(programs.lacking(("nginx",)))
        return [program, "-c", str(self.folder / "nginx.conf"), "-g", "daemon off;"]

    def end(self) -> None:
        """Its worker is a process of its own, and ends only when it is told to."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
