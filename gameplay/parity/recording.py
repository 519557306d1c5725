"""Parity checks that a schedule makes, as facts: of games that the ledger has, so that none is played for it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from gameplay.models.errors import ModelUnavailable
from gameplay.models.loaded import Models
from gameplay.parity.capture import CapturedRound, from_ledger, predictions_of
from gameplay.parity.comparison import ParityReport, check, compare_accuracies
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
    """A strict check of each version behind an alias, by those of the rounds in which it has predicted.

    A version that chose moves in some of them is measured by these, one that chose none by what it predicted
    beside; what was held out against the player is then of other games than these, and not compared. A game that
    cannot be computed again, because a version cannot be loaded, is left out: it says nothing of parity.
    """
    rounds = _computable(ledger, models, family, rounds)
    if not rounds or is_ending():
        return
    report = check(ledger, models, rounds, strict=True)
    for version in sorted(set(promotion.aliases.values())):
        played = [one for one in rounds if one.model_version == version and one.probability_source == "model"]
        if own := played or list(_beside(ledger, version, rounds)):
            run_id = promotion.runs.get(version)
            yield _checked(family, version, own, report, run_id, has_played=bool(played))


def _checked(
    family: Family,
    version: int,
    own: Sequence[CapturedRound],
    report: ParityReport,
    run_id: str | None,
    *,
    has_played: bool,
) -> ParityChecked:
    """What comes of the rounds in which a version has predicted."""
    (compared,) = compare_accuracies(report.cards, own)
    is_comparable = has_played and compared.interval is not None
    return ParityChecked(
        model_type=family,
        version=version,
        run_id=run_id,
        player=PLAYER,
        games=len({one.game_id for one in own}),
        rounds=len(own),
        differences=sum(one.version == version for one in report.differences),
        live=Hits(correct=compared.live.correct, rows=compared.live.rows),
        held_out=Hits(correct=compared.holdout.correct, rows=compared.holdout.rows) if is_comparable else None,
        metric=compared.metric if is_comparable else None,
    )


def _beside(ledger: Ledger, version: int, rounds: Sequence[CapturedRound]) -> Iterator[CapturedRound]:
    """The rounds with what the version predicted in them, in place of the one that chose the move."""
    for game_id in dict.fromkeys(one.game_id for one in rounds):
        _, predicted = predictions_of(ledger, game_id)
        own = {event.round: event for event in predicted if event.model_version == version}
        for one in rounds:
            if one.game_id == game_id and (event := own.get(one.round)) is not None:
                yield replace(
                    one,
                    alias=event.alias,
                    model_version=version,
                    probability_source="model",
                    probabilities=event.probabilities,
                    predicted=event.predicted,
                )


def _computable(
    ledger: Ledger, models: Models, family: Family, rounds: Sequence[CapturedRound]
) -> list[CapturedRound]:
    """The rounds of games whose four versions can be had: the challengers have predicted in each, too."""
    missing: set[int] = set()  # what could not be had for one game is not asked for again for the next
    computable = set()
    for game_id in dict.fromkeys(one.game_id for one in rounds):
        game, _ = predictions_of(ledger, game_id)
        if game is None or (assignment := game.started.assignment) is None:
            continue
        versions = {getattr(assignment, alias) for alias in ALIASES}
        missing |= _not_loaded(models, family, versions - missing)
        if not versions & missing:
            computable.add(game_id)
    return [one for one in rounds if one.game_id in computable]


def _not_loaded(models: Models, family: Family, versions: set[int]) -> set[int]:
    failed = set()
    for version in sorted(versions):
        try:
            models.load(family, version)
        except ModelUnavailable as error:
            log.warning("no parity check of games with version %s of %s: %s", version, family, error)
            failed.add(version)
    return failed
