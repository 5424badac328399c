"""What the agent and a bucket's process say to each other: one JSON object a line, question and answer.

agent                   process
----------------------  ----------------------------------------------------------------------------
Opening                 BucketAnswer; its code says why the bucket cannot be asked at all
CheckBucket, StageFile  BucketAnswer; before it a `Working` for each piece that went or came
GiveName, IsNamed       the same
end of the pipe         ends at once, whatever it is at
"""

from __future__ import annotations

from msgspec import Struct

LINE_BYTES = 64 * 1024
"""Of one message at most."""


class Opening(Struct, frozen=True, tag=True):
    """The first message. Its options hold keys: it is on no command line, and in no log."""

    scheme: str
    bucket: str
    prefix: str
    options: dict[str, str]
    """As obstore names them."""
    is_plain: bool = False
    """Whether `http://` is meant: the settings name such an endpoint."""
    proxy: str = ""

    def __repr__(self) -> str:
        return f"<Opening {self.scheme}://{self.bucket}>"


class CheckBucket(Struct, frozen=True, tag=True):
    """Is it there, may we write, and does it refuse to replace an object?"""


class StageFile(Struct, frozen=True, tag=True):
    """Hash a file; one that is too large for a single put is sent under `part` and read back."""

    file: str
    part: str


class GiveName(Struct, frozen=True, tag=True):
    """Put a staged file under its key, which must be free."""

    file: str
    part: str
    key: str
    sha256: str


class IsNamed(Struct, frozen=True, tag=True):
    """Does this key hold this content?"""

    file: str
    """The one here, whose size it must have, if it is still there."""
    key: str
    sha256: str


class Discard(Struct, frozen=True, tag=True):
    """Remove a part."""

    part: str


Question = Opening | CheckBucket | StageFile | GiveName | IsNamed | Discard


class Working(Struct, frozen=True, tag=True):
    """Another piece went: it is slow, not dead."""


class BucketAnswer(Struct, frozen=True, tag=True):
    """How it went."""

    code: str = ""
    """A code of `model/errors`; empty: well."""
    detail: str = ""
    sha256: str = ""
    """Of a staged file."""
    is_so: bool = False
    """The answer to `IsNamed`; of `GiveName`, that the key is another's."""


Reply = Working | BucketAnswer
