"""Whether what was served is what the ledger says it should have been, and as good as it was in training.

The rounds of a game are rebuilt from nothing but its id and its moves, so a score, a point value or a feature
that was served otherwise shows. Then the versions that the game kept are asked again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal, NamedTuple

from gameplay.game.features import FEATURE_NAMES, features
from gameplay.game.games import Game, Prediction
from gameplay.game.policies import choose
from gameplay.game.rounds import PastRound, past_rounds
from gameplay.game.rules import round_points
from gameplay.models.artifacts import ModelCard, Score, Source
from gameplay.models.errors import ModelUnavailable
from gameplay.models.intervals import Interval, difference
from gameplay.models.loaded import Key, Models
from gameplay.parity.capture import CapturedRound, predictions_of
from gameplay.training.dataset import read_dataset
from ledger.events import Assignment, PredictionMade
from ledger.store import Ledger
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from projections.decision.accuracy import CONFIDENCE, TOLERANCE

Cards = dict[Key, ModelCard]
"""Version -> what is known of it."""

HOLDOUT_ROWS_MIN = 50
"""With fewer, an accuracy says so little that a comparison would be about them and not about the version."""
HeldOutOf = Literal["rehearsal", "own games", "all games"]
"""Games that the version itself has played in memory, that its family's policy has played, or of everybody's."""
_METRICS: dict[HeldOutOf, str] = {"rehearsal": "rehearsal", "own games": "holdout_own", "all games": "holdout"}
LENIENT = 1e-6
"""What two machines' arithmetic may differ by; strict parity allows nothing."""


class Difference(NamedTuple):
    """Something that is not what it should be; `round_no` is None where it is about a whole game or version.

    `version` is the one that it speaks against: that which predicted so, or which played the game.
    """

    game_id: str | None
    round_no: int | None
    what: str
    found: str
    expected: str
    version: int | None = None

    def __str__(self) -> str:
        place = " ".join(
            part for part in (self.game_id, f"round {self.round_no}" if self.round_no else None) if part
        )
        return f"{place}{': ' if place else ''}{self.what} is {self.found}, and should be {self.expected}"


class AccuracyComparison(NamedTuple):
    """A version's accuracy in captured rounds beside its hold-out accuracy against the same player.

    `held_out_of` says which games the hold-out rows are of. `interval` is of live less hold-out; None where too
    little was held out to compare.
    """

    family: Family
    version: int
    player: str
    live: Score
    holdout: Score
    held_out_of: HeldOutOf
    interval: Interval | None

    @property
    def own(self) -> bool:
        """Whether the hold-out rows are of games that the version itself or its family's policy has played."""
        return self.held_out_of != "all games"

    @property
    def metric(self) -> str:
        """The metric of the version's MLflow run that the live accuracy is compared with."""
        return f"{_METRICS[self.held_out_of]}_vs_{self.player}_accuracy"

    @property
    def is_finding(self) -> bool:
        """Whether the two differ by more than chance and the tolerance explain."""
        return self.interval is not None and (self.interval.low > TOLERANCE or self.interval.high < -TOLERANCE)


@dataclass
class ParityReport:
    """What was compared, and what came of it."""

    games: int = 0
    rounds: int = 0
    predictions: int = 0
    fallbacks: int = 0
    differences: list[Difference] = field(default_factory=list)
    cards: Cards = field(default_factory=dict)
    """Of the versions behind an alias in one of the games."""
    comparisons: list[AccuracyComparison] = field(default_factory=list)

    @property
    def versions(self) -> list[Key]:
        """The versions whose accuracy was compared."""
        return [(one.family, one.version) for one in self.comparisons]

    @property
    def findings(self) -> list[str]:
        """Everything that is not as it should be, in words."""
        return (
            self._nothing()
            + [str(one) for one in self.differences]
            + [
                f"version {one.version} of {one.family} predicts {one.player} otherwise than in training: "
                f"{one.live.correct} of {one.live.rows} live, {one.holdout.correct} of {one.holdout.rows} held out"
                for one in self.comparisons
                if one.is_finding
            ]
        )

    def _nothing(self) -> list[str]:
        # A check that has looked at nothing must not pass for one that has found nothing.
        if self.predictions and self.fallbacks < self.rounds:
            return []
        return [
            f"nothing that a model played was compared: {self.games} games with {self.rounds} rounds, "
            f"{self.fallbacks} of them by a fallback"
        ]


