import pytest

from gameplay.game import rules as game
from ledger.entries import Entry
from ledger.events import CycleDecided, Event, GameFinished, GameStarted, RoundPlayed
from ledger.store import Ledger
from ledger.vocabulary import FAMILIES, MOVES, Move
from projections.audit.decisions import check_decisions
from projections.audit.recount import Span, recount, round_deltas, round_result
from projections.audit.replay import Replay
from projections.read_models.counting import NO_GAMES
from projections.read_models.standings import Record
from tests.builders import game_started, points, round_played
from tests.projections.sabotage import Edit, edit


@pytest.mark.parametrize("through", [400, 1_600, 4_000, 7_550])
def test_a_recount_is_what_the_projections_count(copy: Ledger, through: int) -> None:
    """Two ways that share nothing but the events."""
    replay = Replay(copy)
    replay.advance(through)
    windows = replay.read_models.tickers.state.windows
    families = replay.read_models.standings.state.families

    counts = recount(copy, [Span(family, windows[family].since_position, through) for family in FAMILIES]).counts

    for span, count in counts.items():
        for alias, tally in windows[span.family].scores.items():
            assert count.tallies.get(alias, NO_GAMES) == tally
        for version, record in families[span.family].records.items():
            assert count.records.get(version, Record()) == record


def test_a_game_that_never_started_is_named(copy: Ledger, events: list[tuple[Entry, Event]]) -> None:
    entry, started = next((entry, event) for entry, event in events if isinstance(event, GameStarted))
    edit(copy, entry.position, lambda payload: payload.update(game_id="another"))

    problems = check_decisions(copy).problems

    assert [(problem.game_id, problem.problem) for problem in problems] == [(started.game_id, "it never started")]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda payload: payload.update(user_score_tenths=999), "its end says 999:"),
        (lambda payload: payload.update(degraded=True), "fallback_affected = True"),
        (lambda payload: payload.update(counted=False), "in_metrics = False, its start says True"),
        (lambda payload: payload.update(model_version=9), "model_version = 9"),
    ],
)
def test_an_end_that_contradicts_its_game_is_named(
    copy: Ledger, events: list[tuple[Entry, Event]], change: Edit, problem: str
) -> None:
    entry = next(
        entry
        for entry, event in events
        if isinstance(event, GameFinished) and event.in_metrics and not event.fallback_affected
    )
    edit(copy, entry.position, change)

    assert problem in check_decisions(copy).problems[0].problem


@pytest.mark.parametrize("user_move", MOVES)
@pytest.mark.parametrize("bot_move", MOVES)
def test_a_round_is_worth_what_the_game_gives_for_it(user_move: Move, bot_move: Move) -> None:
    """Written down twice, so that neither can be wrong alone."""
    result = game.judge(user_move, bot_move)

    assert round_result(user_move, bot_move) == result
    assert round_deltas(round_played(user_move=user_move, bot_move=bot_move, points=points())) == game.score(
        result, user_move, bot_move, points()
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda payload: payload.update(bot_move=payload["user_move"]), "says result = "),
        (lambda payload: payload.update(user_move=payload["bot_move"]), "says result = "),
        (lambda payload: payload.update(result="draw"), "says result = draw"),
        (lambda payload: payload.update(user_delta_tenths=99), "says user_delta_tenths = 99"),
        (lambda payload: payload.update(bot_score_tenths=99), "says bot_score_tenths = 99"),
        (lambda payload: payload.update(round=77), "says round = 77"),
        (lambda payload: payload.update(points={"rock": 1, "paper": 1, "scissors": 1}), "_delta_tenths = "),
    ],
)
def test_a_round_that_its_moves_do_not_give_is_named_once(
    copy: Ledger, events: list[tuple[Entry, Event]], change: Edit, problem: str
) -> None:
    entry, event = next(
        (entry, event)
        for entry, event in reversed(events)
        if isinstance(event, RoundPlayed) and event.result != "draw" and event.model_type in FAMILIES
    )
    edit(copy, entry.position, change)

    (found,) = check_decisions(copy).problems

    assert (found.position, found.game_id) == (entry.position, event.game_id)
    assert problem in found.problem


def test_a_game_that_ends_after_the_last_decision_is_looked_at_too(
    copy: Ledger, events: list[tuple[Entry, Event]]
) -> None:
    last_decision = max(entry.position for entry, event in events if isinstance(event, CycleDecided))
    entry, finished = next((entry, event) for entry, event in reversed(events) if isinstance(event, GameFinished))
    assert entry.position > last_decision
    edit(copy, entry.position, lambda payload: payload.update(rounds=99))

    (found,) = check_decisions(copy).problems

    assert (found.position, found.game_id) == (entry.position, finished.game_id)
    assert "its end says 99 rounds" in found.problem


def test_games_are_looked_at_where_nothing_was_decided(ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started(), round_played(bot_move="scissors")], 0)

    assert [one.position for one in check_decisions(ledger).problems] == [2]
