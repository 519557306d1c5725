from projections.read_models.leaderboard import leaderboard
from projections.read_models.player_stats import Games, PlayerStats, Stats


def players(**games: tuple[int, int, int]) -> PlayerStats:
    """Player -> wins, losses, ties."""
    return PlayerStats({name: Stats(games=Games(*counts)) for name, counts in games.items()})


def places(state: PlayerStats, limit: int = 10) -> list[tuple[int, str]]:
    return [(place.rank, place.player_id) for place in leaderboard(state, limit)]


def test_the_highest_share_of_wins_comes_first() -> None:
    state = players(ada=(3, 7, 0), bea=(4, 1, 0), cleo=(60, 40, 0))

    assert places(state) == [(1, "bea"), (2, "cleo"), (3, "ada")]


def test_ties_are_games_that_were_not_won() -> None:
    assert places(players(ada=(5, 0, 5), bea=(5, 4, 0))) == [(1, "bea"), (2, "ada")]


def test_a_player_with_fewer_than_five_games_has_no_place() -> None:
    assert places(players(ada=(4, 0, 0), bea=(0, 4, 1))) == [(1, "bea")]


def test_equal_results_share_a_rank_and_more_games_come_first() -> None:
    state = players(ada=(5, 5, 0), bea=(50, 50, 0), cleo=(5, 4, 1), dora=(0, 5, 0))

    assert places(state) == [(1, "bea"), (2, "ada"), (2, "cleo"), (4, "dora")]


def test_no_more_places_than_were_asked_for() -> None:
    assert places(players(ada=(5, 0, 0), bea=(4, 1, 0)), limit=1) == [(1, "ada")]
    assert places(PlayerStats()) == []
