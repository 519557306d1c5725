"""One line of the log for each request, where RPS_ACCESS_LOG asks for them."""

import logging

from starlette.types import Scope

log = logging.getLogger(__name__)


def log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log method, path, status and duration. A query may hold what is not for the log."""
    facts = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "milliseconds": round(1_000 * seconds, 3),
        "client": (scope.get("client") or (None,))[0],
    }
    text = "{method} {path!a} {status} {milliseconds} ms".format(**facts)
    log.info("%s", text, extra={"facts": facts})
