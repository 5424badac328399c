"""The process that speaks with an object store for us, through obstore: the only module that imports it.

It is a process of its own because obstore brings a runtime with threads, which was seen to abort the program
that ends with it. Here nothing is lost by that: the process ends by `os._exit`, or by being killed.

Nothing is ever replaced:

    size            staged                      named
    --------------  --------------------------  ---------------------------------------------------------
    up to 16 MiB    hashed only                 put with `mode="create"`, then read back
    more            sent in parts to the part   copied by the store, `overwrite=False`; the part goes
                    key, then read back

A put in one piece has to be in memory, and a put in parts cannot be told to replace nothing; a copy can.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from trayagent.targets.messages import (
    LINE_BYTES,
    BucketAnswer,
    CheckBucket,
    Discard,
    GiveName,
    IsNamed,
    Opening,
    Question,
    Reply,
    StageFile,
    Working,
)

MARK: Final = ".trayagent-target"
"""The object by which a store shows that it replaces nothing."""
SINGLE_PUT_BYTES: Final = 16 << 20
PIECE_BYTES: Final = 8 << 20
"""Of a put in parts, and of reading back: each is a request with a time limit of its own."""
# Each piece on its way is in memory; two keep a line busy while one is acknowledged.
PIECES_AT_ONCE: Final = 2
LARGEST_COPY_BYTES: Final = 5 << 30
"""What S3 copies in one request."""
_OPTIONS: Final = {"timeout": "300s", "connect_timeout": "20s"}
_RETRIES: Final = {"max_retries": 2, "retry_timeout": timedelta(minutes=2)}
_R2: Final = "header:cf-copy-destination-if-none-match:*"
"""How Cloudflare's store is told to replace nothing."""


