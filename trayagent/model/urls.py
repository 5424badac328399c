"""Web addresses: what we accept, what makes two the same, and what of them may be shown."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urljoin, urlsplit, urlunsplit

from trayagent.model.addresses import canonical_host
from trayagent.model.errors import DownloadError

MAX_LENGTH: Final = 32_768
"""Characters; no server we know of answers to more."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_USUAL: Final = re.compile(
    r"(https?)://([a-z0-9.-]+(?::\d+)?)/[!-\"$->@-~]*(?:\?[!-\"$-~]+)?", re.ASCII
)
"""Most URLs: path and perhaps query in ASCII, no user, no fragment; good as they are if the host is."""
_CHECKED: Final = re.compile(r"(https?)://([^/?#]*)(.*)", re.DOTALL)
_ABSOLUTE: Final = re.compile(r"https?://[^/\\?#]", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]|[^\S ]")
_INVISIBLE_EDGE: Final = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_SECRET: Final = re.compile(r"[?#\s]")
"""What begins the part of a URL that is never shown."""
_ODD_SLASHES: Final = re.compile(
    r"\A(https?):(?:/|///+)(?=(?:[^/?#:@]*\.|localhost|[^/?#:@]+:\d|\[)[^/?#@]*(?:[/?#]|$))",
    re.IGNORECASE,
)
"""`http:/host/x` and `http:///host/x`, where a dot, a port or brackets tell that it is a host."""
_HAS_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@lru_cache(maxsize=256)  # asked again at every station of the same download
def check(url: str) -> str:
    """The URL as we use it: trimmed, with scheme and host as they would be connected to.

    User and password stay in it (`split_userinfo` takes them off), and so does the fragment.
    Raises DownloadError `bad_url` for anything but an http(s) URL with a usable host and port.
    """
    if usual_parts(url) is not None:
        return url
    url = trim(url)
    if len(url) > MAX_LENGTH:
        raise DownloadError("bad_url", "it is too long")
    # No mending here: a line break in a URL is how requests are smuggled. Lists are mended by `unpaste`.
    if _FORBIDDEN.search(url):
        problem = "it contains spaces or control characters"
        if re.search(r"\shttps?://", url, re.IGNORECASE):
            several = looks_absolute(url)
            problem = (
                "it holds several addresses; write each by itself"
                if several
                else "an address stands behind other words; write it by itself"
            )
        raise DownloadError("bad_url", problem)
    if not looks_absolute(url):
        raise DownloadError("bad_url", "it must start with http:// or https://")
    parts = _split(url)
    return urlunsplit(parts._replace(netloc=_canonical(parts.scheme, parts.netloc)))


def usual_parts(url: str) -> tuple[str, str, str] | None:
    """Scheme, host with port, path with query of a URL that `check` takes as it is; None: it has to look."""
    usual = _USUAL.fullmatch(url)
    if not usual or len(url) > MAX_LENGTH or _canonical(usual[1], usual[2]) != usual[2]:
        return None
    return usual[1], usual[2], url[usual.end(2) :]


def trim(text: str) -> str:
    """Without spaces of any kind and invisible characters at its ends."""
    previous: str | None = None
    if text.isascii():
        return text.strip()
    # Spaces and invisible characters can alternate at an end.
    while previous != text:
        previous, text = text, text.strip().strip(_INVISIBLE_EDGE)
    return text


def looks_absolute(text: str) -> bool:
    """Whether a text begins as an http(s) URL does; `check` says whether it is a good one."""
    return _ABSOLUTE.match(text) is not None


def normalise(url: str) -> str:
    """The identity of a URL: scheme and host in lower case, no default port, user or fragment; the rest as it is.

    Raises DownloadError `bad_url` as `check` does.
    """
    parts = urlsplit(check(url))
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))


def identity(checked: str) -> tuple[str, str]:
    """`normalise` and `authority` of a URL that `check` returned and that holds no user, without a second check."""
    scheme, netloc, rest = parts_of(checked)
    default = "" if _PORT.search(netloc) else f":{DEFAULT_PORTS[scheme]}"
    rest = rest.partition("#")[0]
    return f"{scheme}://{netloc}{rest if rest[:1] == '/' else '/' + rest}", netloc + default


_PORT: Final = re.compile(r":\d+$")


