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

# What a command needs to be called at all, by the parameter's name.
_WORDS = {
    "position": "1",
    "a": "1",
    "b": "2",
    "name": "Ada",
    "out": "out",
    "key": "seal.key",
    "file": "file",
    "reason": "because",
    "model_type": "xgboost",
    "pair": "1,2",
    "alias": "B",
    "url": "https://rps.example/hook",
    "from_": "sqlite:///from.db",
    "to": "sqlite:///to.db",
}
_MORE: dict[tuple[str, ...], tuple[str, ...]] = {("promotion", "cancel"): ("--model-type", "xgboost")}


def call(words: tuple[str, ...], command: click.Command) -> list[str]:
    """The words of a call that has all that the command asks for, and no more."""
    called = [*words, *_MORE.get(words, ())]
    for one in command.params:
        if one.required and one.name is not None:
            option = [one.opts[0]] if isinstance(one, click.Option) else []
            called += [*option, _WORDS[one.name]]
    return called
