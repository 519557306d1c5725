"""A small ledger that is the same every time: fixed clock, ids, players and key. Docs and tests look at it.

Three families play for six days; a cycle runs every few hours. One family's B predicts better than its
Production, and is promoted; games are under way while aliases move; one cycle was reported from outside; there
are test games, abandoned games and games in which a model fell back.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gameplay.game.games import Game, Prediction, Step, decide_abandoned, decide_round, evolve
from gameplay.game.openings import OPENINGS
from gameplay.promotion.assignments import assigned
from ledger.engines.database import open_engine
from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    Assignment,
    CycleDecided,
    Event,
    GameStarted,
    TrainingCompleted,
)
from ledger.ids import keyed_id
from ledger.reported import Report
from ledger.sealing.keys import Signer, public_path
from ledger.sealing.seals import seal_head
from ledger.store import Ledger
from ledger.streams import game_stream, promotion_stream, training_stream
from ledger.upgrade import upgrade
from ledger.vocabulary import (
    ALIASES,
    FAMILIES,
    FAMILY_OF_POLICY,
    MOVES,
    Alias,
    Family,
    Policy,
    ProbabilitySource,
)
from projections.decision.cycle import assignments, decide_cycle, swap, tickers_after
from projections.decision.evidence import gather, look_at_windows
from projections.decision.rules import DEFAULT
from projections.read_models.all import ReadModels

BEGAN = datetime(2025, 11, 3, 8, 0, tzinfo=UTC)
DAYS = 6
ROUNDS_A_DAY = 4
GAMES_A_ROUND = 2
SEAL_EVERY_CYCLES = 8
SIGNER = Signer("promotion-ledger/example", bytes(range(32)))

# Version -> how often it knows the player's move; else it guesses. At first they are behind the aliases in order.
SKILLS: dict[Family, dict[int, float]] = {
    "feedforward_nn": {1: 0.30, 2: 0.15, 3: 0.05, 4: 0.10},
    "xgboost": {1: 0.00, 2: 0.45, 3: 0.30, 4: 0.10},
    "multinomial_logistic": {1: 0.10, 2: 0.15, 3: 0.35, 4: 0.05},
}


@dataclass
class Clock:
    """Stands still until the caller moves it."""

    seconds: float = BEGAN.timestamp()

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Author:
    """Writes the history, in the order in which a service would have."""

    ledger: Ledger
    clock: Clock
    rng: random.Random = field(default_factory=lambda: random.Random(20251103))
    games: int = 0

    def __post_init__(self) -> None:
        self.read_models = ReadModels(self.ledger)

    def append(self, stream: str, *events: Event) -> None:
        """Append, with ids that are the same every time."""
        version = self.ledger.version(stream)
        ids = [keyed_id("example", stream, version + index) for index in range(len(events))]
        self.ledger.append(stream, events, version, ids=ids)

    def start(self, policy: Policy) -> Game:
        """A player sits down."""
        self.games += 1
        family = FAMILY_OF_POLICY[policy]
        self.read_models.projector.catch_up()
        promotion = self.read_models.standings.state.families[family]
        assignment = promotion.assignment()
        assert assignment is not None
        alias = self.rng.choice(("Production", "B"))
        started = GameStarted(
            game_id=keyed_id("example", "game", self.games),
            player_kind="bot",
            player_id="cal",
            policy=policy,
            model_type=family,
            alias="B" if alias == "B" else "Production",
            model_version=getattr(assignment, alias),
            assignment=assignment,
            swap_count=promotion.swap_count,
            assignment_probability=0.5,
            difficulty="standard",
            opening=self.rng.choice(list(OPENINGS)),
            bot_seed=None,
            in_metrics=self.games % 17 != 0,
        )
        self.append(game_stream(started.game_id), started)
        return Game(started)

    def play(self, game: Game) -> None:
        """Play it to its end; every nineteenth is left after two rounds, every twenty-third has a fallback."""
        events: list[Event] = []
        for number in range(1, 100):
            if self.games % 19 == 0 and number == 3:
                events.append(decide_abandoned(game, 1_800))
                break
            move = self.rng.choice(MOVES)
            predictions = tuple(self._predictions(game, move)) if game.needs_predictions() else ()
            for event in decide_round(game, move, predictions):
                evolve(game, event)
                events.append(event)
            if game.finished:
                break
        self.append(game_stream(game.started.game_id), *events)

    def _predictions(self, game: Game, move: str) -> Iterator[Prediction]:
        family, assignment = game.started.model_type, game.started.assignment
        assert family != "scripted"
        assert assignment is not None
        for alias in ALIASES:
            version: int = getattr(assignment, alias)
            right = self.rng.random() < SKILLS[family][version]
            expected = next(one for one in MOVES if one == move) if right else self.rng.choice(MOVES)
            shares = tuple(0.6 if one == expected else 0.2 for one in MOVES)
            probabilities = (shares[0], shares[1], shares[2])
            fell_back = self.games % 23 == 0 and alias == game.started.alias
            steps = (Step("predict_error", "the session refused its input"),) if fell_back else ()
            source: ProbabilitySource = "uniform" if fell_back else "model"
            yield Prediction(alias, version, probabilities, expected, source, steps)

    def cycle(self, family: Family) -> None:
        """One promotion cycle, and a moment later its plan is completed."""
        position = self.read_models.projector.catch_up()
        promotion = self.read_models.standings.state.families[family]
        window = self.read_models.tickers.state.windows[family]
        decided, planned = decide_cycle(
            family,
            promotion,
            window,
            self.read_models.version_pairs.state.windows[family],
            DEFAULT,
            trigger="schedule",
            source="scheduler",
            position=position,
            decided_us=self.ledger.now_us(),
        )
        stream = promotion_stream(family)
        if planned is None:
            self.append(stream, decided)
            return
        self.append(stream, decided, planned)
        self.clock.seconds += 2
        plan = self.ledger.version(stream)
        self.append(stream, _completion(planned, plan))

    def report(self, family: Family) -> None:
        """An outside automation says that it has swapped."""
        position = self.read_models.projector.catch_up()
        promotion = self.read_models.standings.state.families[family]
        window = self.read_models.tickers.state.windows[family]
        assignment = promotion.assignment()
        assert assignment is not None
        after = swap(assignment)
        evidence = gather(window, promotion, assignment, position)
        decided = CycleDecided(
            model_type=family,
            cycle=promotion.cycle + 1,
            trigger="report",
            source="promotion-dag",
            decided_us=None,
            rule=None,
            evidence=evidence,
            watched=None,
            windows=look_at_windows(window, self.read_models.version_pairs.state.windows[family], assignment),
            z_statistic=1.7,
            p_value=0.0446,
            statistics=None,
            verdicts=(),
            decision="swap_production_b",
            reason_code="reported",
            reason="B is better by our own count.",
            ranking=(),
            reordered=False,
            tickers=tickers_after(window, "swap_production_b"),
            report=Report(
                body_sha256="00" * 32,
                production_wins=evidence.production.window.wins,
                production_total_games=evidence.production.window.games,
                b_wins=evidence.b.window.wins + 1,
                b_total_games=evidence.b.window.games + 1,
            ),
        )
        moved = AliasesAssigned(
            model_type=family,
            cause="report",
            cycle=decided.cycle,
            plan=None,
            assignments=assignments(assignment, after),
            runs=(),
            swapped=True,
            reordered=False,
        )
        self.append(promotion_stream(family), decided, moved)


def write_ledger(folder: Path) -> Path:
    """Write `ledger.db` with its seals, and the key's public half, into `folder`; returns the database's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ledger.db"
    clock = Clock()
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    author = Author(Ledger(engine, clock=clock), clock)
    for family in FAMILIES:
        for alias in ALIASES:
            author.append(training_stream(family), _trained(family, alias))
        author.append(promotion_stream(family), assigned(family, "bootstrap", None, _first_assignment()))
    for number in range(DAYS * ROUNDS_A_DAY):
        _quarter_day(author, number)
        if number % SEAL_EVERY_CYCLES == SEAL_EVERY_CYCLES - 1:
            seal_head(author.ledger, SIGNER)
    author.read_models.projector.save(every=1)
    engine.dispose()
    public_path(folder / "seal.key").write_text(f"{SIGNER.verifier.text()}\n", "utf-8")
    return path


