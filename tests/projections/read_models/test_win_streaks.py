from projections.read_models.player_stats import Games, PlayerStats, Stats
from projections.read_models.win_streaks import win_streaks


def run(streak: int, current: int = 0, last_win_us: int = 1) -> Games:
    return Games(wins=streak, streak=streak, current_streak=current, last_win_us=last_win_us)


def players(**games: Games) -> PlayerStats:
    return PlayerStats({name: Stats(games=one, opponents={"brian": one}) for name, one in games.items()})


def names(state: PlayerStats, limit: int = 10, opponent: str | None = None) -> list[str]:
    return [one.player_id for one in win_streaks(state, limit, opponent=opponent)]


def test_the_longest_run_comes_first() -> None:
    assert names(players(ada=run(2), bea=run(7), cleo=run(4))) == ["bea", "cleo", "ada"]


def test_of_equal_runs_the_one_that_goes_on_comes_first_and_then_the_older() -> None:
    state = players(ada=run(3, last_win_us=9), bea=run(3, current=1, last_win_us=9), cleo=run(3, last_win_us=4))

    assert names(state) == ["bea", "cleo", "ada"]


def test_a_player_who_has_not_won_has_no_run() -> None:
    assert names(players(ada=Games(losses=3))) == []


def test_the_runs_against_one_opponent_are_counted_by_themselves() -> None:
    state = PlayerStats(
        {
            "ada": Stats(games=run(2), opponents={"brian": run(1), "gus": run(3)}),
            "bea": Stats(games=run(2), opponents={"brian": run(2)}),
        }
    )

    assert names(state, opponent="brian") == ["bea", "ada"]
    assert names(state, opponent="gus") == ["ada"]
    assert names(state, opponent="logan") == []


def test_no_more_runs_than_were_asked_for() -> None:
    assert names(players(ada=run(1), bea=run(2)), limit=1) == ["bea"]
