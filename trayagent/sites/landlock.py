"""Landlock: a process gives up for good what it will not need (Linux, landlock(7)).

What holds depends on the kernel's version of it: files from 1 (Linux 5.13), TCP connections from
4 (6.7), abstract sockets and signals to processes outside from 6 (6.12). UDP, and sockets that have
a place in the file system, are not covered. It is checked at run time; `holds` says it in words.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""The calls' numbers, the same on all machines that have them."""
_VERSION: Final = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_NO_NEW_PRIVILEGES: Final = 38
"""prctl(2): what is started gets no rights that we lack; Landlock asks for it."""

_EXECUTE, _WRITE, _READ, _LIST = (1 << bit for bit in range(4))
_TRUNCATE: Final = 1 << 14
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Version -> how many rights over files it knows; later ones know as many as 5."""
_CONNECT_AND_BIND: Final = 0b11
_CONNECT: Final = 0b10
_SCOPES: Final = 0b11
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_OF_FILES: Final = _EXECUTE | _WRITE | _READ | _TRUNCATE | 1 << 15
"""What can be granted on a single file; the rest is about folders."""


def version() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _system_call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))


def holds(found: int | None = None) -> str:
    """What a confined process cannot do here, in words; nothing where there is no Landlock."""
    level = version() if found is None else found
    if level < 1:
        return ""
    return "files and connections" if level >= 4 else "files, but not connections"


def confine(read: Iterable[str], write: Iterable[str], port: int) -> bool:
    """Keep this thread, and all it starts, to these files and folders and to one TCP port.

    False where the kernel cannot; raises OSError where it should but does not.
    """
    level = version()
    if not level:
        return False
    # A ruleset names all rights it takes away; what no rule gives back is gone for good. The kernel
    # refuses rights, and fields of the structure, that its version does not know.
    every = (1 << _RIGHTS.get(level, 16)) - 1
    looks = (_EXECUTE | _READ | _LIST) & every
    attributes = struct.pack(
        "=QQQ", every, _CONNECT_AND_BIND if level >= 4 else 0, _SCOPES if level >= 6 else 0
    )[: 24 if level >= 6 else 16 if level >= 4 else 8]
    rules = _require(_system_call(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for places, rights in ((read, looks), (write, every)):
            for place in places:
                _allow(rules, place, rights)
        if level >= 4:
            # Older kernels cannot keep a process from connecting: `holds` says so to people.
            beneath = struct.pack("=QQ", _CONNECT, port)
            _require(_system_call(_ADD, ctypes.c_int(rules), _NET_PORT, beneath, 0))
        libc = ctypes.CDLL(None, use_errno=True)
        _require(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _require(_system_call(_RESTRICT, ctypes.c_int(rules), 0))
    finally:
        os.close(rules)
    return True


def needs(ask_folders: Iterable[str | None], programs: Iterable[str | None]) -> list[str]:
    """What Python, its libraries, these programs and secure connections are read from."""
    import ssl

    paths = ssl.get_default_verify_paths()
    own = Path(__file__).parents[1]
    # Not all of `sys.path`: what we are imported from may be a folder with other things in it.
    modules = [path for path in sys.path if path and Path(path) != own.parent]
    system = (
        "/lib /lib64 /usr/lib /usr/lib64 /usr/share/zoneinfo /usr/share/ca-certificates".split()
    )
    etc = "ssl pki ca-certificates ld.so.cache localtime nsswitch.conf host.conf resolv.conf hosts mime.types"
    devices = ["/dev/urandom", "/dev/random", "/dev/zero", "/proc/cpuinfo", "/proc/meminfo"]
    certificates = [paths.cafile, paths.capath, *map(os.environ.get, _CERTIFICATES)]
    python = [
        sys.executable,
        sys.prefix,
        f"{sys.base_prefix}/lib",
        os.path.realpath(sys.executable),
    ]
    found = [
        *(python if not getattr(sys, "frozen", False) else [str(Path(sys.executable).parent)]),
        *(str(own), *modules, *system, *(f"/etc/{name}" for name in etc.split()), *devices),
        *(*certificates, *ask_folders),
        *(name for program in programs if program for name in (program, os.path.realpath(program))),
    ]
    return [name for name in dict.fromkeys(found) if name]


def _allow(rules: int, place: str, rights: int) -> None:
    """Grant rights below a place; one that is not there needs none."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        where = os.open(place, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]
        try:
            if not stat.S_ISDIR(os.fstat(where).st_mode):
                rights &= _OF_FILES  # the kernel refuses rights over folders for a file
            beneath = struct.pack("=Qi", rights, where)
            _require(_system_call(_ADD, ctypes.c_int(rules), _PATH_BENEATH, beneath, 0))
        finally:
            os.close(where)


def _system_call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(ctypes.c_long(number), *arguments))


def _require(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
