"""Which items may enter: the checks every way in has in common, as a pure decision."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import structs

from trayagent.model import filenames, units, urls
from trayagent.model.downloads import QUALITY, Cookie, Item
from trayagent.model.errors import DownloadError, TrayagentError
from trayagent.model.jobs import DownloadSecrets, New, Order
from trayagent.model.pieces import Pieces

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What a header's name may be (RFC 9110 §5.6.2)."""
CONNECTION_HEADERS: Final = frozenset("connection host keep-alive te trailer upgrade".split())
"""Names that belong to one connection: a proxy does not pass them on (RFC 9110 §7.6.1). With them go
all that begin with `proxy-`. The framing stays, because a body is passed on as it came."""
OWN_HEADERS: Final = CONNECTION_HEADERS | frozenset(
    "accept-encoding content-length expect if-range proxy-authorization proxy-connection range"
    " transfer-encoding".split()
)
"""Names that only we set, whoever asks: another value would frame the request anew (smuggling), or
bring other bytes than the part that is asked for."""
_REFUSED_HEADERS: Final = OWN_HEADERS | frozenset(
    "content-encoding content-type if-match if-modified-since if-none-match if-unmodified-since via".split()
)
"""Names that no item may carry: besides our own those that describe a body, which a GET has not, and
conditions, whose answer (304, 412) is no file."""
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}|all")
_OUTSIDE: Final = "Folder and file name must stay inside the downloads folder."
_HEX: Final = {"md5": 32, "sha-1": 40, "sha-224": 56, "sha-256": 64, "sha-384": 96, "sha-512": 128}


class RefusedItemError(TrayagentError):
    """An item that cannot enter the queue; `code` is `bad_url` or `bad_item`."""


def item_error(message: str) -> RefusedItemError:
    """A refusal that names what is wrong."""
    return RefusedItemError("bad_item", message, "Correct it and add it again.")


def validate(item: Item) -> New:
    """The checked item with its secrets set apart.

    Raises DownloadError `bad_url`, or RefusedItemError, for what must not enter.
    """
    # 1. Addresses: the URL gives up its user, which is a secret; no other address may hold one.
    url, user, password = urls.split_userinfo(urls.check(item.url))
    if item.referer and not item.referer.isascii():  # browsers send it percent-encoded
        item = structs.replace(item, referer=urls.ascii_only(urls.check(item.referer)))
    for mirror in item.mirrors:
        urls.check(mirror)
    # 2. What is sent along, and what form of a video is wanted.
    _check_sent(item)
    _check_file(item)
    others = (*item.mirrors, item.referer, item.page_url)
    for other in filter(None, others):
        if urls.split_userinfo(other)[1] is not None:
            raise item_error("Only the address itself may hold a user name and a password.")
    # 3. Where it goes. Found out only at the disk, it would make the download wait for ever.
    if any(map(_climbs, filter(None, (item.folder, item.filename)))):
        raise item_error(_OUTSIDE)
    try:
        filenames.safe_folder(item.folder)
    except DownloadError as error:
        raise item_error(_OUTSIDE) from error
    # 4. A user in the URL is a header from here on; one that was given by name counts more.
    headers = dict(item.headers)
    if user is not None and not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = urls.basic_auth(user, password or "")
    key, host = urls.identity(url)
    return New(
        key=key,
        url=url,
        host=host,
        order=Order.of(item),
        secrets=DownloadSecrets(headers, _at_home(item.cookies, url) if item.cookies else ()),
        paused=item.paused,
        urgent=item.next,
        again=item.again,
        engine=item.engine,
    )


def _at_home(cookies: tuple[Cookie, ...], url: str) -> tuple[Cookie, ...]:
    """Cookies that all have a domain: those without one get the host of this URL."""
    if all((cookie.domain or "").strip() for cookie in cookies):
        return cookies
    host = urls.origin(url)[1]
    return tuple(
        cookie if (cookie.domain or "").strip() else structs.replace(cookie, domain=host)
        for cookie in cookies
    )


