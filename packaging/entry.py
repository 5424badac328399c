"""Where the frozen program starts: the command line, or the part of us that another part starts."""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian and its relatives, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora and its relatives
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, Alpine
)


def settle(environ: MutableMapping[str, str]) -> None:
    """Be at home on a system that is not the one we were built on."""
    # Our own libraries are found by now; a browser or ffmpeg that we start needs the system's.
    before = environ.pop("LD_LIBRARY_PATH_ORIG", None)
    environ.pop("LD_LIBRARY_PATH", None)
    if before is not None:
        environ["LD_LIBRARY_PATH"] = before
    # And when we start ourselves, that shall be a start like the first.
    for name in [name for name in environ if name.startswith("_PYI_")]:
        del environ[name]
    # OpenSSL looks where the build machine had its certificates.
    bundle = next((path for path in CERTIFICATES if Path(path).exists()), None)
    if bundle and "SSL_CERT_FILE" not in environ and "SSL_CERT_DIR" not in environ:
        environ["SSL_CERT_FILE"] = bundle


def main() -> int:
    """Run what the words ask for."""
    from trayagent.cli.streams import open_closed_streams

    open_closed_streams()
    settle(os.environ)
    if sys.argv[1:3] == ["sites", "worker"]:
        from trayagent.sites.worker import main as work

        return work()
    if sys.argv[1:3] == ["targets", "bucket-worker"]:
        from trayagent.targets.bucket_worker import main as work

        return work()
    if sys.argv[1:3] == ["-m", "trayagent"]:  # as our own parts say it to a real Python
        del sys.argv[1:3]
    from trayagent.__main__ import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
