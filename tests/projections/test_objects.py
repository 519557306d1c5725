import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from projections.objects import (
    AddressError,
    Bucket,
    Patience,
    S3Access,
    check_endpoint,
    failures,
    open_bucket,
    parse_address,
)
from tests.endpoints import WRONG_ENDPOINTS

PATIENCE = Patience(request_seconds=1, connect_seconds=1, retries=0)


class StorageFailedError(Exception):
    """What a caller makes of a problem."""


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:///data/models", Path("/data/models")),
        ("file:///a%20folder", Path("/a folder")),
        ("s3://models", Bucket("models", "")),
        ("s3://models/of/a service/", Bucket("models", "of/a service")),
    ],
)
def test_an_address_names_a_folder_or_a_bucket(url: str, place: object) -> None:
    assert parse_address(url) == place


def test_a_bare_path_is_an_address_where_it_is_asked_for() -> None:
    assert parse_address("data/seals", bare=True) == Path("data/seals")
    with pytest.raises(AddressError):
        parse_address("data/seals")


@pytest.mark.parametrize("url", ["s3://", "s3://a b", "s3://buck\net", "file:///da\tta", "gs://x", "http://[", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(AddressError):
        parse_address(url, bare=True)


@pytest.mark.parametrize(
    "endpoint", [None, "http://minio", "https://minio.example:9000/base", "http://[::1]:9000"]
)
def test_an_endpoint_is_an_address(endpoint: str | None) -> None:
    check_endpoint(endpoint)


@pytest.mark.parametrize("endpoint", WRONG_ENDPOINTS)
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(AddressError):
        open_bucket(Bucket("models", ""), S3Access(endpoint, "key", "secret"), PATIENCE)


def test_a_panic_of_the_library_is_a_failure_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.objects.check_endpoint", lambda _endpoint: None)
    objects = open_bucket(Bucket("models", ""), S3Access("http://mi\nnio", "key", "secret"), PATIENCE)

    with pytest.raises(StorageFailedError, match="its client failed inside"), failures(StorageFailedError):
        objects.get("x")


def test_an_interrupt_stays_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), failures(StorageFailedError):
        raise KeyboardInterrupt


class Refusing(BaseHTTPRequestHandler):
    """Has no time for any request."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked += 1
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Server(HTTPServer):
    asked = 0


@pytest.mark.parametrize("retries", [0, 1])
def test_a_server_that_refuses_is_asked_again_as_often_as_the_caller_has_patience(retries: int) -> None:
    with Server(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            access = S3Access(f"http://127.0.0.1:{server.server_port}", "key", "secret")
            objects = open_bucket(Bucket("models", ""), access, Patience(30, 30, retries))
            with pytest.raises(StorageFailedError, match="503"), failures(StorageFailedError):
                objects.get("x")
        finally:
            server.shutdown()
            thread.join()

    assert server.asked == retries + 1
