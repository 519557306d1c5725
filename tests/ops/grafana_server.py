"""A small server on this machine that plays the part of Grafana's API that the deploy script speaks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from gameplay.observability.site import LEDGER_UID


class Grafana(ThreadingHTTPServer):
    """Knows one key, and keeps the dashboards that it was given."""

    def __init__(self, key: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = key
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        self.refusal: tuple[int, str] | None = None
        self.plugin: str | None = None
        """Of the ledger's data source; None where there is none."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Grafana

    def do_GET(self) -> None:
        if self.headers["Authorization"] != f"Bearer {self.server.key}":
            self._answer(401, {"message": "Invalid API key"})
        elif self.path != f"/api/datasources/uid/{LEDGER_UID}" or self.server.plugin is None:
            self._answer(404, {"message": "Data source not found"})
        else:
            self._answer(200, {"uid": LEDGER_UID, "name": "Ledger", "type": self.server.plugin, "jsonData": {}})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/api/dashboards/db":
            self._answer(404, {"message": "Not found"})
        elif self.server.refusal:
            status, message = self.server.refusal
            self._answer(status, {"message": message})
        elif self.headers["Authorization"] != f"Bearer {self.server.key}":
            self._answer(401, {"message": "Invalid API key"})
        else:
            self._save(json.loads(body))

    def _save(self, asked: dict[str, Any]) -> None:
        self.server.requests.append(asked)
        dashboard = asked["dashboard"]
        if dashboard["uid"] in self.server.dashboards and not asked.get("overwrite"):
            self._answer(412, {"message": "A dashboard with the same uid already exists"})
            return
        self.server.dashboards[dashboard["uid"]] = dashboard
        uid = dashboard["uid"]
        self._answer(200, {"id": 7, "uid": uid, "url": f"/d/{uid}/rps", "status": "success", "version": 3})

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def grafana(key: str) -> Iterator[Grafana]:
    """A running server."""
    server = Grafana(key)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
