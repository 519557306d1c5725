import logging
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.app import create_app
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import BASE_URL


@pytest.mark.parametrize("asked", [True, False])
def test_each_request_is_a_line_where_that_is_asked_for(
    data_dir: Path, registry: FaultyRegistry, caplog: pytest.LogCaptureFixture, asked: bool
) -> None:
    caplog.set_level(logging.INFO, "gameplay.web.access_log")
    settings = Settings(data_dir=data_dir, promotion_schedule=None, access_log=asked)
    with TestClient(create_app(settings, registry=registry), base_url=BASE_URL) as client:
        client.get("/nowhere?token=hush-hush")

    lines = [line for line in caplog.records if line.name == "gameplay.web.access_log"]
    assert [(line.facts["method"], line.facts["path"], line.facts["status"]) for line in lines] == (  # type: ignore[attr-defined]
        [("GET", "/nowhere", 404)] if asked else []
    )
    assert "hush" not in caplog.text
