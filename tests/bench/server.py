"""nginx on loopback, plain and TLS, with a limit per connection under /slow/."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.servers.own_process import connect, unused_port, wait_for_answer

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
    plain, tls = unused_port(), unused_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, root=root, plain=plain, tls=tls))
    errors = folder / "stderr"
    with errors.open("wb") as said:
        process = subprocess.Popen([program, "-c", str(config), "-g", "daemon off;"], stderr=said)
    try:
        wait_for_answer(process, lambda: connect(plain), errors)
        yield Server(root, f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}", ca)
    finally:
        process.terminate()
        process.wait()
