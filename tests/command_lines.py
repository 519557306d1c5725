"""The commands of a program, found by walking its groups, so that none is left out of what holds for all."""

from collections.abc import Iterator

import click

from gameplay.cli import rps
from projections.cli import rps_audit


def commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below `group` that does something, with the words that call it."""
    if words and (not isinstance(group, click.Group) or group.invoke_without_command):
        yield words, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            inner = group.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*words, name))


RPS = dict(commands(rps))
RPS_AUDIT = dict(commands(rps_audit))
