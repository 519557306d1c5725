"""What is written down is tested: every setting, series and command has its place in the docs."""

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from starlette.testclient import TestClient

from gameplay.artifacts import REGISTERED_NAMES
from gameplay.config import VARIABLES, Settings
from gameplay.web.app import create_app
from projections.series import LEDGER_SERIES, SAMPLE_LABELS
from tests.gameplay.fakes import FakeRegistry

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
OPERATIONS = ROOT / "docs" / "operations.md"
METRICS = ROOT / "docs" / "metrics.md"
SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]

# What the client library brings along: described as a group.
BROUGHT_ALONG = ("process_", "python_")


@pytest.fixture(scope="module")
def process_metrics(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the series that are a process's own, as a scrape shows them."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("docs"), promotion_schedule=None)
    with TestClient(create_app(settings, registry=FakeRegistry())) as client:
        body = client.get("/metrics", params={"scope": "process"}).raise_for_status().text
    names = re.findall(r"^# TYPE (\S+) ", body, re.MULTILINE)
    return [name for name in names if not name.startswith(BROUGHT_ALONG) and not name.endswith("_created")]


def commands(command: click.Command, words: str) -> Iterator[str]:
    """Every command below `command`, as it is typed."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{words} {name}")
    else:
        yield words


def is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w:]){re.escape(name)}(?!\w)", text) is not None


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_setting_is_described(variable: str) -> None:
    assert is_named(variable, OPERATIONS.read_text("utf-8"))


@pytest.mark.parametrize("name", [series.name for series in LEDGER_SERIES])
def test_a_series_of_the_ledger_is_described(name: str) -> None:
    assert is_named(name, METRICS.read_text("utf-8"))


def test_the_series_of_the_process_are_described(process_metrics: list[str]) -> None:
    text = METRICS.read_text("utf-8")

    assert [name for name in (*process_metrics, *BROUGHT_ALONG) if not re.search(rf"\b{name}", text)] == []


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

    assert [command for command in commands(group, script) if not is_named(command, text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_what_does_not_exist(page: Path, process_metrics: list[str]) -> None:
    text = page.read_text("utf-8")
    histograms = [f"{name}{end}" for name in process_metrics for end in ("_bucket", "_sum", "_count")]
    known = {*SAMPLE_LABELS, *process_metrics, *histograms, *(series.name for series in LEDGER_SERIES)}
    known |= set(REGISTERED_NAMES.values())

    series = set(re.findall(r"(?<![\w:/.-])rps_\w+(?![\w(*])", text))
    variables = set(re.findall(r"(?<![\w$])RPS_[A-Z]\w+(?![\w*])", text))
    links = {link for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", text) if not (page.parent / link).exists()}

    # A name may be the beginning of several, as in `grep rps_model_promotion`.
    assert [name for name in series if not any(one.startswith(name) for one in known)] == []
    assert variables <= VARIABLES.keys()
    assert links == set()
