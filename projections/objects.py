"""Object storage, a folder or a bucket behind an S3 API: opened, its address checked, its failures translated."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from obstore.exceptions import AlreadyExistsError as AlreadyExistsError
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store
from obstore.store import ObjectStore as ObjectStore

from ledger.files import name_full

_ENDPOINT = re.compile(r"https?://([\w.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[\w./~-]*)?", re.ASCII).fullmatch
_BUCKET = re.compile(r"[\w.-]{1,255}", re.ASCII).fullmatch
_PLAIN = re.compile(r"[!-~]+").fullmatch
_CREDENTIALS = re.compile(r"//[^/@]*@")
_PORT_MAX = 65_535


class AddressError(ValueError):
    """An address, a bucket or a key that cannot be right. Holds no secret."""


class S3Access(NamedTuple):
    """How to reach an S3 API; an endpoint of None is AWS's own."""

    endpoint: str | None
    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"S3Access(endpoint={self.endpoint!r})"


class Patience(NamedTuple):
    """How long a request to an S3 API may take as a whole, how long to connect, and how often it is made again."""

    request_seconds: int
    connect_seconds: int
    retries: int


class Bucket(NamedTuple):
    """Where s3://BUCKET[/PREFIX] points."""

    name: str
    prefix: str


def parse_address(url: str, *, bare: bool = False) -> Path | Bucket:
    """The folder or the bucket that `file:///FOLDER` or `s3://BUCKET[/PREFIX]` names or, if `bare`, a path.

    Raises AddressError.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AddressError(f"{url!r} is no address: {error}") from error
    # It drops line breaks without a word, and what is opened would not be what was written.
    if any(character in url for character in "\r\n\t\0"):
        raise AddressError(f"{url!r} is no address: it holds a control character")
    match parts.scheme:
        case "s3" if _BUCKET(parts.netloc):
            return Bucket(parts.netloc, parts.path.strip("/"))
        case "file" if parts.path.startswith("/") and not parts.netloc:
            return Path(unquote(parts.path))
        case "" if bare and parts.path and not parts.netloc:
            return Path(parts.path)
        case _:
            raise AddressError(f"{url!r} is no address: write file:///FOLDER or s3://BUCKET")


def open_folder(folder: Path, *, make: bool) -> ObjectStore:
    """Objects as files under a folder; a missing one is made or, without `make`, stands for a store that is empty.

    Raises what `failures` translates.
    """
    if not make and not folder.is_dir():
        return MemoryStore()
    return LocalStore(folder, automatic_cleanup=make, mkdir=make)


def open_bucket(bucket: Bucket, access: S3Access, patience: Patience) -> ObjectStore:
    """Objects behind an S3 API; touches no network. Raises AddressError, and what `failures` translates."""
    check_endpoint(access.endpoint)
    for what, key in (("access key", access.access_key), ("secret key", access.secret_key)):
        if not _PLAIN(key):
            raise AddressError(f"the {what} of the S3 API holds a character that no key has")
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        endpoint=access.endpoint,
        access_key_id=access.access_key,
        secret_access_key=access.secret_key,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={
            "timeout": f"{patience.request_seconds}s",
            "connect_timeout": f"{patience.connect_seconds}s",
            "allow_http": True,
        },
        retry_config={
            "max_retries": patience.retries,
            "retry_timeout": timedelta(seconds=patience.request_seconds),
        },
    )


def check_endpoint(endpoint: str | None) -> None:
    """Raise AddressError for an endpoint that is no address: the library would panic at its first request."""
    if endpoint is None:
        return
    found = _ENDPOINT(endpoint)
    if found is None or not 0 < int((found[2] or ":80")[1:]) <= _PORT_MAX:
        shown = _CREDENTIALS.sub("//***@", endpoint)
        raise AddressError(f"the S3 endpoint {shown!r} is no http:// or https:// address")


@contextmanager
def failures(made: Callable[[str], Exception]) -> Iterator[None]:
    """Raise what `made` makes of the problem, for whatever the storage raises."""
    try:
        yield
    except (BaseError, OSError) as error:
        # The first line says what happened; what follows is the library's own view of its internals.
        raise made(name_full(str(error).partition("\n")[0])) from error
    except BaseException as error:
        # The library's Rust half panics past every `except Exception`, with a class that cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise made(f"its client failed inside: {str(error).partition(chr(10))[0]}") from error
