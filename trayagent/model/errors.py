"""Errors that introduce themselves: a code, one plain sentence and one next action."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "bad_url": (
        "This is not a web address we can download.",
        "Check the address and add it again.",
    ),
    "blocked_address": (
        "The address, or a redirect of it, leads into a private network.",
        "If you trust it, add its host:port to network.allow in the settings and retry.",
    ),
    "not_found": ("The server has no such file.", "Check the link on its page; it may have moved."),
    "forbidden": (
        "The server refused access to the file.",
        "Open its page in the browser and send it again.",
    ),
    "needs_login": (
        "The server asks for a login instead of sending the file.",
        "Sign in in the browser and send it again with cookies.",
    ),
    "link_expired": (
        "The link has expired.",
        "Open its page and send it again; it goes on from what has arrived, where the server allows it.",
    ),
    "server_busy": (
        "The server asked us to slow down.",
        "Give it time; if it has failed in the end, retry later.",
    ),
    "server_error": (
        "The server failed while answering.",
        "Retry later; the fault is on the server's side.",
    ),
    "network": ("The connection failed.", "Check the network connection, then retry."),
    "timeout": ("The server did not answer in time.", "Retry later."),
    "stalled": (
        "The data stopped flowing.",
        "Retry; it goes on from what has arrived, where the server allows it.",
    ),
    "tls": (
        "The secure connection could not be trusted.",
        "Check this machine's clock and the address.",
    ),
    "too_many_redirects": (
        "The server redirected us too many times.",
        "Open the page in the browser and send the file itself.",
    ),
    "not_media": (
        "The server sent something other than the media promised.",
        "Open the link in the browser to see what it is; to keep it anyway: trayagent add (or get) --kind file URL",
    ),
    "truncated": ("The file arrived incomplete.", "Retry."),
    "changed_on_server": (
        "The file changed on the server while we fetched it.",
        "Retry to fetch the new version.",
    ),
    "checksum_mismatch": (
        "The file does not match its checksum.",
        "Check the checksum, or tell the site its file is damaged.",
    ),
    "too_large": (
        "The file is larger than the limit.",
        "Raise downloads.max_size in the settings and retry.",
    ),
    "disk_full": (
        "There is not enough free space on the disk.",
        "Free some space; the agent then goes on by itself.",
    ),
    "permission_denied": (
        "We may not write to the folder.",
        "Check the folder's permissions or choose another folder.",
    ),
    "virus_found": (
        "This machine's virus protection refused the file.",
        "Look into its history; retry only if you trust the page that the file is from.",
    ),
    "needs_sites_extra": (
        "This is a video page, and the page engine is not installed.",
        "Install it with: pip install 'trayagent[sites]'",
    ),
    "no_media_found": (
        "No video or audio was found on this page.",
        "Play it in the browser and send the video itself.",
    ),
    "engine_away": (
        "The engine that is to fetch it does not answer.",
        "Its downloads wait and go on by themselves; see: trayagent engine test",
    ),
    "engine_forgot": (
        "The engine does not know this download any more; it may have finished it, or not.",
        "Look into its folder; if the file is not there, retry.",
    ),
    "engine_failed": (
        "The engine could not fetch it.",
        "See what it says; then retry, or add it again with engine=here.",
    ),
    "bucket_away": (
        "The bucket that finished files move to does not answer.",
        "They stay here and move by themselves when it does; check move.endpoint and the network.",
    ),
    "bucket_refused": (
        "The bucket that finished files move to refused us.",
        "Check move.to and its key: it must be allowed to read, write and delete there.",
    ),
    "bucket_replaces": (
        "The store replaces an object although it is asked not to, so nothing is moved to it.",
        "Use a store that knows If-None-Match, or a mount of the bucket; see docs/elsewhere.md.",
    ),
    "bucket_too_small": (
        "The file is larger than what the store copies in one piece, which are 5 GiB.",
        "It stays here; upload it with another program.",
    ),
    "needs_buckets_extra": (
        "Finished files are to move to a bucket, and what speaks with it is not installed.",
        "Install it with: pip install 'trayagent[buckets]'",
    ),
    "cancelled": ("The download was cancelled.", "Retry if you want it after all."),
    "internal": (
        "Something went wrong inside trayagent.",
        "Retry; if it stays, send us the report of: trayagent doctor --report",
    ),
}
"""Every code a download can end with: code -> (plain sentence, next action)."""


class CodeTraits(NamedTuple):
    """What a code implies for those who have to go on; see `TRAITS`."""

    is_retryable: bool = False
    """Time may mend it: worth another try by ourselves, with back-off."""
    blocks_folder: bool = False
    """The folder takes no files now: downloads wait until a person has mended it."""
    is_ours: bool = False
    """It lies on this machine: no other server, and no mirror, changes it."""
    ends_file: bool = False
    """All connections of the file stop; after any other code the rest of them goes on."""
    spoils_bytes: bool = False
    """What has arrived cannot be trusted: a retry begins anew."""
    is_final: bool = False
    """Nothing that the page engine has kept can still become the file."""
    is_access_refused: bool = False
    """The server wants somebody it knows: the page engine may know the way in."""
    stops_sync: bool = False
    """Fetching the files of a source would fail just as its listing did."""


TRAITS: Final[dict[str, CodeTraits]] = {
    # The server or the network: they may mend themselves.
    "server_busy": CodeTraits(is_retryable=True),
    "server_error": CodeTraits(is_retryable=True),
    "network": CodeTraits(is_retryable=True),
    "timeout": CodeTraits(is_retryable=True),
    "stalled": CodeTraits(is_retryable=True),
    "truncated": CodeTraits(is_retryable=True),
    # Bytes of two versions must not meet in one file, so no connection may go on.
    "changed_on_server": CodeTraits(is_retryable=True, ends_file=True),
    # This machine.
    "disk_full": CodeTraits(blocks_folder=True, is_ours=True, ends_file=True),
    "permission_denied": CodeTraits(blocks_folder=True, is_ours=True, ends_file=True),
    "too_large": CodeTraits(is_ours=True, ends_file=True, is_final=True),
    "virus_found": CodeTraits(is_ours=True, ends_file=True, spoils_bytes=True, is_final=True),
    # What died inside us may have left anything in the file.
    "internal": CodeTraits(is_ours=True, ends_file=True, spoils_bytes=True),
    # What came is not what was meant.
    "checksum_mismatch": CodeTraits(spoils_bytes=True, is_final=True),
    "not_media": CodeTraits(is_final=True),
    "no_media_found": CodeTraits(is_final=True),
    # Somebody has to sign in, or to look after the source.
    "forbidden": CodeTraits(is_access_refused=True),
    "needs_login": CodeTraits(is_access_refused=True, stops_sync=True),
    "signed_out": CodeTraits(stops_sync=True),
    "moved": CodeTraits(stops_sync=True),
    "insecure": CodeTraits(stops_sync=True),
}
"""The one table of what each code implies; a code that is not here implies nothing of it.

