from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from ledger.engines.database import transaction
from ledger.store import Ledger
from projections.audit.rebuild import READ_MODELS, rebuild
from projections.past import Past
from projections.read_models.all import ReadModels
from projections.schema import projection_waypoints
from projections.waypoints import COUNT_MAX, Laid, Waypoints, save, thinned
from tests.builders import game_started
from tests.projections.stories import append, execute, restarted, scratch_ledger, states

EVERY = 10
GAMES = 45


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A ledger that is read in pages of five, with what a service has stored of it."""
    with scratch_ledger(pages=5) as ledger:
        append(ledger, *(game_started(game_id=f"g{number}") for number in range(GAMES)))
        assert served(ledger).projector.save(every=1)
        yield ledger


def served(ledger: Ledger) -> ReadModels:
    read_models = ReadModels(ledger, waypoint_entries=EVERY)
    read_models.projector.start()
    return read_models


def nearest(ledger: Ledger, position: int) -> int | None:
    """The waypoint from which a look at the position would fold; it is what a replay to there is."""
    found = ReadModels(ledger, read_only=True)
    head = Waypoints(ledger, found.tracked, EVERY).restore(position)
    if head is None:
        return None
    found.projector.head = head
    replayed = ReadModels(ledger, read_only=True)
    for page in ledger.pages(through=head.position):
        replayed.projector.fold(page)
    assert replayed.projector.head == head
    assert states(found) == states(replayed)
    return head.position


def test_waypoints_are_laid_along_the_way(ledger: Ledger) -> None:
    assert [nearest(ledger, position) for position in (9, 10, 19, 25, 44, 45)] == [None, 10, 10, 20, 40, 40]


def test_a_restart_goes_on_laying_where_the_last_one_lies(ledger: Ledger) -> None:
    read_models = served(ledger)
    append(ledger, *(game_started(game_id=f"h{number}") for number in range(10)))

    read_models.projector.catch_up()
    read_models.projector.save()

    assert nearest(ledger, 54) == 50


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE projection_waypoints SET chain_hash = zeroblob(32) WHERE position = 20",
        "UPDATE projection_waypoints SET version = 99 WHERE position = 20 AND name = 'tickers'",
        "UPDATE projection_waypoints SET settings = 'x' WHERE position = 20 AND name = 'counters'",
        "UPDATE projection_waypoints SET state = x'c1' WHERE position = 20 AND name = 'standings'",
        "UPDATE projection_waypoints SET name = 'extra' WHERE position = 20 AND name = 'tickers'",
        "DELETE FROM projection_waypoints WHERE position = 20 AND name = 'open_games'",
    ],
)
def test_a_waypoint_that_does_not_fit_is_passed_over(ledger: Ledger, statement: str) -> None:
    execute(ledger.engine, statement)

    assert nearest(ledger, 29) == 10
    assert nearest(ledger, 30) == 30


def test_a_state_that_does_not_decode_leaves_nothing_behind(ledger: Ledger) -> None:
    execute(ledger.engine, "UPDATE projection_waypoints SET state = x'c1' WHERE name = 'open_games'")
    expected = ReadModels(ledger, read_only=True)
    for page in ledger.pages(through=15):
        expected.projector.fold(page)

    found = Past(served(ledger)).at(15)

    assert found.open_games == expected.open_games.state
    assert found.counters == expected.counters.state


def test_a_start_drops_what_does_not_fit_and_a_straggler_lays_its_share_again(ledger: Ledger) -> None:
    """As after a release that has changed one projection."""
    execute(ledger.engine, "UPDATE projection_waypoints SET version = 0 WHERE name = 'counters'")
    execute(ledger.engine, "UPDATE projection_snapshots SET version = 0 WHERE name = 'counters'")
    assert nearest(ledger, 44) is None

    served(ledger).projector.save()

    assert [nearest(ledger, position) for position in (10, 29, 44)] == [10, 20, 40]


def test_a_look_back_lays_what_is_missing(ledger: Ledger) -> None:
    read_models = served(ledger)
    execute(ledger.engine, "DELETE FROM projection_waypoints")

    Past(read_models).at(35)
    read_models.projector.save()

    assert [nearest(ledger, position) for position in (19, 29, 44)] == [10, 20, 30]


def test_a_rebuild_drops_the_waypoints_of_what_it_has_rebuilt(ledger: Ledger) -> None:
    rebuild(ledger, READ_MODELS, since_us=0)

    assert nearest(ledger, GAMES) is None


def test_read_models_that_write_nothing_lay_none(ledger: Ledger) -> None:
    execute(ledger.engine, "DELETE FROM projection_waypoints")
    read_models = ReadModels(ledger, read_only=True, waypoint_entries=EVERY)

    read_models.projector.start()

    assert not read_models.projector.save(every=1)
    assert nearest(ledger, GAMES) is None
    assert restarted(ledger).projector.position == GAMES


def test_what_is_stored_stays_within_the_bounds_whatever_was_stored_before(ledger: Ledger) -> None:
    """One more than there is a place for, and each of two projections."""
    execute(ledger.engine, "DELETE FROM projection_waypoints")
    same = {"version": 1, "settings": "", "chain_hash": bytes(32), "state": b"state"}
    rows = [
        {"name": name, "position": position, **same}
        for position in range(1, COUNT_MAX + 3)
        for name in ("counters", "tickers")
    ]

    with transaction(ledger.engine, write=[projection_waypoints]) as connection:
        save(connection, rows[:-4], head=COUNT_MAX)
        save(connection, rows[-6:], head=COUNT_MAX + 2)
        stored = connection.execute(select(projection_waypoints.c.position, projection_waypoints.c.name)).all()

    kept = thinned([Laid(position, 10) for position in range(1, COUNT_MAX + 3)], COUNT_MAX + 2)
    assert len(kept) == COUNT_MAX
    assert sorted(stored) == [(position, name) for position in sorted(kept) for name in ("counters", "tickers")]


@given(
    sizes=st.lists(st.integers(1, 100), min_size=1, max_size=40),
    count_max=st.integers(1, 20),
    bytes_max=st.integers(100, 1_000),
)
def test_waypoints_stay_within_their_bounds(sizes: list[int], count_max: int, bytes_max: int) -> None:
    laid = [Laid(position * 10, size) for position, size in enumerate(sizes, start=1)]

    kept = thinned(laid, len(laid) * 10, count_max=count_max, bytes_max=bytes_max)

    size = sum(one.bytes for one in laid if one.position in kept)
    assert len(kept) <= count_max
    assert size <= bytes_max
    # One more would break a bound.
    spare = [one.bytes for one in laid if one.position not in kept]
    assert not spare or len(kept) == count_max or size + max(sizes) > bytes_max


def test_the_older_they_are_the_further_apart_they_lie() -> None:
    kept: list[Laid] = []
    for position in range(25_000, 20_000_001, 25_000):
        kept.append(Laid(position, 1))
        stay = thinned(kept, position)
        kept = [one for one in kept if one.position in stay]

    positions = [one.position for one in kept]
    head = 20_000_000
    gaps = {after: after - before for before, after in zip([0, *positions], positions, strict=False)}
    assert len(positions) == COUNT_MAX
    assert all(gap <= max(25_000, (head - after) / 10) for after, gap in gaps.items() if after != positions[0])
    assert max(gap for after, gap in gaps.items() if head - after < 1_000_000) <= 50_000
