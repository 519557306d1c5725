"""Ledgers of a wanted size, filled with games as they are played: a round, and what four aliases predicted."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from gameplay.game.games import Game, Prediction, decide_round, evolve
from gameplay.game.openings import draw_opening
from ledger.engines.database import open_engine
from ledger.errors import LedgerError
from ledger.events import AliasesAssigned, Assignment, CycleDecided, Event, GameStarted
from ledger.evidence import Rule, Tally
from ledger.ids import new_id
from ledger.store import Ledger
from ledger.streams import promotion_stream, stream_of
from ledger.upgrade import upgrade
from ledger.vocabulary import (
    ALIASES,
    FAMILIES,
    FAMILY_OF_POLICY,
    MOVES,
    PLAYED_ALIASES,
    POLICIES,
    Family,
    Policy,
)
from projections.decision.cycle import assignments, decide_cycle
from projections.read_models.standings import PromotionState
from projections.read_models.tickers import Window
from projections.read_models.version_pairs import PairWindow

ASSIGNMENT = Assignment(Production=1, B=2, shadow1=3, shadow2=4)
GAMES_A_COMMIT = 20


def empty_ledger(path: Path) -> Ledger:
    """A new ledger in a file."""
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    return Ledger(engine)


def fill_with_games(ledger: Ledger, events: int, seed: int = 1) -> None:
    """Append whole games until the ledger has at least `events` events."""
    rng = random.Random(seed)
    while ledger.head().position < events:
        append_games(ledger, [play_game(rng, rng.choice(POLICIES)) for _ in range(GAMES_A_COMMIT)])


def append_games(ledger: Ledger, games: Sequence[Sequence[Event]]) -> None:
    """Append games that were not there before, with one commit."""
    outcomes = ledger.append_all([ledger.prepare(stream_of(events[0]), events, 0) for events in games])
    assert not any(isinstance(outcome, LedgerError) for outcome in outcomes)


def bootstrap(ledger: Ledger) -> None:
    """Give every family its aliases."""
    for family in FAMILIES:
        event = AliasesAssigned(
            model_type=family,
            cause="bootstrap",
            cycle=None,
            plan=None,
            assignments=assignments(None, ASSIGNMENT),
            runs=(),
            swapped=False,
            reordered=False,
        )
        ledger.append(promotion_stream(family), [event], 0)


def fill_with_decisions(ledger: Ledger, decisions: int, family: Family = "xgboost") -> None:
    """Append so many cycles of one family, each over a few games more than the one before."""
    rule = Rule(name="ztest/1", alpha="0.20", minimum_games=3, minimum_predictions=30)
    stream = promotion_stream(family)
    version = ledger.version(stream)
    batch: list[Event] = list(_cycles(family, decisions, rule))
    for start in range(0, len(batch), 500):
        version = ledger.append(stream, batch[start : start + 500], version).version


def _cycles(family: Family, decisions: int, rule: Rule) -> Iterator[CycleDecided]:
    for number in range(decisions):
        promotion = PromotionState(cycle=number, aliases={alias: index for index, alias in enumerate(ALIASES, 1)})
        scores = {
            "Production": Tally(games=number + 3, wins=number // 2 + 2),
            "B": Tally(games=number + 3, wins=number // 2 + 1),
        }
        window = Window(cycles=number, scores=scores)
        decided, _ = decide_cycle(
            family,
            promotion,
            window,
            PairWindow(),
            rule,
            trigger="schedule",
            source="bench",
            position=number,
            decided_us=number,
        )
        yield decided


def play_game(
    rng: random.Random, policy: Policy, assignment: Assignment = ASSIGNMENT, swap_count: int = 0
) -> list[Event]:
    """All events of a game in which everything is left to chance."""
    alias = rng.choice(PLAYED_ALIASES)
    started = GameStarted(
        game_id=new_id(),
        player_kind="bot",
        player_id="gus",
        policy=policy,
        model_type=FAMILY_OF_POLICY[policy],
        alias=alias,
        model_version=getattr(assignment, alias),
        assignment=assignment,
        swap_count=swap_count,
        assignment_probability=0.5,
        difficulty="standard",
        opening=draw_opening(rng).name,
        bot_seed=None,
        in_metrics=True,
    )
    game = Game(started)
    events: list[Event] = [started]
    while game.finished is None:
        made = predictions(rng, assignment) if game.needs_predictions() else ()
        for event in decide_round(game, rng.choice(MOVES), made):
            evolve(game, event)
            events.append(event)
    return events


def predictions(rng: random.Random, assignment: Assignment) -> tuple[Prediction, ...]:
    """What four aliases might say."""
    made = []
    for alias in ALIASES:
        rock, paper = sorted((rng.random(), rng.random()))
        probabilities = (rock, paper - rock, 1 - paper)
        predicted = MOVES[probabilities.index(max(probabilities))]
        made.append(Prediction(alias, getattr(assignment, alias), probabilities, predicted, "model"))
    return tuple(made)
