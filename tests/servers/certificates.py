"""Certificates for servers, good and bad, and the trust of a client."""

from __future__ import annotations

import shutil
import ssl
import sys
import tempfile
import weakref
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


class Authority:
    """Signs certificates; a client trusts it or not."""

    def __init__(self) -> None:
        # Wine refuses an ECDSA signature of which a number begins with a zero byte: one in 128.
        kind = trustme.KeyType.RSA if sys.platform == "win32" else trustme.KeyType.ECDSA
        self._ca = trustme.CA(key_type=kind)

    def trusting(self) -> ssl.SSLContext:
        """A client that trusts this authority, beside those of the system."""
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context

    @cached_property
    def file(self) -> Path:
        """A file with its certificate, for a client that trusts nobody else; gone with this object."""
        folder = tempfile.mkdtemp(prefix="authority-")
        weakref.finalize(self, shutil.rmtree, folder)
        file = Path(folder, "ca.pem")
        self._ca.cert_pem.write_to_path(str(file))
        return file

    def serving(self, *names: str, until: datetime | None = None) -> ssl.SSLContext:
        """A server that shows a certificate for these names and addresses.

        It gives no session tickets: who shows another certificate later knows no sessions of this one.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        self.show(context, *names, until=until)
        return context

    def write(self, file: Path, *names: str) -> None:
        """Key and certificate for these names, for a server that is a program of its own."""
        self._ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(file))

    def show(self, context: ssl.SSLContext, *names: str, until: datetime | None = None) -> None:
        """From now on a server shows this one: what a man in the middle looks like from afar."""
        self._ca.issue_cert(*names, not_after=until).configure_cert(context)


def self_signed(host: str) -> ssl.SSLContext:
    """A server at this address that signed its certificate itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)
        .sign(key, hashes.SHA256())
    )
    return _showing(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def nameless() -> ssl.SSLContext:
    """A server whose certificate says for nobody what it is for."""
    lonely = trustme.CA()
    return _showing(lonely.cert_pem.bytes(), lonely.private_key_pem.bytes())


def _showing(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with trustme.Blob(certificate + key).tempfile() as file:
        context.load_cert_chain(file)
    return context
