"""`rps config`: every setting and its source, and when the jobs run next."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from gameplay.commands.settings import pass_settings, service_url
from gameplay.config import VARIABLES, Settings, read_sources
from gameplay.cron import next_firings
from ledger.times import show_time
from projections.commands.console import json_option, print_json, print_table

FIRINGS = 3


class Shown(NamedTuple):
    """A setting as it may be shown: `source` is `environment`, `.env` or `default`."""

    name: str
    value: str | int | float | bool | list[str] | None
    source: str
    help: str


@click.command()
@json_option
@pass_settings
def config(settings: Settings, as_json: bool) -> None:
    """Show every setting, with secrets masked, the service's addresses, and when each job runs next.

    Needs no ledger.

    Example: rps config --json
    """
    shown = list(_shown(settings))
    now = datetime.now(UTC)
    firings = {job: _firings(line, now) for job, line in settings.schedules().items()}
    if as_json:
        listed = [one._asdict() for one in shown]
        print_json({"settings": listed, "addresses": _addresses(settings), "next_firings": firings})
        return
    print_table("Settings", ("name", "value", "source", "help"), [_row(one) for one in shown])
    print_table("Addresses", ("what", "address"), list(_addresses(settings).items()))
    rows = [(job, ", ".join(times) or "off") for job, times in firings.items()]
    print_table(f"The next {FIRINGS} runs of each job, in UTC", ("job", "runs"), rows)


def _addresses(settings: Settings) -> dict[str, str | None]:
    """Where a running service is met, and what it meets."""
    here, shown = f"{service_url(settings)}{settings.root_path}", settings.shown()
    return {
        "service": f"{here}/",
        "interface": f"{here}/openapi",
        "readiness": f"{here}/readyz",
        "metrics": f"{here}/metrics",
        "history": f"{here}/internal/promotion/history",
        "ledger": shown["database_url"],
        "MLflow": shown["mlflow_tracking_uri"],
        "model store": shown["model_store_url"],
        "dashboard": shown["grafana_dashboard_url"],
    }


def _firings(line: str | None, now: datetime) -> list[str]:
    return [f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in next_firings(line, now, FIRINGS)] if line else []


def _shown(settings: Settings) -> Iterator[Shown]:
    values, sources = settings.shown(), read_sources()
    for variable, field in VARIABLES.items():
        value = _plain(field.name, values[field.name])
        yield Shown(variable, value, sources[variable], field.metadata["help"])


def _plain(name: str, value: Any) -> str | int | float | bool | list[str] | None:
    """The value as a person would write it, and a program can read it."""
    if name.endswith("_us"):
        return show_time(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [f"{family}={rule}" for family, rule in value]
    if value is None and name.endswith("_schedule"):
        return "off"
    assert value is None or isinstance(value, str | int | float)
    return value


def _row(one: Shown) -> tuple[str, str | None, str, str]:
    match one.value:
        case bool():
            text = "true" if one.value else "false"
        case list():
            text = " ".join(one.value)
        case None:
            return one.name, None, one.source, one.help
        case _:
            text = str(one.value)
    return one.name, text, one.source, one.help
