import click
import pytest
from click.testing import CliRunner

from gameplay.commands.settings import pass_settings, service_url
from gameplay.config import SettingError, Settings


@click.command()
@pass_settings
def show_port(settings: Settings) -> None:
    click.echo(settings.port)


def test_a_command_gets_the_settings_of_its_call() -> None:
    runner = CliRunner()

    assert [runner.invoke(show_port, env={"RPS_PORT": port}).output for port in ("9000", "9001")] == [
        "9000\n",
        "9001\n",
    ]


def test_settings_are_read_when_a_command_runs_and_not_for_its_help() -> None:
    environment = {"RPS_PORT": "x"}

    assert CliRunner().invoke(show_port, ["--help"], env=environment).exit_code == 0
    assert isinstance(CliRunner().invoke(show_port, env=environment).exception, SettingError)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080"), ("rps.local", "http://rps.local:8080")],
)
def test_the_service_is_found_where_it_listens(host: str, url: str) -> None:
    assert service_url(Settings(host=host)) == url
