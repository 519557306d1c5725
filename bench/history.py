"""A ledger as a service writes it: games on the versions of their time, cycles over them, and what cycles move."""

import random
from collections.abc import Callable
from pathlib import Path

from bench.ledgers import GAMES_A_COMMIT, append_games, empty_ledger, play_game
from gameplay.config import Settings
from gameplay.promotion.assignments import completed
from ledger.events import Event
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import FAMILIES, FAMILY_OF_POLICY, POLICIES, Family
from projections.commands.console import progress
from projections.decision.cycle import decide_cycle
from projections.decision.rules import DEFAULT
from projections.read_models.all import ReadModels

SOURCE = "bench"
FIRST_SEED = 1


def grow(path: Path, events: int) -> None:
    """Have a ledger's file hold at least so many events; its families have aliases. Snapshots are of its head.

    Every twenty games each family decides once: a million events have some 3,000 decisions, and an audit agrees.
    """
    ledger = empty_ledger(path)
    read_models = ReadModels(ledger, since_us=Settings().metrics_since_us)
    read_models.projector.start()
    position = read_models.projector.position
    with progress(f"Writing a history of {events:,} events", events - position) as advance:
        _write(ledger, read_models, events, advance)
    read_models.projector.save(every=1)
    ledger.engine.dispose()


def _write(ledger: Ledger, read_models: ReadModels, events: int, advance: Callable[[int], None]) -> None:
    position = read_models.projector.position
    rng = random.Random(FIRST_SEED + position)
    while position < events:
        _play(ledger, read_models, rng)
        for family in FAMILIES:
            _decide(ledger, read_models, family)
        before, position = position, read_models.projector.catch_up()
        advance(position - before)


def _play(ledger: Ledger, read_models: ReadModels, rng: random.Random) -> None:
    games = []
    with read_models.projector.current():
        families = read_models.standings.state.families
        for _ in range(GAMES_A_COMMIT):
            policy = rng.choice(POLICIES)
            family = families[FAMILY_OF_POLICY[policy]]
            assignment = family.assignment()
            assert assignment is not None
            games.append(play_game(rng, policy, assignment, family.swap_count))
    append_games(ledger, games)


def _decide(ledger: Ledger, read_models: ReadModels, family: Family) -> None:
    """One cycle, as the service makes it, with its plan carried out at once."""
    decided_us = ledger.now_us()
    with read_models.projector.current() as position:
        promotion = read_models.standings.state.families[family]
        decided, planned = decide_cycle(
            family,
            promotion,
            read_models.tickers.state.windows[family],
            read_models.version_pairs.state.windows[family].counted(),
            promotion.rule or DEFAULT,
            trigger="schedule",
            source=SOURCE,
            position=position,
            decided_us=decided_us,
        )
        version = promotion.stream_version
    stream = promotion_stream(family)
    batch: list[Event] = [decided] if planned is None else [decided, planned]
    ledger.append(stream, batch, version)
    if planned is None:
        return
    with read_models.projector.current():
        promotion = read_models.standings.state.families[family]
        assert promotion.plan is not None
        ledger.append(stream, [completed(family, promotion.plan, {})], promotion.stream_version)
