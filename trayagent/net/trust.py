"""Whose certificates are believed: what this system believes, on each system in its own way."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import pycurl

_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # FreeBSD, OpenWrt
)
_FOLDERS: Final = ("/etc/ssl/certs", "/etc/pki/tls/certs")


def trust(curl: Any, ca_file: Path | None = None) -> None:
    """Let a handle believe what the system believes, or only `ca_file`."""
    if ca_file is not None:
        curl.setopt(pycurl.CAINFO, str(ca_file))
        curl.setopt(pycurl.PROXY_CAINFO, str(ca_file))
        return
    if sys.platform in ("win32", "darwin"):
        # Windows' own TLS asks the authority whether a certificate was withdrawn. Where no answer comes
        # (a firewall, a site of the intranet) it would refuse; like a browser, we go on then.
        options = pycurl.SSLOPT_NATIVE_CA | pycurl.SSLOPT_REVOKE_BEST_EFFORT
        curl.setopt(pycurl.SSL_OPTIONS, options)
        curl.setopt(pycurl.PROXY_SSL_OPTIONS, options)
        return
    file, folder = _places()
    # The wheel's libcurl knows no file of this machine; what it was built with must not count.
    for path, options in (
        (file, (pycurl.CAINFO, pycurl.PROXY_CAINFO)),
        (folder, (pycurl.CAPATH, pycurl.PROXY_CAPATH)),
    ):
        for option in options:
            if path:
                curl.setopt(option, path)
            else:
                curl.unsetopt(option)


@cache
def _places() -> tuple[str, str]:
    """The file and the folder with certificates; a folder is enough, and quicker, where it is hashed.

    OpenSSL's own variables come first. A file of 200 kB is read and parsed whole before the first
    connection; of a hashed folder (`c_rehash`) only the one certificate that is needed.
    """
    file, folder = os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", "")
    if file or folder:
        return file, folder
    for place in _FOLDERS:
        if any(Path(place).glob("*.0")):
            return "", place
    return next((place for place in _FILES if Path(place).is_file()), ""), ""
