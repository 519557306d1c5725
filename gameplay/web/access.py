"""Who may write to `/internal` and reload models."""

import hmac
import ipaddress

from starlette.requests import Request

from gameplay.config import Settings
from gameplay.refusals import Forbidden, Unauthorized


def is_loopback(host: str) -> bool:
    """Whether nobody outside this machine can reach an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_internal(request: Request, settings: Settings) -> None:
    """Let through whoever knows the token; without a token, everybody on a loopback bind and nobody elsewhere.

    Raises Unauthorized or Forbidden.
    """
    token = settings.internal_token
    if token is None:
        if not is_loopback(settings.host):
            raise Forbidden(f"set RPS_INTERNAL_TOKEN to use {request.url.path} on {settings.host}")
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode("latin-1"), token.encode()):
        raise Unauthorized("this needs the header Authorization: Bearer with the value of RPS_INTERNAL_TOKEN")
