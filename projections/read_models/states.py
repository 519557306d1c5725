"""The folded states at one position, as pages read them: of the head, or of any position before it."""

from typing import NamedTuple

from projections.read_models.all import ReadModels
from projections.read_models.assigned_games import State as AssignedGamesState
from projections.read_models.bot_win_rates import BotWinRates
from projections.read_models.counters import Counters
from projections.read_models.history import Rows
from projections.read_models.open_games import OpenGames
from projections.read_models.player_stats import PlayerStats
from projections.read_models.records_by_player import RecordsByPlayer
from projections.read_models.standings import PromotionStates
from projections.read_models.tickers import Tickers
from projections.read_models.timeline import Timeline
from projections.read_models.version_pairs import VersionPairs


class States(NamedTuple):
    """Every state at one position, and when that position was recorded. To look at, and never to change."""

    position: int
    recorded_us: int
    counters: Counters
    tickers: Tickers
    standings: PromotionStates
    open_games: OpenGames
    assigned_games: AssignedGamesState
    timeline: Timeline
    player_stats: PlayerStats
    bot_win_rates: BotWinRates
    version_pairs: VersionPairs
    records_by_player: RecordsByPlayer
    history: Rows


def states_of(read_models: ReadModels, history: Rows | None = None) -> States:
    """The states as they stand. Hold `projector.current()` while you look at those of a live read model.

    The history is the one at the head, unless that of a position is given.
    """
    head = read_models.projector.head
    return States(
        position=head.position,
        recorded_us=head.recorded_us,
        counters=read_models.counters.state,
        tickers=read_models.tickers.state,
        standings=read_models.standings.state,
        open_games=read_models.open_games.state,
        assigned_games=read_models.assigned_games.state,
        timeline=read_models.timeline.state,
        player_stats=read_models.player_stats.state,
        bot_win_rates=read_models.bot_win_rates.state,
        version_pairs=read_models.version_pairs.state,
        records_by_player=read_models.records_by_player.state,
        history=history or read_models.history,
    )
