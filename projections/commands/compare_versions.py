"""compare-versions: two versions of a family against each other, in any span of time."""

from typing import Any

import click

from ledger.evidence import Arm, Rule
from ledger.vocabulary import FAMILIES, PLAYER_KINDS, Family, PlayerKind
from projections.audit.versions import Compared, compare_versions
from projections.commands.console import json_option, print_json, print_table, progress, remark
from projections.commands.looks import print_look
from projections.commands.numbers import AlphaType, WholeType
from projections.commands.positions import TimeType
from projections.commands.source import Source, pass_source
from projections.decision.rules import Z_TEST
from projections.positions import check_span

_COIN = (
    "E and the interval at every look take for granted that a fair coin chose between these two, game by game:"
    " they say nothing of versions that did not play beside each other."
)


class PairType(click.ParamType[tuple[int, int]]):
    """Two different versions, as 3,7."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The versions, in their order."""
        words = str(value).split(",")
        if len(words) != 2:
            self.fail(f"{value!r} is no pair of versions: write such as 3,7", param, ctx)
        first, second = (WholeType(1).convert(word.strip(), param, ctx) for word in words)
        if first == second:
            self.fail(f"version {first} cannot be compared with itself", param, ctx)
        return first, second


@click.command("compare-versions")
@click.option("--model-type", type=click.Choice(FAMILIES), required=True, help="The family.")
@click.option("--versions", "pair", type=PairType(), required=True, help="Production's place, then B's, as 3,7.")
@click.option("--since", type=TimeType(), default=None, help="Leave out games that ended earlier.")
@click.option("--until", type=TimeType(), default=None, help="Leave out games that ended then or later.")
@click.option(
    "--player-kind",
    "kinds",
    type=click.Choice(PLAYER_KINDS),
    multiple=True,
    help="May repeat; by default games of every kind of player.",
)
@click.option("--alpha", type=AlphaType(), default="0.20", show_default=True, help="Of every rule.")
@click.option("--minimum-games", type=WholeType(1), default=3, show_default=True, help="Games that each needs.")
@json_option
@pass_source
def compare(
    source: Source,
    model_type: Family,
    pair: tuple[int, int],
    since: int | None,
    until: int | None,
    kinds: tuple[PlayerKind, ...],
    alpha: str,
    minimum_games: int,
    as_json: bool,
) -> None:
    """Compare two versions by all their games, whichever aliases they had, and say what each rule says.

    Test games and games in which a fallback chose a move do not count.

    Example: rps-audit compare-versions --model-type xgboost --versions 1,2 --player-kind human
    """
    check_span(since, until)
    ledger = source.reader()
    rule = Rule(name=Z_TEST, alpha=alpha, minimum_games=minimum_games, minimum_predictions=0)
    with progress("Counting", ledger.head().position) as advance:
        compared = compare_versions(
            ledger,
            model_type,
            pair,
            rule,
            since_us=since,
            until_us=until,
            player_kinds=kinds or PLAYER_KINDS,
            progress=advance,
        )
    if as_json:
        print_json(_record(model_type, compared))
        return
    rows = [_arm(place, side) for place, side in (("Production", compared.production), ("B", compared.b))]
    print_table(f"Games of {model_type}", ("in the place of", "version", "games", "wins", "win rate"), rows)
    print_look(model_type, compared.statistics, compared.verdicts)
    remark(_COIN)


def _arm(place: str, side: Arm) -> tuple[Any, ...]:
    games, wins = side.window.games, side.window.wins
    return place, f"v{side.version}", games, wins, f"{wins / games:.1%}" if games else None


def _record(family: Family, compared: Compared) -> dict[str, Any]:
    return {
        "model_type": family,
        **{
            name: {"version": side.version, "games": side.window.games, "wins": side.window.wins}
            for name, side in (("production", compared.production), ("b", compared.b))
        },
        "statistics": compared.statistics,
        "verdicts": compared.verdicts,
    }
