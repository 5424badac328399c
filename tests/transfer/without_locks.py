"""A process whose locks the kernel refuses, as it does on a share that has none; it keeps settled records.

`python without_locks.py FOLDER`; each line of its input is `note OWNER`, `forget OWNER` or `owners`, and is
answered with the owners that it knows.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
import time
from pathlib import Path

from trayagent.transfer.settled import Settled, SettledFiles

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_FLOCK = {"x86_64": 73, "aarch64": 32}
CAN_REFUSE = sys.platform == "linux" and platform.machine() in _FLOCK


def refuse_locks() -> None:
    """From now on flock(2) says ENOLCK to this process (seccomp(2)): three instructions look at the call's number."""
    load, compare, give = 0x20, 0x15, 0x06
    refuse, allow = 0x0005_0000 | errno.ENOLCK, 0x7FFF_0000
    program = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (load, 0, 0, 0),
            (compare, 0, 1, _FLOCK[platform.machine()]),
            (give, 0, 0, refuse),
            (give, 0, 0, allow),
        )
    )
    kept = ctypes.create_string_buffer(program)
    filter_of = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, filter_of, 0, 0)):
        if libc.prctl(*words):
            raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def main(folder: Path) -> None:
    """Do as the lines say."""
    refuse_locks()
    files = SettledFiles(folder)
    for line in sys.stdin:
        what, _, owner = line.strip().partition(" ")
        if what == "note":
            files.note(Settled(owner, f"/x/{owner}.bin", 7, 12, time.time()))
        elif what == "forget":
            files.forget([owner])
        print(*sorted(files.owners()), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
