"""A bucket's process as the agent sees it: started apart from us, listened to within bounds, killed at the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from trayagent.child_process import ChildProcess
from trayagent.model.errors import SENTENCES, DownloadError
from trayagent.targets.messages import LINE_BYTES, BucketAnswer, Opening, Question, Reply

# `bucket_worker` gives a request 300 s, and two more tries within two minutes.
SILENCE_SECONDS: Final = 900.0
"""After which it is taken for dead: longer than one request may take, with all its tries."""
_PASSED_ON: Final = frozenset(
    "PATH LANG LC_ALL TZ SYSTEMROOT WINDIR SSL_CERT_FILE SSL_CERT_DIR LD_LIBRARY_PATH".split()
)
_PREFIXES: Final = ("AWS_", "GOOGLE_", "AZURE_")
"""Variables of these stores, which obstore knows how to read; no proxies, and no PYTHON… of a person's."""
_START_CODE: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from trayagent.targets.bucket_worker import main; sys.exit(main())"
)
_DECODER: Final[msgspec.json.Decoder[Reply]] = msgspec.json.Decoder(Reply)


def _command() -> list[str]:
    """This Python, isolated; a frozen program starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "targets", "bucket-worker"]
    return [sys.executable, "-I", "-c", _START_CODE, str(Path(__file__).parents[2])]


class BucketProcess:
    """One running process; made by `start`."""

    def __init__(self, process: ChildProcess) -> None:
        self._process = process

    def __repr__(self) -> str:
        return f"<BucketProcess, {self._process!r}>"

    @classmethod
    async def start(cls, opening: Opening, environ: Mapping[str, str]) -> BucketProcess:
        """One that has opened the bucket. Raises DownloadError."""
        kept = {
            name: value
            for name, value in environ.items()
            if name.upper() in _PASSED_ON or name.upper().startswith(_PREFIXES)
        }
        started = cls(await ChildProcess.start(_command(), kept, LINE_BYTES))
        try:
            await started.ask(opening)
        except BaseException:
            await started.end()
            raise
        return started

    async def ask(self, question: Question) -> BucketAnswer:
        """Its answer. Raises DownloadError for one that is a code, and when there comes none."""
        await self._process.tell(msgspec.json.encode(question))
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    line = await self._process.read_line()
                reply = _DECODER.decode(line)
            except TimeoutError:
                raise DownloadError("bucket_away", "it took too long") from None
            except (ValueError, msgspec.DecodeError):  # nothing, too much, or nonsense
                raise DownloadError("bucket_away", "its process ended") from None
            # `Working`: it is slow, not dead, so the silence begins anew.
            if not isinstance(reply, BucketAnswer):
                continue
            if reply.code:
                code = reply.code if reply.code in SENTENCES else "internal"
                raise DownloadError(code, reply.detail)
            return reply

    async def end(self) -> None:
        """Kill it: nothing that it was at is lost, since it decides by what the bucket holds."""
        await self._process.end()
