"""What is written down is tested: every setting, series and command has its place in the docs."""

import importlib
import re
import tomllib
from pathlib import Path

import click
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.testclient import TestClient

from gameplay.config import VARIABLES, Settings
from gameplay.models.artifacts import REGISTERED_NAMES
from gameplay.observability.process_series import AUDIT_LABELS, PROCESS_LABELS, STORED_LABELS
from gameplay.web.app import CALLS, create_app
from gameplay.web.games import EraseName, PlayRound, StartGame
from gameplay.web.report_body import ReportBody
from gameplay.web.training import TrainingBody
from projections.metrics.series import LEDGER_SERIES
from tests.command_lines import commands
from tests.gameplay.fakes import FakeRegistry
from tests.test_structure import ROOMS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
OPERATIONS = ROOT / "docs" / "operations.md"
METRICS = ROOT / "docs" / "metrics.md"
HTTP = ROOT / "docs" / "http.md"
SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]

# What the client library brings along, as far as the platform has it: described as a group.
BROUGHT_ALONG = ("process_", "python_")
# Without a value until something has happened.
ABSENT_AT_FIRST = {"rps_job_last_run_timestamp_seconds"}
OF_THE_PROCESS = [name for name in PROCESS_LABELS if not name.startswith(BROUGHT_ALONG)]


def is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w:]){re.escape(name)}(?!\w)", text) is not None


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_setting_is_described(variable: str) -> None:
    assert is_named(variable, OPERATIONS.read_text("utf-8"))


@pytest.mark.parametrize("name", [series.name for series in LEDGER_SERIES])
def test_a_series_of_the_ledger_is_described(name: str) -> None:
    assert is_named(name, METRICS.read_text("utf-8"))


def test_the_series_of_the_process_are_listed_as_a_scrape_shows_them(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, promotion_schedule=None)
    with TestClient(create_app(settings, registry=FakeRegistry())) as client:
        client.get("/healthz").raise_for_status()
        body = client.get("/metrics", params={"scope": "process"}).raise_for_status().text

    scraped = {s.name: set(s.labels) for family in parse_text(body) for s in family.samples}
    assert scraped.keys() >= set(OF_THE_PROCESS) - ABSENT_AT_FIRST
    assert scraped.items() <= {name: set(labels) for name, labels in PROCESS_LABELS.items()}.items()


def test_the_series_of_the_process_and_of_the_watch_are_described() -> None:
    text = METRICS.read_text("utf-8")

    families = {re.sub("_(bucket|sum|count)$", "", name) for name in (*OF_THE_PROCESS, *AUDIT_LABELS)}
    assert [name for name in (*families, *BROUGHT_ALONG) if not re.search(rf"\b{name}", text)] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_command_is_described(script: str) -> None:
    module, _, function = SCRIPTS[script].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    (group,) = [
        value
        for value in vars(importlib.import_module(module)).values()
        if isinstance(value, click.Group) and value.name == script
    ]
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    called = [" ".join((script, *words)) for words, _ in commands(group)]

    assert [command for command in called if not is_named(command, text)] == []


def test_every_call_is_described() -> None:
    described = set(re.findall(r"`(GET|POST) (/[^`?]*)", HTTP.read_text("utf-8")))

    assert described == {(call.method, call.path) for call in CALLS}


@pytest.mark.parametrize("body", [StartGame, PlayRound, EraseName, ReportBody, TrainingBody])
def test_every_field_of_a_request_is_described(body: type[msgspec.Struct]) -> None:
    text = HTTP.read_text("utf-8")

    assert [field for field in body.__struct_fields__ if f"`{field}`" not in text] == []


@pytest.mark.parametrize("package", ROOMS)
def test_the_picture_shows_every_room(package: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    (picture,) = re.findall(rf"^  subgraph {package}\[.*?\]\n(.*?)^  end$", page, re.MULTILINE | re.DOTALL)

    # Two rooms of one name in two packages need two names in the picture: gcli, pcli.
    drawn = {re.sub("^[gp](?=cli|commands)", "", room) for room in re.findall(r"\w+", picture)}
    assert [room for room in ROOMS[package] if room not in drawn] == [], "docs/architecture.md draws the rooms"


def test_decisions_have_numbers_of_their_own() -> None:
    numbers = [page.name.partition("-")[0] for page in (ROOT / "docs" / "decisions").glob("*.md")]

    assert sorted(numbers) == [f"{number:04}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_of_ours_that_a_page_names_exists(page: Path) -> None:
    named = set(
        re.findall(
            r"`((?:ledger|projections|gameplay|migrations|tests|docs|ops|scripts|bench)/[\w/.-]+)`",
            page.read_text("utf-8"),
        )
    )

    # A key file is the reader's own.
    assert {path for path in named if "/." not in path and not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_what_does_not_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    known = {*STORED_LABELS, *REGISTERED_NAMES.values()}

    series = set(re.findall(r"(?<![\w:/.-])rps_\w+(?![\w(*])", text))
    variables = set(re.findall(r"(?<![\w$])RPS_[A-Z]\w+(?![\w*])", text))
    links = {link for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", text) if not (page.parent / link).exists()}

    # A name may be the beginning of several, as in `grep rps_model_promotion`.
    assert [name for name in series if not any(one.startswith(name) for one in known)] == []
    assert variables <= VARIABLES.keys()
    assert links == set()


def test_the_tests_behind_each_guarantee_exist() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "guarantees.md").read_text()))
    missing = {f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()}

    assert named
    assert not missing
