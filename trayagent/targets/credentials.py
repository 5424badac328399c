"""What a bucket is opened with, as obstore names it: from the settings, the environment, the files of AWS.

Never from the network: obstore would ask the address at which a cloud tells its own machines who they are,
and on a desk that is anybody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trayagent.model.errors import DownloadError

_GOOGLE: Final = (
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
)
_AZURE: Final = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_CLIENT_SECRET")
_MOST_BYTES: Final = 1 << 20
"""Of a file of AWS."""


def bucket_options(
    scheme: str,
    environ: Mapping[str, str],
    home: Path,
    *,
    access_key: str = "",
    secret: str = "",
    endpoint: str = "",
    region: str = "",
) -> dict[str, str]:
    """The options; what the settings say wins. Raises DownloadError `bucket_refused` without keys. Blocks.

    Google's and Azure's own variables are read by obstore itself.
    """
    if scheme == "gs":
        return _only_with(environ, _GOOGLE)
    if scheme == "az":
        return _only_with(environ, _AZURE)
    profile = environ.get("AWS_PROFILE", "default")
    keys = _profile_in(
        Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials"), profile
    )
    # In the file `config` AWS heads every profile but the first with the word `profile`.
    section = profile if profile == "default" else f"profile {profile}"
    config = _profile_in(Path(environ.get("AWS_CONFIG_FILE") or home / ".aws" / "config"), section)
    # A key and its secret come from one place: a mixture of two would be refused, and nobody knew why.
    if access_key or secret:
        pair = {"access_key_id": access_key, "secret_access_key": secret}
    elif "AWS_ACCESS_KEY_ID" in environ:
        pair = {
            "access_key_id": environ["AWS_ACCESS_KEY_ID"],
            "secret_access_key": environ.get("AWS_SECRET_ACCESS_KEY", ""),
            "session_token": environ.get("AWS_SESSION_TOKEN", ""),
        }
    else:
        pair = {
            "access_key_id": keys.get("aws_access_key_id", ""),
            "secret_access_key": keys.get("aws_secret_access_key", ""),
            "session_token": keys.get("aws_session_token", ""),
        }
    if not pair["access_key_id"] or not pair["secret_access_key"]:
        raise DownloadError("bucket_refused", "no access key is set")
    named = {
        **pair,
        "region": region
        or environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or config.get("region", ""),
        "endpoint": endpoint
        or environ.get("AWS_ENDPOINT_URL_S3")
        or environ.get("AWS_ENDPOINT_URL", ""),
    }
    return {name: value for name, value in named.items() if value}


def _only_with(environ: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    if not any(environ.get(name) for name in names):
        raise DownloadError("bucket_refused", f"none of {', '.join(names)} is set")
    return {}


def _profile_in(file: Path, section: str) -> dict[str, str]:
    """The values of one profile; none where the file is missing, or no such file."""
    import configparser  # once in a while, and not at every start

    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        with file.open(encoding="utf-8") as text:
            parser.read_string(text.read(_MOST_BYTES))
    except (OSError, ValueError, configparser.Error):
        return {}
    return dict(parser[section]) if parser.has_section(section) else {}
