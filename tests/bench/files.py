"""Files for the server: random bytes, made once."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.bench.server import Server


def one(name: str, size: int) -> Callable[[Server], list[str]]:
    """A single file of `size` bytes."""

    def prepare(server: Server) -> list[str]:
        path = server.root / name
        if not path.exists():
            _fill(path, size, random.Random(1))
        return [name]

    return prepare


def many(
    folder: str, count: int, smallest: int, largest: int, ending: str
) -> Callable[[Server], list[str]]:
    """`count` files of random sizes in a folder, with a list of their URLs for each kind of client."""

    def prepare(server: Server) -> list[str]:
        dice = random.Random(2)
        names = [f"{folder}/{number:05}{ending}" for number in range(count)]
        (server.root / folder).mkdir(exist_ok=True)
        for name in names:
            if not (server.root / name).exists():
                _fill(server.root / name, dice.randint(smallest, largest), dice)
        for scheme, base in (("plain", server.plain), ("tls", server.tls)):
            urls = [f"{base}/{name}" for name in names]
            (server.root / f"{folder}-{scheme}.txt").write_text("\n".join(urls) + "\n")
            curl = "".join(f'url="{url}"\nremote-name\n' for url in urls)
            (server.root / f"{folder}-{scheme}.curl").write_text(curl)
        return names

    return prepare


def _fill(path: Path, size: int, dice: random.Random) -> None:
    with path.open("wb") as file:
        while size > 0:
            file.write(dice.randbytes(min(size, 1 << 24)))
            size -= 1 << 24