def _quarter_day(author: Author, number: int) -> None:
    """Games of every policy; the last game of each goes on while the cycles run."""
    waiting: list[Game] = []
    for policy in FAMILY_OF_POLICY:
        for index in range(GAMES_A_ROUND):
            author.clock.seconds += 600
            game = author.start(policy)
            if index == GAMES_A_ROUND - 1:
                waiting.append(game)
            else:
                author.play(game)
    author.clock.seconds += 60
    for family in FAMILIES:
        if family == "multinomial_logistic" and number == 13:
            author.report(family)
        else:
            author.cycle(family)
    for game in waiting:
        author.clock.seconds += 30
        author.play(game)
    author.clock.seconds = BEGAN.timestamp() + (number + 1) * 86_400 / ROUNDS_A_DAY


def _completion(planned: AliasesPlanned, plan: int) -> AliasesAssigned:
    return AliasesAssigned(
        model_type=planned.model_type,
        cause=planned.cause,
        cycle=planned.cycle,
        plan=plan,
        assignments=planned.assignments,
        runs=planned.runs,
        swapped=planned.swapped,
        reordered=planned.reordered,
    )


def _first_assignment() -> Assignment:
    return Assignment(Production=1, B=2, shadow1=3, shadow2=4)


def _trained(family: Family, alias: Alias) -> TrainingCompleted:
    version = ALIASES.index(alias) + 1
    return TrainingCompleted(
        model_type=family,
        alias=alias,
        status="success",
        source="setup",
        duration_seconds=1.5 * version,
        model_version=version,
        run_id=f"run-{family}-{version}",
        rows=1_200,
        training_accuracy=0.48,
        holdout_accuracy=SKILLS[family][version],
        after_position=0,
        through_position=0,
        error=None,
    )
