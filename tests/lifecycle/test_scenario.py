"""The whole way once, in small: real models, real games, a swap that the test finds, and a restart."""

from collections.abc import Callable

from starlette.testclient import TestClient

from gameplay.client.simulate import ScriptedPlayer
from gameplay.config import Settings
from gameplay.core import Core
from gameplay.promotion import planning
from gameplay.training.dataset import read_dataset
from gameplay.training.estimators import Line
from gameplay.training.fit import Job
from ledger.vocabulary import ALIASES, BotName, Family, Policy
from tests.gameplay.trainings import train
from tests.gameplay.web_clients import history, play, play_on, samples, start, wait_until
from tests.lifecycle.conftest import serving

FAMILY: Family = "xgboost"
POLICY: Policy = "forrest"
PLAYERS: tuple[BotName, ...] = ("ace", "bob", "cal", "dan")
ROUNDS_OF_GAMES_MAX = 40
STARTED_UNDER = 'rps_model_games_by_alias_total{alias="%s",model="xgboost"}'
TICKERS = ("production_games_since_swap", "b_games_since_swap", "promotion_cycles_since_swap")
SINCE_SWAP = 'rps_model_games_since_production_swap{alias="%s",model="xgboost"}'


def test_a_better_b_is_found_by_the_test_and_a_restart_changes_no_series(core: Core, settings: Settings) -> None:
    # Given a Production that has learned from a handful of games, and knows next to nothing
    weak = put_weak_version_behind_production(core)
    with serving(settings) as client:
        begun_before = start(client, POLICY)
        play(client, begun_before["game_id"])

        # When bots play and cycles are run until the test itself has swapped
        play_until(client, lambda: cycle(core) == "swap_production_b")

        # Then the registry, the ledger and the history say the same, and the tickers are at zero
        promotion_state = core.promotion.state(FAMILY).promotion
        assert core.registry.aliases(FAMILY) == promotion_state.aliases
        assert promotion_state.aliases["B"] == weak != promotion_state.aliases["Production"]
        row = history(client, model_type=FAMILY)[0]
        assert (row["decision"], row["applied"]) == ("swap_production_b", True)
        assert [row[name] for name in TICKERS] == [0, 0, 0]
        assert row["p_value"] < float(settings.promotion_alpha)
        assert all(samples(client)[SINCE_SWAP % alias] == 0 for alias in ("Production", "B"))

        # and a game that was begun before it counts under its first alias, but not in the new window
        alias = begun_before["bot_model_alias"]
        before = samples(client)[STARTED_UNDER % alias]
        assert play_on(client, begun_before["game_id"])["model_info"]["model_alias"] == alias
        after = samples(client)
        assert after[STARTED_UNDER % alias] == before + 1
        assert after[SINCE_SWAP % alias] == 0

        left_open = start(client, POLICY)["game_id"]
        answers = [play(client, left_open, "paper", round=number) for number in range(1, 6)]
        series = samples(client)

    # and a new process shows every series as it was, and gives every answer again
    with serving(settings) as client:
        assert samples(client) == series
        assert [play(client, left_open, "paper", round=number) for number in range(1, 6)] == answers


def put_weak_version_behind_production(core: Core) -> int:
    dataset = read_dataset(core.ledger, limit_games=6)
    event = train(
        Job("xgboost", "Production", dataset),
        core.registry,
        core.store,
        Line(inverse_l2=1e-9),
    )
    assert event.model_version is not None, event.error
    core.ledger.record(event)
    assert planning.assign(core.promotion, FAMILY, {"Production": event.model_version}, cause="manual").completed
    assert core.registry.aliases(FAMILY).keys() == set(ALIASES)
    return event.model_version


def play_until(client: TestClient, done: Callable[[], bool]) -> None:
    wait_until(lambda: client.get("/readyz").status_code == 200)
    for round_no in range(1, ROUNDS_OF_GAMES_MAX + 1):
        for bot in PLAYERS:
            for _ in ScriptedPlayer(client, bot, seed=round_no).games(POLICY, 2):
                pass
        if done():
            return
    raise AssertionError(f"no swap in {ROUNDS_OF_GAMES_MAX} rounds of games")


def cycle(core: Core) -> str:
    decided = planning.cycle(core.promotion, FAMILY, trigger="manual", source="test")
    assert decided is not None
    return decided.decision