def parts_of(checked: str) -> tuple[str, str, str]:
    """Scheme, user with host and port, and all the rest of a URL that `check` returned."""
    match = _CHECKED.fullmatch(checked)
    assert match is not None
    return match[1], match[2], match[3]


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454 §4); raises DownloadError `bad_url`."""
    parts = urlsplit(check(url))
    return parts.scheme, *_host_port(parts.scheme, parts.netloc)


def authority(url: str) -> str:
    """`host:port`, always with the port, IPv6 in brackets; raises DownloadError `bad_url`."""
    _, host, port = origin(url)
    return f"{_in_brackets(host)}:{port}"


def split_userinfo(url: str) -> tuple[str, str | None, str | None]:
    """The URL without user and password, and those two, percent-decoded, or None."""
    if "@" not in url:
        return url, None, None
    parts = urlsplit(url)
    userinfo, at, netloc = parts.netloc.rpartition("@")
    if not at:
        return url, None, None
    user, colon, password = userinfo.partition(":")
    return (
        urlunsplit(parts._replace(netloc=netloc)),
        unquote(user),
        unquote(password) if colon else None,
    )


def redact(url: str) -> str:
    """The part that may be shown and logged: no user, password, query or fragment. Never raises."""
    # By hand, because it must work for what no parser takes: logs show broken URLs, too.
    bare = _SECRET.split(url, maxsplit=1)[0]
    scheme, slashes, rest = bare.partition("://")
    if not slashes:
        return bare.rpartition("@")[2]
    netloc, slash, path = rest.partition("/")
    return scheme + slashes + netloc.rpartition("@")[2] + slash + path


def resolve(base: str, location: str) -> str:
    """The URL a redirect from `base` leads to, without its fragment (RFC 9110 §10.2.2).

    Raw spaces and non-ASCII bytes are percent-encoded, as browsers do, a backslash at the beginning is a
    slash, and a slash too few or too many before the host is none (as curl has it). Everything that is not
    http(s), or that browsers and libraries read differently, is DownloadError `bad_url`.
    """
    # What browsers forgive is forgiven, so that a link that works there works here; whatever they and
    # our libraries read differently is refused, since the checked host might not be the one that is asked.
    location = _ODD_SLASHES.sub(r"\1://", location.strip(" \t\r\n"), count=1)
    if re.match(r"\\(?![/\\])", location):
        location = "/" + location[1:]
    if not location or "\\" in location[:2] or re.match(r"//(?:[/\\?#]|$)", location):
        raise DownloadError("bad_url", "the redirect leads nowhere")
    if _HAS_SCHEME.match(location) and not _ABSOLUTE.match(location):
        raise DownloadError("bad_url", "the redirect does not lead to a web address")
    # A host that is not ASCII is mapped by `check`; percent-encoding would spoil it.
    named = re.match(r"(?:https?:)?//([^/?#]*)", location, re.IGNORECASE)
    is_foreign = bool(named and not named[1].isascii())
    try:
        joined = urljoin(base, location if is_foreign else ascii_only(location))
    except ValueError as error:
        raise DownloadError("bad_url", "the redirect is malformed") from error
    return check(joined.partition("#")[0])


def unpaste(text: str) -> str:
    """A link out of what people and programs paste: its raw spaces as %20, as browsers have it.

    Quotes or brackets around it go, and so does a comment behind it. Where another link or an option
    follows, nothing is changed: nobody can tell what is meant.
    """
    text = trim(text)
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        text = trim(quoted[2])
    if " " not in text or not looks_absolute(text):
        return text
    link = _COMMENT.sub("", text).rstrip()
    return text if _FOLLOWED.search(link) else link.replace(" ", "%20")


_QUOTED: Final = re.compile(r"([\"'<])(.*)[\"'>]", re.DOTALL)
_COMMENT: Final = re.compile(r"\s#.*", re.DOTALL)
_FOLLOWED: Final = re.compile(
    r"\s[\"'<]?(?:https?://|--[a-z]|-[A-Za-z](?:\s|$)|[a-z][a-z-]*=)", re.IGNORECASE
)
"""Another link, or an option as of a command line or an aria2 list."""


def looks_expired(url: str, status: int) -> bool:
    """Whether an answer with this status refuses a link that was only meant for a time.

    By the parameters that the signed links of the common CDNs carry. Most answer 403 or 410 once the time is
    over, a storage whose session has ended 400, some 401; one answers 404.
    """
    parts = urlsplit(url)
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if status == 404:
        return names >= _SIGNED_404
    if status == 400:
        return bool(names & _SIGNED_400)
    if status not in (401, 403, 410):
        return False
    # Refused by a signed link: not "forbidden", because its page can give a fresh one.
    signed = bool(names & _SIGNED) or any(names >= pair for pair in _SIGNED_BY_SEVERAL)
    return signed or _SIGNED_PATH.search(parts.path) is not None


_SIGNED: Final = frozenset(
    # storages: S3, Google, Azure, Alibaba, Tencent, Huawei, Swift
    "x-amz-signature x-amz-expires x-goog-signature x-goog-expires awsaccesskeyid googleaccessid sig se"
    " ossaccesskeyid x-oss-signature x-oss-expires q-sign-time q-signature x-cos-security-token temp_url_sig"
    " temp_url_expires x-obs-signature signature"
    # CDNs: CloudFront, Akamai, TikTok, Alibaba, Tencent, Wangsu, Bilibili, YouTube and many small ones
    " policy key-pair-id hdnea hdnts hdntl hdnet __token__ x-expires x-signature auth_key txsecret wssecret"
    " upsig deadline expire expires exp token_expires validuntil valid_until validto expiry expiration"
    " expires_at expiresat e_ts md5hash ttl".split()
)
"""Parameters of which one tells that a link was signed for a time, in lower case."""
_SIGNED_BY_SEVERAL: Final = (
    frozenset({"oe", "oh"}),  # Facebook, Instagram
    frozenset({"ex", "is", "hm"}),  # Discord
    frozenset({"st", "e"}),  # nginx secure_link
    frozenset({"h", "e"}),
    frozenset({"nva", "hash"}),  # "not valid after"
    frozenset({"verify", "t"}),
    frozenset({"sign", "t"}),
    frozenset({"token", "t"}),
    frozenset({"hash", "t"}),
    frozenset({"hmac", "t"}),
    frozenset({"md5", "t"}),
)
"""Short parameters that tell it only together."""
_SIGNED_404: Final = frozenset({"ex", "is", "hm"})
"""Of the one that denies an expired link, as though there had never been a file."""
_SIGNED_400: Final = frozenset({"x-amz-security-token", "x-goog-signature", "x-oss-security-token"})
"""Of storages that call the token of an ended session a bad request (ExpiredToken)."""
_SIGNED_PATH: Final = re.compile(
    r"[/~,](?:exp|expires?|st|hmac)=[^/]*(?:~|hmac=|$|/)", re.IGNORECASE
)
"""Akamai's and Vimeo's token, in the path: `/exp=1700000000~acl=…~hmac=…/`."""


def ascii_only(text: str) -> str:
    """Part of a URL with its non-ASCII characters percent-encoded, and spaces, as browsers do."""
    return quote(text.encode("utf-8", "surrogateescape"), safe=_URL_PUNCTUATION)


def basic_auth(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617, in UTF-8)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


_URL_PUNCTUATION: Final = "%:/?#[]@!$&'()*+,;=-._~|^`{}\"<>\\"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise DownloadError("bad_url", "the host is malformed") from error


@lru_cache(maxsize=1024)  # lists name the same few servers again and again
def _canonical(scheme: str, netloc: str) -> str:
    userinfo, at, _ = netloc.rpartition("@")
    host, port = _host_port(scheme, netloc)
    shown_port = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    return f"{userinfo}{at}{_in_brackets(host)}{shown_port}"


def _host_port(scheme: str, netloc: str) -> tuple[str, int]:
    if "\\" in netloc:
        raise DownloadError("bad_url", "the host is malformed")
    netloc = netloc.rpartition("@")[2]
    try:
        port = SplitResult(scheme, netloc, "", "", "").port
    except ValueError as error:
        raise DownloadError("bad_url", "the port is not a port") from error
    if port == 0:
        raise DownloadError("bad_url", "the port is not a port")
    host = netloc[: netloc.index("]") + 1] if netloc.startswith("[") else netloc.partition(":")[0]
    try:
        return canonical_host(host), port or DEFAULT_PORTS[scheme]
    except ValueError as error:
        raise DownloadError("bad_url", str(error)) from error


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host