class TroubleError(Exception):
    """Why a question cannot be done; becomes the answer."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.answer = BucketAnswer(code, detail)


def main() -> int:
    """BucketAnswer until the agent hangs up, which also its death does."""
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    questions = queue.SimpleQueue[bytes]()

    def listen() -> None:
        # It reads while a question is worked on: the end of the agent is the end of an upload.
        with contextlib.suppress(OSError):
            while line := sys.stdin.buffer.readline(LINE_BYTES):
                questions.put(line)
        os._exit(0)

    threading.Thread(target=listen, name="agent", daemon=True).start()

    def say(reply: Reply) -> None:
        os.write(out, msgspec.json.encode(reply) + b"\n")

    store: Store | None = None
    while True:
        question = msgspec.json.decode(questions.get(), type=Question)
        try:
            if isinstance(question, Opening):
                store = Store(question, lambda: say(Working()))
                say(BucketAnswer())
            else:
                assert store is not None
                say(store.answer(question))
        except TroubleError as trouble:
            say(trouble.answer)
        except BaseException as error:  # noqa: BLE001  the boundary: what went wrong is the answer
            say(explain(error))


class Store:
    """One bucket, by its keys below the prefix."""

    def __init__(self, opening: Opening, note_work: Callable[[], None]) -> None:
        try:
            import obstore
            from obstore import store as kinds
        except ImportError:
            raise TroubleError("needs_buckets_extra") from None
        self._obstore: Any = obstore
        self._note_work = note_work
        self._is_s3 = opening.scheme == "s3"
        # Azure may say yes to a copy that it makes later: its source must stay until then.
        self._copies_later = opening.scheme == "az"
        client: dict[str, Any] = {**_OPTIONS, "allow_http": opening.is_plain}
        if opening.proxy:
            client["proxy_url"] = opening.proxy
        kind: Any = {"s3": kinds.S3Store, "gs": kinds.GCSStore, "az": kinds.AzureStore}[
            opening.scheme
        ]
        options: dict[str, Any] = dict(opening.options)
        if self._is_s3 and "AWS_COPY_IF_NOT_EXISTS" not in os.environ:
            is_r2 = ".r2.cloudflarestorage.com" in options.get("endpoint", "")
            # S3 itself has no copy that replaces nothing: obstore makes one of a put in parts.
            options["copy_if_not_exists"] = _R2 if is_r2 else "multipart"
        self._store = kind(
            opening.bucket,
            prefix=opening.prefix or None,
            client_options=client,
            retry_config=_RETRIES,
            **options,
        )

    def answer(self, question: Question) -> BucketAnswer:
        """Do what is asked. Raises TroubleError, and whatever obstore raises."""
        match question:
            case CheckBucket():
                self._check()
            case StageFile(file, part):
                return BucketAnswer(sha256=self._stage(Path(file), part))
            case GiveName(file, part, key, sha256):
                return BucketAnswer(is_so=self._give_name(Path(file), part, key, sha256))
            case IsNamed(file, key, sha256):
                with contextlib.suppress(FileNotFoundError):
                    return BucketAnswer(
                        is_so=self._is_named(key, Path(file).stat().st_size, sha256)
                    )
                return BucketAnswer(is_so=self._is_named(key, None, sha256))
            case Discard(part):
                self._discard(part)
        return BucketAnswer()

    def _check(self) -> None:
        # Every time: the first answer to "may we write" is old by now, and the settings of a bucket change.
        if self._put_new(MARK, b"trayagent\n") and self._put_new(MARK, b"trayagent\n"):
            raise TroubleError("bucket_replaces", "when it is sent an object")
        try:
            self._obstore.copy(self._store, MARK, MARK, overwrite=False)
        except self._obstore.exceptions.AlreadyExistsError:
            return
        except self._obstore.exceptions.NotSupportedError:
            pass
        raise TroubleError("bucket_replaces", "when it copies one")

    def _stage(self, file: Path, part: str) -> str:
        digest = hashlib.sha256()
        size = file.stat().st_size
        with file.open("rb") as source:
            if size <= SINGLE_PUT_BYTES:
                return hashlib.file_digest(source, "sha256").hexdigest()
            if self._is_s3 and size > LARGEST_COPY_BYTES:
                raise TroubleError("bucket_too_small")

            def pieces() -> Iterator[bytes]:
                while piece := source.read(PIECE_BYTES):
                    digest.update(piece)
                    self._note_work()
                    yield piece

            self._obstore.put(
                self._store,
                part,
                pieces(),
                use_multipart=True,
                chunk_size=PIECE_BYTES,
                max_concurrency=PIECES_AT_ONCE,
            )
        if self._hash_of(part) != digest.hexdigest():
            self._discard(part)
            raise TroubleError("checksum_mismatch", "the copy in the bucket")
        return digest.hexdigest()

    def _give_name(self, file: Path, part: str, key: str, sha256: str) -> bool:
        """Whether another object has the key."""
        size = file.stat().st_size
        is_small = size <= SINGLE_PUT_BYTES
        content = file.read_bytes() if is_small else b""
        if is_small and hashlib.sha256(content).hexdigest() != sha256:
            raise TroubleError("checksum_mismatch", "it changed while it was moved")
        tag = None
        try:
            if is_small:
                tag = self._obstore.put(self._store, key, content, mode="create")["e_tag"]
            else:
                self._obstore.copy(self._store, part, key, overwrite=False)
        except self._obstore.exceptions.AlreadyExistsError:
            # obstore asks again when an answer gets lost: then the object in the way is our own.
            if not self._is_named(key, size, sha256):
                return True
        else:
            # What was copied has been read back under its other name; what was put has not.
            if is_small and self._hash_of(key) != sha256:
                # Somebody may have put another object there since: only our own is removed.
                if tag is not None and self._obstore.head(self._store, key)["e_tag"] == tag:
                    self._discard(key)
                raise TroubleError("checksum_mismatch", "the copy in the bucket")
            if not is_small and self._copies_later and self._hash_of(key) != sha256:
                raise TroubleError("bucket_away", "it is not ready with copying")
        if not is_small:
            self._discard(part)
        return False

    def _is_named(self, key: str, size: int | None, sha256: str) -> bool:
        try:
            # By its size first: an object of another size, however large, is not read.
            if size not in {None, self._obstore.head(self._store, key)["size"]}:
                return False
            return self._hash_of(key) == sha256
        except FileNotFoundError:
            return False

    def _hash_of(self, key: str) -> str:
        digest = hashlib.sha256()
        size, at = self._obstore.head(self._store, key)["size"], 0
        while at < size:
            end = min(at + PIECE_BYTES, size)
            digest.update(self._obstore.get_range(self._store, key, start=at, end=end))
            self._note_work()
            at = end
        return digest.hexdigest()

    def _put_new(self, key: str, content: bytes) -> bool:
        """False: there is such an object."""
        try:
            self._obstore.put(self._store, key, content, mode="create")
        except self._obstore.exceptions.AlreadyExistsError:
            return False
        return True

    def _discard(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, key)


def explain(error: BaseException) -> BucketAnswer:
    """The answer for an error of obstore or of this disk.

    Of its text only the status and the store's own code are told: the rest may hold addresses and keys.
    """
    kind = type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        return BucketAnswer("permission_denied", "the file here cannot be read")
    text = str(error)[:LINE_BYTES]
    status = re.search(r"status code: (\d{3})", text)
    code = re.search(r"<Code>(\w{1,64})</Code>", text)
    detail = ", ".join(found[1] for found in (status, code) if found)
    if kind in {"GenericError", "JoinError"} and not (status and status[1].startswith("4")):
        reasons = ("dns error", "Connection refused", "timed out", "invalid peer certificate")
        seen = next((reason for reason in reasons if reason.lower() in text.lower()), "")
        return BucketAnswer("bucket_away", detail or seen.lower())
    if kind in {"ValueError", "TypeError", "UnknownConfigurationKeyError", "NotSupportedError"}:
        return BucketAnswer("bucket_refused", "its settings cannot be used")
    if kind == "PanicException":
        return BucketAnswer("bucket_away", "obstore failed")
    return BucketAnswer("bucket_refused", detail or kind.removesuffix("Error").lower())