def check(ledger: Ledger, models: Models, captured: Sequence[CapturedRound], *, strict: bool) -> ParityReport:
    """Compare captured rounds with what ledger and models say. Strict: exactly, and the training rows as well."""
    report = ParityReport()
    for game_id in dict.fromkeys(one.game_id for one in captured):
        rounds = [one for one in captured if one.game_id == game_id]
        report.games += 1
        report.rounds += len(rounds)
        game, predicted = predictions_of(ledger, game_id)
        if game is None:
            report.differences.append(Difference(game_id, None, "the game", "not in this ledger", "in it"))
            continue
        # Of many versions the first are out of memory again when the last are loaded.
        report.cards |= _load(models, game, report)
        _check_game(game, predicted, rounds, models, 0.0 if strict else LENIENT, report)
    report.comparisons = compare_accuracies(report.cards, captured)
    if strict:
        _check_training_rows(ledger, report.cards, report)
    return report


def compare_accuracies(cards: Cards, captured: Iterable[CapturedRound]) -> list[AccuracyComparison]:
    """Live against hold-out accuracy of each served version, by player; its card says what it was held out."""
    live: dict[tuple[Family, int, str], list[bool]] = {}
    for one in captured:
        if one.probability_source == "model" and one.model_version is not None:
            key = (_family(one.model_type), one.model_version, one.player)
            live.setdefault(key, []).append(one.predicted == one.actual)
    comparisons = []
    for (family, version, player), hits in sorted(live.items()):
        now = Score(sum(hits), len(hits))
        held_out, of = _held_out(cards.get((family, version)), player)
        interval = difference(now, held_out, CONFIDENCE) if held_out.rows >= HOLDOUT_ROWS_MIN else None
        comparisons.append(AccuracyComparison(family, version, player, now, held_out, of, interval))
    return comparisons


def _held_out(card: ModelCard | None, player: str) -> tuple[Score, HeldOutOf]:
    """What was held out against a player, of the games that are most like those which the version plays.

    A player does not play alike against everybody: cal changes his ways after three losses in a row, which a
    weak opponent never gives him.
    """
    nothing = Score(0, 0)
    if card is None:
        return nothing, "all games"
    nearest: list[tuple[dict[str, Score], HeldOutOf]] = [
        (card.rehearsal, "rehearsal"),
        (card.own_by_opponent, "own games"),
    ]
    for scores, of in nearest:
        if (score := scores.get(player, nothing)).rows >= HOLDOUT_ROWS_MIN:
            return score, of
    return card.by_opponent.get(player, nothing), "all games"


def _check_game(
    game: Game,
    predicted: Sequence[PredictionMade],
    rounds: Sequence[CapturedRound],
    models: Models,
    tolerance: float,
    report: ParityReport,
) -> None:
    game_id = game.started.game_id
    past = past_rounds([(played.user_move, played.bot_move) for played in game.rounds], game_id)
    for number, (recorded, rebuilt) in enumerate(zip(game.past, past, strict=True), start=1):
        if recorded != rebuilt:
            played = game.started.model_version
            found = Difference(game_id, number, "the round", str(recorded), str(rebuilt), played)
            report.differences.append(found)
    for one in rounds:
        _check_round(game, past[: one.round - 1], one, predicted, models, tolerance, report)


