"""`rps dashboard`: the files in `ops/`, and dashboards that people have edited in Grafana."""

from pathlib import Path
from typing import NamedTuple

import click

from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.exported import adopted, changes, is_adopted
from gameplay.observability.dashboard.lint import findings, row_keys
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.folder import (
    FOLDER,
    EditedError,
    OpsError,
    current_dashboard,
    differences,
    edits,
    is_ours,
    normal_dashboard,
    write,
)
from projections.commands.console import finding, json_option, print_json, remark, say
from projections.commands.program import Group


class Ops(NamedTuple):
    """The folder, and whether edits in it may be lost."""

    folder: Path
    discard: bool

    def check_writable(self) -> None:
        """Raise OpsError where the folder was not named and is none of a checkout: who knows what it is."""
        if self.folder == FOLDER and not is_ours(FOLDER):
            raise OpsError("this is no checkout of the project: name the folder to write into by --folder")

    def current(self) -> Json:
        return generated_dashboard() if self.discard else current_dashboard(self.folder)


class Failing(Group):
    """Shows what is wrong with a file as a message."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OpsError as error:
            raise click.ClickException(str(error)) from error


_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(cls=Failing, invoke_without_command=True)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; fail when a file differs, or a dashboard was edited or is broken.",
)
@click.option(
    "--discard-adopted", is_flag=True, help="Write the generated dashboard over an adopted or edited one."
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    help="Default: ops, in a checkout.",
)
@json_option
@click.pass_context
def dashboard(context: click.Context, check: bool, discard_adopted: bool, folder: Path, as_json: bool) -> None:
    """Write the Grafana, Prometheus, Alloy and Kubernetes files in ops/.

    Example: rps dashboard --check
    """
    context.obj = ops = Ops(folder, discard_adopted)
    if context.invoked_subcommand is not None:
        return
    dashboard = ops.current()
    if check:
        _check(folder, dashboard, as_json=as_json)
        return
    ops.check_writable()
    if is_adopted(dashboard):
        remark("an adopted dashboard is kept, and its variants follow it (--discard-adopted ends that)")
    _report(write(folder, dashboard), folder, as_json=as_json)


@dashboard.command()
@_file
@json_option
@click.pass_obj
def diff(ops: Ops, file: Path, as_json: bool) -> None:
    """Say panel by panel how an exported dashboard differs from ours.

    Example: rps dashboard diff exported.json
    """
    theirs = normal_dashboard(file)
    ours = generated_dashboard() if edits(ops.folder) else ops.current()
    found = list(changes(ours, theirs))
    if as_json:
        print_json({"changes": found})
        return
    for change in found:
        say(change)


@dashboard.command()
@_file
@json_option
@click.pass_obj
def adopt(ops: Ops, file: Path, as_json: bool) -> None:
    """Make an exported dashboard ours: from now on it is linted, and no longer generated.

    Example: rps dashboard adopt exported.json
    """
    ops.check_writable()
    dashboard = adopted(normal_dashboard(file))
    if found := findings(dashboard, row_keys()):
        raise click.ClickException("\n".join([f"{file} is not adopted:", *found]))
    if not ops.discard and (lost := _lost(ops.folder, dashboard)):
        raise EditedError(ops.folder, lost)
    _report(write(ops.folder, dashboard), ops.folder, as_json=as_json)


def _lost(folder: Path, dashboard: Json) -> dict[str, list[str]]:
    """Edits that are in no dashboard that is being adopted."""
    return {
        path: found
        for path, found in edits(folder).items()
        if adopted(normal_dashboard(folder / path)) != dashboard
    }


def _check(folder: Path, dashboard: Json, *, as_json: bool) -> None:
    found = differences(folder, dashboard)
    if as_json:
        print_json({"folder": str(folder), "differences": found})
    else:
        for difference in found:
            remark(f"{folder}: {difference}")
        if found:
            remark("run `rps dashboard` to write the files again")
    if found:
        finding()


def _report(changed: list[str], folder: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(folder), "written": changed})
        return
    for path in changed:
        say(f"wrote {folder / path}")
    if not changed:
        say(f"{folder} is as it should be")
