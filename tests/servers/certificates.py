"""Certificates for servers, good and bad, and the trust of a client."""

from __future__ import annotations

import ssl
from datetime import datetime

import trustme


class Authority:
    """Signs certificates; a client trusts it or not."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def trusting(self) -> ssl.SSLContext:
        """A client that trusts this authority, beside those of the system."""
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context

    def serving(self, *names: str, until: datetime | None = None) -> ssl.SSLContext:
        """A server that shows a certificate for these names and addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(context, *names, until=until)
        return context

    def show(self, context: ssl.SSLContext, *names: str, until: datetime | None = None) -> None:
        """From now on a server shows this one: what a man in the middle looks like from afar."""
        self._ca.issue_cert(*names, not_after=until).configure_cert(context)


def self_signed() -> ssl.SSLContext:
    """A server that signed its certificate itself."""
    lonely = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with lonely.cert_pem.tempfile() as certificate, lonely.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context
