"""No network but loopback: an audit hook sees every connection this process tries, from any library.

Programs that a test starts are not covered; they get loopback addresses only.
"""

import contextlib
import ipaddress
import socket
from typing import Any

SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
NEVER_RESOLVED = (".invalid", ".test", ".example")  # RFC 6761: safe to answer for

attempts: list[str] = []


class OutsideNetworkError(RuntimeError):
    """A test tried to leave this machine; no OSError, so that no retry swallows it."""


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse and remember what leaves the machine (the signature is sys.addaudithook's)."""
    if event in SENDS:
        address = arguments[1]
        if isinstance(address, tuple) and isinstance(address[0], str) and not inside(address[0]):
            refuse(f"{event} {address[0]}:{address[1]}")
    elif event in LOOKUPS:
        look_up(event, arguments[0])


def look_up(event: str, host: object) -> None:
    """Let literals and loopback names through; answer for names that can never exist."""
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str) or inside(name) or is_literal(name):
        return
    if name.rstrip(".").endswith(NEVER_RESOLVED):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    refuse(f"{event} {name}")


def inside(host: str) -> bool:
    """Tell whether a host is this machine."""
    name = host.lower().rstrip(".")
    if name in {"", "localhost"} or name.endswith(".localhost"):
        return True
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(name.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback
    return False


def is_literal(host: str) -> bool:
    """Tell whether a host is an address already, so that looking it up asks nobody."""
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(host.partition("%")[0]))
    return False


def refuse(what: str) -> None:
    """Note the attempt, for the test must fail even if the code under test swallows the error."""
    attempts.append(what)
    raise OutsideNetworkError(f"tests stay on loopback: {what}")
