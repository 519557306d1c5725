"""Access to the guarded calls: those of `/internal` that change something, and reloads; and to secret reads."""

import hmac
import ipaddress
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gameplay.config import Settings
from gameplay.refusals import Forbidden, Unauthorized, UnknownMedia

DEFAULT_PORTS = {"http": 80, "https": 443}


class Guard:
    """ASGI middleware: demands the token if one is set; else a loopback bind, and no page of another site.

    A page of any site can make its visitor's browser post to an address of the visitor's own machine. The browser
    says so in `Origin` and `Sec-Fetch-Site`. If the site's name was made to resolve to that address, both may look
    right, but `Host` is the site's name. A command line sends neither of the first two headers.

    Raises Unauthorized or Forbidden.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        token = self._settings.internal_token
        if token is not None:
            _require_token(headers, token)
        elif not is_loopback(self._settings.host):
            raise Forbidden(f"set RPS_INTERNAL_TOKEN to use {scope['path']} on {self._settings.host}")
        else:
            _require_own_page(headers, self._settings.allowed_hosts)
        await self._app(scope, receive, send)


class OwnPages:
    """ASGI middleware for what an operator orders: JSON alone, and from this service's own pages or from no page.

    A form of another site can send no JSON, and a script of it only what this service allows it. So an order never
    comes from there, token or not: a browser that knows the token for one site must not spend it for another.
    A page may also be of a name in RPS_ALLOWED_HOSTS: a proxy may hand on another `Host` than the browser has.

    Raises UnknownMedia or Forbidden.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._allowed_hosts = settings.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        for origin in headers.getlist("origin"):
            named = _split(origin).hostname in self._allowed_hosts
            if not (named or any(_is_own(origin, host) for host in hosts)):
                raise Forbidden(
                    f"a page of {origin!r} may not order this; if it is this service's own, name its host in"
                    " RPS_ALLOWED_HOSTS"
                )
        if any(site.strip().lower() == "cross-site" for site in headers.getlist("sec-fetch-site")):
            raise Forbidden("a page of another site may not order this")
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            raise UnknownMedia("this takes JSON alone: send the header Content-Type: application/json")
        await self._app(scope, receive, send)


class TokenGuard:
    """ASGI middleware: demands the token if one is set. Raises Unauthorized."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = settings.internal_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._token is not None:
            _require_token(Headers(scope=scope), self._token)
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host in ("localhost", "ip6-localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require_token(headers: Headers, token: str) -> None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode("latin-1"), token.encode()):
        raise Unauthorized("this needs the header Authorization: Bearer with the value of RPS_INTERNAL_TOKEN")


def _require_own_page(headers: Headers, allowed_hosts: frozenset[str]) -> None:
    hosts = headers.getlist("host")
    for host in hosts:
        name = _split(f"//{host}").hostname or ""
        if not (is_loopback(name) or name in allowed_hosts):
            raise Forbidden(
                f"Host is {host!r}, which RPS_ALLOWED_HOSTS does not name: add it, or set RPS_INTERNAL_TOKEN"
            )
    for origin in headers.getlist("origin"):
        if not any(_is_own(origin, host) for host in hosts):
            raise Forbidden(f"a page of {origin!r} may not do this: set RPS_INTERNAL_TOKEN and send it")
    if any(site.strip().lower() == "cross-site" for site in headers.getlist("sec-fetch-site")):
        raise Forbidden("a page of another site may not do this: set RPS_INTERNAL_TOKEN and send it")


def _is_own(origin: str, host: str) -> bool:
    """Whether a page is this service's own. The scheme does not count: a proxy may have added TLS."""
    page = _split(origin)
    default = DEFAULT_PORTS.get(page.scheme)
    here = _split(f"//{host}")
    return default is not None and (page.hostname, _port(page) or default) == (
        here.hostname,
        _port(here) or default,
    )


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address.strip())
    except ValueError:  # brackets around what is no IPv6 address
        return urlsplit("")


def _port(address: SplitResult) -> int | None:
    try:
        return address.port
    except ValueError:
        return -1  # no port is this one
