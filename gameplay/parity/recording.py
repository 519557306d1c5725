"""Parity checks that a schedule makes, as facts: of games that the ledger has, so that none is played for it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from gameplay.models.errors import ModelUnavailable
from gameplay.models.loaded import Models
from gameplay.parity.capture import CapturedRound, from_ledger, predictions_of
from gameplay.parity.comparison import check
from ledger.events import Hits, ParityChecked
from ledger.store import Ledger
from ledger.vocabulary import ALIASES, POLICY_OF_FAMILY, BotName, Family
from projections.read_models.standings import PromotionState

log = logging.getLogger(__name__)

PLAYER: Final[BotName] = "cal"
GAMES: Final = 20
"""Of each policy, the newest."""


def last_rounds(ledger: Ledger, family: Family) -> list[CapturedRound]:
    """The rounds of the player's last games against the policy that plays with the family."""
    return [one for game in from_ledger(ledger, PLAYER, POLICY_OF_FAMILY[family], GAMES) for one in game]


def check_versions(
    ledger: Ledger,
    models: Models,
    family: Family,
    promotion: PromotionState,
    rounds: Sequence[CapturedRound],
    is_ending: Callable[[], bool] = lambda: False,
) -> Iterator[ParityChecked]:
    """A strict check of each version behind an alias, by those of the rounds that it has played.

    What cannot be computed again, because a version cannot be loaded, is not checked: that says nothing of parity.
    """
    for version in sorted(set(promotion.aliases.values())):
        own = [one for one in rounds if one.model_version == version]
        if is_ending():
            return
        try:
            event = _checked(ledger, models, family, version, own, promotion.runs.get(version))
        except ModelUnavailable as error:
            log.warning("no parity check of version %s of %s: %s", version, family, error)
            continue
        if event is not None:
            yield event


def _checked(
    ledger: Ledger,
    models: Models,
    family: Family,
    version: int,
    rounds: Sequence[CapturedRound],
    run_id: str | None,
) -> ParityChecked | None:
    """What comes of a version's rounds; None where it has chosen no move in them. Raises ModelUnavailable."""
    if all(one.probability_source != "model" for one in rounds):
        return None
    _load(ledger, models, family, rounds)
    report = check(ledger, models, rounds, strict=True)
    (compared,) = report.comparisons
    is_comparable = compared.interval is not None
    return ParityChecked(
        model_type=family,
        version=version,
        run_id=run_id,
        player=PLAYER,
        games=report.games,
        rounds=report.rounds,
        differences=len(report.differences),
        live=Hits(correct=compared.live.correct, rows=compared.live.rows),
        held_out=Hits(correct=compared.holdout.correct, rows=compared.holdout.rows) if is_comparable else None,
        metric=compared.metric if is_comparable else None,
    )


def _load(ledger: Ledger, models: Models, family: Family, rounds: Sequence[CapturedRound]) -> None:
    """Have every version in memory that the games kept, since a game's challengers have predicted in it, too."""
    for game_id in dict.fromkeys(one.game_id for one in rounds):
        game, _ = predictions_of(ledger, game_id)
        if game is not None and (assignment := game.started.assignment) is not None:
            for alias in ALIASES:
                models.load(family, getattr(assignment, alias))