def mend(item: Item) -> tuple[Item, tuple[str, ...]]:
    """An item of a list without what other programs write there and no request may carry; a warning for each.

    1. A link has its raw spaces encoded (`urls.unpaste`).
    2. Headers that only we may set, or whose name is none, go.
    3. `Referer` and `User-Agent` among the headers become the fields they are.
    4. A referer or a page that is no web address goes: a browser's own page, an add-on's.
    """
    changes: dict[str, Any] = {"url": urls.unpaste(item.url)}
    if item.mirrors:
        changes["mirrors"] = tuple(map(urls.unpaste, item.mirrors))
    warnings: list[str] = []
    headers: dict[str, str] = {}
    for name, value in item.headers.items():
        field = _FIELDS.get(name.lower())
        if field:
            changes[field] = getattr(item, field) or value
        elif name.lower() in _REFUSED_HEADERS:
            warnings.append(f"The header {name[:40]} is left out: we set it ourselves.")
        elif not TOKEN.fullmatch(name):
            warnings.append(f"The header {name[:40]!r} is left out: no header has such a name.")
        else:
            headers[name] = value
    changes["headers"] = headers
    for field, word in (("referer", "referer"), ("page_url", "page")):
        given = changes.get(field) or getattr(item, field)
        changes[field] = _web_address(given) if given else None
        if given and not changes[field]:
            warnings.append(f"The {word} is left out: it is no web address.")
    return structs.replace(item, **changes), tuple(warnings)


_FIELDS: Final = {"referer": "referer", "referrer": "referer", "user-agent": "user_agent"}
"""Headers that an item has a field for."""


def _web_address(text: str) -> str | None:
    """An address that may be sent along, without a user; None for what is none."""
    try:
        return urls.split_userinfo(urls.check(text))[0]
    except DownloadError:
        return None


def _climbs(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return ".." in parts or (len(parts) > 1 and (parts[0] == "" or parts[0].endswith(":")))


def _check_sent(item: Item) -> None:
    """Refuse what may not be sent along: headers, cookies, addresses of pages."""
    for name, value in item.headers.items():
        if not TOKEN.fullmatch(name) or name.lower() in _REFUSED_HEADERS:
            raise item_error(f"The header {name[:40]!r} may not be set.")
        _check_value(f"The header {name[:40]}", value)
    if item.user_agent is not None:
        _check_value("The user agent", item.user_agent)
    if item.referer is not None:
        _check_value("The referer", item.referer)
        urls.check(item.referer)
    if item.page_url is not None:
        urls.check(item.page_url)
    for cookie in item.cookies:
        if not TOKEN.fullmatch(cookie.name):
            raise item_error("A cookie's name holds characters that may not be sent.")
        # A semicolon would begin another cookie, a line break another header.
        if any(c in ";\r\n\0" or c < " " or c > "~" for c in cookie.value):
            raise item_error(
                f"The cookie {cookie.name[:40]} holds characters that may not be sent."
            )


def _check_value(what: str, value: str) -> None:
    if len(value) > 16384 or not all(
        c == "\t" or " " <= c <= "~" or "\xa0" <= c <= "\xff" for c in value
    ):
        raise item_error(f"{what} holds characters that may not be sent, or is too long.")


def _check_file(item: Item) -> None:
    """Refuse what says of the file something that cannot be meant."""
    if item.checksum is not None:
        algorithm, _, digest = item.checksum.partition("=")
        if _HEX.get(algorithm) != len(digest):
            raise item_error(
                f"The checksum must be one of {', '.join(_HEX)} with as many hex digits as it has."
            )
    if item.pieces is not None:
        try:
            pieces = Pieces.parse(item.pieces)
        except ValueError as error:
            raise item_error(f"The pieces are wrong: {error}.") from error
        if item.size is not None and not pieces.fits(item.size):
            raise item_error("There are more or fewer pieces than a file of this size has.")
    if item.speed_limit is not None:
        try:
            units.parse_size(item.speed_limit)
        except ValueError as error:
            raise item_error(f"The speed limit is wrong: {error}.") from error
    if item.quality is not None and not QUALITY.fullmatch(item.quality):
        raise item_error("The quality must be best, worst, audio or a height like 1080.")
    if not all(map(_LANGUAGE.fullmatch, item.subtitles)):
        raise item_error("Subtitles are named by their languages, like en or pt-BR.")
