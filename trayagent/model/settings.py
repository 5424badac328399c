"""The settings as one frozen value of frozen sections; reading and writing them is `settings`' work."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

# Every struct is a section of config.toml, every field a key; the sentence under a field is its help text
# in docs/configuration.md. Sizes and times are text, as people write them; `settings/rules` checks what a type
# cannot.


class DownloadSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How files are fetched, and where to."""

    folder: str = ""
    """Absolute once resolved; empty means the platform's Downloads folder."""
    workers: Annotated[int, Meta(ge=1, le=32)] = 4
    """Downloads at a time."""
    per_host: Annotated[int, Meta(ge=1, le=32)] = 4
    """Downloads at a time from one host; 1 is polite."""
    connections_per_host: Annotated[int, Meta(ge=1, le=64)] = 16
    """All segments of all downloads from one host together."""
    segments: Annotated[int, Meta(ge=1, le=16)] | Literal["auto"] = "auto"
    """Connections for one large file; "auto": as many as bring something."""
    retries: Annotated[int, Meta(ge=0, le=100)] = 5
    """Tries after the first, where waiting may help."""
    speed_limit: str = "0"
    """Bytes a second for everything together; "0" for none."""
    max_size: str = "50GB"
    """A larger file is not fetched."""
    keep_free: str = "512MB"
    """Room that is left on the disk; downloads wait until there is more."""


class HookSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The local HTTP door."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 17830
    """0 = any free one; a taken port means the next of ten."""
    aria2_origins: tuple[str, ...] = ()
    """Web pages, like `http://127.0.0.1:8090`, that may ask as foreign clients do: see clients.md first."""


class DropSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The watched folder."""

    folder: str = ""
    """Where lists are dropped; apart from the folders that files are saved in."""
    poll: bool = False
    """True for network shares without change events."""


class NetworkSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be reached, and through what."""

    private_addresses: Literal["refuse", "named", "allow"] = "named"
    """Hosts in your own network: never, when you name one yourself, or always."""
    allow: tuple[str, ...] = ()
    """`host:port` of private hosts that may always be reached."""
    proxy: str = ""
    """`http://host:port` or `socks5://host:port`; empty: none."""
    first_byte: str = "5m"
    """How long a server may think before its first byte; some make the file first."""
    http: Literal["1.1", "2"] = "1.1"
    """The HTTP spoken with download servers; 2 helps only where a host slows 1.1 down."""


class NotificationSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How much the popups say."""

    level: Literal["all", "errors", "none"] = "all"
    """Which popups are shown; the dashboard and the log have all."""


class LibrarySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where synced images go."""

    folder: str = ""
    """Below it: a folder for each source, and in it one for each day."""
    date: Literal["created", "downloaded"] = "created"
    """Which day names the folder, in local time."""


class SitesSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Video pages."""

    quality: str = "best"
    """`best`, `worst`, `audio`, or a height like `1080`: the best that is not higher."""


class FolderSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where files go that nobody named a folder for: inside the downloads folder, or a full path."""

    video: str = ""
    """Videos."""
    image: str = ""
    """Pictures."""
    audio: str = ""
    """Sound."""
    document: str = ""
    """Documents."""
    archive: str = ""
    """Archives and disk images."""
    sites: dict[str, str] = {}
    """`"example.com" = "Shows"`, right in the section: files of a site and its subdomains."""


class ScheduleSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Full speed outside these hours, `limit` inside."""

    limit: str = ""
    """Bytes a second inside the hours, such as `500kB`; also the speed of “slow”."""
    hours: str = ""
    """`08:00-18:00`, in local time; may go over midnight. Empty: none."""
    days: str = ""
    """`mon-fri`, or `sat, sun`; empty: every day."""


class SourceSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One remote library; which keys count depends on `type`."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    """Your word for it: small letters, digits, `-` and `_`."""
    type: Literal["flow", "json"] = "flow"
    """Flow, or any API that lists pages of JSON."""
    every: str = ""
    """`6h`: sync by itself; empty: only when asked."""
    labs_base: str = "https://labs.google/fx"
    """Where Flow's site is."""
    media_base: str = "https://aisandbox-pa.googleapis.com/v1"
    """Where Flow's media are."""
    api_key: str = ""
    """`env:NAME`, `keyring:NAME`, a literal; empty: found in the site's own script."""
    page_delay: str = "1-2s"
    """Politeness between two pages of a list."""
    base: str = ""
    """The API's address; `{base}` in the tables below."""
    list: dict[str, Any] = {}
    """How to ask for a page: `url`, `query`, `page_size`."""
    page: dict[str, Any] = {}
    """Where a page has its `items` and what comes `next`, and the `style` of paging."""
    item: dict[str, Any] = {}
    """Where an item has its `id`, `name`, `kind`, `created`, `size`, `sha256`, `url`."""
    fetch: dict[str, Any] = {}
    """How to get its file: `url`, `base64` for data inside the answer, `fallback`."""
    auth: dict[str, Any] = {}
    """`headers` and `query` with `{secret:NAME}` in them."""


class MoveSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Download here, verify, then move to a slower or shared disk."""

    to: str = ""
    """A folder, often of a share, or a bucket (`s3://NAME/folder`): files keep their folders; empty: they stay."""
    endpoint: str = ""
    """Of an S3 server that is not Amazon's: `http://nas.lan:9000`."""
    region: str = ""
    """The bucket's; empty: as in AWS's own variables and files."""
    access_key: str = ""
    """Id of the bucket's key: `env:NAME`, `keyring:NAME` or the id; empty: AWS's own variables and files."""
    secret: str = ""
    """The key's secret half: `env:NAME`, `keyring:NAME`, or the secret itself."""


class HistorySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the list remembers what arrived or was cancelled; files stay, and so does all that failed."""

    keep: str = ""
    """`90d`: what ended longer ago is forgotten; empty: nothing is."""
    most: Annotated[int, Meta(ge=0, le=100_000_000)] = 0
    """So many that have ended at most, the newest; 0: any number."""


class HooksSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One POST for each finished batch, single download, or failure."""

    url: str = ""
    """Where it goes; empty: nowhere."""
    on: tuple[Literal["finished", "failed"], ...] = ("finished", "failed")
    """What is told: a batch in which something failed counts as failed."""
    secret: str = ""
    """`env:NAME`, `keyring:NAME`, or a word: each body is signed with it (HMAC-SHA256); empty: unsigned."""
    template: str = ""
    """The body, with `{event} {title} {message} {filename} {path} {url} {count} {failed}`; empty: JSON of all."""


class EngineSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A download program on another machine, which fetches instead of us."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    """Your word for it: small letters, digits, `-` and `_`; not `here`, which means this program."""
    type: Literal["aria2"] = "aria2"
    """aria2 with `--enable-rpc`, version 1.36 or newer."""
    url: str = ""
    """Where it listens: `http://nas.lan:6800/jsonrpc`."""
    secret: str = ""
    """Its `--rpc-secret`: `env:NAME`, `keyring:NAME`, or the secret itself."""
    folder: str = ""
    """Where it saves, on its own machine; empty: its own `dir`."""
    mounted: str = ""
    """Where this machine sees that folder, so that its files can be opened here; empty: nowhere."""
    default: bool = False
    """Whether it gets every file that nothing else is said about."""
    sites: tuple[str, ...] = ()
    """Hosts whose files it gets, with their subdomains: `example.com`."""
    folders: tuple[str, ...] = ()
    """Folders (of an item or a list) whose files it gets: `Films`."""
    cookies: bool = False
    """Whether it also gets downloads with cookies or secret headers; whoever has its secret can read them."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings."""

    downloads: DownloadSettings = DownloadSettings()
    hook: HookSettings = HookSettings()
    drop: DropSettings = DropSettings()
    network: NetworkSettings = NetworkSettings()
    notifications: NotificationSettings = NotificationSettings()
    library: LibrarySettings = LibrarySettings()
    sites: SitesSettings = SitesSettings()
    folders: FolderSettings = FolderSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    history: HistorySettings = HistorySettings()
    move: MoveSettings = MoveSettings()
    hooks: HooksSettings = HooksSettings()
    sources: tuple[SourceSettings, ...] = ()
    engines: tuple[EngineSettings, ...] = ()