Whoever has to decide by an error asks here (`error.traits`, `traits_of(code)`) and keeps no set of
codes of his own.
"""


def traits_of(code: str) -> CodeTraits:
    """What a code implies, also one that only its message knows (of a stored error)."""
    return TRAITS.get(code, _NO_TRAITS)


_NO_TRAITS: Final = CodeTraits()


LOGIN_IS_GONE: Final = (
    "The cookies and headers that came with it are deleted now, and a retry goes without them:"
    " add it again, or send it again from the browser."
)
"""What to do about any failure of a download that was given secrets, beside what its code says."""


class TrayagentError(Exception):
    """The root of our errors.

    `code` is stable and machine-readable, `message` one plain sentence, `action` the next step.
    """

    def __init__(self, code: str, message: str, action: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.action = action

    @property
    def traits(self) -> CodeTraits:
        """What the code implies: whether to try again, what to keep, whom to ask."""
        return traits_of(self.code)


class DownloadError(TrayagentError):
    """Why one download cannot go on; `code` is a key of `SENTENCES`.

    `detail` makes the sentence more precise ("HTTP 403"), never holds a query string or a secret;
    `action` says the next step where the code's own would be too wide.
    `retry_after` is the server's own wish in seconds, or None. `found` says what came instead of a
    medium, where a page engine may make one of it. `spent` is False when the server was not asked at
    all, because its host is cooling down: such a download waits, and no try of it is used up.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        action: str = "",
        retry_after: float | None = None,
        found: Literal["html", "hls", "dash"] | None = None,
        spent: bool = True,
    ) -> None:
        sentence, usual_action = SENTENCES[code]
        message = f"{sentence[:-1]} ({detail})." if detail else sentence
        super().__init__(code, message, action or usual_action)
        self.detail = detail
        self.retry_after = retry_after
        self.found = found
        self.spent = spent

    def tell_login_is_gone(self) -> None:
        """Say in the action, once, that a retry has no secrets any more."""
        if not self.action.endswith(LOGIN_IS_GONE):
            self.action = f"{self.action} {LOGIN_IS_GONE}"


class NotFoundError(TrayagentError):
    """No such id (HTTP 404, exit code 4)."""


class WrongStateError(TrayagentError):
    """The download's state does not allow what was asked (HTTP 409 `wrong_state`)."""

    def __init__(self, message: str) -> None:
        super().__init__("wrong_state", message)


FREE_SPACE: Final = "Free some disk space, then try again."
"""The usual remedy where nothing can be saved."""


class StoreUnavailableError(TrayagentError):
    """The database cannot save or answer now (HTTP 503)."""

    def __init__(self, message: str, action: str = "Try again in a moment.") -> None:
        super().__init__("store_unavailable", message, action)


class ConfigError(TrayagentError):
    """The settings cannot be used; `problems` lists all of them, one sentence each (exit code 2)."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("bad_config", "\n".join(problems), "Correct the settings named above.")
        self.problems = problems
