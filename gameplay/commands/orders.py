"""`rps promotion pin | unpin | swap | undo | cancel`: what an operator orders, with a name and a reason."""

import getpass
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from gameplay.commands.opened import opened
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.promotion.operator.execution import Done, Ordered, Preview, execute, preview
from gameplay.promotion.operator.orders import (
    ApproveOrder,
    CancelOrder,
    Order,
    Origin,
    PinOrder,
    RejectOrder,
    SwapOrder,
    UndoOrder,
    UnpinOrder,
)
from gameplay.promotion.operator.undo import Since
from ledger.errors import InvalidTextError
from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    PlanApproved,
    PlanRejected,
)
from ledger.times import parse_epoch_or_time, show_time
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from projections.commands.console import Command, finding, json_option, print_json, remark, say
from projections.commands.numbers import WholeType

NO_REASON = "no reason given"

family_option = click.option("--model-type", type=click.Choice(FAMILIES), required=True, help="The family.")
alias_option = click.option("--alias", type=click.Choice(ALIASES), required=True, help="The alias.")
reason_option = click.option("--reason", required=True, help="Why; it is kept in the ledger.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
VERSION = WholeType(1)
plan_option = click.option("--plan", type=VERSION, help="Refuse unless this is the plan that waits.")


class TimeType(click.ParamType[int]):
    """A time as ISO 8601 or as an epoch time, in microseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The time."""
        try:
            return value if isinstance(value, int) else parse_epoch_or_time(str(value))
        except InvalidTextError as error:
            self.fail(str(error), param, ctx)


def origin_options(command: Command) -> Command:
    """`--actor` and `--key`, which every order has."""
    command = click.option("--key", help="The same key again is the same order, carried out once.")(command)
    return click.option("--actor", help="Who orders it; by default the login name.")(command)


@click.command()
@family_option
@alias_option
@click.option("--version", type=VERSION, help="Refuse unless this version is behind the alias.")
@click.option("--expires", type=TimeType(), help="When it ends, as 2026-11-30T08:00:00Z; by default never.")
@reason_option
@origin_options
@json_option
@pass_settings
def pin(
    settings: Settings,
    model_type: Family,
    alias: Alias,
    version: int | None,
    expires: int | None,
    reason: str,
    actor: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Hold the version behind an alias against cycles, reorders and trainings.

    Example: rps promotion pin --model-type xgboost --alias Production --reason "campaign" --expires 2026-11-30
    """
    origin = origin_of(actor, reason, key)
    order = PinOrder(family=model_type, alias=alias, version=version, expires_us=expires, origin=origin)
    _carry_out(settings, order, as_json=as_json)


@click.command()
@family_option
@alias_option
@reason_option
@origin_options
@json_option
@pass_settings
def unpin(
    settings: Settings,
    model_type: Family,
    alias: Alias,
    reason: str,
    actor: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Hold an alias no more.

    Example: rps promotion unpin --model-type xgboost --alias Production --reason "the campaign is over"
    """
    order = UnpinOrder(family=model_type, alias=alias, origin=origin_of(actor, reason, key))
    _carry_out(settings, order, as_json=as_json)


@click.command()
@family_option
@click.option("--to", type=VERSION, help="Bring this version to Production; it has to be behind an alias.")
@reason_option
@origin_options
@dry_run_option
@yes_option
@json_option
@pass_settings
def swap(
    settings: Settings,
    model_type: Family,
    to: int | None,
    reason: str,
    actor: str | None,
    key: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Exchange Production and B, or with --to Production and the alias that the version is behind.

    Example: rps promotion swap --model-type xgboost --to 7 --reason "the others were trained on bad data"
    """
    order = SwapOrder(family=model_type, to=to, origin=origin_of(actor, reason, key))
    _carry_out(settings, order, dry_run=dry_run, ask=not yes, as_json=as_json)


@click.command()
@family_option
@reason_option
@origin_options
@dry_run_option
@yes_option
@json_option
@pass_settings
def undo(
    settings: Settings,
    model_type: Family,
    reason: str,
    actor: str | None,
    key: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Bring back the versions from before the last swap; an undo can be undone.

    Example: rps promotion undo --model-type xgboost --reason "the swap was a false one"
    """
    order = UndoOrder(family=model_type, origin=origin_of(actor, reason, key))
    _carry_out(settings, order, dry_run=dry_run, ask=not yes, as_json=as_json)


@click.command()
@family_option
@plan_option
@reason_option
@origin_options
@json_option
@pass_settings
def approve(
    settings: Settings,
    model_type: Family,
    plan: int | None,
    reason: str,
    actor: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Let the swap that awaits approval be carried out.

    Example: rps promotion approve --model-type xgboost --reason "the evidence is sound"
    """
    order = ApproveOrder(family=model_type, plan=plan, origin=origin_of(actor, reason, key))
    _carry_out(settings, order, as_json=as_json)


@click.command()
@family_option
@plan_option
@reason_option
@origin_options
@json_option
@pass_settings
def reject(
    settings: Settings,
    model_type: Family,
    plan: int | None,
    reason: str,
    actor: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Close the swap that awaits approval; the aliases stay as they are.

    Example: rps promotion reject --model-type xgboost --reason "not before the holidays"
    """
    order = RejectOrder(family=model_type, plan=plan, origin=origin_of(actor, reason, key))
    _carry_out(settings, order, as_json=as_json)


@click.command()
@click.option("--model-type", type=click.Choice(FAMILIES), help="The family.")
@click.option("--reason", help="Why; it is kept in the ledger.")
@origin_options
@json_option
@pass_settings
def cancel(
    settings: Settings,
    model_type: Family | None,
    reason: str | None,
    actor: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Close a family's open plan without carrying it out; its aliases stay as they are.

    Example: rps promotion cancel --model-type xgboost --reason "version 9 is gone for good"
    """
    cancel_plan(settings, model_type, reason, actor, key, as_json=as_json)


def cancel_plan(
    settings: Settings,
    family: Family | None,
    reason: str | None,
    actor: str | None,
    key: str | None,
    *,
    as_json: bool,
) -> None:
    """Close the open plan, if there is one."""
    if family is None:
        raise click.UsageError("name the family whose plan is to be cancelled: --model-type FAMILY")
    order = CancelOrder(family=family, origin=origin_of(actor, reason or NO_REASON, key))
    with opened(settings) as core:
        has_plan = core.promotion.state(family).promotion.plan is not None
        done = execute(core.promotion, order) if has_plan or key else None
    if as_json:
        print_json({"model_type": family, "cancelled": done.event if done else None})
    elif done is None:
        say(f"{family} has no open plan")
    else:
        say(f"{family}: {_done(done)}")


def origin_of(actor: str | None, reason: str, key: str | None) -> Origin:
    """Who orders and why."""
    return Origin(actor=login_name() if actor is None else actor, reason=reason, key=key)


def login_name(look: Callable[[], str] = getpass.getuser) -> str:
    """The name of the person at this terminal; a container's user may have none."""
    try:
        return look()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def is_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def _carry_out(
    settings: Settings, order: Order, *, dry_run: bool = False, ask: bool = False, as_json: bool
) -> None:
    """Show, ask and do; exit status 1 where the answer is no, or the aliases could not be moved yet."""
    with opened(settings, read_only=dry_run) as core:
        shown = preview(core.promotion, order) if dry_run or (ask and is_terminal()) else None
        if shown and dry_run:
            _show(order, shown, as_json=as_json)
            return
        if shown and not _is_confirmed(order, shown):
            remark("nothing was done")
            finding()
        done = execute(core.promotion, order, shown.seen if shown else None)
        problem = core.promotion.problems.get(order.family) if done.applied is False else None
    if as_json:
        print_json({"model_type": order.family, **done._asdict(), "problem": problem})
    else:
        say(f"{order.family}: {_done(done)}{f', but {problem}' if problem else ''}")
    if done.applied is False:
        finding()


def _is_confirmed(order: Order, shown: Preview) -> bool:
    for line in _would(order, shown):
        remark(line)
    return click.confirm("Do it?", err=True)


def _show(order: Order, shown: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json({"model_type": order.family, "event": shown.event, "since": shown.since})
    else:
        for line in _would(order, shown):
            say(line)


def _would(order: Order, shown: Preview) -> list[str]:
    lines = [f"{order.family}: {_words(shown.event)}"]
    return lines + (_since(shown.since) if shown.since else [])


def _since(since: Since) -> list[str]:
    swap = since.swap
    who = f" by {swap.actor}" if swap.actor else ""
    return [
        f"undoes the swap of {show_time(swap.swapped_us)} ({swap.cause}{who}, position {swap.position:,})",
        *(
            f"moved since: {one.alias} v{one.before} -> v{one.after} ({one.cause}, position {one.position:,})"
            for one in since.moved
        ),
        *(
            f"trained since: v{one.version} for {one.alias} (position {one.position:,})"
            if one.alias
            else f"trained since: v{one.version} (position {one.position:,})"
            for one in since.trained
        ),
    ]


def _done(done: Done) -> str:
    repeated = "; this order was there already" if done.repeated else ""
    if done.applied is False:
        return f"written down at position {done.position:,}: {_words(done.event)}{repeated}"
    return f"{_words(done.event)}, at position {done.position:,}{repeated}"


def _words(event: Ordered) -> str:
    match event:
        case AliasPinned():
            until = f" until {show_time(event.expires_us)}" if event.expires_us is not None else ""
            return f"{event.alias} is held at v{event.version}{until}"
        case AliasesPlanned():
            moved = [one for one in event.assignments if one.before != one.after]
            versions = ", ".join(f"{one.alias} v{one.before} -> v{one.after}" for one in moved)
            return f"{versions}; the tickers go to zero" if event.swapped else versions
        case AliasesAssigned():
            versions = ", ".join(f"{one.alias} v{one.after}" for one in event.assignments)
            return f"plan {event.plan} is cancelled; the aliases stay {versions}"
        case AliasUnpinned():
            return f"{event.alias} is held at v{event.version} no more"
        case PlanApproved():
            return f"plan {event.plan} is approved"
        case PlanRejected():
            return f"plan {event.plan} is rejected; the aliases stay as they are"
