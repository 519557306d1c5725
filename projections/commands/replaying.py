"""replay, aliases, diff, compare, rebuild: the state at any position, and whether the stored state equals it."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from prometheus_client import CollectorRegistry, generate_latest

from ledger.store import Ledger
from ledger.times import show_time
from ledger.vocabulary import ALIASES, FAMILIES
from projections.audit.aliases import aliases_at
from projections.audit.compare import ReadModelComparison
from projections.audit.compare import compare as compare_stored
from projections.audit.rebuild import READ_MODELS
from projections.audit.rebuild import rebuild as rebuild_stored
from projections.audit.replay import Replay, by_id, flatten, plain
from projections.commands.console import bad, finding, good, json_option, print_json, print_table, progress, say
from projections.commands.positions import PositionType, TimeType
from projections.commands.since import since_option, since_us
from projections.commands.source import Source, pass_source
from projections.metrics.exposition import LedgerCollector
from projections.notebook.book import Notebook, ReadModel
from projections.positions import check_position, position_at, resolve
from projections.read_models.history import NAME as HISTORY

projection_option = click.option("--projection", type=click.Choice(READ_MODELS), help="One read model only.")


class OwnProjection(click.ParamType[Any]):
    """A read model's name, or `module:name` of one's own, which is imported from the working folder too."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name, or the ReadModel."""
        if not isinstance(value, str) or value in READ_MODELS:
            return value
        module, named, attribute = value.partition(":")
        if not named or not all(part.isidentifier() for part in module.split(".")):
            self.fail(f"{value!r} is none of {', '.join(READ_MODELS)}, and no module:name", param, ctx)
        sys.path.insert(0, str(Path.cwd()))
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            self.fail(f"{value}: {error}", param, ctx)
        except Exception as error:  # noqa: BLE001 - the outermost frame of a module that is not ours
            self.fail(f"{value}: importing {module} raised {type(error).__name__}: {error}", param, ctx)
        finally:
            sys.path.pop(0)
        if not isinstance(found, ReadModel):
            self.fail(f"{value} is no projections.ReadModel", param, ctx)
        return found


def replayed(ledger: Ledger, position: int, since: int) -> Replay:
    """The read models at a position."""
    replay = Replay(ledger, since_us=since)
    with progress("Replaying", position) as advance:
        replay.advance(position, advance)
    return replay


@click.command()
@click.option("--to", type=PositionType(), default=None, help="A position; by default the head.")
@click.option("--until", type=TimeType(), default=None, help="A time instead, such as 2026-11-12 or -2h.")
@click.option("--projection", type=OwnProjection(), help="One read model only; module:name is one of your own.")
@click.option("--format", "form", type=click.Choice(["table", "json", "prometheus"]), default="table")
@since_option
@json_option
@pass_source
def replay(
    source: Source,
    to: int | None,
    until: int | None,
    projection: str | ReadModel | None,
    form: str,
    metrics_since: str | None,
    as_json: bool,
) -> None:
    """Show the state at any position or time. As `prometheus`: what /metrics?scope=ledger would have said.

    Example: rps-audit replay --until 2026-11-12T12:00:00Z --projection standings

    Example: rps-audit replay --projection my_module:wins
    """
    ledger = source.reader()
    if to is not None and until is not None:
        raise click.UsageError("--to and --until say the same thing: give one of them")
    if form == "prometheus" and (projection is not None or as_json):
        raise click.UsageError("--format prometheus prints every series as text: no --projection, no --json")
    if until is not None:
        position = position_at(ledger, until)
    else:
        position = check_position(ledger, to) if to is not None else ledger.head().position
    if isinstance(projection, ReadModel):
        if metrics_since is not None:
            raise click.UsageError("a read model of your own takes no --metrics-since")
        _show_own(ledger, position, projection, as_json=as_json or form == "json")
        return
    state = replayed(ledger, position, since_us(ledger, metrics_since))
    if form == "prometheus":
        registry = CollectorRegistry()
        registry.register(LedgerCollector(state.read_models))
        click.echo(generate_latest(registry), nl=False)
        return
    if as_json or form == "json":
        recorded = show_time(state.head.recorded_us) if position else None
        print_json({"position": position, "recorded": recorded, "states": _shown(state, projection)})
        return
    for name, one in _shown(state, projection).items():
        rows = [(path, _cell(path, value)) for path, value in flatten(one).items() if _is_shown(name, value)]
        print_table(f"{name} at position {position:,}", ("what", "value"), rows)


def _show_own(ledger: Ledger, position: int, model: ReadModel, *, as_json: bool) -> None:
    with progress("Replaying", position) as advance:
        state = (
            Notebook(ledger).fold(model.initial, model.handlers, position, progress=advance) if position else {}
        )
    if as_json:
        print_json({"position": position, "state": plain(state)})
        return
    rows = [(path, _cell(path, value)) for path, value in flatten(plain(state)).items()]
    print_table(f"Your read model at position {position:,}", ("what", "value"), rows)


def _shown(state: Replay, projection: str | None) -> dict[str, Any]:
    """The requested states; rows of the history by their id."""
    states = {**state.plain(), HISTORY: by_id(state.history_rows())}
    return {name: one for name, one in states.items() if projection in (None, name)}


def _is_shown(name: str, value: Any) -> bool:
    """A table leaves out what is absent, and of the counters, which know every label, what never happened."""
    return value not in (None, "") and not (name == "counters" and value == 0)


