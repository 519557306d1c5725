"""Walks through what the service does, the same ones in every run, with every check after every act."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import get_args

from ledger.vocabulary import Family
from tests.guarantees.receiver import Mood
from tests.guarantees.remembered import series
from tests.guarantees.world import BROKEN, World

FAMILY: Family = "xgboost"
POLICY = "forrest"
Act = Callable[[], object]
Walk = Callable[[World], Iterator[Act]]


def walk(world: World, acts: Walk) -> None:
    """Do one act after the other, and check everything after each."""
    world.check()
    for act in acts(world):
        act()
        world.check()
    world.check_log()


def games(world: World) -> Iterator[Act]:
    """Rounds, retries and refusals, games without a model, a test game, a restart in the middle."""
    game_id = world.start(POLICY)
    for move in ("rock", "paper", "scissors", "rock", "rock"):
        yield partial(world.play, game_id, move)
        yield partial(world.retry, game_id)
        yield partial(world.misplay, game_id)
    yield partial(world.play_out, "cal", 1)
    yield partial(world.play_out, "brian", 2, counted=False)
    yield world.save_snapshots
    yield partial(world.play, game_id, "paper", says_round=False)
    yield world.restart
    while not world.expected.games[game_id].finished:
        yield partial(world.play, game_id, "rock")
    yield partial(world.retry, game_id)
    yield partial(world.misplay, game_id)
    yield partial(world.train, FAMILY, "success")


def decisions(world: World) -> Iterator[Act]:
    """Cycles that find too little, swap and reorder; reports that do the same; games begun before a swap."""
    family = world.expected.families[FAMILY]
    yield partial(world.cycle, FAMILY)
    yield from _comparable(world, "B")
    left = [world.start(POLICY) for _ in range(4)]
    while "swap_production_b" not in family.decisions:
        yield partial(world.play_for, POLICY, "B")
        yield partial(world.cycle, FAMILY)
    for game_id in left:  # begun before the swap, finished after it
        yield partial(_finish, world, game_id)
    while not _reordered(world):
        yield from _comparable(world, "Production")
        # Only the version behind shadow1 expects this move of everybody.
        yield partial(world.play_all, POLICY, "scissors")
        yield partial(world.cycle, FAMILY)
    yield partial(world.cycle, FAMILY)
    yield partial(world.report, FAMILY, "alias_reorder")
    yield partial(world.report, FAMILY, "swap_production_b")
    yield world.forget_snapshots
    yield world.restart
    assert set(family.decisions) >= {
        "insufficient_data",
        "swap_production_b",
        "retain_production",
        "alias_reorder",
    }


def moves(world: World) -> Iterator[Act]:
    """Aliases that another tool or an operator has moved; an undo, and the undo of that."""
    for seed in range(30, 33):
        yield partial(world.play_out, POLICY, seed)
    yield partial(world.move_outside, FAMILY, "shadow2", 5)
    yield partial(world.exchange_outside, FAMILY)
    yield partial(world.cycle, FAMILY)
    yield partial(world.swap, FAMILY)
    yield partial(world.move_outside, FAMILY, "shadow1", 3)
    yield partial(world.cycle, FAMILY)
    yield partial(world.undo, FAMILY)
    yield partial(world.cycle, FAMILY)
    yield partial(world.undo, FAMILY)
    yield partial(world.undo, "multinomial_logistic")
    yield world.restart


def degraded(world: World) -> Iterator[Act]:
    """Games in which the model of B cannot predict."""
    yield partial(world.move_outside, FAMILY, "B", BROKEN)
    for seed in range(40, 46):
        yield partial(world.play_out, POLICY, seed)
    # Each game draws its alias: in one run of 64 all six have Production's.
    while not any(game.fallback_affected for game in world.expected.games.values()):
        yield partial(world.play_out, POLICY, 46)
    yield partial(world.cycle, FAMILY)
    yield world.restart


def registry_away(world: World) -> Iterator[Act]:
    """Cycles, a restart and games while the registry does not answer."""
    family = world.expected.families[FAMILY]
    yield from _comparable(world, "B")
    yield world.lose_registry
    while not family.pending:
        yield partial(world.play_for, POLICY, "B")
        yield partial(world.cycle, FAMILY)
    yield partial(world.cycle, FAMILY)
    yield world.restart
    yield partial(world.play_for, POLICY, "B")
    yield world.find_registry
    yield partial(world.cycle, FAMILY)


def approvals(world: World) -> Iterator[Act]:
    """Swaps that wait: not approved in time, rejected, approved while the registry is away; then an undo."""
    family = world.expected.families[FAMILY]
    yield partial(world.restart, approval=True)
    yield from _waiting(world)
    yield partial(world.cycle, FAMILY)
    yield partial(world.place, FAMILY, "shadow1", 5)
    yield partial(world.swap, FAMILY)
    yield partial(world.pin, FAMILY, "B", None)
    yield partial(world.set_clock, 600)
    yield partial(world.set_clock, 4_000)
    yield from _waiting(world)
    yield partial(world.reject, FAMILY)
    yield partial(world.approve, FAMILY)
    yield from _waiting(world)
    yield partial(world.restart, approval=False)
    yield world.lose_registry
    yield partial(world.approve, FAMILY)
    yield partial(world.cycle, FAMILY)
    yield world.find_registry
    assert family.swap_count == 1
    yield partial(world.undo, FAMILY)


def pins(world: World) -> Iterator[Act]:
    """Pins that expire, end or stay, against cycles, trainings, swaps and an undo."""
    family = world.expected.families[FAMILY]
    yield partial(world.pin, FAMILY, "shadow1", 1_000)
    yield partial(world.place, FAMILY, "shadow1", 5)
    yield partial(world.pin, FAMILY, "B", None)
    yield partial(world.swap, FAMILY)
    yield from _comparable(world, "B")
    yield partial(world.cycle, FAMILY)
    assert family.decisions[-1] == "retain_production"
    yield partial(world.set_clock, -500)
    yield partial(world.set_clock, 2_000)
    yield partial(world.place, FAMILY, "shadow1", 5)
    yield world.restart
    yield partial(world.unpin, FAMILY, "B")
    yield partial(world.unpin, FAMILY, "B")
    yield partial(world.cycle, FAMILY)
    assert family.swap_count == 1
    yield partial(world.pin, FAMILY, "Production", 5_000)
    yield partial(world.undo, FAMILY)
    yield world.lose_registry
    yield partial(world.place, FAMILY, "shadow2", 6)
    yield world.find_registry


def deliveries(world: World) -> Iterator[Act]:
    """Promotion events for a receiver that fails in every way, and restarts between."""
    for mood in get_args(Mood):
        yield partial(world.report, FAMILY, "alias_reorder")
        yield partial(world.deliver, mood)
        yield partial(world.deliver, mood)
    game_id = world.start(POLICY)
    yield partial(world.play, game_id, "rock")
    yield world.restart
    yield partial(world.deliver, "takes and hangs")
    yield partial(world.play_out, POLICY, 1)
    yield partial(world.deliver, "takes")


def _waiting(world: World) -> Iterator[Act]:
    """Games and cycles until a swap waits."""
    family = world.expected.families[FAMILY]
    yield from _comparable(world, "B")
    while family.pending is None:
        yield partial(world.play_for, POLICY, "B")
        yield partial(world.cycle, FAMILY)


def _comparable(world: World, favoured: str) -> Iterator[Act]:
    """Games until both sides have as many as a comparison needs."""
    family = world.expected.families[FAMILY]
    while min(family.games["Production"], family.games["B"]) < world.expected.rules.minimum_games:
        yield partial(world.play_for, POLICY, favoured)


def _reordered(world: World) -> bool:
    return world.expected.counts[series("rps_model_alias_reorders_total", model=FAMILY)] > 0


def _finish(world: World, game_id: str) -> None:
    while not world.play(game_id, "paper"):
        pass


WALKS: dict[str, Walk] = {
    one.__name__: one for one in (games, decisions, moves, degraded, registry_away, approvals, pins, deliveries)
}
