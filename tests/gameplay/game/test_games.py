from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameplay.game.games import Game, Prediction, Step, decide_abandoned, decide_round, evolve, fold
from gameplay.game.openings import OPENINGS
from gameplay.game.policies import UNIFORM, choose
from gameplay.game.rules import judge, round_points
from ledger.codec import Codec
from ledger.events import (
    Event,
    GameFinished,
    GameStarted,
    InferenceFellBack,
    PredictionMade,
    RoundPlayed,
)
from ledger.facts import Probabilities
from ledger.vocabulary import ALIASES, BOTS, MOVES, Alias, Move
from tests.builders import game_abandoned, game_started, training_completed
from tests.gameplay.plays import started as bots_started

LEANS: Probabilities = (0.5, 0.3, 0.2)
MISSED = Step("minio_miss", "not in the store")
BROKEN = Step("load_error", "no graph")


def sat_down(**changes: object) -> GameStarted:
    return game_started(**{"opening": "anvil", **changes})


def predictions(fell_back: dict[Alias, tuple[Step, ...]] | None = None) -> list[Prediction]:
    """One prediction for each alias; those of `fell_back` have no model."""
    steps = fell_back or {}
    return [
        Prediction(alias, version, UNIFORM, "rock", "uniform", steps[alias])
        if alias in steps
        else Prediction(alias, version, LEANS, "rock", "model")
        for version, alias in enumerate(ALIASES, start=1)
    ]


def play(game: Game, move: Move, made: Sequence[Prediction] | None = None) -> list[Event]:
    """One round, taken in."""
    if made is None:
        made = predictions() if game.needs_predictions() else ()
    events = decide_round(game, move, made)
    for event in events:
        evolve(game, event)
    return events


def opened(start: GameStarted | None = None) -> Game:
    """A game after its opening, none of whose rounds decided anything yet."""
    game = Game(start or sat_down())
    for _ in range(3):
        play(game, "rock")
    return game


def played_out(game: Game, moves: Sequence[Move]) -> list[Event]:
    events: list[Event] = []
    while game.finished is None:
        events += play(game, moves[len(game.rounds) % len(moves)])
    return events


def round_of(events: Sequence[Event]) -> RoundPlayed:
    (played,) = [event for event in events if isinstance(event, RoundPlayed)]
    return played


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_first_three_moves_are_the_openings_own(opening: str) -> None:
    game = Game(sat_down(opening=opening))

    rounds = [play(game, "rock") for _ in range(3)]

    assert tuple(round_of(events).bot_move for events in rounds) == OPENINGS[opening].moves
    assert {round_of(events).probability_source for events in rounds} == {"opening"}
    assert [len(events) for events in rounds] == [1, 1, 1]


def test_every_alias_predicts_from_round_four_on() -> None:
    game = opened()

    played, *made = play(game, "rock")

    assert isinstance(played, RoundPlayed)
    assert (played.round, played.probability_source) == (4, "model")
    made_by = [event for event in made if isinstance(event, PredictionMade)]
    assert len(made_by) == len(made) == 4
    assert [event.alias for event in made_by] == list(ALIASES)
    assert [event.model_version for event in made_by] == [1, 2, 3, 4]
    assert [event.alias for event in made_by if event.served] == ["Production"]
    assert {(event.round, event.predicted, event.actual, event.correct) for event in made_by} == {
        (4, "rock", "rock", True)
    }


def test_the_bot_plays_the_best_answer_to_its_own_alias() -> None:
    game = opened(sat_down(alias="B", model_version=2))
    certain = [
        Prediction(alias, 1, probabilities, "rock", "model")
        for alias, probabilities in zip(ALIASES, ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)), strict=True)
    ]

    played = round_of(play(game, "rock", certain))

    assert played.bot_move == "scissors"


def test_a_wrong_prediction_is_recorded_as_wrong() -> None:
    made = play(opened(), "paper")[1:]

    recorded = {(one.predicted, one.actual, one.correct) for one in made if isinstance(one, PredictionMade)}
    assert recorded == {("rock", "paper", False)}


def test_an_alias_that_fell_back_predicts_nothing_and_records_each_step() -> None:
    game = opened()

    made = play(game, "rock", predictions({"shadow1": (MISSED, BROKEN)}))[1:]

    assert [event.alias for event in made if isinstance(event, PredictionMade)] == ["Production", "B", "shadow2"]
    fell = [event for event in made if isinstance(event, InferenceFellBack)]
    assert [(event.alias, event.reason, event.detail, event.served) for event in fell] == [
        ("shadow1", *MISSED, False),
        ("shadow1", *BROKEN, False),
    ]
    assert not game.fallback_affected
    assert round_of(game.rounds[-1:]).probability_source == "model"


def test_a_long_detail_is_cut() -> None:
    made = play(opened(), "rock", predictions({"B": (Step("load_error", "x" * 9_000),)}))

    (fell,) = [event for event in made if isinstance(event, InferenceFellBack)]
    assert len(fell.detail) == 500


@pytest.mark.parametrize(("alias", "affected"), [("Production", True), ("B", False), ("shadow2", False)])
def test_a_game_is_fallback_affected_when_the_alias_that_plays_fell_back(alias: Alias, affected: bool) -> None:
    game = opened()
    play(game, "rock", predictions({alias: (MISSED,)}))

    played_out(game, MOVES)

    assert game.finished is not None
    assert (game.fallback_affected, game.finished.fallback_affected) == (affected, affected)


