"""`rps dashboard`: the files in `ops/`, and dashboards that people have edited in Grafana."""

import sys
from pathlib import Path

import click

from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.exported import NoDashboardError, adopted, changes, is_adopted, normalized
from gameplay.observability.dashboard.lint import findings, row_keys
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.folder import OpsError, current_dashboard, differences, read_dashboard, write

FOLDER = Path("ops")
EXIT_DIFFERENT = 1

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(invoke_without_command=True)
@click.option(
    "--check", is_flag=True, help="Write nothing; fail when a file differs or an adopted dashboard is broken."
)
@click.option("--discard-adopted", is_flag=True, help="Write the generated dashboard over an adopted one.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, help="Default: ops.")
@click.pass_context
def dashboard(context: click.Context, check: bool, discard_adopted: bool, folder: Path) -> None:
    """Write the Grafana, Prometheus, Alloy and Kubernetes files in ops/.

    Example: rps dashboard --check
    """
    context.obj = folder
    if context.invoked_subcommand is not None:
        return
    dashboard = generated_dashboard() if discard_adopted else _current(folder)
    if check:
        _check(folder, dashboard)
        return
    if is_adopted(dashboard):
        click.echo(
            "the dashboard is an adopted one: it stays, and its variants follow it (--discard-adopted ends that)"
        )
    _tell(write(folder, dashboard), folder)


@dashboard.command()
@_file
@click.pass_obj
def diff(folder: Path, file: Path) -> None:
    """Say panel by panel what an exported dashboard has otherwise than ours.

    Example: rps dashboard diff exported.json
    """
    theirs = _normalized(file)
    for change in changes(_current(folder), theirs):
        click.echo(change)


@dashboard.command()
@_file
@click.pass_obj
def adopt(folder: Path, file: Path) -> None:
    """Make an exported dashboard ours: from now on it is linted, and no longer generated.

    Example: rps dashboard adopt exported.json
    """
    dashboard = adopted(_normalized(file))
    if found := findings(dashboard, row_keys()):
        raise click.ClickException("\n".join([f"{file} is not adopted:", *found]))
    _tell(write(folder, dashboard), folder)


def _check(folder: Path, dashboard: Json) -> None:
    if found := differences(folder, dashboard):
        for difference in found:
            click.echo(f"{folder}: {difference}", err=True)
        click.echo("run `rps dashboard` to write the files anew", err=True)
        sys.exit(EXIT_DIFFERENT)


def _current(folder: Path) -> Json:
    try:
        return current_dashboard(folder)
    except OpsError as error:
        raise click.ClickException(str(error)) from error


def _normalized(file: Path) -> Json:
    try:
        return normalized(read_dashboard(file))
    except (OpsError, NoDashboardError) as error:
        raise click.ClickException(
            f"{file}: {error}" if isinstance(error, NoDashboardError) else str(error)
        ) from error


def _tell(changed: list[str], folder: Path) -> None:
    for path in changed:
        click.echo(f"wrote {folder / path}")
    if not changed:
        click.echo(f"{folder} is as it should be")
