"""Object storage behind an S3 API: one way to open it, and one look at its address."""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import S3Store

if TYPE_CHECKING:  # its stubs alone have these
    from obstore.store import ClientConfig, RetryConfig

_ENDPOINT = re.compile(r"https?://([\w.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[\w./~-]*)?", re.ASCII).fullmatch


def is_endpoint(address: str) -> bool:
    """Whether an address can be given to obstore, which panics on others past every `except Exception`."""
    try:
        return _ENDPOINT(address) is not None and urlsplit(address).port != 0
    except ValueError:  # a port that is none
        return False


def open_s3(
    bucket: str,
    prefix: str,
    *,
    endpoint: str | None,
    access_key: str,
    secret_key: str,
    client: "ClientConfig",
    retry: "RetryConfig",
) -> S3Store:
    """The storage in a bucket; an endpoint of None is AWS's own. Touches no network. Raises obstore's errors."""
    assert endpoint is None or is_endpoint(endpoint), "the caller says what is wrong with it in the caller's words"
    return S3Store(
        bucket,
        prefix=prefix or None,
        endpoint=endpoint,
        access_key_id=access_key,
        secret_access_key=secret_key,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={**client, "allow_http": True},
        retry_config=retry,
    )