def test_a_fallback_in_the_last_round_degrades_the_game_too() -> None:
    game = opened()
    while game.finished is None:
        before = fold_again(game)
        play(game, "rock")

    events = decide_round(before, "rock", predictions({"Production": (MISSED,)}))

    (finished,) = [event for event in events if isinstance(event, GameFinished)]
    assert finished.fallback_affected


def fold_again(game: Game) -> Game:
    """A copy that goes its own way."""
    replayed = Game(game.started)
    for played in game.rounds:
        evolve(replayed, played)
    return replayed


def test_a_uniform_answer_chooses_by_points_alone() -> None:
    game = opened()

    played = round_of(play(game, "rock", predictions({"Production": (MISSED,)})))

    assert played.probability_source == "uniform"
    assert played.bot_move == choose(UNIFORM, played.points, *_scores_before(game))


def _scores_before(game: Game) -> tuple[int, int]:
    return game.past[-2].user_score_tenths, game.past[-2].bot_score_tenths


@pytest.mark.parametrize("bot", BOTS)
def test_a_scripted_opponent_needs_no_predictions_at_all(bot: str) -> None:
    game = Game(bots_started("g7", "cal", "gus", policy=bot))
    assert not game.needs_predictions()

    events = played_out(game, MOVES)

    assert {type(event) for event in events} == {RoundPlayed, GameFinished}
    assert {event.probability_source for event in game.rounds} == {"scripted"}


def test_the_end_of_a_game_carries_all_that_a_projection_needs() -> None:
    start = sat_down(alias="B", model_version=2, swap_count=7, in_metrics=False)
    game = opened(start)

    *_, last_round, finished = [
        event for event in played_out(game, ("rock",)) if isinstance(event, RoundPlayed | GameFinished)
    ]

    assert isinstance(last_round, RoundPlayed)
    assert isinstance(finished, GameFinished)
    for name in ("policy", "difficulty", "model_type", "alias", "model_version", "swap_count", "player_kind"):
        assert getattr(finished, name) == getattr(start, name)
    assert not finished.in_metrics
    assert finished.rounds == last_round.round == len(game.rounds)
    assert (finished.user_score_tenths, finished.bot_score_tenths) == game.scores_tenths
    assert max(game.scores_tenths) >= 100
    assert finished.winner == ("user" if game.scores_tenths[0] > game.scores_tenths[1] else "bot")


def test_an_abandoned_game_records_how_far_it_came() -> None:
    game = opened()

    event = decide_abandoned(game, idle_seconds=1_801)

    assert (event.rounds, event.idle_seconds, event.alias) == (3, 1_801, "Production")
    evolve(game, event)
    assert game.abandoned is event


def test_an_event_that_is_no_games_is_refused() -> None:
    with pytest.raises(AssertionError, match="TrainingCompleted"):
        evolve(Game(sat_down()), training_completed())


@given(st.lists(st.sampled_from(MOVES), min_size=1, max_size=6), st.sampled_from(MOVES), st.sampled_from(MOVES))
def test_the_bots_move_does_not_depend_on_the_players(past: list[Move], one: Move, other: Move) -> None:
    game = Game(sat_down(game_id=f"g-{len(past)}-{past[0]}"))
    for move in past:
        play(game, move)
    made = predictions() if game.needs_predictions() else ()

    ours, theirs = (round_of(decide_round(game, move, made)[:1]) for move in (one, other))

    assert ours.bot_move == theirs.bot_move
    assert ours.points == theirs.points == round_points(game.started.game_id, game.next_round)


@given(
    moves=st.lists(st.sampled_from(MOVES), min_size=1, max_size=12),
    game_id=st.integers(0, 10_000),
    scripted=st.booleans(),
    abandoned=st.booleans(),
)
def test_the_fold_of_a_stream_is_the_live_game(
    moves: list[Move], game_id: int, scripted: bool, abandoned: bool
) -> None:
    start = bots_started(f"g{game_id}", "cal", "hal") if scripted else sat_down(game_id=f"g{game_id}")
    game, codec = Game(start), Codec()
    events: list[Event] = [start]
    for move in moves:
        if game.finished is None:
            made = predictions({"Production": (MISSED,)} if len(game.rounds) == 5 else None)
            events += play(game, move, made if game.needs_predictions() else ())
    if abandoned and game.finished is None:
        events.append(game_abandoned(game_id=f"g{game_id}"))
        evolve(game, events[-1])

    stored = [codec.decode(*codec.encode(event)) for event in events]

    assert fold(stored) == game
    assert game.version == len(events)


@given(st.lists(st.sampled_from(MOVES), min_size=1, max_size=8), st.integers(0, 10_000))
def test_a_game_ends_once_with_one_winner(moves: list[Move], game_id: int) -> None:
    game = Game(sat_down(game_id=f"g{game_id}"))

    events = played_out(game, moves)

    assert sum(isinstance(event, GameFinished) for event in events) == 1
    assert 5 <= len(game.rounds) <= 20
    assert all(judge(played.user_move, played.bot_move) == played.result for played in game.rounds)
    assert sum(played.user_delta_tenths for played in game.rounds) == game.scores_tenths[0]
    assert sum(played.bot_delta_tenths for played in game.rounds) == game.scores_tenths[1]