def _cell(path: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return show_time(value) if _is_time(path) else str(value)


def _is_time(path: str) -> bool:
    return path.endswith("_us")


@click.command()
@click.option("--at", "at", default=None, help="A position, or a time such as 2026-11-12, -2h or yesterday.")
@json_option
@pass_source
def aliases(source: Source, at: str | None, as_json: bool) -> None:
    """Say which version was behind each alias.

    Example: rps-audit aliases --at 2026-11-12
    """
    ledger = source.reader()
    position = resolve(ledger, at) if at is not None else ledger.head().position
    families = aliases_at(ledger, position)
    if as_json:
        versions = {family: families[family].versions for family in FAMILIES}
        swaps = {family: families[family].swaps for family in FAMILIES}
        swapped = {family: _swapped(families[family].last_swap_us) for family in FAMILIES}
        print_json({"position": position, "aliases": versions, "swaps": swaps, "last_swap": swapped})
        return
    rows = []
    for family in FAMILIES:
        one = families[family]
        behind = [f"v{one.versions[alias]}" if one.versions else None for alias in ALIASES]
        rows.append((family, *behind, one.swaps, _swapped(one.last_swap_us)))
    print_table(f"Aliases at position {position:,}", ("family", *ALIASES, "swaps", "last swap"), rows)


def _swapped(time_us: int | None) -> str | None:
    return show_time(time_us) if time_us else None


@click.command()
@click.argument("a")
@click.argument("b")
@projection_option
@since_option
@json_option
@pass_source
def diff(source: Source, a: str, b: str, projection: str | None, metrics_since: str | None, as_json: bool) -> None:
    """Show what changed between two states, each at a position or an ISO 8601 time.

    Example: rps-audit diff 2026-11-11 2026-11-12 --projection tickers
    """
    ledger = source.reader()
    first, second = sorted((resolve(ledger, a), resolve(ledger, b)))
    state = replayed(ledger, first, since_us(ledger, metrics_since))
    before = flatten(_shown(state, projection))
    with progress("Replaying", second - first) as advance:
        state.advance(second, advance)
    after = flatten(_shown(state, projection))
    changes = [
        (path, before.get(path), after.get(path))
        for path in dict.fromkeys((*before, *after))
        if before.get(path) != after.get(path)
    ]
    if as_json:
        listed = [
            {"path": path, "before": one, "after": other, "change": number_between(one, other)}
            for path, one, other in changes
        ]
        print_json({"from": first, "to": second, "changes": listed})
        return
    rows = [
        (path, _cell(path, one), _cell(path, other), step_between(path, one, other))
        for path, one, other in changes
    ]
    headings = ("what", f"at {first:,}", f"at {second:,}", "change")
    print_table(f"Between position {first:,} and {second:,}", headings, rows)


def step_between(path: str, before: Any, after: Any) -> str:
    """The difference of two numbers, to the last digit; of two times, in seconds."""
    change = number_between(before, after)
    if change is None:
        return ""
    if _is_time(path):
        return f"{change / 1_000_000:+.3f} s"
    return f"{change:+d}" if isinstance(change, int) else f"{change:+.12g}"


def number_between(before: Any, after: Any) -> int | float | None:
    """What was added to a number; None where either is none."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (before, after)):
        return None
    added: int | float = after - before
    return added


@click.command()
@json_option
@pass_source
def compare(source: Source, as_json: bool) -> None:
    """Replay everything and compare it with the stored snapshots, waypoints and tables.

    Example: rps-audit compare
    """
    ledger = source.reader()
    with progress("Comparing", ledger.head().position) as advance:
        found = compare_stored(ledger, advance)
    if as_json:
        print_json({"equal": not found.differences, **found._asdict(), "not_stored": _not_stored(found)})
    else:
        _print(found)
    if found.differences:
        finding()


def _not_stored(found: ReadModelComparison) -> list[str]:
    return [name for name in READ_MODELS if name not in found.compared]


def _print(found: ReadModelComparison) -> None:
    wrong = {one.read_model for one in found.differences}
    outcomes: list[tuple[Any, ...]] = [
        (name, position, bad("differs") if name in wrong else good("equal"))
        for name, position in found.compared.items()
    ]
    outcomes += [(name, None, "not stored") for name in _not_stored(found)]
    if found.waypoints:
        beside = {one.position for one in found.differences} - set(found.compared.values())
        outcomes.append((f"{found.waypoints} waypoints", None, bad("differ") if beside else good("equal")))
    print_table("Stored read models against a full replay", ("name", "position", "outcome"), outcomes)
    if not found.compared:
        say("nothing is stored, so there is nothing to compare: the next start replays everything")
    if found.differences:
        differences = [(one.read_model, one.path, str(one.stored), str(one.replayed)) for one in found.differences]
        print_table("Differences", ("read model", "what", "stored", "replayed"), differences)


@click.command()
@projection_option
@since_option
@json_option
@pass_source
def rebuild(source: Source, projection: str | None, metrics_since: str | None, as_json: bool) -> None:
    """Replay a read model, or all of them, beside what is stored, and put it in its place. A service may run on.

    Example: rps-audit rebuild --projection promotion_history
    """
    ledger = source.writer()
    names = (projection,) if projection else READ_MODELS
    with progress("Replaying", ledger.head().position) as advance:
        position = rebuild_stored(ledger, names, since_us=since_us(ledger, metrics_since), progress=advance)
    if as_json:
        print_json({"rebuilt": names, "position": position})
    else:
        say(f"{', '.join(names)}: rebuilt, at position {position}")
