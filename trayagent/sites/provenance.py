"""Who published a release, as the package index vouches for it.

The index notes for a file which project's build published it, and keeps what that build has signed
(PEP 740, https://docs.pypi.org/api/integrity/). It checks the signatures when the file is uploaded. We read
its answer over TLS and compare two things: the publisher, and the hash in the statement. So a stolen upload
token cannot pass a file off as yt-dlp's. We do not check the signature ourselves (that takes the
certificates and the log of Sigstore, a dozen packages), so who controls the index controls this answer, too.
"""

from __future__ import annotations

import base64
from typing import Final

import msgspec
from msgspec import Struct

PUBLISHER: Final = ("GitHub", "yt-dlp/yt-dlp")
"""Where yt-dlp is built: its `.github/workflows/release.yml` uploads it without any token."""


class ProvenanceError(Exception):
    """The note does not fit the file; says why."""


class _Publisher(Struct, frozen=True):
    kind: str = ""
    repository: str = ""


class _Envelope(Struct, frozen=True):
    statement: str


class _Attestation(Struct, frozen=True):
    envelope: _Envelope


class _Bundle(Struct, frozen=True):
    publisher: _Publisher
    attestations: tuple[_Attestation, ...] = ()


class _Provenance(Struct, frozen=True):
    attestation_bundles: tuple[_Bundle, ...] = ()


class _Subject(Struct, frozen=True):
    digest: dict[str, str] = {}


class _Statement(Struct, frozen=True):
    """in-toto's, https://in-toto.io/Statement/v1: what was signed."""

    subject: tuple[_Subject, ...] = ()


def check_provenance(body: bytes, sha256: str) -> None:
    """Compare the index's answer with the file of this hash. Raises ProvenanceError."""
    try:
        bundles = msgspec.json.decode(body, type=_Provenance).attestation_bundles
        statements = [
            msgspec.json.decode(base64.b64decode(each.envelope.statement), type=_Statement)
            for bundle in bundles
            if (bundle.publisher.kind, bundle.publisher.repository) == PUBLISHER
            for each in bundle.attestations
        ]
    except (msgspec.DecodeError, ValueError) as error:
        raise ProvenanceError("what the index says of its publisher cannot be read") from error
    # Others may have attested it as well; one statement of yt-dlp's own build is needed.
    if not statements:
        raise ProvenanceError("it was not published by yt-dlp's own build")
    hashes = {subject.digest.get("sha256") for each in statements for subject in each.subject}
    if hashes != {sha256}:
        raise ProvenanceError("yt-dlp's build has signed another file")
