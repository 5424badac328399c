"""nginx on loopback, plain and TLS, with a limit per connection under /slow/."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

CONFIG = """
worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; types {{ }}
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
    root {root};
    location /slow/ {{ alias {root}/; limit_rate 2m; }}
    location /capped/ {{ alias {root}/; limit_rate 100m; }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """Where it listens, what it serves, and who vouches for it."""

    root: Path
    plain: str
    tls: str
    ca: Path


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """Serve `folder`/www until the end of the block."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise SystemExit("nginx is needed: sudo apt install nginx-light")
    root = folder / "www"
    root.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "server.pem", append=number > 0)
    plain, tls = _free(), _free()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, root=root, plain=plain, tls=tls))
    process = subprocess.Popen([program, "-c", str(config), "-g", "daemon off;"])
    try:
        _wait_for(plain)
        yield Server(root, f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}", ca)
    finally:
        process.terminate()
        process.wait()


def _free() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit("nginx did not start")