def _check_round(
    game: Game,
    past: Sequence[PastRound],
    one: CapturedRound,
    predicted: Sequence[PredictionMade],
    models: Models,
    tolerance: float,
    report: ParityReport,
) -> None:
    points = round_points(one.game_id, one.round)
    row = features(past, points)
    found: list[tuple[str, object, object]] = [
        (f"the feature {name}", served, rebuilt)
        for name, served, rebuilt in zip(FEATURE_NAMES, one.features, row.tolist(), strict=True)
        if not abs(served - rebuilt) <= tolerance
    ]
    family, assignment = _family(one.model_type), game.started.assignment
    again = {prediction.alias: prediction for prediction in models.predict(family, assignment, row)}
    events = {event.alias: event for event in predicted if event.round == one.round}
    if one.probability_source == "model":
        found += _against(again[_alias(one.alias)], one.probabilities, one.model_version, one.predicted, tolerance)
    else:
        report.fallbacks += 1
    scores = (past[-1].user_score_tenths, past[-1].bot_score_tenths)
    found += _unless_equal("the bot's move", one.bot_move, choose(one.probabilities, points, *scores))
    found += _unless_equal("the player's move", one.actual, game.rounds[one.round - 1].user_move)
    by_version = [(game.started.model_version, found)]
    for alias, event in events.items():
        report.predictions += 1
        against = _against(again[alias], event.probabilities, event.model_version, event.predicted, tolerance)
        by_version.append((event.model_version, against))
    report.differences += [
        Difference(one.game_id, one.round, what, str(served), str(expected), version)
        for version, differing in by_version
        for what, served, expected in differing
    ]


def _against(
    again: Prediction,
    probabilities: Sequence[float],
    version: int | None,
    predicted: str,
    tolerance: float,
) -> list[tuple[str, object, object]]:
    who = f"what {again.alias} (version {again.version}) gives"
    if again.steps:
        return [(who, "on record", f"computed again, but {again.steps[-1].detail}")]
    found = _unless_equal(f"the version behind {again.alias}", version, again.version)
    if any(
        not abs(one - other) <= tolerance for one, other in zip(probabilities, again.probabilities, strict=True)
    ):
        found.append((who, tuple(probabilities), again.probabilities))
    return found or _unless_equal(f"the move that {again.alias} expects", predicted, again.predicted)


def _check_training_rows(ledger: Ledger, cards: Cards, report: ParityReport) -> None:
    """Features of the past, computed by today's code, are those that the versions learned from."""
    digests: dict[Source, str] = {}
    for (family, version), card in sorted(cards.items(), key=itemgetter(0)):
        source = card.source
        if source not in digests:
            rows = read_dataset(
                ledger,
                after=source.after_position,
                through=source.through_position,
                since_us=source.since_us,
                legacy_stride=source.legacy_stride,
                limit_games=source.limit_games,
            )
            digests[source] = rows.source.rows_digest
        what = f"the digest of the rows that version {version} of {family} learned from"
        for _, found, expected in _unless_equal(what, digests[source], source.rows_digest):
            report.differences.append(Difference(None, None, what, str(found), str(expected), version))


def _load(models: Models, game: Game, report: ParityReport) -> Cards:
    """Have the versions of a game in memory; returns their cards."""
    assignment: Assignment | None = game.started.assignment
    if assignment is None:
        return {}
    family, cards = _family(game.started.model_type), Cards()
    for alias in ALIASES:
        version = getattr(assignment, alias)
        try:
            models.load(family, version)
        except ModelUnavailable as error:
            what = f"the version behind {alias}"
            report.differences.append(Difference(game.started.game_id, None, what, str(error), "loaded", version))
        if card := models.card(family, version):
            cards[family, version] = card
    return cards


def _unless_equal(what: str, found: object, expected: object) -> list[tuple[str, object, object]]:
    return [] if found == expected else [(what, found, expected)]


def _family(model_type: str) -> Family:
    return next(family for family in FAMILIES if family == model_type)


def _alias(alias: str | None) -> Alias:
    return next(one for one in ALIASES if one == alias)
